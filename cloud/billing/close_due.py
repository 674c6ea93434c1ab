"""A closing run: every agreement's periods that are over, drafts in their days of grace, final after them.

The surprise: any number of runs may go at once and be killed at any moment. Each period is one transaction behind its
agreement's lock, so what a killed run has not committed is simply still due, and no other run can close it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.billing import repository
from cloud.billing.close_period import Wanted, close_period, draft_period
from cloud.calendar import Cycle, Period, billing_periods
from cloud.database import Store, Tx
from wire.seal import Signer

DAY_MS = 86_400_000
FAR = date(2999, 12, 31)


class Closed(msgspec.Struct, frozen=True):
    """What a run did for one period."""

    agreement_id: str
    first: str
    end: str
    state: str
    number: int
    total: str
    currency: str


async def close_due(store: Store, tenant: str, now_ms: int, signer: Signer, *, drafts: bool = True) -> list[Closed]:
    """Closes everything that is due for a tenant, one transaction a period."""
    done: list[Closed] = []
    for agreement_id in await store.read(lambda tx: agreements.ids(tx, tenant)):
        while True:
            made = await store.run(
                lambda tx, one=agreement_id: close_next(tx, tenant, one, now_ms, signer, drafts=drafts)  # type: ignore[misc]
            )
            if made is None:
                break
            done.append(made)
            if made.state == "draft":
                break
    return done


def close_next(
    tx: Tx, tenant: str, agreement_id: str, now_ms: int, signer: Signer, *, drafts: bool = True
) -> Closed | None:
    """Closes an agreement's next period if it is due, or drafts it while its grace lasts; None: nothing is due."""
    agreement = agreements.find(tx, tenant, agreement_id, lock=True)
    if agreement is None:
        return None
    due = due_period(agreement, repository.last_statement_end(tx, tenant, agreement_id), now_ms)
    if due is None:
        return None
    wanted = Wanted(first=due.first, end=due.end)
    grace_ms = int(getattr(agreement.terms, "grace_days", None) or 0) * DAY_MS
    if now_ms < due.to_ms + grace_ms:
        if not drafts:
            return None
        draft = draft_period(tx, tenant, agreement_id, wanted, now_ms=now_ms)
        return Closed(agreement_id, due.first, due.end, "draft", 0, draft.settlement.total, agreement.terms.currency)
    made, _ = close_period(tx, tenant, agreement_id, wanted, now_ms=now_ms, signer=signer)
    return Closed(agreement_id, due.first, due.end, "final", made.head.number, made.head.total, made.head.currency)


def due_period(agreement: Agreement, closed_until: str, now_ms: int) -> Period | None:
    """The next period of an agreement, if it is over; ``closed_until``: end of the last closed one ("" none)."""
    terms = agreement.terms
    cycle = getattr(terms, "cycle", None) or Cycle()
    first = date.fromisoformat(closed_until or terms.starts)
    end = FAR if terms.ends is None else date.fromisoformat(terms.ends)
    if first >= end:
        return None
    found = next(billing_periods(cycle, terms.zone, first, end))
    return found if found.to_ms <= now_ms else None


def gaps(series: Sequence[tuple[str, int, int]]) -> list[str]:
    """The series whose newest number is not the count of their documents: numbers are missing there."""
    return [name for name, last, count in series if last != count]
