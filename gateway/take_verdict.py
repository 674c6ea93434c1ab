"""What the owner of an unproven draw says: it was taken, or it was not. At the cabinet, or from the supplier's desk.

The surprise is who may not: whoever drew it. He is a party, and the line would stand on his own word. What is said is
no proof by itself; the record keeps by whom and on what it stands, and without that nothing becomes a line of the bill.
"""

from __future__ import annotations

import logging
from typing import Literal

from gateway.access import LOOK_AFTER
from gateway.ports import NotStored, RecordRefused
from gateway.premises import Premises
from gateway.reasons import WHOM
from gateway.recording import stamp
from gateway.shelf import Resolution
from gateway.take_count import resolved
from gateway.take_draw import DrawResult, not_stored
from gateway.vending import Fact, State, verdict
from gateway.visitors import Visitor
from wire.records import Draw

log = logging.getLogger(__name__)

Outcome = Literal["confirmed", "not_dispensed"]
FACTS: dict[Outcome, Fact] = {"confirmed": Fact.WITNESSED_GONE, "not_dispensed": Fact.WITNESSED_HERE}
WRONG = {
    "not_open": "This draw is not open: nobody has to decide it.",
    "not_your_verdict": "Somebody else decides this draw.",
    "own_draw": "Who has drawn it cannot decide it himself.",
    "no_evidence": "Say what the verdict stands on.",
}


def owns(premises: Premises, visitor: Visitor, cabinet: str) -> bool:
    """Whether this person may decide the unproven draws of a cabinet."""
    owner = premises.desired.current.book.cabinet(cabinet).resolve_owner
    if not owner:
        # Those who may count.
        return bool(visitor.roles & LOOK_AFTER)
    return owner == visitor.person.person or owner in visitor.roles


async def take_verdict(
    premises: Premises, visitor: Visitor, record: str, outcome: Outcome, evidence: str
) -> DrawResult:
    """Decides the draw "src/ep/n" of the visitor's cabinet, and says by whom and on what."""
    draw = _open(premises, record)
    if draw is None or draw.src != visitor.cabinet:
        return _no("not_open")
    if not owns(premises, visitor, draw.src):
        return _no("not_your_verdict")
    if draw.who and draw.who == visitor.person.person:
        return _no("own_draw")
    if not evidence.strip():
        return _no("no_evidence")
    try:
        await _decide(premises, draw, outcome, f"verdict of {visitor.person.person}: {evidence.strip()}")
    except (NotStored, RecordRefused) as error:
        return not_stored(error)
    return DrawResult("decided", sentence="Written down. Thank you.", key=draw.key)


async def from_afar(premises: Premises) -> int:
    """What the owners have decided at the supplier's desk; the number of draws that are decided now."""
    done = 0
    for cabinet, said in premises.desired.current.verdicts.items():
        for record, one in said.items():
            draw = _open(premises, f"{cabinet}/{record}")
            if draw is None or not one.evidence.strip() or (draw.who and draw.who == one.who):
                continue
            try:
                await _decide(premises, draw, one.outcome, f"verdict of {one.who}: {one.evidence}")
            except (NotStored, RecordRefused) as error:
                log.warning("a verdict waits: %s", error)
                continue
            done += 1
    return done


async def _decide(premises: Premises, draw: Draw, outcome: Outcome, evidence: str) -> None:
    end = verdict(FACTS[outcome], draw.qty, State.UNVERIFIED)
    # Named after the draw: two owners at once, or one who presses twice, decide it once.
    name = f"verdict/{draw.ep}/{draw.n}"
    await premises.keep(
        resolved(Resolution(draw, end.outcome, end.qty), stamp(premises.clock), evidence[:1000], did=name)
    )


def _open(premises: Premises, record: str) -> Draw | None:
    return next((one for one in premises.shelf.waiting() if f"{one.src}/{one.ep}/{one.n}" == record), None)


def _no(reason: str) -> DrawResult:
    whom = WHOM["supervisor"] if reason != "no_evidence" else ""
    return DrawResult("refused", reason=reason, sentence=WRONG[reason], ask=whom)
