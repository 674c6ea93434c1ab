"""doctor: one line a check, what it means, and what mends it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from gateway.clock import system_clock
from gateway.cloud_requests import Cloud, CloudError, open_client
from gateway.commands import FAILED, FINDINGS, FINE, Outcome
from gateway.config import Config
from gateway.config_file import ConfigError, load
from gateway.entropy import boot_id
from gateway.identity import Identity, NotEnrolledError
from gateway.identity import load as load_identity
from gateway.journal import reading, sealing
from gateway.journal.check import damaged_after
from gateway.journal.connection import SAFE_SQLITE, VOLATILE, file_system, open_reader
from gateway.journal.room import free_bytes
from wire.seal import Verifier

Mark = Literal["✓", "!", "✗"]
LOW_DISK = 256 * 1024 * 1024


class Check(msgspec.Struct, frozen=True):
    """One finding: ✓ good, ! should be looked at, ✗ does not work. ``mend``: the command or deed that helps."""

    mark: Mark
    what: str
    says: str
    mend: str = ""


def doctor(arguments: argparse.Namespace) -> Outcome:
    """Everything that can be seen without the gateway's help; 0 all well, 3 should be looked at, 1 does not work."""
    try:
        config = load(Path(arguments.config))
    except ConfigError as error:
        return _outcome([Check("✗", "configuration", str(error), f"edit {arguments.config}")])
    checks = [Check("✓", "configuration", f"{arguments.config} is good")]
    who, found = _key(config)
    checks += [found, _clock(), *_journal(config), *_ports(config)]
    checks.append(asyncio.run(_cloud(config, who)))
    return _outcome(checks)


def _outcome(checks: list[Check]) -> Outcome:
    marks = {check.mark for check in checks}
    code = FAILED if "✗" in marks else FINDINGS if "!" in marks else FINE
    lines = [
        f"{check.mark} {check.what}: {check.says}" + (f"\n    -> {check.mend}" if check.mend else "")
        for check in checks
    ]
    return Outcome([msgspec.to_builtins(check) for check in checks], lines, code)


def _key(config: Config) -> tuple[Identity | None, Check]:
    try:
        who = load_identity(config.gateway.state)
    except NotEnrolledError as error:
        return None, Check("!", "key", str(error), "tally-gateway enrol CODE")
    except (OSError, ValueError) as error:
        return None, Check("✗", "key", str(error))
    fingerprint = Verifier(who.signer().vkey).fingerprint
    return who, Check("✓", "key", f"{who.gateway_id}, fingerprint {fingerprint}")


def _clock() -> Check:
    state = system_clock(boot_id()).state()
    if state == "S":
        return Check("✓", "clock", "synchronised")
    says = "looks like a date, but nobody vouches for it" if state == "I" else "was not set since power-on"
    return Check("!", "clock", says, "install chrony, or connect the network; records are repaired later")


def _journal(config: Config) -> Iterator[Check]:
    path = config.journal_path
    kind = file_system(path.parent) if path.parent.exists() else ""
    if kind in VOLATILE and not config.journal.demo:
        yield Check(
            "✗", "disk", f"{path.parent} is on {kind}, which forgets everything", "put [journal] path on a disk"
        )
    if path.parent.exists():
        free = free_bytes(path.parent)
        mark: Mark = "!" if free < LOW_DISK else "✓"
        yield Check(
            mark, "disk", f"{free // 1_048_576} MiB free on {kind or 'the disk'}", "make room" if mark == "!" else ""
        )
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        yield Check("✓", "SQLite", f"{sqlite3.sqlite_version} (one writer, so its old WAL bug cannot be met)")
    if not path.exists():
        yield Check("!", "journal", f"{path} does not exist yet", "it is made at the first start")
        return
    try:
        db = open_reader(path)
        try:
            last = reading.newest(db)
            damaged, _ = damaged_after(db, max(0, last - 10_000), 10_000)
            behind = [reading.backlog(db, sealing.read_log(db, origin)) for origin in reading.origins(db)]
        finally:
            db.close()
    except sqlite3.Error as error:
        yield Check("✗", "journal", f"{path} cannot be read: {error}", "run doctor as the gateway's user")
        return
    if damaged:
        yield Check(
            "✗", "journal", f"{len(damaged)} records have changed on the disk", "replace the card, keep this one"
        )
    else:
        pending = behind[-1].count if behind else last
        yield Check("✓", "journal", f"newest records are sound; {pending} wait for the cloud")


def _ports(config: Config) -> Iterator[Check]:
    for line in config.lines:
        if not Path(line.port).exists():
            yield Check(
                "✗", f"line {line.name}", f"{line.port} is not there", "plug the adapter in; see: ls /dev/serial/by-id"
            )
        elif not os.access(line.port, os.R_OK | os.W_OK):
            yield Check("✗", f"line {line.name}", f"{line.port} may not be used", "add this user to the group dialout")
        else:
            yield Check("✓", f"line {line.name}", f"{line.port} is there, {len(line.devices)} devices")


async def _cloud(config: Config, who: Identity | None) -> Check:
    if who is None:
        return Check("!", "cloud", "not asked: there is no key yet")
    url = config.cloud.url or who.cloud_url
    async with open_client(url, ca=config.cloud.ca) as client:
        try:
            head = await Cloud(client, who).head()
        except CloudError as error:
            return Check("!", "cloud", f"{url}: {error}", "check the network; records are kept meanwhile")
    return Check("✓", "cloud", f"{url} answers; it holds {head.size} of our records")
