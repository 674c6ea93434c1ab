"""journal, sync, backup: looks at the journal's file, perhaps while the gateway works on it; changes nothing."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway.commands import FINDINGS, CommandError, Outcome
from gateway.config import Config
from gateway.config_file import load
from gateway.identity import Identity, NotEnrolledError
from gateway.identity import load as load_identity
from gateway.journal import reading, sealing, verifying
from gateway.journal.connection import open_reader
from wire.canonical import LeafError
from wire.records import decode

PID_FILE = "gateway.pid"


def tail(arguments: argparse.Namespace) -> Outcome:
    """The newest records."""
    with _journal(arguments) as (db, _):
        held = reading.tail(db, arguments.count)
    document = [{"index": one.index, "cosigned": one.cosigned, "record": msgspec.json.decode(one.leaf)} for one in held]
    return Outcome(document, [_line(one) for one in held] or ["The journal is empty."])


def verify(arguments: argparse.Namespace) -> Outcome:
    """Every leaf against its hash, every log against its notes, every counter against gaps."""
    with _journal(arguments) as (db, config):
        report = verifying.verify(db, _identity(config))
    document = msgspec.to_builtins(report)
    if report.findings:
        return Outcome(document, report.findings, FINDINGS)
    return Outcome(document, [f"{report.records} records, {report.entries} sealed, {report.notes} notes: all is well."])


def export(arguments: argparse.Namespace) -> Outcome:
    """All leaves as NDJSON into a file, exactly as they were hashed."""
    count = 0
    with _journal(arguments) as (db, _), Path(arguments.out).open("wb") as out:
        for leaf in reading.leaves(db):
            out.write(leaf + b"\n")
            count += 1
    return Outcome({"records": count, "file": arguments.out}, [f"{count} records are in {arguments.out}."])


def backup(arguments: argparse.Namespace) -> Outcome:
    """A whole copy of the journal, taken while the gateway may write, and checked afterwards."""
    target = Path(arguments.out)
    if target.exists():
        raise CommandError(f"{target} exists and is kept. Give another name.")
    with _journal(arguments) as (db, config):
        copy = reading.copy_to(db, target)
        try:
            report = verifying.verify(copy, _identity(config))
        finally:
            copy.close()
    target.chmod(0o600)
    document = {"file": str(target), **msgspec.to_builtins(report)}
    if report.findings:
        return Outcome(document, [f"{target} was written, but:", *report.findings], FINDINGS)
    return Outcome(document, [f"{report.records} records are in {target}, checked.",
                              "The key is not in it: a new card is enrolled anew."])  # fmt: skip


def sync_status(arguments: argparse.Namespace) -> Outcome:
    """How far the cloud has countersigned."""
    with _journal(arguments) as (db, _):
        document = []
        for origin in reading.origins(db):
            state = sealing.read_log(db, origin)
            behind = reading.backlog(db, state)
            document.append({
                "origin": origin, "sealed": state.sealed, "cosigned": state.cosigned, "backed_up": state.backed_up,
                "pending": behind.count, "frozen": state.frozen,
            })  # fmt: skip
    lines = [
        f"{one['origin']}: {one['cosigned']} cosigned, {one['pending']} pending, {one['backed_up']} backed up"
        + (f"; FROZEN: {one['frozen']}" if one["frozen"] else "")
        for one in document
    ]
    return Outcome(document, lines or ["Nothing was ever synced: this gateway has no log yet."])


def sync_now(arguments: argparse.Namespace) -> Outcome:
    """Tells the running gateway to try at once."""
    config = load(Path(arguments.config))
    path = config.gateway.state / PID_FILE
    try:
        number = int(path.read_text("ascii"))
        os.kill(number, signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise CommandError("The gateway is not running. Start it: systemctl start tally-gateway") from error
    return Outcome({"pid": number}, ["The gateway syncs now. See: tally-gateway sync status"])


@contextmanager
def _journal(arguments: argparse.Namespace) -> Iterator[tuple[sqlite3.Connection, Config]]:
    config = load(Path(arguments.config))
    path = config.journal_path
    if not path.exists():
        raise CommandError(f"There is no journal at {path} yet: the gateway has never run with this configuration.")
    try:
        db = open_reader(path)
    except sqlite3.Error as error:
        raise CommandError(f"{path} cannot be read: {error}. Run this as the gateway's user.") from error
    try:
        yield db, config
    finally:
        db.close()


def _identity(config: Config) -> Identity | None:
    try:
        return load_identity(config.gateway.state)
    except (NotEnrolledError, ValueError):
        return None


def _line(held: reading.Held) -> str:
    try:
        record = decode(held.leaf)
    except LeafError as error:
        return f"{held.id}: cannot be read: {error}"
    place = "-" if held.index is None else f"{held.index}{'✓' if held.cosigned else ''}"
    body = msgspec.to_builtins(record)
    rest = {key: value for key, value in body.items() if key not in _BASE}
    return f"{place:>8}  {record.src}/{record.n}  {body['k']}  " + "  ".join(f"{k}={v}" for k, v in rest.items())


_BASE = frozenset(("v", "z", "k", "src", "ep", "n", "t", "ts", "b", "m", "raw", "cfg"))
