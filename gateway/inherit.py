"""What a new card inherits: the goods' movements that cards before it recorded at the cabinets which hang on it now.

The surprise is when it is fetched: at the enrolment, when the cloud is there for certain, and before the identity is
kept. So a card that vends knows the stock, who has drawn how much, and which attempts the card before left open; or
there is no such card yet, and the same command is given again.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import msgspec

from gateway import folders, identity
from gateway.clock import Clock
from gateway.cloud_requests import Cloud, CloudError, Inherited
from gateway.journal import inheriting
from gateway.journal.store import Journal
from gateway.ports import NotStored
from wire.canonical import LeafError
from wire.records import INHERITED, INHERITED_EVENTS, DeviceEvent, Record, decode

log = logging.getLogger("gateway")

FILE = "inheritance.json"
# 100 movements a day for five years. Half a history would be a wrong stock, so that beyond this none is taken.
MOST = 200_000
TOO_LONG = "there are more than %d earlier records of goods: this card begins without them; count the slots"


async def fetch(cloud: Cloud, folder: Path) -> int:
    """Asks for all of it and puts it into a synced file; how many records. Raises CloudError, OSError."""
    found: list[Inherited] = []
    after: str | None = ""
    try:
        while after is not None:
            piece = await cloud.inheritance(after)
            found += piece.records
            after = piece.next or None
            if len(found) > MOST:
                log.warning(TOO_LONG, MOST)
                return 0
    except CloudError as error:
        if error.kind != "refused" or error.slug not in ("not-found", ""):
            raise
        log.warning("this cloud passes nothing on to a new card; count the slots", extra={"why": str(error)})
        return 0
    if found:
        identity.write(folder / FILE, msgspec.json.encode(found))
    return len(found)


async def take_over(journal: Journal, clock: Clock, folder: Path) -> int:
    """Puts what was fetched into the journal; how many records are new there. ``done`` forgets the file."""
    try:
        told = msgspec.json.decode((folder / FILE).read_bytes(), type=list[Inherited])
    except FileNotFoundError:
        return 0
    except (OSError, msgspec.DecodeError) as error:
        log.critical("what this card inherits cannot be read; count the slots", extra={"why": str(error)})
        return 0
    records = [record for one in sorted(told, key=lambda one: (one.log, one.idx)) if (record := _read(one)) is not None]
    while True:
        try:
            return await journal.change(inheriting.inherit, records)
        except NotStored as error:
            log.warning("what this card inherits waits: %s", error)
            await clock.sleep(1.0 * clock.scale)


def done(folder: Path) -> None:
    """The journal holds it, and says so: the file is not needed any more."""
    path = folder / FILE
    if path.exists():
        with contextlib.suppress(OSError):
            path.unlink()
            folders.sync(folder)


def _read(one: Inherited) -> tuple[Record, bytes] | None:
    leaf = one.leaf.encode()
    try:
        record = decode(leaf)
    except LeafError as error:
        log.warning("an inherited record is not understood", extra={"why": str(error), "log": one.log, "idx": one.idx})
        return None
    wanted = record.__struct_config__.tag in INHERITED
    if isinstance(record, DeviceEvent):
        wanted = record.event in INHERITED_EVENTS
    return (record, leaf) if wanted else None
