"""At boot, before the front opens: what became of the vends that a power cut interrupted.

No mark, no byte has left: void. Marked: the device is asked, by status, counter or the result it still holds; what it
cannot prove stays unverified and its slot waits for a count. The command is never sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from gateway.ports import Attempt, NotStored
from gateway.premises import Cabinet, Given, Premises
from gateway.recording import stamp
from gateway.take_draw import finish, never_sent
from gateway.vending import Fact

log = logging.getLogger(__name__)


async def recover_draws(premises: Premises, cabinets: Mapping[str, Cabinet]) -> int:
    """Ends every open attempt of earlier boots; the number of them. A cabinet serves again when its own are ended."""
    found = await _left_open(premises, cabinets)
    attempts = [attempt for attempt in found if attempt.key.ep != premises.clock.boot]
    by_cabinet: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_cabinet.setdefault(attempt.intent.src, []).append(attempt)
    premises.busy.update(by_cabinet)
    premises.recovering.update(by_cabinet)
    async with asyncio.TaskGroup() as group:
        for device, theirs in by_cabinet.items():
            group.create_task(_recover(premises, device, cabinets.get(device), theirs))
    return len(attempts)


async def _left_open(premises: Premises, cabinets: Mapping[str, Cabinet]) -> list[Attempt]:
    """What the journal says; as long as it cannot, no cabinet serves anybody."""
    while True:
        try:
            found = await premises.journal.open_attempts()
        except NotStored as error:
            log.warning("what the boot before left open is not known yet: %s", error)
            premises.recovering.update(cabinets)
            await premises.clock.sleep(1.0)
        else:
            premises.recovering.difference_update(cabinets)
            return found


async def _recover(premises: Premises, device: str, cabinet: Cabinet | None, attempts: Sequence[Attempt]) -> None:
    try:
        for attempt in attempts:
            await _end(premises, cabinet, attempt)
    finally:
        premises.recovering.discard(device)
        premises.over(device)


async def _end(premises: Premises, cabinet: Cabinet | None, attempt: Attempt) -> None:
    intent, key = attempt.intent, attempt.key
    if not attempt.commanded:
        await premises.keep_for_sure(never_sent(intent, key, stamp(premises.clock)))
        return
    given = Given(Fact.NO_ANSWER, intent.asked, "unknown", "the cabinet is not configured any more")
    if cabinet is not None:
        given = await cabinet.recall(intent, key, premises.confirm(intent.src, intent.slot))
    await finish(premises, intent, key, given, q=("recovered",))
