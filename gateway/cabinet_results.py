"""What a cabinet reports about a dispense, as records: asked for, late, or asked by nobody. No I/O.

The surprise is the last one: a result that no command of ours explains is still goods that left. It is recorded and
flagged; physical facts win over rules.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from msgspec.structs import replace

from gateway.access import Asked
from gateway.device_events import Dispensed, Scalar
from gateway.lots import labels
from gateway.ports import Confirm
from gateway.premises import Given, Premises
from gateway.recording import Stamp, frame_hash, happened
from gateway.shelf import NO_MOTOR, Resolution
from gateway.take_count import resolved
from gateway.take_draw import draw
from gateway.vending import OutOfOrderError, State, dispensed, verdict
from wire.ids import RecordKey
from wire.records import ClockState, DeviceEvent, Draw, DrawResolved, Intent, Loan

# What is asked before anything is given, and breaks no rule afterwards; or is flagged by other words.
ASKED_BEFORE = ("one_at_a_time", "quantity", "serial_needed", "unknown_slot", "unknown_cabinet", "slot_off", "empty")


def asked_for(
    event: Dispensed, intent: Intent, key: RecordKey, confirm: Confirm, at: Stamp
) -> tuple[Draw | Loan, Given]:
    """The draw that ends an attempt, and the same for whoever waits."""
    fact, qty = dispensed(event, confirm, intent.asked, intent.before.get("ctr"))
    words = event.drop if event.motor != "none" else event.reason or "not driven"
    given = Given(fact, qty, event.motor, words, after(event))
    flags = ("jam",) if event.motor == "jam" and qty else ()
    if event.motor == "none" and not event.cmd_id:
        # A board's own word about its wires; one that is sent commands by name says "none" of any that came too late.
        flags = (NO_MOTOR,)
    return draw(intent, key, given, at, did=event.did, raw=frame_hash(event.raw), q=flags), given


def late(event: Dispensed, unverified: Draw, confirm: Confirm, at: Stamp) -> DrawResolved | DeviceEvent:
    """A result after its draw was written down as unverified: it decides it, if it proves anything."""
    fact, qty = dispensed(event, confirm, unverified.asked, unverified.before.get("ctr"))
    try:
        end = verdict(fact, qty, State.UNVERIFIED)
    except OutOfOrderError:
        return spare("result_late", event, unverified.src, at)
    evidence = f"the cabinet's late result: motor {event.motor}, drop {event.drop}"
    return resolved(Resolution(unverified, end.outcome, end.qty), at, evidence, did=event.did)


def unasked(event: Dispensed, device: str, cfg: str, premises: Premises, at: Stamp) -> Draw:
    """Nobody here asked for it; it happened all the same. Where its name is one of our commands, of which this card
    knows nothing (it was put back, and the rest is still on its way from the cloud), it ends that attempt.
    """
    desired = premises.desired.current
    place, planogram = premises.place(device, event.slot)
    holder = desired.badges.get(event.badge)
    fact, qty = dispensed(event, place.confirm if place else "none", event.qty, None)
    end = verdict(fact, qty)
    item = place.item if place else "unknown"
    named, against = unasked_for(premises, Asked(device, event.slot, event.qty, badge=event.badge))
    flags = ["autonomous" if event.local else "unasked", *([end.incident] if end.incident else []), *against]
    lot, lots = labels(premises.lies_in(device, event.slot).leaving(end.qty), end.qty)
    blank = _blank(device, cfg, at.b, at.ts, event.slot, item, planogram, desired.rules or desired.version)
    return replace(
        blank, t=at.t, m=at.m, did=event.did, who=holder.person if holder else pseudonym(event.badge),
        raw=frame_hash(event.raw), q=flags, intent=attempt_of(event.cmd_id), asked=event.qty, qty=end.qty,
        outcome=end.outcome, actuation=event.motor, confirmation=event.drop, after=after(event),
        for_=named, lot=lot, lots=lots,
    )  # fmt: skip


def unasked_for(premises: Premises, asked: Asked) -> tuple[str, tuple[str, ...]]:
    """The account that goods which left unasked are charged to, and the rule they left against, as a flag; nobody is
    refused any more, and a cabinet that decided alone has looked at its own PINs.
    """
    desired = premises.desired.current
    holder = desired.badges.get(asked.badge)
    who = asked.person or (holder.person if holder else "")
    place, _ = premises.place(asked.cabinet, asked.slot)
    if place is None or not (who or asked.badge):
        # Nobody has planned anything there, so there is no rule about it.
        return "", ()
    decision = premises.judge(replace(asked, person=who, lend=bool(desired.book.item(place.item).loan_days)))
    return decision.for_, (decision.reason,) if decision.reason and decision.reason not in ASKED_BEFORE else ()


@lru_cache(maxsize=1024)
def _blank(
    device: str, cfg: str, boot: str, ts: ClockState, slot: str, item: str, planogram: int, rules: int
) -> Draw:  # fmt: skip
    """A draw from a slot without what changes from one to the next: a copy of it costs a quarter of a whole record."""
    return Draw(
        v=1, z="", src=device, ep=boot, n=0, t=0, ts=ts, b=boot, m=0, cfg=cfg, slot=slot, item=item, asked=0, qty=0,
        outcome="void", actuation="", confirmation="", planogram=planogram, rules=rules,
    )  # fmt: skip


def spare(name: str, event: Dispensed, device: str, at: Stamp) -> DeviceEvent:
    """A result that changes nothing about goods, kept as an event."""
    words = {"cmd_id": event.cmd_id, "motor": event.motor, "drop": event.drop, "reason": event.reason}
    told: dict[str, Scalar] = {"qty": event.qty, **words}
    return happened(name, at, device, slot=event.slot, data=told, raw=event.raw, did=event.did)


def after(event: Dispensed) -> dict[str, int]:
    """The device's own numbers afterwards: its counter, its clock where it can be believed, how long it took."""
    numbers = {"ms": event.ms} if event.ms else {}
    if event.ctr is not None:
        numbers["ctr"] = event.ctr
    if event.at is not None:
        numbers["device_ms"] = event.at
    return numbers


def attempt_of(cmd_id: str) -> str:
    """The attempt ("ep/n") that a command's name stands for; "" where it is no name of ours."""
    boot, _, n = cmd_id.rpartition("-")
    return f"{boot}/{n}" if boot and n.isascii() and n.isdecimal() else ""


@lru_cache(maxsize=1024)
def pseudonym(badge: str) -> str:
    """A badge that no list names: the same word for the same badge, and not the badge."""
    return f"badge-{hashlib.sha256(badge.encode()).hexdigest()[:16]}" if badge else ""
