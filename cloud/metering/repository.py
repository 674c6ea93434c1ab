"""The meters' SQL: the live view of registers, what agreements declare of them, readings that are not believed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec

from cloud.calendar import utc_text
from cloud.database import Tx
from cloud.metering.usage import HeldReason, Identified, MeterRule, Ratio, RegisterState
from cloud.rating.lines import LeafRef, RegisterPoint, plain_register


class LiveRegister(msgspec.Struct, frozen=True):
    """A register's last good reading, the id of the log that holds it, and how many readings were held since;
    ``before``: the good reading before it, where both are of one unit and scale.

    Their leaves' ``log`` is HERE: they are not of the batch in hand.
    """

    state: RegisterState
    log_id: str
    held: int
    before: RegisterPoint | None = None


class Held(msgspec.Struct, frozen=True):
    """A reading that is not believed, and the id of the log that holds it."""

    reason: HeldReason
    point: RegisterPoint
    log_id: str


HERE = -1
_COLUMNS = (
    "tenant_id", "device_id", "register", "value", "scale", "unit", "at_ms", "log_id", "idx", "number", "exchanged",
    "held", "modulus", "max_kw", "before_value", "before_ms",
)  # fmt: skip


def lock_registers(
    tx: Tx, tenant: str, devices: Sequence[str]
) -> tuple[dict[tuple[str, str], LiveRegister], dict[tuple[str, str], MeterRule]]:
    """The registers of these devices, locked in order, and what agreements declare of them, where they do."""
    given = [[device] for device in devices]
    registers = (
        (
            "SELECT r.device_id, r.register, r.value, r.scale, r.unit, r.at_ms, r.log_id, r.idx, r.number, "
            "r.exchanged, r.held, r.modulus, r.max_kw, r.before_value, r.before_ms FROM GIVEN(device_id text) AS g "
            "JOIN meter_registers r ON r.tenant_id = ? AND r.device_id = g.device_id "
            "ORDER BY r.device_id, r.register FOR UPDATE"
        ),
        (given, tenant),
    )
    declared = (
        (
            "SELECT r.device_id, r.register, r.modulus, r.max_kw, r.ratios FROM GIVEN(device_id text) AS g "
            "JOIN meter_rules r ON r.tenant_id = ? AND r.device_id = g.device_id "
            "WHERE r.modulus <> '' OR r.max_kw <> '' OR r.ratios <> '[]'"
        ),
        (given, tenant),
    )
    held_registers, rules = tx.several(registers, declared)
    found = {}
    for row in held_registers:
        device, register, value, scale, unit, at_ms, log_id, idx, number, exchanged, held = row[:11]
        modulus, max_kw, before_value, before_ms = row[11:]
        point = _point(device, register, value, scale, unit, at_ms, idx)
        state = RegisterState(point, number, bool(exchanged), modulus, max_kw)
        before = _point(device, register, before_value, scale, unit, before_ms, 0) if before_ms else None
        found[device, register] = LiveRegister(state, log_id, held, before)
    return found, {(device, register): _rule(device, register, *told) for device, register, *told in rules}


def _rule(device: str, register: str, modulus: str, max_kw: str, ratios: str) -> MeterRule:
    return MeterRule(
        device,
        register,
        Fraction(modulus) if modulus else None,
        Fraction(max_kw) if max_kw else None,
        tuple(Ratio(since, Fraction(factor)) for since, factor in json.loads(ratios)),
    )


def declare(tx: Tx, tenant: str, rules: Sequence[MeterRule]) -> None:
    """Keeps what an agreement declares of its meters."""
    tx.insert(
        "meter_rules",
        ("tenant_id", "device_id", "register", "modulus", "max_kw", "ratios"),
        sorted(
            (
                tenant, rule.device, rule.register, _exact(rule.modulus), _exact(rule.max_kw),
                json.dumps([[ratio.since, str(ratio.factor)] for ratio in rule.ratios]),
            )
            for rule in rules
        ),
        "ON CONFLICT (tenant_id, device_id, register) "
        "DO UPDATE SET modulus = excluded.modulus, max_kw = excluded.max_kw, ratios = excluded.ratios",
    )  # fmt: skip


def _exact(declared: Fraction | None) -> str:
    return "" if declared is None else str(declared)


def save_registers(tx: Tx, tenant: str, registers: Sequence[LiveRegister]) -> None:
    """Writes the registers' new states, in key order."""
    rows = []
    for one in registers:
        state, point = one.state, one.state.point
        before = one.before if one.before is not None and _alike(one.before, point) else None
        rows.append((
            tenant, point.device, point.register, point.value, point.scale, point.unit, point.leaf.at, one.log_id,
            point.leaf.index, state.number, int(state.exchanged), one.held, state.modulus, state.max_kw,
            0 if before is None else before.value, 0 if before is None else before.leaf.at,
        ))  # fmt: skip
    updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[3:])
    tx.later("meter_registers", _COLUMNS, rows, f"ON CONFLICT (tenant_id, device_id, register) DO UPDATE SET {updates}")


def _alike(one: RegisterPoint, other: RegisterPoint) -> bool:
    return (one.scale, one.unit) == (other.scale, other.unit)


def facts_of(tx: Tx, tenant: str, devices: Sequence[str]) -> dict[tuple[str, str], Identified]:
    """What meters said of registers that nobody had read yet."""
    rows = tx.all(
        "SELECT f.device_id, f.register, f.number, f.modulus, f.max_kw FROM GIVEN(device_id text) AS g "
        "JOIN meter_facts f ON f.tenant_id = ? AND f.device_id = g.device_id",
        ([[device] for device in devices], tenant),
    )
    leaf = LeafRef(log=HERE, index=0, at=0, quality="synchronised")
    return {
        (device, register): Identified(leaf, number, modulus, max_kw, nameless=not number)
        for device, register, number, modulus, max_kw in rows
    }


def save_facts(tx: Tx, tenant: str, facts: Mapping[tuple[str, str], Identified]) -> None:
    """Keeps what a meter said of registers that nobody has read yet."""
    tx.later(
        "meter_facts",
        ("tenant_id", "device_id", "register", "number", "modulus", "max_kw"),
        [(tenant, *key, told.number, told.modulus, told.max_kw) for key, told in sorted(facts.items())],
        "ON CONFLICT (tenant_id, device_id, register) "
        "DO UPDATE SET number = excluded.number, modulus = excluded.modulus, max_kw = excluded.max_kw",
    )


def save_held(tx: Tx, tenant: str, held: Sequence[Held]) -> None:
    """Opens an event for every reading that is not believed."""
    tx.later(
        "discrepancies",
        ("tenant_id", "device_id", "log_id", "idx", "kind", "subject", "facts", "at_ms"),
        [
            (
                tenant, one.point.device, one.log_id, one.point.leaf.index, one.reason, one.point.register,
                json.dumps({"value": one.point.value, "scale": one.point.scale, "unit": one.point.unit}),
                one.point.leaf.at,
            )
            for one in held
        ],
        "ON CONFLICT DO NOTHING",
    )  # fmt: skip


def falls(
    tx: Tx, tenant: str, device: str, register: str, since: int
) -> tuple[list[RegisterPoint], dict[RegisterPoint, str]]:
    """Readings after ``since`` (ms UTC) that went backwards and are held, in order: three in a row are a reset; and the
    ids of the logs that hold them. Their leaves' ``log`` is HERE.
    """
    rows = tx.all(
        "SELECT facts, at_ms, idx, log_id FROM discrepancies WHERE tenant_id = ? AND device_id = ? AND kind = ? "
        "AND subject = ? AND at_ms > ? ORDER BY at_ms, idx LIMIT 100",
        (tenant, device, "register_fall", register, since),
    )
    found = {}
    for facts, at_ms, index, log_id in rows:
        said = json.loads(facts)
        found[_point(device, register, said["value"], said["scale"], said["unit"], at_ms, index)] = log_id
    return list(found), found


def registers_page(tx: Tx, tenant: str, after: tuple[str, str], limit: int) -> list[dict[str, object]]:
    """The live registers in stable order; ``after`` is the last (device, register) seen."""
    rows = tx.all(
        "SELECT device_id, register, value, scale, unit, at_ms, log_id, idx, held FROM meter_registers "
        "WHERE tenant_id = ? AND (device_id > ? OR (device_id = ? AND register > ?)) "
        "ORDER BY device_id, register LIMIT ?",
        (tenant, after[0], after[0], after[1], limit),
    )
    found: list[dict[str, object]] = []
    for device, register, value, scale, unit, at_ms, log_id, idx, held in rows:
        point = _point(device, register, value, scale, unit, at_ms, idx)
        found.append(
            {
                "device_id": device,
                "register": register,
                "reading": {"value": plain_register(point), "unit": unit},
                "at": utc_text(at_ms),
                "evidence": {"log": log_id, "index": idx},
                "held": held,
            }
        )
    return found


def _point(device: str, register: str, value: int, scale: int, unit: str, at_ms: int, idx: int) -> RegisterPoint:
    """A register as it is kept; the log that its leaf is in stands in a column of its own."""
    leaf = LeafRef(log=HERE, index=idx, at=at_ms, quality="synchronised")
    return RegisterPoint(device=device, register=register, value=value, scale=scale, unit=unit, leaf=leaf)
