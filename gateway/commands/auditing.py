"""devices audit: one EVA-DTS file, or what two of them prove about each selection; reads files, changes nothing."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import msgspec

from gateway.audits import Assessment, AuditRules, assess, counters
from gateway.commands import FINDINGS, CommandError, Outcome
from gateway.drivers.dts_file import G85, Audit, DtsRefusedError, read_dts

# Two files in a hand have no times of ours: a day lies between them.
DAY_MS = 86_400_000


def audit(arguments: argparse.Namespace) -> Outcome:
    """The counters of a file; with ``--since``, the draws and gaps since that one."""
    found = _read(Path(arguments.file), arguments.g85)
    if not arguments.since:
        return Outcome(_document(found), _lines(found))
    before = _read(Path(arguments.since), arguments.g85)
    rules = AuditRules(arguments.counting, arguments.modulus)
    known = assess(None, before, _digest(arguments.since), rules, 0).known
    judged = assess(known, found, _digest(arguments.file), rules, DAY_MS)
    moves, gaps = msgspec.to_builtins(judged.moves), msgspec.to_builtins(judged.gaps)
    document = {"judged": judged.kind, "moves": moves, "gaps": gaps}
    return Outcome(document, _judged(judged), FINDINGS if judged.gaps else 0)


def _read(path: Path, g85: G85) -> Audit:
    try:
        return read_dts(path.read_bytes(), g85)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except DtsRefusedError as error:
        raise CommandError(f"{path} is refused. {error}") from error


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _document(found: Audit) -> dict[str, object]:
    selections = {name: msgspec.to_builtins(one) for name, one in found.selections.items()}
    rest = {key: value for key, value in msgspec.to_builtins(found).items() if key != "segments"}
    return {**rest, "selections": selections}


def _lines(found: Audit) -> list[str]:
    reads = found.reads
    lines = [
        f"machine {found.serial or '?'} ({found.model}), board {found.board or '?'}",
        f"read {reads.count} times, last on {reads.now[0]} {reads.now[1]}" if reads else "does not say who read it",
    ]
    for name, one in found.selections.items():
        told = ", ".join(f"{counter} {value}" for counter, value in counters(one).items())
        lines.append(f"  {name}: {told or 'no counters'}; holds {one.capacity or '?'}, level {one.level or '?'}")
    return lines + ([f"notes: {', '.join(found.notes)}"] if found.notes else [])


def _judged(judged: Assessment) -> list[str]:
    lines = [f"judged: {judged.kind}"]
    lines += [f"  {one.selection}: {one.billable} to bill, {one.physical} gone" for one in judged.moves]
    for gap in judged.gaps:
        where = f" at {gap.selection}" if gap.selection else ""
        numbers = f" ({gap.before} -> {gap.now})" if gap.now is not None else ""
        lines.append(f"  gap{where}: {gap.reason}{numbers}{'; count it' if gap.count else ''}")
    return lines
