"""What the log says of one register: its readings, its exchanges, and what they say of themselves. PURE.

The surprise: nothing here judges. A reading that counts behind transformers, that came without a time, or that somebody
put in the place of another, is only marked; what a meter tells of its own modulus is taken when it is a number and
ignored when it is not. Its transformers' ratio multiplies a bill, so it counts only when it is agreed on; where both
speak and differ, that is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import cast, get_args

import msgspec

from cloud.billing.facts import METER_EVENTS, Fact, decides_ms
from cloud.billing.pieces import DoubtReason
from cloud.billing.scope import Scope
from cloud.metering.usage import (
    Identified,
    Marks,
    MeterRule,
    Quality,
    RegisterState,
    differs,
    has_ratio,
    point_of,
    ratio_between,
    worst,
)
from cloud.money import MoneyError, parse_amount
from cloud.rating.events import CountedEvent
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.ids import RecordKey
from wire.records import DeviceEvent, Reading

# The gateway's word for a register that counts behind transformers: the reader multiplies.
SECONDARY = "secondary"
# And for one that came without a time of its own: a message may have waited at a broker before it was heard.
RECEIVED = "received"


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
            if RECEIVED in record.q:
                quality[leaf] = worst((quality.get(leaf, "actual"), "received_time_only"))
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
            (series if due else ahead).append(point_of(record, leaf))
        elif isinstance(record, DeviceEvent) and record.event in METER_EVENTS:
            (series if due else ahead).append(identified_by(leaf, record, rule.register))
    return Told(series, ahead, Marks(quality, frozenset(secondary)))


def disputed(rule: MeterRule, told: Told) -> list[tuple[DoubtReason, LeafRef]]:
    """What a meter says of itself in another way than the agreement does, each said once while it stays the same."""
    found: list[tuple[DoubtReason, LeafRef]] = []
    before = ("", "")
    for one in told.series:
        if not isinstance(one, Identified) or (one.modulus, one.factor) == before:
            continue
        before = (one.modulus, one.factor)
        if differs(rule, one.modulus):
            found.append(("modulus_differs", one.leaf))
        agreed = ratio_between(rule, one.leaf.at, one.leaf.at)[0]
        if one.factor and has_ratio(rule, one.leaf.at) and agreed != Fraction(one.factor):
            found.append(("ratio_differs", one.leaf))
    return found


def identified_by(leaf: LeafRef, record: DeviceEvent, register: str) -> Identified:
    """An exchange, or the meter's own number with what it knows of this register."""
    if record.event == "replaced":
        return Identified(leaf, "")
    registers = record.data.get("registers")
    known = registers.get(register) if isinstance(registers, dict) else None
    said = known if isinstance(known, dict) else {}
    modulus, max_kw, factor = (_positive(said.get(name)) for name in ("modulus", "max_kw", "factor"))
    if record.event == "meter_facts":
        return Identified(leaf, "", modulus, max_kw, nameless=True, factor=factor)
    return Identified(leaf, str(record.data.get("number", "")), modulus, max_kw, factor=factor)


def _positive(value: object) -> str:
    """A positive number in plain digits, as the log says it; "" for anything else: nothing is billed on a guess."""
    try:
        return value if isinstance(value, str) and parse_amount(value) > 0 else ""
    except MoneyError:
        return ""
