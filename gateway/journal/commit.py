"""The group commit: many appends, one transaction, one sync. Runs on the journal's thread.

``n`` is given here and nowhere else, so that a record that fails leaves no gap. The fast way trusts that nothing
is told twice and lets the unique index object; only then the slow way asks which events are already held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

from gateway.journal.connection import transaction
from gateway.ports import RecordRefused
from wire.canonical import LeafError
from wire.ids import RecordKey
from wire.records import Draw, Intent, Loan, Record, encode

INSERT = "INSERT INTO records (src, ep, n, did, leaf, hash) VALUES (?, ?, ?, ?, ?, ?)"
Row = tuple[str, str, int, str | None, bytes, bytes]
Held = dict[tuple[str, str], RecordKey]
Outcome = list[RecordKey] | RecordRefused

# 2**53 has so many digits; SQLite takes integers up to 2**63.
LONGEST_NUMBER = 16

_replace = msgspec.structs.replace
_new = tuple.__new__
_VENDS = (Intent, Draw, Loan)
_read_back = msgspec.json.Decoder(Record).decode


class Numbering:
    """The last ``n`` of each device in this boot, as the file has it."""

    def __init__(self, boot: str, last: dict[str, int], salt: Callable[[], str]) -> None:
        self.boot = boot
        self.last = last
        self.salt = salt


def last_numbers(db: sqlite3.Connection, boot: str) -> dict[str, int]:
    """The last ``n`` of each device in a boot; skips from device to device instead of reading the whole boot."""
    last: dict[str, int] = {}
    row = db.execute("SELECT min(src) FROM records WHERE ep = ?", (boot,)).fetchone()
    while row[0] is not None:
        src = row[0]
        last[src] = db.execute("SELECT max(n) FROM records WHERE ep = ? AND src = ?", (boot, src)).fetchone()[0]
        row = db.execute("SELECT min(src) FROM records WHERE ep = ? AND src > ?", (boot, src)).fetchone()
    return last


def commit_group(db: sqlite3.Connection, groups: Sequence[Sequence[Record]], numbering: Numbering) -> list[Outcome]:
    """Stores all groups in one transaction; one outcome a group. Raises sqlite3.Error: then nothing is stored."""
    batch = Batch(numbering, None)
    outcomes = batch.take(groups)
    try:
        batch.write(db)
    except sqlite3.IntegrityError:
        batch = Batch(numbering, _held(db, groups))
        outcomes = batch.take(groups)
        batch.write(db)
    numbering.last.update(batch.last)
    return outcomes


class Batch:
    """Rows of one transaction in the making. ``held``: events already stored; None: nobody has looked."""

    def __init__(self, numbering: Numbering, held: Held | None) -> None:
        self._numbering = numbering
        self._held = held
        self.last: dict[str, int] = {}
        self._rows: list[Row] = []
        self._vends: list[Intent | Draw | Loan] = []

    def take(self, groups: Sequence[Sequence[Record]]) -> list[Outcome]:
        """Encodes all; a group with a record that has no leaf is left out whole."""
        outcomes: list[Outcome] = []
        for records in groups:
            rows, vends = len(self._rows), len(self._vends)
            try:
                outcomes.append(self._add(records))
            except RecordRefused as refusal:
                for row in self._rows[rows:]:
                    self.last[row[0]] -= 1
                    if self._held is not None and row[3]:
                        del self._held[row[0], row[3]]
                del self._rows[rows:], self._vends[vends:]
                outcomes.append(refusal)
        return outcomes

    def _add(self, records: Sequence[Record]) -> list[RecordKey]:
        """The keys of one group. The hot loop of the gateway: names are local, and nothing is looked at twice.

        Text and keys are checked by writing, types and limits by reading back.
        """
        boot, base, salt = self._numbering.boot, self._numbering.last, self._numbering.salt
        last, held, rows, vends = self.last, self._held, self._rows, self._vends
        keys: list[RecordKey] = []
        for record in records:
            src, did = record.src, record.did or None
            if held is not None and did is not None and (known := held.get((src, did))):
                keys.append(known)
                continue
            if record.ep != boot:
                raise RecordRefused(f"a record of {src} is of epoch {record.ep!r}, not of this boot")
            n = (last[src] if src in last else base.get(src, 0)) + 1
            full = _replace(record, n=n, z=salt())
            try:
                leaf = encode(full)
                _read_back(leaf)
            except (LeafError, msgspec.DecodeError, TypeError, RecursionError) as error:
                raise RecordRefused(f"a record of {src} has no canonical form and is not stored ({error})") from error
            last[src] = n
            key = _new(RecordKey, (src, boot, n))
            keys.append(key)
            rows.append((src, boot, n, did, leaf, sha256(b"\x00" + leaf).digest()))
            if held is not None and did is not None:
                held[src, did] = key
            if isinstance(full, _VENDS):
                vends.append(full)
        return keys

    def write(self, db: sqlite3.Connection) -> None:
        """The transaction. Raises sqlite3.Error, with nothing stored."""
        if not self._rows:
            return
        with transaction(db):
            db.executemany(INSERT, self._rows)
            note_vends(db, self._vends)


def note_vends(db: sqlite3.Connection, records: Sequence[Intent | Draw | Loan]) -> None:
    """An intent opens an attempt; the draw or loan that names it closes it. What both begins and ends here is none."""
    opened: dict[tuple[str, str], tuple[str, str, int]] = {}
    closed: list[tuple[str, str, int]] = []
    for record in records:
        if isinstance(record, Intent):
            opened[record.src, f"{record.ep}/{record.n}"] = (record.src, record.ep, record.n)
        elif record.intent and opened.pop((record.src, record.intent), None) is None:
            ep, _, n = record.intent.rpartition("/")
            if n.isascii() and n.isdecimal() and len(n) <= LONGEST_NUMBER:
                closed.append((record.src, ep, int(n)))
    if opened:
        db.executemany("INSERT OR IGNORE INTO attempts (src, ep, n) VALUES (?, ?, ?)", opened.values())
    if closed:
        db.executemany("DELETE FROM attempts WHERE src = ? AND ep = ? AND n = ?", closed)


def _held(db: sqlite3.Connection, groups: Sequence[Sequence[Record]]) -> Held:
    held: Held = {}
    for records in groups:
        for record in records:
            if record.did:
                found = db.execute(
                    "SELECT src, ep, n FROM records WHERE src = ? AND did = ?", (record.src, record.did)
                ).fetchone()
                if found:
                    held[record.src, record.did] = RecordKey(*found)
    return held
