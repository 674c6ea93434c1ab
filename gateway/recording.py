"""From what a device said to a record: event + clock + identity. PURE.

The surprise is what is *not* here: no counter and no salt. `n` is 0 and `z` is "" until the journal gives them, because
a number given before the commit could be given twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from gateway.clock import Clock
from gateway.device_events import DeviceFault, Identified, Measured
from wire.records import ClockState, DeviceEvent, Reading, Record

# How far a device's own time may be from ours and still be believed: two minutes ahead, a year behind (a backlog).
AHEAD_MS, BEHIND_MS = 120_000, 366 * 86_400_000
# Readings of one device that are remembered without what changes: of more registers than a meter has.
REGISTERS = 512


class Stamp(NamedTuple):
    """One moment: wall ms UTC, state of the wall clock, boot id, ms since that boot."""

    t: int
    ts: ClockState
    b: str
    m: int


def stamp(clock: Clock, *, ago: int = 0) -> Stamp:
    """Now, or some milliseconds `ago`, as records say it."""
    return Stamp(clock.wall_ms() - ago, clock.state(), clock.boot, clock.mono_ms() - ago)


@lru_cache(maxsize=8)
def frame_hash(raw: bytes) -> str:
    """Hex SHA-256 of a raw frame, empty for none."""
    return hashlib.sha256(raw).hexdigest() if raw else ""


def reading(event: Measured, at: Stamp, device: str, cfg: str) -> Reading:
    """A register as the meter holds it, at the meter's own time where it says one that can be."""
    t, m, q = at.t, at.m, event.q
    if event.at is not None:
        lag = at.t - event.at
        if at.ts == "S" and -AHEAD_MS <= lag <= BEHIND_MS:
            t, m = event.at, max(0, at.m - lag)
            q = (*q, "device_time")
        else:
            q = (*q, "received")
    blank = _blanks(device, cfg, at.b, at.ts)[event.register, event.scale, event.unit, q]
    return replace(blank, t=t, m=m, did=event.did, raw=frame_hash(event.raw), value=event.value)


class _Blanks(dict[tuple[str, int, str, tuple[str, ...]], Reading]):
    """A device's readings without what changes from one to the next, made as they are met.

    A copy with some fields changed costs a quarter of a record made from all its fields, and lines are busy.
    """

    def __init__(self, device: str, cfg: str, boot: str, ts: ClockState) -> None:
        super().__init__()
        self._of = device, cfg, boot, ts

    def __missing__(self, name: tuple[str, int, str, tuple[str, ...]]) -> Reading:
        device, cfg, boot, ts = self._of
        register, scale, unit, q = name
        if len(self) >= REGISTERS:
            self.clear()
        self[name] = blank = Reading(
            v=1, z="", src=device, ep=boot, n=0, t=0, ts=ts, b=boot, m=0, cfg=cfg,
            q=list(q), register=register, value=0, scale=scale, unit=unit,
        )  # fmt: skip
        return blank


_blanks = lru_cache(maxsize=64)(_Blanks)


def device_event(event: DeviceFault | Identified, at: Stamp, device: str, cfg: str = "") -> DeviceEvent:
    """Something a person may have to look at, or the device's own number at a start."""
    if isinstance(event, Identified):
        if not event.number and event.facts:
            # Nobody must take it for another meter that came in its place.
            return happened("meter_facts", at, device, data=event.facts, raw=event.raw, cfg=cfg)
        data = {"number": event.number, **event.facts}
        return happened("identified", at, device, data=data, raw=event.raw, cfg=cfg)
    return happened(event.event, at, device, slot=event.slot, data=event.data, raw=event.raw, cfg=cfg, did=event.did)


def happened(
    event: str,
    at: Stamp,
    device: str,
    *,
    slot: str = "",
    data: Mapping[str, Any] | None = None,
    who: str = "",
    raw: bytes = b"",
    cfg: str = "",
    did: str = "",
) -> DeviceEvent:
    """A device_event that the gateway itself words: silent, back, door_forced, draw_refused."""
    return DeviceEvent(
        v=1, z="", src=device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        did=did, who=who, raw=frame_hash(raw), cfg=cfg, event=event, slot=slot, data=dict(data or {}),
    )  # fmt: skip


def record(event: object, at: Stamp, device: str, cfg: str) -> Reading | DeviceEvent | None:
    """The record of an event that stands for itself; None for one that others must interpret first."""
    if isinstance(event, Measured):
        return reading(event, at, device, cfg)
    if isinstance(event, DeviceFault | Identified):
        return device_event(event, at, device, cfg)
    return None


def records(events: Sequence[object], at: Stamp, device: str, cfg: str) -> list[Record]:
    """What `record` makes of each of these; for the many of a busy line."""
    found: list[Record] = []
    blanks = _blanks(device, cfg, at.b, at.ts)
    t, m, raw, shown = at.t, at.m, b"", ""
    for event in events:
        if not isinstance(event, Measured) or event.at is not None or event.did:
            alone = record(event, at, device, cfg)
            found += [alone] if alone is not None else []
            continue
        if event.raw is not raw:
            raw = event.raw
            shown = frame_hash(raw)
        blank = blanks[event.register, event.scale, event.unit, event.q]
        found.append(replace(blank, t=t, m=m, raw=shown, value=event.value))
    return found
