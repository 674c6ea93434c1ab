"""A cabinet that speaks MQTT: coils, a drop sensor, a badge reader, and a memory that survives everything.

A person holds up a badge and names a slot; the cabinet asks (``vend.request``) and waits for ``dispense`` or ``deny``.
The surprise is in what may go wrong between: the command may come twice, late, after a power cut, or never, and a
``cmd_id`` still turns the motor at most once, because it is written down before the motor moves.

Sans-IO: messages and line times go in, publications come out. Who owns the broker calls ``connected``, ``acked``,
``disconnected``. Source: docs/protocols/mqtt_cabinet.md (our own schema; there is no industry standard). PURE.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from firmware_sim.devices.cabinet_journal import CabinetJournal, Dispense, Event, SlotMemory, encode
from firmware_sim.devices.coil_motors import CoilMotors, Dropped, Turn

FIRMWARE = "1.4.2"
_PATIENCE_S = 15.0
_LONGEST_RESEND = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Publication(NamedTuple):
    """One PUBLISH at QoS 1. ``mid`` names an event for ``acked``; "" for a state."""

    topic: str
    payload: bytes
    retain: bool = False
    mid: str = ""


@dataclass
class _Waiting:
    """Somebody stands there and waits for leave."""

    mid: str
    badge: str
    until: float


class MqttCabinet:
    """One cabinet. ``slots``: slot -> pieces in it. ``world_ms`` maps line time to ms UTC of its clock.

    ``on_drop`` hears of each piece that really falls; ``display`` is what the person reads; ``badges`` are those an
    autonomous cabinet serves; ``coils`` can be jammed, blinded and mended.
    """

    def __init__(
        self,
        cabinet: str,
        slots: Mapping[str, int],
        *,
        now: float = 0.0,
        autonomous: bool = False,
        turn_s: float = 3.0,
        world_ms: Callable[[float], int] = lambda now: round(now * 1000),
        on_drop: Callable[[Dropped], None] | None = None,
        keep: int = 1000,
    ) -> None:
        self.cabinet = cabinet
        self.display = ""
        self.synced = True
        self.badges: frozenset[str] = frozenset()
        self.coils = CoilMotors(slots, turn_s, on_drop)
        self._world_ms = world_ms
        self._memory = CabinetJournal(keep=keep, autonomous=autonomous)
        self._memory.slots = {slot: SlotMemory(goods) for slot, goods in slots.items()}
        self._waiting: _Waiting | None = None
        self._powered = True
        self._online = False
        self._boot(now)

    # The broker's side

    @property
    def command_topic(self) -> str:
        """What the cabinet subscribes to (QoS 1, clean session)."""
        return f"vend/v1/{self.cabinet}/cmd"

    @property
    def will(self) -> Publication:
        """What the broker says when the cabinet is gone."""
        return Publication(self._topic("state"), encode({"v": 1, "online": False}), retain=True)

    def connected(self, now: float) -> list[Publication]:  # noqa: ARG002 - the same at any time
        """State, then everything the broker does not have, oldest first and unchanged."""
        if not self._powered:
            return []
        self._online = True
        return [self._state(), *(self._publication(event) for event in self._memory.unacked())]

    def disconnected(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """The broker is gone; the cabinet goes on and writes things down."""
        self._online = False

    def acked(self, publication: Publication) -> None:
        """The broker has acknowledged it."""
        event = self._memory.find(publication.mid)
        if event is not None:
            event.acked = True

    def receive(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Publication]:
        """One message; what is not for it, retained, or not understood does nothing."""
        if not self._powered or topic != self.command_topic or retained:
            return []
        try:
            command = json.loads(payload)
        except ValueError:
            return []
        if not isinstance(command, dict) or command.get("v") != 1 or not isinstance(command.get("cmd_id"), str):
            return []
        obey: Mapping[str, Callable[[Mapping[str, object], float], list[Publication]]] = {
            "dispense": self._dispense,
            "deny": self._deny,
            "resend": self._resend,
            "mode": self._mode,
            "state": self._tell_state,
        }
        verb = obey.get(str(command.get("cmd")))
        return verb(command, now) if verb is not None else []

    def due(self) -> float | None:
        """See ``Twin``."""
        moments = [self.coils.turn.step_at] if self.coils.turn else []
        if self._waiting:
            moments.append(self._waiting.until)
        return min(moments, default=None)

    def wake(self, now: float) -> list[Publication]:
        """See ``Twin``."""
        if self._waiting and now >= self._waiting.until:
            self._waiting = None
            self.display = "no answer: please try again"
        if self.coils.turn and now >= self.coils.turn.step_at:
            return self._step(self.coils.turn, now)
        return []

    # What hands can do

    def badge(self, badge: str, slot: str, now: float, qty: int = 1, *, for_: str = "") -> list[Publication]:
        """Somebody holds up a badge and chooses a slot."""
        if not self._powered or self.coils.turn or self._waiting:
            return []
        if self._memory.autonomous:
            return self._serve(badge, slot, qty, now)
        self.display = "one moment"
        fields: dict[str, object] = {"badge": badge, "slot": slot, "qty": qty}
        event = self._write("vend.request", {**fields, **({"for": for_} if for_ else {})}, now)
        self._waiting = _Waiting(event.mid, badge, now + _PATIENCE_S)
        return self._out(event)

    def fill(self, slot: str, pieces: int) -> list[Publication]:
        """The restocker puts pieces in and types the new level."""
        self.coils.fill(slot, pieces)
        self._memory.slots[slot].level = self.coils.goods(slot)
        self._memory.slots[slot].st = "ok"
        return self._out(None)

    def service_door(self, now: float, *, opened: bool, forced: bool = False) -> list[Publication]:
        """The big door moves."""
        return self._out(self._write("door", {"open": opened, "forced": forced}, now))

    def power_off(self, now: float) -> None:  # noqa: ARG002 - the motor stops where it stands
        """The supply goes. A piece that has not fallen yet does not fall."""
        self._powered = self._online = False
        self.coils.stop()
        self._waiting = None
        self.display = ""

    def power_on(self, now: float) -> None:
        """The supply is back; call ``connected`` once the broker is."""
        self._powered = True
        self._boot(now)
        for one in self._memory.dispenses.values():
            if not one.result:
                self._result(one, now, qty=0, motor="unknown", drop="unknown")

    # Commands

    def _dispense(self, command: Mapping[str, object], now: float) -> list[Publication]:
        cmd_id, slot, qty = str(command["cmd_id"]), str(command.get("slot")), command.get("qty")
        known = self._memory.dispenses.get(cmd_id)
        if known is not None:
            event = self._memory.find(known.result) if known.result else None
            return self._out(event, state=False) if event else []
        one = self._memory.dispenses[cmd_id] = Dispense(cmd_id, slot)
        reason = self._refusal(command, slot, qty, now)
        if reason:
            return self._result(one, now, qty=0, motor="none", drop="none", reason=reason)
        badge = ""
        if self._waiting and command.get("req") == self._waiting.mid:
            badge, self._waiting = self._waiting.badge, None
        assert isinstance(qty, int)
        self._start(one.cmd_id, slot, qty, badge, now)
        return []

    def _refusal(self, command: Mapping[str, object], slot: str, qty: object, now: float) -> str:
        if self.synced and self._expired(str(command.get("expires")), now):
            return "expired"
        if self.coils.turn:
            return "busy"
        if slot not in self.coils:
            return "unknown_slot"
        if not isinstance(qty, int) or isinstance(qty, bool) or not 1 <= qty <= 9:
            return "bad_qty"
        return "" if self._memory.slots[slot].level > 0 else "sold_out"

    def _deny(self, command: Mapping[str, object], now: float) -> list[Publication]:  # noqa: ARG002
        if self._waiting and command.get("req") == self._waiting.mid:
            self._waiting = None
            self.display = f"sorry: {command.get('reason', 'not allowed')}"
        return []

    def _resend(self, command: Mapping[str, object], now: float) -> list[Publication]:
        span = [command.get(key) for key in ("boot", "from", "to")]
        boot, first, last = (one if isinstance(one, int) else 0 for one in span)
        kept, gone = self._memory.between(boot, max(first, 1), min(last, first + _LONGEST_RESEND))
        told = [self._publication(event) for event in kept]
        for begin, end in gone:
            told += self._out(self._write("lost", {"lost_boot": boot, "from": begin, "to": end}, now), state=False)
        return told

    def _mode(self, command: Mapping[str, object], now: float) -> list[Publication]:  # noqa: ARG002
        self._memory.autonomous = command.get("autonomous") is True
        return [self._state()]

    def _tell_state(self, command: Mapping[str, object], now: float) -> list[Publication]:  # noqa: ARG002
        return [self._state()]

    # Motor and memory

    def _serve(self, badge: str, slot: str, qty: int, now: float) -> list[Publication]:
        if badge not in self.badges:
            self.display = "sorry: badge unknown"
        elif slot not in self.coils or self._memory.slots[slot].level <= 0:
            self.display = "sorry: nothing there"
        else:
            self._start("", slot, qty, badge, now)
        return []

    def _start(self, cmd_id: str, slot: str, qty: int, badge: str, now: float) -> None:
        self.display = "please wait"
        self.coils.start(cmd_id, slot, qty, badge, now)

    def _step(self, turn: Turn, now: float) -> list[Publication]:
        """One turn of the coil has ended."""
        step, memory = self.coils.step(turn, now), self._memory.slots[turn.slot]
        memory.ctr += step.saw
        memory.level = max(memory.level - step.saw, 0)
        if step.motor == "turning":
            return []
        memory.st = "jam" if step.motor == "jam" else "ok" if memory.level else "sold_out"
        return self._finish(turn, now, motor=step.motor)

    def _finish(self, turn: Turn, now: float, *, motor: str) -> list[Publication]:
        self.display = "please take it" if turn.seen else "sorry: nothing came"
        drop = "none" if not turn.seen else "extra" if turn.extra else "seen"
        one = self._memory.dispenses.get(turn.cmd_id) or Dispense("", turn.slot)
        local: dict[str, object] = {} if turn.cmd_id else {"badge": turn.badge, "auth": "local"}
        ms = round((now - turn.begun) * 1000)
        return self._result(one, now, qty=turn.seen, motor=motor, drop=drop, ms=ms, **local)

    def _result(self, one: Dispense, now: float, *, ms: int = 0, **facts: object) -> list[Publication]:
        slot = self._memory.slots.get(one.slot)
        fields = {"cmd_id": one.cmd_id, "slot": one.slot, "ms": ms, "ctr": slot.ctr if slot else 0, **facts}
        event = self._write("dispense.result", fields, now)
        one.result = event.mid
        return self._out(event)

    def _boot(self, now: float) -> None:
        self._memory.start(self._time(now), self._clk, FIRMWARE)

    def _write(self, kind: str, fields: Mapping[str, object], now: float) -> Event:
        return self._memory.write(kind, fields, self._time(now), self._clk)

    @property
    def _clk(self) -> str:
        return "synced" if self.synced else "unsynced"

    def _time(self, now: float) -> str:
        at = _EPOCH + timedelta(milliseconds=self._world_ms(now))
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"

    def _expired(self, expires: str, now: float) -> bool:
        try:
            until = datetime.fromisoformat(expires)
        except ValueError:
            return True
        return until.tzinfo is None or _EPOCH + timedelta(milliseconds=self._world_ms(now)) > until

    def _topic(self, leaf: str) -> str:
        return f"vend/v1/{self.cabinet}/{leaf}"

    def _publication(self, event: Event) -> Publication:
        return Publication(self._topic("evt"), event.payload, mid=event.mid)

    def _state(self) -> Publication:
        memory = self._memory
        slots = {slot: {"level": one.level, "ctr": one.ctr, "st": one.st} for slot, one in memory.slots.items()}
        portrait: dict[str, object] = {"v": 1, "online": True, "boot": memory.boot, "seq": memory.seq, "fw": FIRMWARE}
        portrait |= {"mode": "autonomous" if memory.autonomous else "gated", "slots": slots}
        return Publication(self._topic("state"), encode(portrait), retain=True)

    def _out(self, event: Event | None, *, state: bool = True) -> list[Publication]:
        """What leaves now, if the broker is there; else the memory has it."""
        if not self._online:
            return []
        told = [self._publication(event)] if event else []
        return [*told, self._state()] if state else told
