"""One slot tried out by the installer: the lock opens or the motor turns once, and what it told stands beside what a
person saw.

The surprise is what is written down. A lock that opens for a test gives nothing away: two events. A motor that turns
gives a piece away: an intent and a draw like any other, on disk before the command, and then the draw's reversal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.door import admits
from gateway.ports import NotStored, RecordRefused
from gateway.premises import Cabinet, CabinetUnreachableError, Premises
from gateway.recording import happened, stamp
from gateway.take_draw import carry_out
from gateway.tried_out import FLAG
from wire.records import Intent, Ref, Reversal

WHO = "setup"


class Tried(msgspec.Struct, frozen=True):
    """How a test ended: `moved`, `stuck`, `unknown`, or why it was not begun: `busy`, `unreachable`, `not_stored`,
    `no_item` (a motor gives goods away, and nobody has said which).
    """

    verdict: str
    detail: str = ""


def gives_goods(cabinet: Cabinet, slots: Iterable[str]) -> bool:
    """Whether a test of these slots gives pieces away."""
    return not all(admits(cabinet, slot) for slot in slots)


async def try_slot(premises: Premises, cabinet: Cabinet, slot: str) -> Tried:
    """Moves this slot once, and returns when it stands still and shut again."""
    if cabinet.device in premises.busy or cabinet.device in premises.service or premises.standing(cabinet.device):
        return Tried("busy")
    premises.busy.add(cabinet.device)
    try:
        await cabinet.look(slot)
        return await (_lock if admits(cabinet, slot) else _motor)(premises, cabinet, slot)
    except CabinetUnreachableError as error:
        return Tried("unreachable", str(error))
    except (NotStored, RecordRefused) as error:
        return Tried("not_stored", str(error))
    finally:
        premises.busy.discard(cabinet.device)


async def _lock(premises: Premises, cabinet: Any, slot: str) -> Tried:  # noqa: ANN401 - a Cabinet that admits
    await premises.keep(happened("slot_test", stamp(premises.clock), cabinet.device, slot=slot, who=WHO))
    opened = await cabinet.admit(slot)
    verdict = "moved" if opened else "stuck"
    data = {"verdict": verdict}
    await premises.keep_for_sure(
        happened("slot_tested", stamp(premises.clock), cabinet.device, slot=slot, data=data, who=WHO)
    )
    return Tried(verdict)


async def _motor(premises: Premises, cabinet: Cabinet, slot: str) -> Tried:
    at, (place, version) = stamp(premises.clock), premises.place(cabinet.device, slot)
    if place is None:
        return Tried("no_item")
    intent = Intent(
        v=1, z="", src=cabinet.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, who=WHO, cfg=cabinet.cfg,
        q=[FLAG], slot=slot, item=place.item, asked=1, planogram=version, rules=0,
        before=dict(await cabinet.look(slot)),
    )  # fmt: skip
    (key,) = await premises.keep(intent)
    ended = await carry_out(premises, cabinet, intent, key, place.confirm)
    await take_back(premises)
    verdicts = {"confirmed": "moved", "not_dispensed": "stuck", "jammed": "stuck", "void": "stuck"}
    return Tried(verdicts.get(ended.outcome, "unknown"), ended.outcome)


async def take_back(premises: Premises) -> int:
    """Reverses what tests gave away, also those that a power cut or a late proof has left so; the number of them."""
    left = premises.tried_out.open()
    for key, qty in left:
        at = stamp(premises.clock)
        # Named after the draw: two who take it back at once, or one over two starts, do it once.
        back = Reversal(
            v=1, z="", src=key.src, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, did=f"tried_out/{key.ep}/{key.n}",
            who=WHO, ref=Ref(*key), qty=qty, reason="tried out at the set-up",
        )  # fmt: skip
        await premises.keep_for_sure(back)
    return len(left)
