"""The SQL of billing: what of the logs a statement stands on, and the statements themselves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.billing.facts import Counter, Receipt
from cloud.billing.statement import Head, Statement
from cloud.database import Tx
from wire.log import Frontier

Place = tuple[int, int]
_statements = msgspec.json.Decoder(Statement)


class LogRow(msgspec.Struct, frozen=True):
    """A log that may hold records of an agreement's devices, and how far it is cosigned."""

    log_no: int
    log_id: str
    origin: str
    vkey: str
    gateway: str
    size: int


class Leaf(msgspec.Struct, frozen=True):
    """A stored leaf: its bytes and its hash."""

    index: int
    leaf: bytes
    hash: bytes


def logs_of(tx: Tx, tenant: str, devices: Sequence[str]) -> list[LogRow]:
    """All logs, with leaves, of every gateway that these devices hang on or ever hung on, oldest first."""
    rows = tx.all(
        "SELECT DISTINCT l.log_no, l.log_id, l.origin, l.vkey, l.gateway_id, h.size FROM GIVEN(device_id text) AS g "
        "JOIN device_gateways d ON d.tenant_id = ? AND d.device_id = g.device_id "
        "JOIN logs l ON l.tenant_id = d.tenant_id AND l.gateway_id = d.gateway_id "
        "JOIN log_heads h ON h.tenant_id = l.tenant_id AND h.log_no = l.log_no WHERE h.size > 0 ORDER BY l.log_no",
        ([[device] for device in devices], tenant),
    )
    return [LogRow(*row) for row in rows]


def leaves(tx: Tx, tenant: str, log_no: int, start: int, end: int) -> list[Leaf]:
    """Leaves ``[start, end)`` of a log, in order."""
    rows = tx.all(
        "SELECT idx, leaf, leaf_hash FROM leaves "
        "WHERE tenant_id = ? AND log_no = ? AND idx >= ? AND idx < ? ORDER BY idx",
        (tenant, log_no, start, end),
    )
    return [Leaf(index, bytes(leaf), bytes(hashed)) for index, leaf, hashed in rows]


def leaf_hashes(tx: Tx, tenant: str, log_no: int, end: int) -> list[bytes]:
    """The hashes of a log's first ``end`` leaves."""
    rows = tx.all(
        "SELECT leaf_hash FROM leaves WHERE tenant_id = ? AND log_no = ? AND idx < ? ORDER BY idx",
        (tenant, log_no, end),
    )
    return [bytes(row[0]) for row in rows]


def frontier(tx: Tx, tenant: str, log_no: int, size: int) -> Frontier:
    """The log's frontier at any size, from the nearest piece before it."""
    row = tx.one(
        "SELECT size, frontier FROM checkpoints "
        "WHERE tenant_id = ? AND log_no = ? AND size <= ? ORDER BY size DESC LIMIT 1",
        (tenant, log_no, size),
    )
    known = Frontier() if row is None else Frontier.from_bytes(row[0], bytes(row[1]))
    return known.extend([leaf.hash for leaf in leaves(tx, tenant, log_no, known.size, size)])


def root(tx: Tx, tenant: str, log_no: int, size: int) -> str:
    """The cosigned root at a size, hex."""
    found = root_at(tx, tenant, log_no, size)
    assert found, "a log's size is always cosigned"
    return found


def root_at(tx: Tx, tenant: str, log_no: int, size: int) -> str:
    """The cosigned root at any size, hex; "" where none was cosigned."""
    row = tx.one("SELECT root FROM checkpoints WHERE tenant_id = ? AND log_no = ? AND size = ?", (tenant, log_no, size))
    return "" if row is None else bytes(row[0]).hex()


def receipts(tx: Tx, tenant: str, log_no: int, start: int, end: int) -> list[Receipt]:
    """Every cosignature over a size in ``[start, end]``."""
    rows = tx.all(
        "SELECT size, cosigned_s FROM checkpoints "
        "WHERE tenant_id = ? AND log_no = ? AND size >= ? AND size <= ? ORDER BY size",
        (tenant, log_no, start, end),
    )
    return [Receipt(size, seconds) for size, seconds in rows]


def receipts_at(tx: Tx, tenant: str, log_no: int, sizes: Sequence[int]) -> list[Receipt]:
    """The cosignatures over exactly these sizes."""
    rows = tx.all(
        "SELECT c.size, c.cosigned_s FROM GIVEN(size bigint) AS g JOIN checkpoints c "
        "ON c.tenant_id = ? AND c.log_no = ? AND c.size = g.size ORDER BY c.size",
        ([[size] for size in sorted(set(sizes))], tenant, log_no),
    )
    return [Receipt(size, seconds) for size, seconds in rows]


def notes(tx: Tx, tenant: str, log_no: int, sizes: Sequence[int]) -> list[str]:
    """The cosigned checkpoint notes at these sizes, in order."""
    rows = tx.all(
        "SELECT c.note, c.cosignature FROM GIVEN(size bigint) AS g JOIN checkpoints c "
        "ON c.tenant_id = ? AND c.log_no = ? AND c.size = g.size ORDER BY c.size",
        ([[size] for size in sizes], tenant, log_no),
    )
    return [note + cosignature for note, cosignature in rows]


def places_of_dids(tx: Tx, tenant: str, dids: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Place]:
    """Where the leaf that counts for each of these (device, the device's own event id) is."""
    rows = tx.all(
        "SELECT k.src, k.did, k.log_no, k.idx FROM GIVEN(src text, did text) AS g "
        "JOIN record_keys k ON k.tenant_id = ? AND k.src = g.src AND k.did = g.did",
        ([list(did) for did in dids], tenant),
    )
    return {(src, did): (log_no, index) for src, did, log_no, index in rows}


def places_about(tx: Tx, tenant: str, draws: Sequence[tuple[str, Place]]) -> set[Place]:
    """Leaves that moved stock about these (device, place of a draw): resolutions, reversals, returns."""
    rows = tx.all(
        "SELECT DISTINCT m.log_no, m.idx FROM GIVEN(src text, log_no bigint, idx bigint) AS g JOIN stock_moves m "
        "ON m.tenant_id = ? AND m.device_id = g.src AND m.about_log_no = g.log_no AND m.about_idx = g.idx",
        ([[src, *place] for src, place in draws], tenant),
    )
    return {(log_no, index) for log_no, index in rows}


def last_counter(tx: Tx, tenant: str, src: str, log_no: int, before: int) -> Counter | None:
    """A device's newest counter in a log before an index."""
    row = tx.one(
        "SELECT ep, n FROM record_keys "
        "WHERE tenant_id = ? AND src = ? AND log_no = ? AND idx < ? ORDER BY idx DESC LIMIT 1",
        (tenant, src, log_no, before),
    )
    return None if row is None else Counter(src, row[0], row[1])


def places_of_boot(tx: Tx, tenant: str, src: str, boot: str, *, after: int, limit: int) -> list[tuple[int, int, int]]:
    """(n, log number, index) of a device's records of one boot (= counter epoch), in order, after ``n``."""
    rows = tx.all(
        "SELECT n, log_no, idx FROM record_keys "
        "WHERE tenant_id = ? AND src = ? AND ep = ? AND n > ? ORDER BY n LIMIT ?",
        (tenant, src, boot, after, limit),
    )
    return [(n, log_no, index) for n, log_no, index in rows]


def last_statement(tx: Tx, tenant: str, agreement_id: str) -> Statement | None:
    """The newest statement of an agreement that is not void."""
    return _statement(
        tx.one(
            "SELECT body FROM statements WHERE tenant_id = ? AND agreement_id = ? AND state = 'final' "
            "ORDER BY number DESC LIMIT 1",
            (tenant, agreement_id),
        )
    )


def last_statement_end(tx: Tx, tenant: str, agreement_id: str) -> str:
    """The local day on which the newest statement that stands ends; "" when there is none."""
    row = tx.one(
        "SELECT period_end FROM statements WHERE tenant_id = ? AND agreement_id = ? AND state = 'final' "
        "ORDER BY number DESC LIMIT 1",
        (tenant, agreement_id),
    )
    return "" if row is None else str(row[0])


def newest_statements(tx: Tx, tenant: str, agreement_id: str) -> tuple[Statement | None, Head | None]:
    """The newest statement of an agreement that is not void; and the newest of all: what the next one's hash chains
    to.
    """
    row = tx.one(
        "SELECT body, state FROM statements WHERE tenant_id = ? AND agreement_id = ? ORDER BY number DESC LIMIT 1",
        (tenant, agreement_id),
    )
    found = _statement(row)
    if row is None or found is None:
        return None, None
    return (found if row[1] == "final" else last_statement(tx, tenant, agreement_id)), found.head


def standing_heads(tx: Tx, tenant: str, agreement_id: str, first: str) -> list[Head]:
    """The statements that are not void, of the periods from a local day on, oldest first."""
    rows = tx.all(
        "SELECT body FROM statements WHERE tenant_id = ? AND agreement_id = ? AND state = 'final' "
        "AND period_first >= ? ORDER BY number",
        (tenant, agreement_id, first),
    )
    return [_statements.decode(row[0]).head for row in rows]


def heads_between(tx: Tx, tenant: str, agreement_id: str, first: int, end: int) -> list[Head]:
    """The heads of the statements numbered ``[first, end)``, void ones too, in order."""
    rows = tx.all(
        "SELECT body FROM statements WHERE tenant_id = ? AND agreement_id = ? AND number >= ? AND number < ? "
        "ORDER BY number",
        (tenant, agreement_id, first, end),
    )
    return [_statements.decode(row[0]).head for row in rows]


def last_void(tx: Tx, tenant: str, agreement_id: str, first: str, end: str) -> Head | None:
    """The newest void statement of a period."""
    found = _statement(
        tx.one(
            "SELECT body FROM statements WHERE tenant_id = ? AND agreement_id = ? AND period_first = ? "
            "AND period_end = ? AND state = 'void' ORDER BY revision DESC LIMIT 1",
            (tenant, agreement_id, first, end),
        )
    )
    return None if found is None else found.head


def number_of_hash(tx: Tx, tenant: str, agreement_id: str, hashed: str) -> int:
    """The number of the statement with a hash; 0 when there is none."""
    row = tx.one(
        "SELECT number FROM statements WHERE tenant_id = ? AND agreement_id = ? AND hash = ?",
        (tenant, agreement_id, hashed),
    )
    return 0 if row is None else int(row[0])


def state_of(tx: Tx, tenant: str, statement_id: str) -> dict[str, object] | None:
    """Whether a statement is final or void, and if void: when, why, by whom."""
    row = tx.one(
        "SELECT state, voided_ms, void_reason, void_who FROM statements WHERE tenant_id = ? AND statement_id = ?",
        (tenant, statement_id),
    )
    return None if row is None else dict(zip(("state", "voided_ms", "reason", "who"), row, strict=True))


def set_void(tx: Tx, tenant: str, statement_id: str, why: tuple[str, str], now_ms: int) -> None:
    """Marks a statement as void; it stays in its chain. ``why``: reason and person."""
    tx.run(
        "UPDATE statements SET state = 'void', voided_ms = ?, void_reason = ?, void_who = ? "
        "WHERE tenant_id = ? AND statement_id = ?",
        (now_ms, *why, tenant, statement_id),
    )


def voids(tx: Tx, tenant: str, ids: Sequence[str]) -> dict[str, tuple[int, str, str]]:
    """When, why and by whom statements were taken back, of these ones; those that stand are left out."""
    rows = tx.all(
        "SELECT s.statement_id, s.voided_ms, s.void_reason, s.void_who FROM GIVEN(statement_id text) AS g "
        "JOIN statements s ON s.tenant_id = ? AND s.statement_id = g.statement_id WHERE s.state = 'void'",
        ([[one] for one in ids], tenant),
    )
    return {str(name): (int(at_ms), str(reason), str(who)) for name, at_ms, reason, who in rows}


def statement_of_number(tx: Tx, tenant: str, agreement_id: str, number: int) -> Statement | None:
    """The statement with a number."""
    return _statement(
        tx.one(
            "SELECT body FROM statements WHERE tenant_id = ? AND agreement_id = ? AND number = ?",
            (tenant, agreement_id, number),
        )
    )


def statement_of_period(tx: Tx, tenant: str, agreement_id: str, first: str, end: str) -> Statement | None:
    """The statement of a period."""
    return _statement(
        tx.one(
            "SELECT body FROM statements WHERE tenant_id = ? AND agreement_id = ? "
            "AND period_first = ? AND period_end = ? AND kind = 'statement' AND state = 'final'",
            (tenant, agreement_id, first, end),
        )
    )


def statement(tx: Tx, tenant: str, statement_id: str) -> Statement | None:
    """A statement by its id."""
    return _statement(
        tx.one("SELECT body FROM statements WHERE tenant_id = ? AND statement_id = ?", (tenant, statement_id))
    )


def statement_heads(tx: Tx, tenant: str, agreement_id: str, after: tuple[str, int], limit: int) -> list[Head]:
    """Heads by agreement and number, of one agreement or all (""); ``after`` is the last (agreement, number) seen."""
    rows = tx.all(
        "SELECT body FROM statements WHERE tenant_id = ? AND (? = '' OR agreement_id = ?) "
        "AND (agreement_id > ? OR (agreement_id = ? AND number > ?)) ORDER BY agreement_id, number LIMIT ?",
        (tenant, agreement_id, agreement_id, after[0], after[0], after[1], limit),
    )
    return [_statements.decode(row[0]).head for row in rows]


def add_statement(tx: Tx, tenant: str, made: Statement) -> None:
    """Stores a statement for good."""
    head, body = made.head, msgspec.json.encode(made).decode()
    tx.insert(
        "statements",
        (
            "tenant_id", "agreement_id", "number", "statement_id", "kind", "revision", "period_first", "period_end",
            "total", "currency", "hash", "body", "cutoff_ms",
        ),
        [
            (
                tenant, head.agreement_id, head.number, head.statement_id, head.kind, head.revision, head.period.first,
                head.period.end, head.total, head.currency, made.hash, body, head.cutoff_at,
            )
        ],
    )  # fmt: skip


def _statement(row: Sequence[str] | None) -> Statement | None:
    return None if row is None else _statements.decode(row[0])
