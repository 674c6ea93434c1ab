"""A whole journal checked from outside: bytes, hashes, counters, logs, signatures. Reads only."""

from __future__ import annotations

import sqlite3
from itertools import pairwise

import msgspec

from gateway.identity import Identity
from gateway.journal.check import damaged_after
from gateway.journal.connection import readable
from gateway.journal.reading import notes, origins
from wire.hand_over import cosigned_by, signer_of
from wire.log import Frontier
from wire.seal import Checkpoint, SealError, split_note

AT_ONCE = 2000
ENTRIES = (
    "SELECT e.idx, r.hash FROM entries e JOIN records r ON r.id = e.record JOIN logs USING (log) "
    "WHERE origin = ? ORDER BY e.idx"
)


class Report(msgspec.Struct):
    """What was looked at, and everything that is wrong, as sentences."""

    records: int = 0
    entries: int = 0
    notes: int = 0
    findings: list[str] = []


def verify(db: sqlite3.Connection, identity: Identity | None) -> Report:
    """All checks; with an identity its log's signatures too."""
    report = Report()
    db.text_factory = readable
    _bytes(db, report)
    _counters(db, report)
    for origin in origins(db):
        mine = identity if identity and identity.origin == origin else None
        _log(db, origin, mine, report)
    return report


def _bytes(db: sqlite3.Connection, report: Report) -> None:
    verdict = db.execute("PRAGMA integrity_check(5)").fetchall()
    if verdict != [("ok",)]:
        report.findings.append(f"SQLite: {'; '.join(str(row[0]) for row in verdict)}")
    report.records = int(db.execute("SELECT count(*) FROM records").fetchone()[0])
    after = -1
    while after:
        damaged, after = damaged_after(db, after, AT_ONCE)
        for number in damaged:
            report.findings.append(f"record {number} has changed on the disk: its hash does not fit")


def _counters(db: sqlite3.Connection, report: Report) -> None:
    """Within a boot each device counts without gaps, unless its beginning was pruned."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for boot, src, n in db.execute("SELECT ep, src, n FROM records WHERE typeof(n) = 'integer' ORDER BY ep, src, n"):
        numbers.setdefault((boot, src), []).append(n)
    for (boot, src), found in numbers.items():
        for before, after in pairwise(found):
            if after != before + 1:
                report.findings.append(f"{src} of boot {boot} lacks the records {before + 1} to {after - 1}")


def _log(db: sqlite3.Connection, origin: str, identity: Identity | None, report: Report) -> None:
    pruned, peaks = db.execute("SELECT pruned, pruned_peaks FROM logs WHERE origin = ?", (origin,)).fetchone()
    frontier = Frontier.from_bytes(pruned, peaks)
    roots = {frontier.size: frontier.root()}
    wanted = {size for size, _, _ in notes(db, origin)}
    for index, hashed in db.execute(ENTRIES, (origin,)):
        if index != frontier.size:
            report.findings.append(f"{origin}: entry {frontier.size} is missing")
            return
        frontier = frontier.extend([hashed])
        report.entries += 1
        if frontier.size in wanted:
            roots[frontier.size] = frontier.root()
    for size, note, cosignature in notes(db, origin):
        report.notes += 1
        problem = _note(size, note, cosignature, roots.get(size), identity)
        if problem:
            report.findings.append(f"{origin}: the note at size {size}: {problem}")


def _note(size: int, note: str, cosignature: str, root: bytes | None, identity: Identity | None) -> str:
    try:
        checkpoint = Checkpoint.parse(split_note(note)[0])
        if identity is not None:
            signer_of(note, identity.own_keys()).open(note)
            if cosignature:
                cosigned_by(note + cosignature, identity.cosigners())
    except SealError as error:
        return error.detail
    if root is None:
        return "there are fewer entries than it covers"
    if (checkpoint.size, checkpoint.root) != (size, root):
        return "its root is not the root of the entries"
    return ""
