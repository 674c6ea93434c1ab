"""The meters' SQL: the live view of registers, what agreements declare of them, readings that are not believed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction

import msgspec

from cloud.calendar import utc_text
from cloud.database import Tx
from cloud.ingest.posted import Posted
from cloud.metering.usage import HeldReason, MeterRule, RegisterState
from cloud.rating.lines import LeafRef, RegisterPoint, plain_register


class LiveRegister(msgspec.Struct, frozen=True):
    """A register's last good reading, the id of the log that holds it, and how many readings were held since."""

    state: RegisterState
    log_id: str
    held: int


class Held(msgspec.Struct, frozen=True):
    """A reading that is not believed, and the record that brought it."""

    reason: HeldReason
    point: RegisterPoint
    posted: Posted


_COLUMNS = (
    "tenant_id", "device_id", "register", "value", "scale", "unit", "at_ms", "log_id", "idx", "number", "exchanged",
    "held",
)  # fmt: skip


def lock_registers(
    tx: Tx, tenant: str, devices: Sequence[str]
) -> tuple[dict[tuple[str, str], LiveRegister], dict[tuple[str, str], MeterRule]]:
    """The registers of these devices, locked in order, and what agreements declare of them."""
    given = [[device] for device in devices]
    registers = (
        (
            "SELECT r.device_id, r.register, r.value, r.scale, r.unit, r.at_ms, r.log_id, r.idx, r.number, "
            "r.exchanged, r.held FROM GIVEN(device_id text) AS g "
            "JOIN meter_registers r ON r.tenant_id = ? AND r.device_id = g.device_id "
            "ORDER BY r.device_id, r.register FOR UPDATE"
        ),
        (given, tenant),
    )
    declared = (
        (
            "SELECT r.device_id, r.register, r.modulus, r.max_kw FROM GIVEN(device_id text) AS g "
            "JOIN meter_rules r ON r.tenant_id = ? AND r.device_id = g.device_id"
        ),
        (given, tenant),
    )
    held_registers, rules = tx.several(registers, declared)
    found = {}
    for device, register, value, scale, unit, at_ms, log_id, idx, number, exchanged, held in held_registers:
        point = _point(device, register, value, scale, unit, at_ms, idx)
        found[device, register] = LiveRegister(RegisterState(point, number, bool(exchanged)), log_id, held)
    return found, {
        (device, register): MeterRule(
            device, register, Fraction(modulus) if modulus else None, Fraction(max_kw) if max_kw else None
        )
        for device, register, modulus, max_kw in rules
    }


def declare(tx: Tx, tenant: str, declared: Sequence[tuple[str, str, str, str]]) -> None:
    """Keeps (device, register, modulus, max_kw) of an agreement's meters."""
    tx.insert(
        "meter_rules",
        ("tenant_id", "device_id", "register", "modulus", "max_kw"),
        [(tenant, *one) for one in sorted(declared)],
        "ON CONFLICT (tenant_id, device_id, register) "
        "DO UPDATE SET modulus = excluded.modulus, max_kw = excluded.max_kw",
    )


def save_registers(tx: Tx, tenant: str, registers: Sequence[LiveRegister]) -> None:
    """Writes the registers' new states, in key order."""
    rows = [
        (
            tenant, one.state.point.device, one.state.point.register, one.state.point.value, one.state.point.scale,
            one.state.point.unit, one.state.point.leaf.at, one.log_id, one.state.point.leaf.index, one.state.number,
            int(one.state.exchanged), one.held,
        )
        for one in registers
    ]  # fmt: skip
    updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[3:])
    tx.later("meter_registers", _COLUMNS, rows, f"ON CONFLICT (tenant_id, device_id, register) DO UPDATE SET {updates}")


def save_held(tx: Tx, tenant: str, held: Sequence[Held]) -> None:
    """Opens an event for every reading that is not believed."""
    tx.later(
        "discrepancies",
        ("tenant_id", "device_id", "log_id", "idx", "kind", "subject", "facts", "at_ms"),
        [
            (
                tenant, one.point.device, one.posted.log, one.posted.index, one.reason, one.point.register,
                json.dumps({"value": one.point.value, "scale": one.point.scale, "unit": one.point.unit}),
                one.posted.at_ms,
            )
            for one in held
        ],
        "ON CONFLICT DO NOTHING",
    )  # fmt: skip


def falls(tx: Tx, tenant: str, device: str, register: str, since: int) -> list[RegisterPoint]:
    """Readings after ``since`` (ms UTC) that went backwards and are held, in order: three in a row are a reset.

    Their leaves' ``log`` is -1: they are not of the batch in hand.
    """
    rows = tx.all(
        "SELECT facts, at_ms, idx FROM discrepancies WHERE tenant_id = ? AND device_id = ? AND kind = ? "
        "AND subject = ? AND at_ms > ? ORDER BY at_ms, idx LIMIT 100",
        (tenant, device, "register_fall", register, since),
    )
    found = []
    for facts, at_ms, index in rows:
        said = json.loads(facts)
        leaf = LeafRef(log=-1, index=index, at=at_ms, quality="synchronised")
        found.append(
            RegisterPoint(
                device=device, register=register, value=said["value"], scale=said["scale"], unit=said["unit"], leaf=leaf
            )
        )
    return found


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
    leaf = LeafRef(log=0, index=idx, at=at_ms, quality="synchronised")
    return RegisterPoint(device=device, register=register, value=value, scale=scale, unit=unit, leaf=leaf)
