"""What the log says of one register: its readings, its exchanges, and what they say of themselves. PURE.

The surprise: nothing here judges. A reading that counts behind transformers, or that somebody put in the place of
another, is only marked; what a meter tells of its own modulus is taken when it is a number and ignored when it is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast, get_args

import msgspec

from cloud.billing.facts import Fact, decides_ms
from cloud.billing.scope import Scope
from cloud.metering.usage import Identified, Marks, MeterRule, Quality, RegisterState
from cloud.money import MoneyError, parse_amount
from cloud.rating.events import CountedEvent
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.ids import RecordKey
from wire.records import DeviceEvent, Reading

# The gateway's word for a register that counts behind transformers: the reader multiplies.
SECONDARY = "secondary"


class Told(msgspec.Struct, frozen=True):
    """A register's readings and exchanges: those that are settled, those beyond; and what they say of themselves."""

    series: list[RegisterPoint | Identified]
    ahead: list[RegisterPoint | Identified]
    marks: Marks


def told_of(scope: Scope, facts: Sequence[Fact], rule: MeterRule, state: RegisterState | None) -> Told:
    """What the log says of a register after the last statement, in its order."""
    after = (-1, -1) if state is None else (state.point.leaf.log, state.point.leaf.index)
    series: list[RegisterPoint | Identified] = []
    ahead: list[RegisterPoint | Identified] = []
    quality: dict[LeafRef, Quality] = {}
    secondary: set[LeafRef] = set()
    seen: set[RecordKey] = set()
    for leaf, record in facts:
        if isinstance(record, CountedEvent) or record.src != rule.device:
            continue
        if isinstance(record, Reading) and record.register == rule.register:
            if record.quality in get_args(Quality):
                quality[leaf] = cast("Quality", record.quality)
            if SECONDARY in record.q:
                secondary.add(leaf)
        if (leaf.log, leaf.index) <= after or record.key in seen:
            continue
        at = decides_ms(leaf.at, record)
        due = scope.is_due(at, leaf)
        if not due and at < scope.ends_ms:
            continue
        seen.add(record.key)
        if isinstance(record, Reading) and record.register == rule.register:
            point = RegisterPoint(
                device=record.src,
                register=record.register,
                value=record.value,
                scale=record.scale,
                unit=record.unit,
                leaf=leaf,
            )
            (series if due else ahead).append(point)
        elif isinstance(record, DeviceEvent) and record.event in ("identified", "replaced"):
            (series if due else ahead).append(_identified(leaf, record, rule.register))
    return Told(series, ahead, Marks(quality, frozenset(secondary)))


def _identified(leaf: LeafRef, record: DeviceEvent, register: str) -> Identified:
    """An exchange, or the meter's own number with what it knows of this register."""
    if record.event != "identified":
        return Identified(leaf, "")
    registers = record.data.get("registers")
    known = registers.get(register) if isinstance(registers, dict) else None
    said = known if isinstance(known, dict) else {}
    return Identified(
        leaf, str(record.data.get("number", "")), _positive(said.get("modulus")), _positive(said.get("max_kw"))
    )


def _positive(value: object) -> str:
    """A positive number in plain digits, as the log says it; "" for anything else: nothing is billed on a guess."""
    try:
        return value if isinstance(value, str) and parse_amount(value) > 0 else ""
    except MoneyError:
        return ""
