"""The log's tables: heads, checkpoints, leaves, keys, evidence, boot anchors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from cloud.database import Tx, Value
from cloud.ingest.decide_time import Anchor
from cloud.ingest.incoming import LogIdentity
from wire.hand_over import read_revocation
from wire.ids import RecordKey
from wire.ids import log_id as log_id_of
from wire.log import Frontier

Place = tuple[str, int]
_IDENTITY = "l.tenant_id, l.log_no, l.log_id, l.gateway_id, l.origin, l.vkey"


class Head(NamedTuple):
    """Where a log stands. ``state``: open, frozen or closed."""

    tenant: str
    log_no: int
    size: int
    root: bytes
    frontier: bytes
    state: str
    refused: int
    anchored_boot: str
    backup_mark: int
    backed_up_size: int
    heard_ms: int
    key_edition: int = 0

    def grown(self, hashes: Sequence[bytes]) -> Frontier | None:
        """The tree with more leaves; None when what is stored of it is no tree."""
        try:
            return self.tree.extend(hashes)
        except ValueError:
            return None

    @property
    def sound(self) -> bool:
        """Whether frontier, size and root belong together: if not, the fault is ours and not the gateway's."""
        try:
            return self.tree.root() == self.root
        except ValueError:
            return False

    @property
    def tree(self) -> Frontier:
        """The frontier to grow from."""
        return Frontier.from_bytes(self.size, self.frontier)


class Stored(NamedTuple):
    """A piece that was cosigned: leaves ``[old_size, size)``."""

    size: int
    old_size: int
    root: bytes
    frontier: bytes
    note: str
    cosignature: str
    cosigned_s: int
    quarantined: int

    @property
    def tree(self) -> Frontier:
        """The frontier at the piece's end."""
        return Frontier.from_bytes(self.size, self.frontier)


class StoredLeaf(NamedTuple):
    """A leaf as it lies in its log."""

    idx: int
    leaf: bytes
    leaf_hash: bytes


_HEAD = ", ".join(f"h.{name}" for name in ("tenant_id", "log_no", *Head._fields[2:]))
_STORED = ", ".join(Stored._fields)


def identity(tx: Tx, log_id: str) -> LogIdentity | None:
    """The log with this id, whoever's it is."""
    row = tx.one(
        f"SELECT {_IDENTITY} FROM directory d JOIN logs l ON l.tenant_id = d.tenant_id AND l.log_id = d.public_id "  # noqa: S608 -- constant
        "WHERE d.kind = 'log' AND d.public_id = ?",
        (log_id,),
    )
    return None if row is None else with_keys(tx, LogIdentity(*row))


def identity_of(tx: Tx, tenant: str, log_no: int) -> LogIdentity:
    """The log at this place; it must exist."""
    row = tx.one(f"SELECT {_IDENTITY} FROM logs l WHERE l.tenant_id = ? AND l.log_no = ?", (tenant, log_no))  # noqa: S608 -- constant
    assert row is not None
    return with_keys(tx, LogIdentity(*row))


def with_keys(tx: Tx, log: LogIdentity) -> LogIdentity:
    """The log with its later keys and those taken back."""
    row = tx.one("SELECT key_edition FROM log_heads WHERE tenant_id = ? AND log_no = ?", log.place)
    if row is None or not row[0]:
        return log
    links = tx.all("SELECT hand_over FROM log_keys WHERE tenant_id = ? AND log_no = ? ORDER BY key_no", log.place)
    return msgspec.structs.replace(
        log,
        edition=int(row[0]),
        hand_overs=tuple(link[0] for link in links),
        revocations=tuple(read_revocation(one) for one in revocation_notes(tx, log.place)),
    )


def find_log(tx: Tx, name: str) -> LogIdentity | None:
    """The log with this id or this origin."""
    return identity(tx, name if len(name) == 64 and "/" not in name else log_id_of(name))


class Standing(NamedTuple):
    """A log and where it stands."""

    tenant: str
    log_no: int
    log_id: str
    gateway: str
    origin: str
    state: str
    size: int
    heard_ms: int


def standing(tx: Tx, tenant: str) -> list[Standing]:
    """Every log of a tenant, or of all where ``tenant`` is empty."""
    rows = tx.all(
        "SELECT l.tenant_id, l.log_no, l.log_id, l.gateway_id, l.origin, h.state, h.size, h.heard_ms FROM logs l "
        "JOIN log_heads h ON h.tenant_id = l.tenant_id AND h.log_no = l.log_no WHERE ? = '' OR l.tenant_id = ? "
        "ORDER BY l.tenant_id, l.log_no",
        (tenant, tenant),
    )
    return [Standing(*row) for row in rows]


def cosigned_until(tx: Tx, place: Place, seconds: int) -> int:
    """How large the log was when this second ended, by its cosignatures."""
    row = tx.one(
        "SELECT COALESCE(MAX(size), 0) FROM checkpoints WHERE tenant_id = ? AND log_no = ? AND cosigned_s <= ?",
        (*place, seconds),
    )
    return 0 if row is None else int(row[0])


def pieces_since(tx: Tx, seconds: int) -> list[tuple[Place, int, str, str, int]]:
    """Pieces of all logs cosigned after a second: place, size, note, cosignature, second."""
    rows = tx.all(
        "SELECT tenant_id, log_no, size, note, cosignature, cosigned_s FROM checkpoints WHERE cosigned_s > ? "
        "ORDER BY tenant_id, log_no, size",
        (seconds,),
    )
    return [((row[0], row[1]), row[2], row[3], row[4], row[5]) for row in rows]


def replace_cosignature(tx: Tx, place: Place, size: int, cosignature: str) -> None:
    """Another key of ours under a checkpoint."""
    tx.run(
        "UPDATE checkpoints SET cosignature = ? WHERE tenant_id = ? AND log_no = ? AND size = ?",
        (cosignature, *place, size),
    )


def count_evidence(tx: Tx, tenant: str, kind: str) -> int:
    """How many notes of a kind are kept."""
    row = tx.one("SELECT COUNT(*) FROM evidence WHERE tenant_id = ? AND kind = ?", (tenant, kind))
    return 0 if row is None else int(row[0])


def count_frozen(tx: Tx) -> int:
    """How many logs a fork has frozen."""
    row = tx.one("SELECT COUNT(*) FROM log_heads WHERE state = 'frozen'")
    return 0 if row is None else int(row[0])


def revocation_notes(tx: Tx, place: Place) -> list[str]:
    """The notes that take keys of a log back."""
    rows = tx.all("SELECT note FROM key_revocations WHERE tenant_id = ? AND log_no = ? ORDER BY at_ms, vkey", place)
    return [row[0] for row in rows]


def lock_heads(tx: Tx, places: Iterable[Place]) -> dict[Place, Head]:
    """The heads of these logs, locked in one order for everybody until the transaction ends."""
    rows = tx.all(
        f"SELECT {_HEAD} FROM GIVEN(tenant_id text, log_no bigint) AS g JOIN log_heads h "  # noqa: S608 -- constant
        "ON g.tenant_id = h.tenant_id AND g.log_no = h.log_no ORDER BY h.tenant_id, h.log_no FOR UPDATE OF h",
        [sorted(set(places))],
    )
    return {(row[0], row[1]): Head(*row) for row in rows}


def head(tx: Tx, log: LogIdentity) -> Head:
    """Where a log stands, unlocked."""
    return head_at(tx, log.place)


def head_at(tx: Tx, place: Place) -> Head:
    """Where the log at a place stands, unlocked."""
    row = tx.one(f"SELECT {_HEAD} FROM log_heads h WHERE h.tenant_id = ? AND h.log_no = ?", place)  # noqa: S608 -- constant
    assert row is not None
    return Head(*row)


def save_heads(tx: Tx, heads: Sequence[Head]) -> None:
    """Advances locked heads."""
    tx.later(
        "log_heads",
        ("tenant_id", "log_no", *Head._fields[2:]),
        heads,
        "ON CONFLICT (tenant_id, log_no) DO UPDATE SET size = excluded.size, root = excluded.root, "
        "frontier = excluded.frontier, anchored_boot = excluded.anchored_boot, heard_ms = excluded.heard_ms",
    )


def freeze(tx: Tx, place: Place) -> None:
    """Nothing is taken into this log any more."""
    tx.run("UPDATE log_heads SET state = 'frozen' WHERE tenant_id = ? AND log_no = ?", place)


def add_evidence(tx: Tx, place: Place, kind: str, *, size: int, root: bytes, note: str, ours: str, now_ms: int) -> bool:
    """Keeps a note for the dispute; False when it is kept already."""
    tenant, log_no = place
    return (
        tx.run(
            "INSERT INTO evidence (tenant_id, log_no, kind, size, root, note, ours, detail, seen_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, '', ?) ON CONFLICT DO NOTHING",
            (tenant, log_no, kind, size, root, note, ours, now_ms),
        )
        > 0
    )


def count_refused(tx: Tx, place: Place) -> None:
    """One more refused note is kept for this log."""
    tx.run("UPDATE log_heads SET refused = refused + 1 WHERE tenant_id = ? AND log_no = ?", place)


def refused_notes(tx: Tx, place: Place, low: int, high: int) -> list[tuple[int, bytes, str]]:
    """Genuine notes that were refused, with sizes in ``(low, high]``: size, root, note."""
    rows = tx.all(
        "SELECT size, root, note FROM evidence WHERE tenant_id = ? AND log_no = ? AND kind = 'refused' "
        "AND size > ? AND size <= ? ORDER BY size",
        (*place, low, high),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def add_pieces(tx: Tx, rows: Sequence[tuple[Place, Stored]]) -> None:
    """Stores cosigned pieces."""
    flat: list[tuple[Value, ...]] = [(*place, *stored) for place, stored in rows]
    tx.later("checkpoints", ("tenant_id", "log_no", *Stored._fields), flat)


def pieces_at(tx: Tx, place: Place, sizes: tuple[int, int]) -> dict[int, Stored]:
    """The pieces that end exactly at one of two sizes."""
    rows = tx.all(
        f"SELECT {_STORED} FROM checkpoints WHERE tenant_id = ? AND log_no = ? AND size IN (?, ?)",  # noqa: S608 -- constant
        (*place, *sizes),
    )
    return {row[0]: Stored(*row) for row in rows}


def piece_until(tx: Tx, place: Place, size: int) -> Stored | None:
    """The last piece that ends at or before ``size``."""
    row = tx.one(
        f"SELECT {_STORED} FROM checkpoints WHERE tenant_id = ? AND log_no = ? AND size <= ? "  # noqa: S608 -- constant
        "ORDER BY size DESC LIMIT 1",
        (*place, size),
    )
    return None if row is None else Stored(*row)


def piece_from(tx: Tx, place: Place, size: int) -> Stored | None:
    """The first piece that ends at or behind ``size``."""
    row = tx.one(
        f"SELECT {_STORED} FROM checkpoints WHERE tenant_id = ? AND log_no = ? AND size >= ? ORDER BY size LIMIT 1",  # noqa: S608 -- constant
        (*place, size),
    )
    return None if row is None else Stored(*row)


def add_leaves(tx: Tx, rows: Sequence[tuple[str, int, int, bytes, bytes]]) -> None:
    """Stores leaves: tenant, log number, index, the bytes, their hash."""
    tx.later("leaves", ("tenant_id", "log_no", "idx", "leaf", "leaf_hash"), rows)


def leaves(tx: Tx, place: Place, start: int, end: int) -> list[StoredLeaf]:
    """The leaves ``[start, end)`` of a log, in order."""
    rows = tx.all(
        "SELECT idx, leaf, leaf_hash FROM leaves WHERE tenant_id = ? AND log_no = ? AND idx >= ? AND idx < ? "
        "ORDER BY idx",
        (*place, start, end),
    )
    return [StoredLeaf(*row) for row in rows]


def leaf_hashes(tx: Tx, place: Place, start: int, end: int) -> list[bytes]:
    """The hashes of the leaves ``[start, end)``, in order."""
    rows = tx.all(
        "SELECT leaf_hash FROM leaves WHERE tenant_id = ? AND log_no = ? AND idx >= ? AND idx < ? ORDER BY idx",
        (*place, start, end),
    )
    return [row[0] for row in rows]


def bound(tx: Tx, bindings: Iterable[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Those of these (tenant, gateway, device) that belong together."""
    rows = tx.all(
        "SELECT d.tenant_id, d.gateway_id, d.device_id "
        "FROM GIVEN(tenant_id text, gateway_id text, device_id text) AS g JOIN device_gateways d "
        "ON d.tenant_id = g.tenant_id AND d.gateway_id = g.gateway_id AND d.device_id = g.device_id",
        [sorted(bindings)],
    )
    return {(row[0], row[1], row[2]) for row in rows}


def claim_keys(tx: Tx, rows: Sequence[tuple[str, str, str, int, str | None, int, int]]) -> bool:
    """Enters record keys (tenant, src, ep, n, did, log number, index); False when one of them was taken already."""
    return tx.claim("record_keys", ("tenant_id", "src", "ep", "n", "did", "log_no", "idx"), rows)


def owners_of_keys(tx: Tx, keys: Sequence[tuple[str, str, str, int]]) -> dict[tuple[str, RecordKey], tuple[int, int]]:
    """Which leaf (log number, index) counts for each of these (tenant, src, ep, n)."""
    rows = tx.all(
        "SELECT r.tenant_id, r.src, r.ep, r.n, r.log_no, r.idx "
        "FROM GIVEN(tenant_id text, src text, ep text, n bigint) AS g JOIN record_keys r "
        "ON g.tenant_id = r.tenant_id AND g.src = r.src AND g.ep = r.ep AND g.n = r.n",
        [list(keys)],
    )
    return {(row[0], RecordKey(row[1], row[2], row[3])): (row[4], row[5]) for row in rows}


def owner_of_did(tx: Tx, tenant: str, src: str, did: str) -> tuple[int, int] | None:
    """Which leaf (log number, index) counts for this event of the device."""
    row = tx.one("SELECT log_no, idx FROM record_keys WHERE tenant_id = ? AND src = ? AND did = ?", (tenant, src, did))
    return None if row is None else (row[0], row[1])


def anchors(tx: Tx, boots: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], Anchor]:
    """What ties these boots (tenant, gateway, boot) to the world, as far as it is known."""
    rows = tx.all(
        "SELECT a.tenant_id, a.gateway_id, a.boot, a.synchronised_zero_ms, a.cosigned_zero_ms "
        "FROM GIVEN(tenant_id text, gateway_id text, boot text) AS g JOIN boot_anchors a "
        "ON g.tenant_id = a.tenant_id AND g.gateway_id = a.gateway_id AND g.boot = a.boot",
        [sorted(set(boots))],
    )
    return {(row[0], row[1], row[2]): Anchor(row[3], row[4]) for row in rows}


def save_anchors(tx: Tx, found: dict[tuple[str, str, str], Anchor]) -> None:
    """Stores anchors that were joined with what was known."""
    tx.later(
        "boot_anchors",
        ("tenant_id", "gateway_id", "boot", "synchronised_zero_ms", "cosigned_zero_ms"),
        [(*boot, anchor.synchronised_zero_ms, anchor.cosigned_zero_ms) for boot, anchor in sorted(found.items())],
        "ON CONFLICT (tenant_id, gateway_id, boot) DO UPDATE SET "
        "synchronised_zero_ms = excluded.synchronised_zero_ms, cosigned_zero_ms = excluded.cosigned_zero_ms",
    )


class EvidenceRow(NamedTuple):
    """A note that is kept for a dispute. ``kind``: fork, refused (its leaves did not prove it), ahead (of us)."""

    log_no: int
    kind: str
    size: int
    root: bytes
    log_id: str
    gateway_id: str
    note: str
    ours: str
    seen_ms: int


def evidence(tx: Tx, tenant: str, after: tuple[int, str, int, bytes], limit: int) -> list[EvidenceRow]:
    """The kept notes behind (log number, kind, size, root), in that order."""
    rows = tx.all(
        "SELECT e.log_no, e.kind, e.size, e.root, l.log_id, l.gateway_id, e.note, e.ours, e.seen_ms FROM evidence e "
        "JOIN logs l ON l.tenant_id = e.tenant_id AND l.log_no = e.log_no WHERE e.tenant_id = ? "
        "AND (e.log_no, e.kind, e.size, e.root) > (?, ?, ?, ?) ORDER BY e.log_no, e.kind, e.size, e.root LIMIT ?",
        (tenant, *after, limit),
    )
    return [EvidenceRow(*row) for row in rows]
