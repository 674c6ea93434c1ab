"""What happens once at a start: a record that says so, and the shelf rebuilt from what was recorded before."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.config import Config
from gateway.identity import Identity
from gateway.journal import reading, sealing
from gateway.journal.connection import SAFE_SQLITE
from gateway.journal.store import Journal
from gateway.ports import Desired, NotStored
from gateway.recording import stamp
from wire.canonical import LeafError
from wire.hand_over import open_hand_over
from wire.ids import RecordKey
from wire.records import DeviceEvent, GatewayEvent, Record, decode
from wire.seal import verifier

log = logging.getLogger("gateway")

# The `src` of a gateway's own records before it is enrolled and has a name.
NOBODY = "gateway"
PAIRS = 80
AT_ONCE = 500
# An order lasts a week at most: in so many boots it is found, however often the power failed.
BOOTS = 200


class NoDesired:
    """Nothing was ever told: the gateway is not enrolled."""

    current = Desired()
    age_seconds: int | None = None


def program_version() -> str:
    """The installed version, "0" from a bare checkout."""
    try:
        return version("tallystick")
    except PackageNotFoundError:
        return "0"


def event(clock: Clock, gateway_id: str, name: str, data: Mapping[str, Any]) -> GatewayEvent:
    """A record of the gateway about itself."""
    at = stamp(clock)
    return GatewayEvent(
        v=1, z="", src=gateway_id, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, event=name, data=dict(data)
    )  # fmt: skip


async def tell(
    journal: Journal, clock: Clock, gateway_id: str, name: str, data: Mapping[str, Any], *, did: str = ""
) -> RecordKey:
    """Stores such a record; tries until the journal takes it. One with a name (`did`) is stored once."""
    while True:
        try:
            (key,) = await journal.append([msgspec.structs.replace(event(clock, gateway_id, name, data), did=did)])
        except NotStored:
            await clock.sleep(1.0 * clock.scale)
        else:
            return key


async def record(journal: Journal, clock: Clock, gateway_id: str, config: Config) -> None:
    """The first record of a boot: who was before, and how far each device had counted then."""
    previous = journal.opened.previous
    pairs = [[src, n] for src, n in previous.last] if previous else []
    data = {
        "previous": previous.boot if previous else "",
        "clock": clock.state(),
        "version": program_version(),
        "sqlite": sqlite3.sqlite_version,
        "devices": len(config.devices()),
    }
    # A leaf is at most 4 KiB: a site with very many devices says it in parts.
    parts = [pairs[at : at + PAIRS] for at in range(0, len(pairs), PAIRS)] or [[]]
    for number, part in enumerate(parts, 1):
        await tell(journal, clock, gateway_id, "boot", {**data, "last": part, "part": number, "parts": len(parts)})
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        # One connection writes and checkpoints, so the WAL-reset bug of older versions cannot be met; said anyway.
        log.info("SQLite is older than 3.51.3", extra={"sqlite": sqlite3.sqlite_version})
    salvaged = journal.opened.salvaged
    if salvaged is not None:
        told = {"why": salvaged.why[:256], "kept": salvaged.kept, "spoilt": salvaged.spoilt}
        await tell(journal, clock, gateway_id, "journal_recovered", told)


async def begin_epoch(journal: Journal, clock: Clock, identity: Identity) -> None:
    """Where this identity's log follows another one, its entry 0 names that: no record is lost between two logs."""
    before = await journal.change(sealing.predecessor, identity.origin)
    epoch = int(identity.origin.rpartition("/")[2])
    if before is None and (epoch == 1 or await journal.read(reading.has_log, identity.origin)):
        return
    # A new card remembers no log: the cloud has told at the enrolment where the old one ends, and the loss begins.
    told = before or identity.follows
    data = {
        "old_origin": told.origin if told else "",
        "size": told.size if told else 0,
        "root": told.root if told else "",
        "reason": identity.reason,
        "approver": identity.approver,
    }
    key = await tell(journal, clock, identity.gateway_id, "epoch_begun", data)
    await journal.change(sealing.begin_after, identity.origin, key)
    log.warning("a new log epoch begins", extra={"origin": identity.origin, "after": data["old_origin"]})


async def remember(journal: Journal, cabinets: Sequence[str], tell: Callable[[Record], None]) -> None:
    """What lies in the slots and who drew what, by all that was ever recorded of these cabinets, in order."""
    for cabinet in cabinets:
        for boot in await journal.read(reading.boots_of, cabinet):
            n = 0
            while said := await journal.read(reading.said_after, boot, cabinet, n, AT_ONCE):
                _apply(tell, said)
                n = said[-1][0]


async def since_last_order(journal: Journal, device: str) -> list[DeviceEvent]:
    """What was said of the control of a unit since the last boot in which a person ordered it, in order."""
    found: list[DeviceEvent] = []
    for boot in (await journal.read(reading.boots_of, device))[: -BOOTS - 1 : -1]:
        told: list[Record] = []
        _apply(told.append, [(0, leaf) for leaf in await journal.read(reading.said_of_control, boot, device)])
        found = [record for record in told if isinstance(record, DeviceEvent)] + found
        if any(record.event in ("control_ordered", "control_order_ended") for record in found):
            break
    return found


def _apply(tell: Callable[[Record], None], said: Sequence[tuple[int, bytes]]) -> None:
    for _, leaf in said:
        try:
            tell(decode(leaf))
        except LeafError as error:
            log.warning("a stored record is not understood", extra={"why": str(error)})


async def tell_key(journal: Journal, clock: Clock, identity: Identity) -> None:
    """A record that the log's key was followed by another; told once for each key, however often we start."""
    if not identity.hand_overs:
        return
    link = open_hand_over(identity.hand_overs[-1])
    data = {"old": verifier(link.old).fingerprint, "new": verifier(link.new).fingerprint, "size": link.size}
    told = msgspec.structs.replace(event(clock, identity.gateway_id, "key_rotated", data), did=f"key:{data['new']}")
    while True:
        try:
            await journal.append([told])
        except NotStored:
            await clock.sleep(1.0 * clock.scale)
        else:
            return
