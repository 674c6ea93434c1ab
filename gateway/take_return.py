"""Goods and tools that come back: unused to their slot, used ones to the burn stock, spoiled ones to the scrap.

The surprise is where a return belongs: to the draw it takes back, with that draw's cost centre and job, and never to
whoever stands there. It deletes nothing; draw and return both stay and are both shown. A door is opened for it by a
word in the journal first, because an opening that no record explains is a forced one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from gateway.door import admits
from gateway.lots import labels, last_of
from gateway.periods import DAY_MS
from gateway.ports import NotStored, RecordRefused
from gateway.premises import Cabinet, CabinetUnreachableError, Premises
from gateway.reasons import WHOM
from gateway.recording import Stamp, happened, stamp
from gateway.shelf import BURN, SCRAP, Resolution
from gateway.take_count import resolved
from gateway.take_draw import BUSY, DrawResult, not_stored
from gateway.uses import Use
from gateway.visitors import Visitor
from wire.ids import RecordKey
from wire.records import DeviceEvent, Draw, DrawResolved, LoanBack, Note, OfLot, Record, Ref, Return

Condition = Literal["unused", "used", "damaged"]
MAY_FOR_OTHERS = frozenset({"supervisor", "restocker", "supplier"})
SHUT = "The door did not open. Nothing was changed."
WRONG = {
    "not_yours": "This was not drawn by you.",
    "return_late": "The time for bringing this back is over.",
    "nothing_to_return": "There is nothing left of this to bring back.",
    "not_a_loan": "This was not lent.",
    "other_cabinet": "This was drawn at another cabinet. Bring it back there.",
    "quantity": "This number of pieces is not possible here.",
    "slot_changed": "Something else lies in this slot by now.",
}


async def take_return(
    premises: Premises, cabinet: Cabinet, visitor: Visitor, record: str, quantity: int, condition: Condition,
    request: str = "",
) -> DrawResult:  # fmt: skip
    """So many pieces of a draw come back."""
    use = found(premises, record)
    reason = _why_not(premises, visitor, use, quantity) or _not_here(premises, visitor, use, condition == "unused")
    if use is not None and use.lent:
        reason = reason or "not_a_loan"
    unproven = _unproven(premises, use) if condition == "unused" else None
    if unproven is not None and quantity != unproven.qty:
        # Of a part nobody could say what became of the rest.
        reason = reason or "quantity"
    if use is None or reason:
        return _no(reason or "nothing_to_return")
    slot = {"unused": use.slot, "used": BURN, "damaged": SCRAP}[condition]

    def made(at: Stamp) -> list[Record]:
        lot, lots = _lots(use, quantity)
        # What is brought back has come out: without that word before it, the credit would be for nothing that is due.
        left = [] if unproven is None else [_came_out(unproven, at, visitor)]
        return [*left, Return(
            v=1, z="", src=use.cabinet, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
            who=visitor.person.person, for_=use.for_, q=["claimed", *_asked(request)], slot=slot, item=use.item,
            qty=quantity, unit=_unit(premises, use), ref=Ref(*use.key), condition=condition, lot=lot, lots=lots,
            serial=_numbers(use, quantity), expires=_ends(premises, use, lot),
        )]  # fmt: skip

    return await _put_in(premises, cabinet, use.slot if condition == "unused" else "", made, "returned", quantity)


async def take_loan_back(
    premises: Premises, cabinet: Cabinet, visitor: Visitor, record: str, condition: Condition, request: str = ""
) -> DrawResult:
    """A borrowed tool comes back. One that is damaged is back too, and not lent again before somebody has looked."""
    use = found(premises, record)
    reason = _why_not(premises, visitor, use, use.qty if use else 1, late=False)
    reason = reason or _not_here(premises, visitor, use, condition != "damaged")
    if use is not None and not use.lent:
        reason = reason or "not_a_loan"
    if use is None or reason:
        return _no(reason or "nothing_to_return")
    slot = SCRAP if condition == "damaged" else use.slot

    def made(at: Stamp) -> list[Record]:
        back: list[Record] = [loan_back(premises, use, at, slot, visitor.person.person, condition, request)]
        if condition == "damaged":
            data = {"item": use.item, "serial": use.serial, "loan": record}
            back.append(happened("tool_damaged", at, use.cabinet, slot=use.slot, who=visitor.person.person, data=data))
        return back

    return await _put_in(premises, cabinet, use.slot, made, "brought_back", use.qty)


def loan_back(
    premises: Premises, use: Use, at: Stamp, slot: str, who: str, condition: str, request: str = ""
) -> LoanBack:
    """The record that ends a loan."""
    return LoanBack(
        v=1, z="", src=use.cabinet, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=who, for_=use.for_, q=[condition, *_asked(request)], slot=slot, item=use.item, qty=use.qty,
        unit=_unit(premises, use), ref=Ref(*use.key), lot=use.lot, lots=use.lots,
        serial=use.serial, expires=_ends(premises, use, use.lot),
    )  # fmt: skip


async def take_report(premises: Premises, visitor: Visitor, record: str, what: str, words: str) -> DrawResult:
    """Somebody says that it was otherwise: kept as what he said, and the slot is counted. Nothing is driven again."""
    use = found(premises, record)
    if use is None or (use.who != visitor.person.person and not visitor.roles & MAY_FOR_OTHERS):
        return _no("not_yours")
    at = stamp(premises.clock)
    note = Note(
        v=1, z="", src=use.cabinet, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        who=visitor.person.person, q=[what], text=words or what, ref=Ref(*use.key),
    )  # fmt: skip
    told: DeviceEvent = happened(
        "reported", at, use.cabinet, slot=use.slot, who=visitor.person.person, data={"what": what, "record": record}
    )
    try:
        key, _ = await premises.keep(note, told)
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("reported", reason=what, sentence="Written down. Someone will count the slot.", key=key)


async def keep_loans(premises: Premises) -> int:
    """Loans so late that by the rules they are kept: they end, and a draw says what was kept. The number of them."""
    now, kept = premises.now(), 0
    if now.ts != "S":
        return 0
    for use in premises.uses.loans():
        days = premises.desired.current.book.item(use.item).kept_after_days
        due = premises.uses.due(use)
        if not days or due is None or now.t < due + days * DAY_MS:
            continue
        at, name = stamp(premises.clock), f"{use.key.src}/{use.key.ep}/{use.key.n}"
        _, planogram = premises.place(use.cabinet, use.slot)
        back = loan_back(premises, use, at, use.slot, use.who, "kept")
        bought = Draw(
            v=1, z="", src=use.cabinet, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
            who=use.who, for_=use.for_, q=["kept_loan"], slot=use.slot, item=use.item, asked=use.qty, qty=use.qty,
            outcome="confirmed", actuation="none", confirmation=f"loan {name} not back {days} days after its date",
            planogram=planogram, rules=premises.desired.current.book.version, unit=back.unit,
            lot=use.lot, lots=use.lots, serial=use.serial,
        )  # fmt: skip
        await premises.keep_for_sure(back, bought)
        kept += 1
    return kept


async def _put_in(
    premises: Premises,
    cabinet: Cabinet,
    slot: str,
    made: Callable[[Stamp], Sequence[Record]],
    outcome: str,
    quantity: int,
) -> DrawResult:
    """Opens where there is a door, then writes down what came back."""
    if cabinet.device in premises.busy:
        return BUSY
    premises.busy.add(cabinet.device)
    try:
        if slot and admits(cabinet, slot):
            await premises.keep(happened("opened_for_goods", stamp(premises.clock), cabinet.device, slot=slot))
            if not await cabinet.admit(slot):
                return DrawResult(
                    "refused", reason="unreachable", sentence="The door did not open. Nothing was changed."
                )
        records = made(stamp(premises.clock))
        keys = await premises.keep_for_sure(*records)
        key = next(key for one, key in zip(records, keys, strict=True) if not isinstance(one, DrawResolved))
    except CabinetUnreachableError as error:
        return DrawResult("refused", reason="unreachable", sentence=str(error))
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    finally:
        premises.over(cabinet.device)
    return DrawResult(outcome, quantity, sentence="Written down. Thank you.", key=key)


def found(premises: Premises, record: str) -> Use | None:
    """What a person's record ("src/ep/n") stands for, while it is remembered."""
    src, _, rest = record.rpartition("/")[0].rpartition("/")
    ep, n = rest, record.rpartition("/")[2]
    if not (src and ep and n.isascii() and n.isdecimal() and len(n) <= 16):
        return None
    return premises.uses.at(RecordKey(src, ep, int(n)))


def _why_not(premises: Premises, visitor: Visitor, use: Use | None, quantity: int, *, late: bool = True) -> str:
    if use is None or quantity < 1 or quantity > use.qty or use.open:
        return "nothing_to_return"
    if use.who != visitor.person.person and not visitor.roles & MAY_FOR_OTHERS:
        return "not_yours"
    days = premises.desired.current.book.item(use.item).return_days
    now = premises.now()
    drawn = premises.uses.when(use)
    over = now.ts == "S" and drawn is not None and now.t > drawn + days * DAY_MS
    return "return_late" if late and over else ""


def _not_here(premises: Premises, visitor: Visitor, use: Use | None, to_its_slot: bool) -> str:  # noqa: FBT001
    """Its slot is behind a door of its own cabinet, and may be planned for something else by now."""
    if use is None or use.cabinet != visitor.cabinet:
        return "other_cabinet"
    place, _ = premises.place(use.cabinet, use.slot)
    return "slot_changed" if to_its_slot and place is not None and place.item != use.item else ""


def _ends(premises: Premises, use: Use, lot: str) -> int | msgspec.UnsetType:
    """When what comes back ends, as it did when it was put in."""
    ends = premises.shelf.ends(use.item, lot, use.serial)
    return msgspec.UNSET if ends is None else ends


def _lots(use: Use, quantity: int) -> tuple[str, list[OfLot]]:
    """Of which lots so many pieces are that come back."""
    return labels(last_of(use.lots, use.qty, quantity), quantity) if use.lots else (use.lot, [])


def _unproven(premises: Premises, use: Use | None) -> Draw | None:
    """The draw of a use, where nobody has decided it yet."""
    return next((one for one in premises.shelf.waiting() if use is not None and one.key == use.key), None)


def _came_out(draw: Draw, at: Stamp, visitor: Visitor) -> DrawResolved:
    """An unproven draw whose pieces are brought back. Named as a verdict is: it is decided once."""
    evidence = f"brought back by {visitor.person.person}"
    name = f"verdict/{draw.ep}/{draw.n}"
    return resolved(Resolution(draw, "confirmed", draw.qty), at, evidence[:1000], did=name)


def _asked(request: str) -> tuple[str, ...]:
    """The request's flag, where it has one."""
    return (request,) if request else ()


def _numbers(use: Use, quantity: int) -> str:
    """Which pieces come back: all of them; of some it is not said which."""
    return use.serial if len(use.serial.split()) == quantity else ""


def _unit(premises: Premises, use: Use) -> str:
    return premises.desired.current.book.item(use.item).unit


def _no(reason: str) -> DrawResult:
    whom = WHOM["supervisor"] if reason in ("return_late", "not_yours", "slot_changed") else ""
    return DrawResult("refused", reason=reason, sentence=WRONG[reason], ask=whom)
