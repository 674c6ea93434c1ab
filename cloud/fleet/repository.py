"""Gateways, their devices, enrolment codes, logs as they are opened, and what a gateway should be like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cloud.database import Tx
from wire.log import EMPTY_ROOT


class GatewayRow(NamedTuple):
    """A gateway and how its present log stands ("" and 0 before it is enrolled)."""

    gateway_id: str
    name: str
    site_id: str
    created_ms: int
    origin: str
    vkey: str
    state: str
    size: int
    heard_ms: int


class DeviceRow(NamedTuple):
    """A device at a gateway."""

    device_id: str
    kind: str
    name: str
    gateway_id: str
    site_id: str
    created_ms: int


class CodeRow(NamedTuple):
    """A one-time code as it is stored: its secret only as a hash."""

    code_id: str
    gateway_id: str
    secret_hash: str
    expires_ms: int
    tries_left: int
    used_ms: int | None
    log_no: int | None


class LogRow(NamedTuple):
    """A log as it was opened."""

    log_no: int
    log_id: str
    gateway_id: str
    epoch: int
    origin: str
    vkey: str


class RecordedRow(NamedTuple):
    """A record of a device: its key, where its leaf stands, and how that log stands."""

    ep: str
    n: int
    log_no: int
    idx: int
    leaf: bytes
    gateway_id: str
    state: str


_GATEWAY = (
    "SELECT g.gateway_id, g.name, g.site_id, g.created_ms, COALESCE(l.origin, ''), COALESCE(l.vkey, ''), "
    "COALESCE(h.state, ''), COALESCE(h.size, 0), COALESCE(h.heard_ms, 0) FROM gateways g "
    "LEFT JOIN logs l ON l.tenant_id = g.tenant_id AND l.gateway_id = g.gateway_id AND l.epoch = "
    "(SELECT MAX(m.epoch) FROM logs m WHERE m.tenant_id = g.tenant_id AND m.gateway_id = g.gateway_id) "
    "LEFT JOIN log_heads h ON h.tenant_id = l.tenant_id AND h.log_no = l.log_no WHERE g.tenant_id = ? "
)
_CODE = "code_id, gateway_id, secret_hash, expires_ms, tries_left, used_ms, log_no"
_DEVICE = "device_id, kind, name, gateway_id, site_id, created_ms"


def add_gateway(tx: Tx, tenant: str, gateway_id: str, *, name: str, site_id: str, now_ms: int) -> bool:
    """A new gateway; False when the id is taken."""
    return (
        tx.run(
            "INSERT INTO gateways (tenant_id, gateway_id, name, site_id, created_ms) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (tenant, gateway_id, name, site_id, now_ms),
        )
        > 0
    )


def gateway(tx: Tx, tenant: str, gateway_id: str) -> GatewayRow | None:
    """One gateway."""
    row = tx.one(_GATEWAY + "AND g.gateway_id = ?", (tenant, gateway_id))
    return None if row is None else GatewayRow(*row)


def gateways(tx: Tx, tenant: str, after: str, limit: int) -> list[GatewayRow]:
    """The gateways behind an id, in order."""
    rows = tx.all(_GATEWAY + "AND g.gateway_id > ? ORDER BY g.gateway_id LIMIT ?", (tenant, after, limit))
    return [GatewayRow(*row) for row in rows]


def add_device(tx: Tx, tenant: str, device: DeviceRow) -> bool:
    """A new device; False when the id is taken."""
    added = tx.run(
        f"INSERT INTO devices (tenant_id, {_DEVICE}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608 -- constant
        (tenant, *device),
    )
    if added:
        _bind(tx, tenant, device.gateway_id, device.device_id, device.created_ms)
    return added > 0


def move_device(tx: Tx, tenant: str, device_id: str, gateway_id: str, now_ms: int) -> bool:
    """Hangs a device on another gateway; the old one may still send what it has recorded. False: no such device."""
    moved = tx.run(
        "UPDATE devices SET gateway_id = ? WHERE tenant_id = ? AND device_id = ?", (gateway_id, tenant, device_id)
    )
    if moved:
        _bind(tx, tenant, gateway_id, device_id, now_ms)
    return moved > 0


def _bind(tx: Tx, tenant: str, gateway_id: str, device_id: str, now_ms: int) -> None:
    tx.run(
        "INSERT INTO device_gateways (tenant_id, gateway_id, device_id, since_ms) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (tenant, gateway_id, device_id, now_ms),
    )


def device(tx: Tx, tenant: str, device_id: str) -> DeviceRow | None:
    """One device."""
    row = tx.one(f"SELECT {_DEVICE} FROM devices WHERE tenant_id = ? AND device_id = ?", (tenant, device_id))  # noqa: S608 -- constant
    return None if row is None else DeviceRow(*row)


def devices(tx: Tx, tenant: str, gateway_id: str, after: str, limit: int) -> list[DeviceRow]:
    """The devices behind an id, in order; of one gateway, or of all where ``gateway_id`` is empty."""
    rows = tx.all(
        f"SELECT {_DEVICE} FROM devices WHERE tenant_id = ? AND (? = '' OR gateway_id = ?) AND device_id > ? "  # noqa: S608 -- constant
        "ORDER BY device_id LIMIT ?",
        (tenant, gateway_id, gateway_id, after, limit),
    )
    return [DeviceRow(*row) for row in rows]


def add_code(tx: Tx, tenant: str, code: CodeRow, now_ms: int) -> bool:
    """A new one-time code, old ones swept away; False when its public part is taken."""
    sweep = "SELECT code_id FROM enrolment_codes WHERE tenant_id = ? AND expires_ms < ?"
    old = (tenant, now_ms - 86_400_000)
    tx.run(f"DELETE FROM directory WHERE kind = 'enrolment_code' AND public_id IN ({sweep})", old)  # noqa: S608 -- constant
    tx.run("DELETE FROM enrolment_codes WHERE tenant_id = ? AND expires_ms < ?", old)
    if not tx.run(
        "INSERT INTO directory (kind, public_id, tenant_id) VALUES ('enrolment_code', ?, ?) ON CONFLICT DO NOTHING",
        (code.code_id, tenant),
    ):
        return False
    tx.run(f"INSERT INTO enrolment_codes (tenant_id, {_CODE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (tenant, *code))  # noqa: S608 -- constant
    return True


def lock_code(tx: Tx, code_id: str) -> tuple[str, CodeRow] | None:
    """A code and its tenant, locked until the transaction ends."""
    owner = tx.one("SELECT tenant_id FROM directory WHERE kind = 'enrolment_code' AND public_id = ?", (code_id,))
    if owner is None:
        return None
    row = tx.one(
        f"SELECT {_CODE} FROM enrolment_codes WHERE tenant_id = ? AND code_id = ? FOR UPDATE",  # noqa: S608 -- constant
        (owner[0], code_id),
    )
    return None if row is None else (owner[0], CodeRow(*row))


def spend_try(tx: Tx, tenant: str, code_id: str) -> None:
    """One wrong attempt less."""
    tx.run(
        "UPDATE enrolment_codes SET tries_left = tries_left - 1 WHERE tenant_id = ? AND code_id = ?", (tenant, code_id)
    )


def use_code(tx: Tx, tenant: str, code_id: str, log_no: int, now_ms: int) -> None:
    """The code has opened this log and opens nothing more."""
    tx.run(
        "UPDATE enrolment_codes SET used_ms = ?, log_no = ? WHERE tenant_id = ? AND code_id = ?",
        (now_ms, log_no, tenant, code_id),
    )


def next_log(tx: Tx, tenant: str, gateway_id: str) -> tuple[int, int]:
    """The number of the tenant's next log and the gateway's next epoch; other openings of the tenant wait."""
    tx.one("SELECT tenant_id FROM tenants WHERE tenant_id = ? FOR UPDATE", (tenant,))
    number = tx.one("SELECT COALESCE(MAX(log_no), 0) + 1 FROM logs WHERE tenant_id = ?", (tenant,))
    epoch = tx.one(
        "SELECT COALESCE(MAX(epoch), 0) + 1 FROM logs WHERE tenant_id = ? AND gateway_id = ?", (tenant, gateway_id)
    )
    assert number is not None
    assert epoch is not None
    return number[0], epoch[0]


def open_log(tx: Tx, tenant: str, log: LogRow, now_ms: int) -> None:
    """Opens an empty log and closes the gateway's earlier ones (a frozen one stays frozen)."""
    tx.run(
        "UPDATE log_heads SET state = 'closed' WHERE tenant_id = ? AND state = 'open' AND log_no IN "
        "(SELECT log_no FROM logs WHERE tenant_id = ? AND gateway_id = ?)",
        (tenant, tenant, log.gateway_id),
    )
    tx.run(
        "INSERT INTO logs (tenant_id, log_no, log_id, gateway_id, epoch, origin, vkey, opened_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (tenant, *log, now_ms),
    )
    tx.run(
        "INSERT INTO log_heads (tenant_id, log_no, size, root, frontier, state, refused, anchored_boot, backup_mark, "
        "backed_up_size, heard_ms) VALUES (?, ?, 0, ?, ?, 'open', 0, '', 0, 0, 0)",
        (tenant, log.log_no, EMPTY_ROOT, b""),
    )
    tx.run("INSERT INTO directory (kind, public_id, tenant_id) VALUES ('log', ?, ?)", (log.log_id, tenant))


def log(tx: Tx, tenant: str, log_no: int) -> LogRow | None:
    """A log by its number."""
    row = tx.one(
        "SELECT log_no, log_id, gateway_id, epoch, origin, vkey FROM logs WHERE tenant_id = ? AND log_no = ?",
        (tenant, log_no),
    )
    return None if row is None else LogRow(*row)


def add_key(tx: Tx, place: tuple[str, int], number: int, vkey: str, hand_over: str, now_ms: int) -> None:
    """A later key of a log."""
    tx.run(
        "INSERT INTO log_keys (tenant_id, log_no, key_no, vkey, hand_over, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (*place, number, vkey, hand_over, now_ms),
    )
    _next_edition(tx, place)


def add_revocation(tx: Tx, place: tuple[str, int], vkey: str, note: str, who: str, now_ms: int) -> None:
    """A key of a log that is taken back."""
    tx.run(
        "INSERT INTO key_revocations (tenant_id, log_no, vkey, note, who, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
        (*place, vkey, note, who, now_ms),
    )
    _next_edition(tx, place)


def _next_edition(tx: Tx, place: tuple[str, int]) -> None:
    tx.run("UPDATE log_heads SET key_edition = key_edition + 1 WHERE tenant_id = ? AND log_no = ?", place)


def put_part(tx: Tx, tenant: str, gateway_id: str, *, part: str, key: str, body: str) -> int:
    """Sets one part of what a gateway should be like; the document's version after it."""
    version = _next_version(tx, tenant, gateway_id)
    tx.run(
        "INSERT INTO desired_parts (tenant_id, gateway_id, part, part_key, body, version) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (tenant_id, gateway_id, part, part_key) DO UPDATE SET body = excluded.body, "
        "version = excluded.version",
        (tenant, gateway_id, part, key, body, version),
    )
    return version


def drop_part(tx: Tx, tenant: str, gateway_id: str, *, part: str, key: str) -> None:
    """Takes one part away from what a gateway should be like."""
    _next_version(tx, tenant, gateway_id)
    tx.run(
        "DELETE FROM desired_parts WHERE tenant_id = ? AND gateway_id = ? AND part = ? AND part_key = ?",
        (tenant, gateway_id, part, key),
    )


def _next_version(tx: Tx, tenant: str, gateway_id: str) -> int:
    tx.run(
        "INSERT INTO desired_versions (tenant_id, gateway_id, version) VALUES (?, ?, 1) "
        "ON CONFLICT (tenant_id, gateway_id) DO UPDATE SET version = desired_versions.version + 1",
        (tenant, gateway_id),
    )
    return desired_version(tx, tenant, gateway_id)


def parts(tx: Tx, tenant: str, gateway_id: str) -> list[tuple[str, str, str]]:
    """All parts (name, key, JSON body) of what a gateway should be like."""
    rows = tx.all(
        "SELECT part, part_key, body FROM desired_parts WHERE tenant_id = ? AND gateway_id = ? ORDER BY part, part_key",
        (tenant, gateway_id),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def desired_version(tx: Tx, tenant: str, gateway_id: str) -> int:
    """The version of what a gateway should be like; 0 when nothing was published."""
    row = tx.one("SELECT version FROM desired_versions WHERE tenant_id = ? AND gateway_id = ?", (tenant, gateway_id))
    return 0 if row is None else int(row[0])


def desired_versions(tx: Tx, gateways: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The versions for many (tenant, gateway) at once."""
    rows = tx.all(
        "SELECT v.tenant_id, v.gateway_id, v.version FROM GIVEN(tenant_id text, gateway_id text) AS g "
        "JOIN desired_versions v "
        "ON g.tenant_id = v.tenant_id AND g.gateway_id = v.gateway_id",
        [sorted(set(gateways))],
    )
    return {(row[0], row[1]): row[2] for row in rows}


def mark_backup(tx: Tx, *, done: bool) -> int:
    """Before a backup: notes every log's size. After it (``done``): that much is backed up. How many logs."""
    if done:
        return tx.run("UPDATE log_heads SET backed_up_size = backup_mark WHERE backed_up_size < backup_mark")
    return tx.run("UPDATE log_heads SET backup_mark = size WHERE backup_mark < size")


def planned_devices(tx: Tx, tenant: str, gateway_id: str, first: str) -> list[str]:
    """The devices of a gateway that have a planogram, from this id on, in order."""
    rows = tx.all(
        "SELECT d.device_id FROM devices d WHERE d.tenant_id = ? AND d.gateway_id = ? AND d.device_id >= ? AND EXISTS "
        "(SELECT 1 FROM planograms p WHERE p.tenant_id = d.tenant_id AND p.device_id = d.device_id) "
        "ORDER BY d.device_id",
        (tenant, gateway_id, first),
    )
    return [row[0] for row in rows]


def recorded(tx: Tx, tenant: str, device_id: str, after: tuple[str, int], limit: int) -> list[RecordedRow]:
    """The records of a device behind (epoch, number), in the order of their keys."""
    rows = tx.all(
        "SELECT k.ep, k.n, k.log_no, k.idx, l.leaf, g.gateway_id, h.state FROM record_keys k "
        "JOIN leaves l ON l.tenant_id = k.tenant_id AND l.log_no = k.log_no AND l.idx = k.idx "
        "JOIN logs g ON g.tenant_id = k.tenant_id AND g.log_no = k.log_no "
        "JOIN log_heads h ON h.tenant_id = k.tenant_id AND h.log_no = k.log_no "
        "WHERE k.tenant_id = ? AND k.src = ? AND (k.ep, k.n) > (?, ?) ORDER BY k.ep, k.n LIMIT ?",
        (tenant, device_id, *after, limit),
    )
    return [RecordedRow(row[0], row[1], row[2], row[3], bytes(row[4]), row[5], row[6]) for row in rows]
