"""What happens at the moment a broken invariant is met: the log goes on hold, in a transaction of its own."""

from __future__ import annotations

from cloud.database import Store
from cloud.invariants.broken import InvariantBroken
from cloud.invariants.walk import put_on_hold


async def stop_billing(store: Store, tenant: str, error: InvariantBroken, now_ms: int) -> None:
    """Keeps the hold although what was under way is rolled back."""
    await store.run(lambda tx: put_on_hold(tx, tenant, error.broken, now_ms))
