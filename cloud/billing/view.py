"""Statements and running bills as API and pages show them: money and quantities as texts with their unit. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from cloud.agreements.terms import Version
from cloud.billing.scope import Unbilled
from cloud.billing.settle import Settlement
from cloud.billing.statement import Head, Statement
from cloud.calendar import Period, utc_text
from cloud.money import Money
from cloud.rating.events import EVENTS
from cloud.rating.lines import LeafRef, Line, describe, plain_register

Document = dict[str, object]


def statement_document(statement: Statement, versions: Sequence[Version]) -> Document:
    """A statement with its lines, each with the leaves that prove it; ``versions``: of its agreement's terms."""
    head = statement.head
    logs = [log.log for log in head.logs]
    return head_document(head) | {
        "lines": [line_document(line, head.currency, logs) for line in statement.lines],
        "unbilled": [_unbilled(one, logs) for one in statement.unbilled],
        "verdicts": statement.verdicts,
        "options": options_of(versions, head),
        "hash": statement.hash,
        "note": statement.note,
    }


def options_of(versions: Sequence[Version], head: Head) -> list[str]:
    """Every convention of the versions of the terms that a statement stands on, in words."""
    mine = {one.version for one in head.versions}
    said = [one for version in versions if version.version in mine for one in version.terms.options()]
    return list(dict.fromkeys(said))


def state_document(void: tuple[int, str, str] | None) -> Document:
    """Whether a statement stands; ``void``: when, why and by whom it was taken back."""
    if void is None:
        return {"state": "final", "void": None}
    return {"state": "void", "void": {"at": utc_text(void[0]), "reason": void[1], "who": void[2]}}


def _rounding(head: Head) -> str:
    """How the period is rounded: by the terms at its beginning, whatever was concluded for later."""
    return next(
        (one.rounding for one in reversed(head.versions) if one.first <= head.period.first), head.versions[0].rounding
    )


def head_document(head: Head) -> Document:
    """What a list of statements shows of one."""
    return {
        "statement_id": head.statement_id,
        "agreement_id": head.agreement_id,
        "number": head.number,
        "kind": head.kind,
        "revision": head.revision,
        "supplier_id": head.supplier_id,
        "customer_id": head.customer_id,
        "period": period_document(head.period, head.zone, head.tzdata),
        "closed_at": utc_text(head.closed_at),
        "cutoff_at": utc_text(head.cutoff_at),
        "total": Money(Decimal(head.total), head.currency).as_json(),
        "rounding": _rounding(head),
        "ranges": [
            {"log": log.log, "origin": log.origin, "from": log.from_, "to": log.to, "root": log.root}
            for log in head.logs
        ],
        "base": head.base,
        "replaces": head.replaces,
        "prev_hash": head.prev_hash,
    }


def running_document(
    agreement_id: str, currency: str, span: Period, settlement: Settlement, logs: Sequence[str]
) -> Document:
    """The bill of the open period so far."""
    return {
        "agreement_id": agreement_id,
        "first": span.first,
        "end": span.end,
        "label": span.label,
        "total": Money(Decimal(settlement.total), currency).as_json(),
        "lines": [line_document(line, currency, logs) for line in settlement.lines],
        "unbilled": [_unbilled(one, logs) for one in settlement.unbilled],
    }


def draft_document(
    agreement_id: str,
    currency: str,
    span: Period,
    settlement: Settlement,
    logs: Sequence[str],
    *,
    revision: int,
    made_at: int,
) -> Document:
    """A period that is over and may still change: no number, no signature."""
    document = running_document(agreement_id, currency, span, settlement, logs)
    return document | {"state": "draft", "revision": revision, "made_at": utc_text(made_at)}


def period_document(span: Period, zone: str, tzdata: str) -> Document:
    """Local days, the instants they mean, and by which edition of the zone database."""
    return {
        "label": span.label,
        "first": span.first,
        "end": span.end,
        "from": utc_text(span.from_ms),
        "to": utc_text(span.to_ms),
        "zone": zone,
        "tzdata": tzdata,
    }


def line_document(line: Line, currency: str, logs: Sequence[str]) -> Document:
    """One line; ``text`` is the line in words."""
    document: Document = {
        "no": line.no,
        "text": describe(line),
        "kind": line.kind,
        "effect": line.effect,
        "device_id": line.device,
        "subject": line.subject,
        "first": line.first,
        "end": line.end,
        "belongs_to": line.belongs_to,
        "version": line.version,
        "quantity": {"value": line.quantity.value, "unit": line.quantity.unit},
        "unit_price": Money(Decimal(line.unit_price), currency).as_json(),
        "unrounded": Money(Decimal(line.unrounded), currency).as_json(),
        "rounding": line.rounding,
        "amount": Money(Decimal(line.amount), currency).as_json(),
        "level": line.level,
        "evidence": [_leaf(leaf, logs) for leaf in line.leaves],
    }
    if line.corrects is not None:
        corrected = line.corrects
        document["corrects"] = {
            "statement": corrected.statement, "line": corrected.line, "hash": corrected.hash, "period": line.belongs_to,
        }  # fmt: skip
    document |= _more(line)
    if line.month_days:
        document |= {"days": line.days, "month_days": line.month_days}
    if len(line.registers) == 2:
        for name, point in zip(("opening", "closing"), line.registers, strict=True):
            reading = {"value": plain_register(point), "unit": point.unit}
            document[name] = {"register": point.register, "reading": reading, "evidence": _leaf(point.leaf, logs)}
        document |= {"rollovers": line.rollovers, "modulus": line.modulus}
    if line.registers or line.quality:
        document["quality"] = line.quality or "actual"
    return document


def _more(line: Line) -> Document:
    """What only some lines have: name, rows, window, group, instants, counted events; and the hash that all have."""
    found: Document = {"exact": line.exact or line.unrounded, "hash": line.hash}
    for name, value in (("name", line.name), ("window", line.window), ("group", line.group)):
        if value:
            found[name] = value
    if line.steps:
        found["steps"] = [msgspec.to_builtins(step) for step in line.steps]
    if line.from_:
        found |= {"from": utc_text(line.from_), "to": utc_text(line.to)}
    if line.evidence is not None:
        found["events"] = {"count": line.evidence.events, "root": line.evidence.root}
    return found


def _unbilled(one: Unbilled, logs: Sequence[str]) -> Document:
    return {
        "reason": one.reason,
        "device_id": one.device,
        "subject": one.subject,
        "belongs_to": one.belongs_to,
        "evidence": [_leaf(leaf, logs) for leaf in one.leaves],
    }


def _leaf(leaf: LeafRef, logs: Sequence[str]) -> Document:
    if leaf.log == EVENTS:
        return {"event": leaf.index, "at": utc_text(leaf.at), "quality": leaf.quality}
    return {"log": logs[leaf.log], "index": leaf.index, "at": utc_text(leaf.at), "quality": leaf.quality}
