"""What the gateway stands on: its journal's file, the head of its log, the disk below, and the newest lines of its log.

Asked only when somebody looks: a status that is polled by a metrics scraper does not touch the disk for it.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from gateway.journal import reading
from gateway.journal.room import free_bytes
from gateway.journal.store import Journal
from gateway.log_tail import TAIL
from gateway.ports import NotStored
from gateway.uplink import Uplink

LINES = 40


class Footing(msgspec.Struct, frozen=True):
    """``newest``: the id of the last stored record. ``head``: hex root of the sealed log of ``sealed`` entries.

    ``offset_us``: what the system still corrects of its clock; None: it is not synchronised.
    """

    newest: int | None
    journal_bytes: int
    free_bytes: int
    disk_bytes: int
    sealed: int
    head: str
    offset_us: int | None
    log: list[dict[str, Any]]


async def footing(journal: Journal | None, uplink: Uplink | None, offset_us: int | None) -> Footing:
    """Looks. A journal that cannot be read now gives no number."""
    newest, size, free, whole = None, 0, 0, 0
    if journal is not None:
        try:
            newest = await journal.read(reading.newest)
        except NotStored:
            newest = None
        files = (journal.path, journal.path.with_name(f"{journal.path.name}-wal"))
        size = sum(file.stat().st_size for file in files if file.exists())
        free = free_bytes(journal.path.parent)
        disk = os.statvfs(journal.path.parent)
        whole = disk.f_blocks * disk.f_frsize
    state = uplink.log_state if uplink else None
    sealed, head = (state.sealed, state.frontier.root().hex()) if state else (0, "")
    return Footing(newest, size, free, whole, sealed, head, offset_us, TAIL.newest(LINES))
