"""A statement's lines against those that follow from the leaves: which line, which field, which leaf. PURE."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

import msgspec

from cloud.billing.corrections import identity
from cloud.billing.facts import Fact
from cloud.billing.scope import Unbilled
from cloud.billing.settle import Settlement
from cloud.billing.statement import Head, Statement, digest
from cloud.billing.verify_logs import Finding
from cloud.rating.events import EVENTS
from cloud.rating.lines import LeafRef, Line, describe
from wire.records import Reading


def compare(statement: Statement, expected: Settlement, origins: Sequence[str]) -> list[Finding]:
    """Every difference between what is stated and what follows from the leaves."""
    findings = _doubles(statement.lines, expected.lines, origins)
    findings += _pair(statement.lines, expected.lines, origins)
    if statement.unbilled != expected.unbilled:
        findings += _unbilled(statement.unbilled, expected.unbilled, origins)
    if statement.head.registers != expected.registers:
        findings.append(Finding(0, "statement", "the registers at the end are not those that the leaves give"))
    if statement.head.total != expected.total:
        wrong = f"the total says {statement.head.total}, the leaves and prices give {expected.total}"
        findings.append(Finding(0, "total", wrong))
    return findings


def openings(opening: Head | None, facts: Sequence[Fact]) -> list[Finding]:
    """The statement before is shown as a head only, and nothing in this file proves it; but a register it says it left
    is where this bill begins to count, so its reading has to be among the leaves.
    """
    readings = {(fact.leaf.log, fact.leaf.index): fact.record for fact in facts if isinstance(fact.record, Reading)}
    findings = []
    for state in opening.registers if opening is not None else ():
        point = state.point
        read = readings.get((point.leaf.log, point.leaf.index))
        held = None if read is None else (read.src, read.register, read.value, read.scale, read.unit)
        if held != (point.device, point.register, point.value, point.scale, point.unit):
            wrong = "the register at which the statement before ended is not the one in its leaf"
            findings.append(Finding(0, f"{point.register} of {point.device}", wrong))
    return findings


def _doubles(lines: Sequence[Line], expected: Sequence[Line], origins: Sequence[str]) -> list[Finding]:
    """A leaf proves no more lines than the terms make of it: one, unless several charges price it, or the reading
    closes one line or window and opens the next.
    """
    most = Tally(leaf for line in expected for leaf in _proving(line))
    seen: dict[LeafRef, int] = {}
    told: Tally[LeafRef] = Tally()
    findings = []
    for at, line in enumerate(lines, 1):
        for leaf in _proving(line):
            told[leaf] += 1
            if told[leaf] > max(most[leaf], 1):
                findings.append(_finding(at, line, f"{_name(leaf, origins)} is already on line {seen[leaf]}"))
            seen[leaf] = at
    return findings


def _proving(line: Line) -> Sequence[LeafRef]:
    """The leaves that a line has for itself."""
    # A gap that periods share is proven in each by the readings at its ends.
    if (line.corrects is not None and line.amount.startswith("-")) or line.quality == "estimated_split":
        return ()
    return line.leaves[1:] if line.registers and line.corrects is None else line.leaves


def _pair(stated: Sequence[Line], expected: Sequence[Line], origins: Sequence[str]) -> list[Finding]:
    findings: list[Finding] = []
    waiting = list(expected)
    alike: dict[tuple[object, ...], list[Line]] = {}
    for one in expected:
        alike.setdefault(_identity(one), []).append(one)
    for at, line in enumerate(stated, 1):
        like = [one for one in alike.get(_identity(line), ()) if one in waiting]
        match = next((one for one in like if one.no == line.no), like[0] if like else None)
        match = match or next((one for one in waiting if one.no == at and line.no == at), None)
        if match is None:
            findings.append(_finding(at, line, "no leaves give this line"))
            continue
        waiting.remove(match)
        if line.no != at:
            findings.append(_finding(at, line, f"it is numbered {line.no}"))
        findings += [_finding(at, line, wrong) for wrong in _fields(line, match, origins)]
    findings += [Finding(one.no, describe(one), "the leaves give this line, and it is missing") for one in waiting]
    return findings


def _identity(line: Line) -> tuple[object, ...]:
    return (*identity(line), line.corrects is None)


def _fields(line: Line, match: Line, origins: Sequence[str]) -> Iterable[str]:
    for name in line.__struct_fields__:
        said, due = getattr(line, name), getattr(match, name)
        if said == due:
            continue
        if name == "leaves":
            yield _leaves(said, due, origins)
        elif name == "registers":
            yield "the opening or closing register is not the one in the leaves"
        elif name == "quantity":
            yield f"the quantity says {said.value} {said.unit}, the leaves give {due.value} {due.unit}"
        elif name != "no":
            yield f"{name.replace('_', ' ')} says {said!r}, {due!r} follows from leaves and terms"


def _leaves(said: Sequence[LeafRef], due: Sequence[LeafRef], origins: Sequence[str]) -> str:
    missing, extra = Tally(due) - Tally(said), Tally(said) - Tally(due)
    parts = []
    if missing:
        parts.append("missing is " + ", ".join(_name(leaf, origins) for leaf in sorted(missing)[:3]))
    if extra:
        parts.append("not of this line is " + ", ".join(_name(leaf, origins) for leaf in sorted(extra)[:3]))
    return "its leaves are not the ones that prove it: " + ("; ".join(parts) or "they are in another order")


def _unbilled(said: Sequence[Unbilled], due: Sequence[Unbilled], origins: Sequence[str]) -> list[Finding]:
    findings = []
    stated, follows = ({digest(one): one for one in side} for side in (said, due))
    for key, one in {**stated, **follows}.items():
        if key in stated and key in follows:
            continue
        text = f"not billed ({one.reason}): {one.subject or '-'} at {one.device}"
        where = ", ".join(_name(leaf, origins) for leaf in one.leaves[:3])
        wrong = "no leaves give this entry" if key in stated else "the leaves give this entry, and it is missing"
        findings.append(Finding(0, text, f"{wrong} ({where})"))
    return findings or [Finding(0, "not billed", "the entries are in another order, or one of them is there twice")]


def _name(leaf: LeafRef, origins: Sequence[str]) -> str:
    if leaf.log == EVENTS:
        return f"event {leaf.index}"
    origin = origins[leaf.log] if 0 <= leaf.log < len(origins) else "an unknown log"
    return f"leaf {leaf.index} of {origin}"


def _finding(at: int, line: Line, wrong: str) -> Finding:
    return Finding(at, describe(line), wrong)


def text_of(finding: Finding) -> str:
    """A finding as one sentence for people."""
    where = f"line {finding.line} ({finding.text})" if finding.line else finding.text
    return f"{where}: {finding.wrong}"


def as_json(finding: Finding) -> dict[str, str | int]:
    """A finding for programs."""
    return dict(msgspec.structs.asdict(finding))
