"""What a new card inherits: the movements of goods at the cabinets that hang on it now, recorded on cards before it.

The surprise is what is left out. An attempt that is still open is passed on only where its log is closed: the card of
another gateway may be alive, and two cards that end one attempt would bill it twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.database import Tx
from cloud.fleet import repository
from cloud.fleet.repository import RecordedRow
from wire.records import INHERITED, INHERITED_EVENTS

SCANNED = 4096
Key = tuple[str, str, int]
"""Device, epoch, number of the last record looked at."""
FIRST: Key = ("", "", -1)
_KINDS = tuple(
    [f'"k":"{kind}"'.encode() for kind in INHERITED] + [f'"event":"{event}"'.encode() for event in INHERITED_EVENTS]
)
_INTENT = b'"k":"intent"'


class Inherited(msgspec.Struct, frozen=True):
    """One record: where it stands among the logs (their number, its index), and its leaf."""

    log: int
    idx: int
    leaf: str


class Piece(msgspec.Struct, frozen=True):
    """A piece of it, and the last record that was looked at; None: there is no more."""

    records: Sequence[Inherited]
    last: Key | None


def inheritance(tx: Tx, tenant: str, gateway: str, log_no: int, after: Key, room: int = SCANNED) -> Piece:
    """What other logs than this one hold of a gateway's cabinets; a piece looks at ``room`` records at most."""
    found: list[Inherited] = []
    for device in repository.planned_devices(tx, tenant, gateway, after[0]):
        begin = after[1:] if device == after[0] else FIRST[1:]
        rows = repository.recorded(tx, tenant, device, begin, room)
        found += [Inherited(one.log_no, one.idx, one.leaf.decode()) for one in rows if _passes(one, gateway, log_no)]
        if len(rows) == room:
            return Piece(found, (device, rows[-1].ep, rows[-1].n))
        room -= len(rows)
    return Piece(found, None)


def _passes(row: RecordedRow, gateway: str, log_no: int) -> bool:
    if row.log_no == log_no or not any(kind in row.leaf for kind in _KINDS):
        return False
    return _INTENT not in row.leaf or (row.gateway_id == gateway and row.state == "closed")
