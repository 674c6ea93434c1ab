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

from cloud.billing.facts import Fact, decides_ms
from cloud.billing.pieces import DoubtReason
from cloud.billing.scope import Scope
from cloud.metering.told import METER_EVENTS, identified_by
from cloud.metering.usage import (
    KWH,
    Identified,
    Marks,
    MeterRule,
    Quality,
    RegisterState,
    differs,
    has_ratio,
    in_kwh,
    point_of,
    ratio_between,
    worst,
)
from cloud.rating.events import CountedEvent
from cloud.rating.lines import LeafRef, RegisterPoint
from wire.ids import RecordKey
from wire.records import DeviceEvent, Reading, Record

# The gateway's word for a register that counts behind transformers: the reader multiplies.
SECONDARY = "secondary"
# And for one that came without a time of its own: a message may have waited at a broker before it was heard.
RECEIVED = "received"


class Told(msgspec.Struct, frozen=True):
    """A register's readings and exchanges, also those that are known already and lie beyond what is settled; and what
    they say of themselves.
    """

    series: list[RegisterPoint | Identified]
    marks: Marks


def told_of(scope: Scope, facts: Sequence[Fact], rule: MeterRule, state: RegisterState | None) -> Told:
    """What the log says of a register after the last statement, in its order; several logs are merged by time."""
    series: list[tuple[int, RegisterPoint | Identified]] = []
    quality: dict[LeafRef, Quality] = {}
    secondary: set[LeafRef] = set()
    seen: set[RecordKey] = set()
    latest: dict[int, int] = {}
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
        told = _entry(leaf, record, rule.register)
        if told is None or record.key in seen or _is_settled(scope, leaf, record, told, state):
            continue
        seen.add(record.key)
        latest[leaf.log] = max(leaf.at, latest.get(leaf.log, leaf.at))
        series.append((latest[leaf.log], told))
    ordered = series if len(latest) < 2 else sorted(series, key=lambda one: one[0])
    return Told([told for _, told in ordered], Marks(quality, frozenset(secondary)))


def _entry(leaf: LeafRef, record: Record, register: str) -> RegisterPoint | Identified | None:
    """What a record of the device says of the register; None: nothing."""
    if isinstance(record, Reading):
        return point_of(record, leaf) if record.register == register else None
    if isinstance(record, DeviceEvent) and record.event in METER_EVENTS:
        return identified_by(leaf, record, register)
    return None


def _is_settled(
    scope: Scope, leaf: LeafRef, record: Record, told: RegisterPoint | Identified, state: RegisterState | None
) -> bool:
    """Whether the statements before have it: of its own log what lies before their last good reading, but a reading
    whose time lies beyond them and that showed more: it was told before that one, and taken after it.
    """
    at = decides_ms(leaf.at, record)
    if at < scope.ends_ms and not scope.is_due(at, leaf):
        return True
    last = None if state is None else state.point
    if last is None or leaf.log != last.leaf.log or leaf.index > last.leaf.index:
        return False
    if leaf == last.leaf or not isinstance(told, RegisterPoint) or told.unit not in KWH:
        return True
    return at < scope.begins_ms or in_kwh(told) <= in_kwh(last)


def disputed(rule: MeterRule, told: Told, until: int) -> list[tuple[DoubtReason, LeafRef]]:
    """What a meter says of itself in another way than the agreement does, each said once while it stays the same;
    ``until``: the end (ms UTC) of what is due.
    """
    found: list[tuple[DoubtReason, LeafRef]] = []
    before = ("", "")
    for one in told.series:
        if not isinstance(one, Identified) or one.leaf.at > until or (one.modulus, one.factor) == before:
            continue
        before = (one.modulus, one.factor)
        if differs(rule, one.modulus):
            found.append(("modulus_differs", one.leaf))
        agreed = ratio_between(rule, one.leaf.at, one.leaf.at)[0]
        if one.factor and has_ratio(rule, one.leaf.at) and agreed != Fraction(one.factor):
            found.append(("ratio_differs", one.leaf))
    return found
