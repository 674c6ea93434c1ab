"""What is still open when everybody has gone: draws that nobody has proven, each with an owner and a deadline.

The surprise is that the deadline decides nothing. When it has passed it is an alarm, and its owner must say what he has
seen, or somebody must count (``take_verdict``); only a contract that chose the rule of payment (`mdb_strict`) counts a
vend without evidence as sold, and then at once and with the contract named as its evidence. Tools that are kept too
long become draws here too.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from gateway.ports import NotStored, RecordRefused
from gateway.premises import Premises
from gateway.recording import happened, stamp
from gateway.shelf import Resolution
from gateway.slot_tests import take_back
from gateway.take_count import resolved
from gateway.take_return import keep_loans
from gateway.take_verdict import from_afar
from gateway.vending import Fact, State, verdict
from wire.records import Draw, Record

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
EVERY = 60.0
CONTRACT = "contract: mdb_strict, a vend without evidence counts as sold"


class Question(msgspec.Struct, frozen=True):
    """A draw that waits for evidence. `deadline_ms` is UTC; `overdue` is False while the clock cannot tell."""

    record: str
    cabinet: str
    slot: str
    item: str
    person: str
    qty: int
    at_ms: int
    deadline_ms: int
    overdue: bool
    owner: str


def questions(premises: Premises) -> list[Question]:
    """All that are open, oldest first."""
    now, book = premises.now(), premises.desired.current.book
    found = []
    for draw in premises.shelf.waiting():
        rules = book.cabinet(draw.src)
        deadline = draw.t + rules.resolve_hours * HOUR_MS
        overdue = now.ts == "S" and draw.ts in ("S", "R") and now.t > deadline
        found.append(Question(
            f"{draw.src}/{draw.ep}/{draw.n}", draw.src, draw.slot, draw.item, draw.who, draw.qty, draw.t, deadline,
            overdue, rules.resolve_owner,
        ))  # fmt: skip
    return found


async def remind(premises: Premises) -> int:
    """Says once of each question that its time is over; how many were said now."""
    said = 0
    for one in questions(premises):
        if not one.overdue or one.record in premises.reminded:
            continue
        data: dict[str, int | str | bool] = {
            "record": one.record,
            "owner": one.owner,
            "deadline_ms": one.deadline_ms,
            "item": one.item,
        }
        name = f"overdue/{one.record.partition('/')[2]}"
        # The name of the event is the draw's: told again after a restart, it is stored once.
        told = happened("unverified_overdue", stamp(premises.clock), one.cabinet, slot=one.slot, data=data, did=name)
        try:
            await premises.keep(told)
        except (NotStored, RecordRefused) as error:
            log.warning("a reminder waits: %s", error)
            continue
        premises.reminded.add(one.record)
        said += 1
    return said


async def by_contract(premises: Premises, draw: Draw) -> bool:
    """Decides an unverified draw by the contract, where it says so; whether it did."""
    if not premises.desired.current.book.cabinet(draw.src).mdb_strict:
        return False
    end = verdict(Fact.CONTRACT, draw.qty, State.UNVERIFIED)
    await premises.keep_for_sure(resolved(Resolution(draw, end.outcome, end.qty), stamp(premises.clock), CONTRACT))
    return True


async def look_after(premises: Premises) -> None:
    """Every minute, and as soon as a draw stays unproven; until cancelled."""
    news = asyncio.Event()

    def heard(record: Record) -> None:
        if isinstance(record, Draw) and record.outcome == "unverified":
            news.set()

    premises.changed.append(heard)
    while True:
        news.clear()
        await take_back(premises)
        await keep_loans(premises)
        await from_afar(premises)
        for draw in premises.shelf.waiting():
            await by_contract(premises, draw)
        await remind(premises)
        try:
            async with asyncio.timeout(EVERY / premises.clock.scale):
                await news.wait()
        except TimeoutError:
            continue
