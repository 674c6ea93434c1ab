"""The SQL of credit: lines, decisions, what draws owe until they are billed, what gateways may let go alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cloud.agreements.credit_terms import Grade
from cloud.agreements.terms import AgreementTerms
from cloud.database import Tx

Owner = tuple[str, str, str]
"""Supplier, customer, currency."""
_LINE = (
    "supplier_id, customer_id, currency, score, limit_minor, state, reason, receivable_minor, unbilled_minor, "
    "accrued_minor, changed_ms"
)


class CreditLine(NamedTuple):
    """What a supplier grants a customer in a currency; ``limit_minor`` None: as the score's grade says."""

    supplier_id: str
    customer_id: str
    currency: str
    score: int
    limit_minor: int | None
    state: str
    reason: str
    receivable_minor: int
    unbilled_minor: int
    accrued_minor: int
    changed_ms: int


class Delegation(NamedTuple):
    """What a gateway may let go on its own: the agreed limit, what is left by any document it may hold (counts as
    used), by the newest, in which version that is, for which agreement, and until when (ms UTC, 0: no lease).
    """

    gateway_id: str
    limit_minor: int
    left_minor: int
    next_minor: int
    version: int
    agreement_id: str
    until_ms: int


_SHARE = ("gateway_id", "limit_minor", "left_minor", "next_minor", "version", "agreement_id", "until_ms")


def line(tx: Tx, tenant: str, owner: Owner, *, lock: bool = False) -> CreditLine | None:
    """A credit line; ``lock`` keeps every other decision about it waiting."""
    sql = (
        f"SELECT {_LINE} FROM credit_lines WHERE tenant_id = ? AND supplier_id = ? AND customer_id = ? "  # noqa: S608 -- constant
        "AND currency = ?"
    )
    row = tx.one(sql + (" FOR UPDATE" if lock else ""), (tenant, *owner))
    return None if row is None else CreditLine(*row)


def lines(tx: Tx, tenant: str) -> list[CreditLine]:
    """All credit lines of a tenant."""
    rows = tx.all(
        f"SELECT {_LINE} FROM credit_lines WHERE tenant_id = ? ORDER BY supplier_id, customer_id, currency",  # noqa: S608 -- constant
        (tenant,),
    )
    return [CreditLine(*row) for row in rows]


def put(tx: Tx, tenant: str, one: CreditLine) -> None:
    """Writes a credit line."""
    columns = ("tenant_id", *(name.strip() for name in _LINE.split(",")))
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns[4:])
    tx.insert(
        "credit_lines",
        columns,
        [(tenant, *one)],
        f"ON CONFLICT (tenant_id, supplier_id, customer_id, currency) DO UPDATE SET {changed}",
    )


def grade_of(tx: Tx, tenant: str, terms: AgreementTerms) -> Grade | None:
    """What the customer's score earns under these terms; None without credit terms or below the lowest grade."""
    if terms.credit is None:
        return None
    found = line(tx, tenant, (terms.supplier_id, terms.customer_id, terms.currency))
    return terms.credit.grade_of(0 if found is None else found.score)


def receivable(tx: Tx, tenant: str, owner: Owner) -> int:
    """What is open of the customer's documents, less his credit notes and free payments."""
    supplier, customer, currency = owner
    row = tx.one(
        "SELECT COALESCE(SUM(open_minor), 0) FROM documents WHERE tenant_id = ? AND customer_id = ? AND currency = ? "
        "AND open_minor <> 0 AND supplier_id = ?",
        (tenant, customer, currency, supplier),
    )
    free = tx.one(
        "SELECT COALESCE(SUM(free_minor), 0) FROM payments WHERE tenant_id = ? AND customer_id = ? AND currency = ? "
        "AND free_minor <> 0 AND supplier_id = ? AND state = 'matched'",
        (tenant, customer, currency, supplier),
    )
    return int(row[0] if row else 0) - int(free[0] if free else 0)


def oldest_due(tx: Tx, tenant: str, owner: Owner) -> str:
    """The due day of the oldest invoice that is open and not disputed; "" when none is."""
    supplier, customer, currency = owner
    row = tx.one(
        "SELECT MIN(due_on) FROM documents WHERE tenant_id = ? AND customer_id = ? AND currency = ? "
        "AND open_minor <> 0 AND open_minor > 0 AND supplier_id = ? AND disputed = 0 AND kind = 'invoice'",
        (tenant, customer, currency, supplier),
    )
    return "" if row is None or row[0] is None else str(row[0])


def steps_open(tx: Tx, tenant: str, owner: Owner) -> set[str]:
    """The dunning steps that open documents of a customer stand at."""
    supplier, customer, currency = owner
    rows = tx.all(
        "SELECT DISTINCT step FROM documents WHERE tenant_id = ? AND customer_id = ? AND currency = ? "
        "AND open_minor <> 0 AND open_minor > 0 AND supplier_id = ? AND disputed = 0",
        (tenant, customer, currency, supplier),
    )
    return {str(row[0]) for row in rows}


def reserved(tx: Tx, tenant: str, owner: Owner, now_ms: int) -> int:
    """Decisions that still hold, and what gateways have left."""
    decided = tx.one(
        "SELECT COALESCE(SUM(minor), 0) FROM credit_reservations WHERE tenant_id = ? AND supplier_id = ? "
        "AND customer_id = ? AND currency = ? AND state = 'open' AND expires_ms > ?",
        (tenant, *owner, now_ms),
    )
    left = tx.one(
        "SELECT COALESCE(SUM(left_minor), 0) FROM credit_delegations WHERE tenant_id = ? AND supplier_id = ? "
        "AND customer_id = ? AND currency = ?",
        (tenant, *owner),
    )
    return int(decided[0] if decided else 0) + int(left[0] if left else 0)


def add_reservation(tx: Tx, tenant: str, values: Sequence[str | int]) -> None:
    """A decision: id, agreement, supplier, customer, currency, device, intent, minor, state, at, expires."""
    tx.insert(
        "credit_reservations",
        (
            "tenant_id", "reservation_id", "agreement_id", "supplier_id", "customer_id", "currency", "device_id",
            "intent", "minor", "state", "at_ms", "expires_ms",
        ),
        [(tenant, *values)],
    )  # fmt: skip


def reservation(tx: Tx, tenant: str, device: str, intent: str) -> tuple[str, int, str, int] | None:
    """(id, minor, state, expires) of the decision for an intent of a device."""
    row = tx.one(
        "SELECT reservation_id, minor, state, expires_ms FROM credit_reservations WHERE tenant_id = ? "
        "AND device_id = ? AND intent = ? AND intent <> ''",
        (tenant, device, intent),
    )
    return None if row is None else (str(row[0]), int(row[1]), str(row[2]), int(row[3]))


def open_reservations(tx: Tx, tenant: str, intents: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The open decisions for these (device, intent)."""
    rows = tx.all(
        "SELECT r.device_id, r.intent, r.reservation_id FROM GIVEN(device_id text, intent text) AS g "
        "JOIN credit_reservations r ON r.tenant_id = ? AND r.device_id = g.device_id AND r.intent = g.intent "
        "WHERE r.intent <> '' AND r.state = 'open'",
        ([list(one) for one in intents], tenant),
    )
    return {(device, intent): reservation_id for device, intent, reservation_id in rows}


def end_reservation(tx: Tx, tenant: str, reservation_id: str, state: str) -> int:
    """The draw happened (``used``) or did not (``void``); how many decisions this ended (0 or 1)."""
    return tx.run(
        "UPDATE credit_reservations SET state = ? WHERE tenant_id = ? AND reservation_id = ? AND state = 'open'",
        (state, tenant, reservation_id),
    )


def reservation_owner(tx: Tx, tenant: str, reservation_id: str) -> Owner | None:
    """Whose credit a decision holds."""
    row = tx.one(
        "SELECT supplier_id, customer_id, currency FROM credit_reservations WHERE tenant_id = ? AND reservation_id = ?",
        (tenant, reservation_id),
    )
    return None if row is None else (str(row[0]), str(row[1]), str(row[2]))


def add_draws(tx: Tx, tenant: str, rows: Sequence[tuple[str, str, int, int, str, int, int, str]]) -> None:
    """What leaves owe: agreement, device, log, index, item, minor, at, flag. A leaf told twice owes once."""
    tx.insert(
        "credit_draws",
        ("tenant_id", "agreement_id", "device_id", "log_no", "idx", "item_id", "minor", "at_ms", "billed", "flag"),
        [(tenant, *row[:7], 0, row[7]) for row in rows],
        "ON CONFLICT DO NOTHING",
    )


def mark_billed(tx: Tx, tenant: str, agreement_id: str, before_ms: int) -> None:
    """A statement has taken over everything until an instant."""
    tx.run(
        "UPDATE credit_draws SET billed = 1 WHERE tenant_id = ? AND agreement_id = ? AND billed = 0 AND at_ms < ?",
        (tenant, agreement_id, before_ms),
    )


def mark_asked_early(tx: Tx, tenant: str, agreement_id: str, span: tuple[int, int]) -> None:
    """An early bill has asked for everything in ``[from, to)``; a statement that is void lets go of it no more."""
    tx.run(
        "UPDATE credit_draws SET billed = 2 WHERE tenant_id = ? AND agreement_id = ? AND billed = 0 AND at_ms >= ? "
        "AND at_ms < ?",
        (tenant, agreement_id, *span),
    )


def unmark_billed(tx: Tx, tenant: str, agreement_id: str, span: tuple[int, int]) -> int:
    """The statement of ``[from, to)`` is void: its draws owe by themselves again. What early bills asked for draws
    since then.
    """
    tx.run(
        "UPDATE credit_draws SET billed = 0 WHERE tenant_id = ? AND agreement_id = ? AND billed = 1 AND at_ms >= ? "
        "AND at_ms < ?",
        (tenant, agreement_id, *span),
    )
    row = tx.one(
        "SELECT COALESCE(SUM(minor), 0) FROM credit_draws WHERE tenant_id = ? AND agreement_id = ? AND billed = 2 "
        "AND at_ms >= ?",
        (tenant, agreement_id, span[0]),
    )
    return int(row[0] if row else 0)


def unbilled(tx: Tx, tenant: str, owner: Owner) -> int:
    """What the customer's draws owe that no invoice has asked for."""
    row = tx.one(
        "SELECT COALESCE(SUM(d.minor), 0) FROM agreements a JOIN credit_draws d ON d.tenant_id = a.tenant_id "
        "AND d.agreement_id = a.agreement_id WHERE a.tenant_id = ? AND a.supplier_id = ? AND a.customer_id = ? "
        "AND a.currency = ? AND d.billed = 0",
        (tenant, *owner),
    )
    return int(row[0] if row else 0)


def add_unbilled(tx: Tx, tenant: str, owner: Owner, minor: int, now_ms: int) -> None:
    """A draw owes so much more."""
    tx.run(
        "UPDATE credit_lines SET unbilled_minor = unbilled_minor + ?, changed_ms = ? "
        "WHERE tenant_id = ? AND supplier_id = ? AND customer_id = ? AND currency = ?",
        (minor, now_ms, tenant, *owner),
    )


def delegations(tx: Tx, tenant: str, owner: Owner) -> list[Delegation]:
    """What each gateway may let go on its own."""
    rows = tx.all(
        f"SELECT {', '.join(_SHARE)} FROM credit_delegations WHERE tenant_id = ? AND supplier_id = ? "  # noqa: S608 -- constant
        "AND customer_id = ? AND currency = ? ORDER BY gateway_id",
        (tenant, *owner),
    )
    return [Delegation(*row) for row in rows]


def delegations_of(tx: Tx, tenant: str, gateway: str) -> list[tuple[Owner, Delegation]]:
    """What a gateway may let go, of whose credit."""
    rows = tx.all(
        f"SELECT supplier_id, customer_id, currency, {', '.join(_SHARE)} FROM credit_delegations "  # noqa: S608 -- constant
        "WHERE tenant_id = ? AND gateway_id = ? ORDER BY supplier_id, customer_id, currency",
        (tenant, gateway),
    )
    return [((row[0], row[1], row[2]), Delegation(*row[3:])) for row in rows]


def put_delegation(tx: Tx, tenant: str, owner: Owner, one: Delegation) -> None:
    """Writes what a gateway may let go."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in _SHARE[1:])
    tx.insert(
        "credit_delegations",
        ("tenant_id", "supplier_id", "customer_id", "currency", *_SHARE),
        [(tenant, *owner, *one)],
        f"ON CONFLICT (tenant_id, supplier_id, customer_id, currency, gateway_id) DO UPDATE SET {changed}",
    )


def devices_at(tx: Tx, tenant: str, gateway: str) -> set[str]:
    """The devices that hang on a gateway."""
    rows = tx.all("SELECT device_id FROM devices WHERE tenant_id = ? AND gateway_id = ?", (tenant, gateway))
    return {str(row[0]) for row in rows}


def counters(tx: Tx, tenant: str, devices: Sequence[str]) -> dict[str, int]:
    """The last record of each device and epoch that is booked, by "device/epoch"."""
    rows = tx.all(
        "SELECT k.src, k.ep, MAX(k.n) FROM GIVEN(device_id text) AS g "
        "JOIN record_keys k ON k.tenant_id = ? AND k.src = g.device_id GROUP BY k.src, k.ep ORDER BY k.src, k.ep",
        ([[device] for device in devices], tenant),
    )
    return {f"{src}/{ep}": int(n) for src, ep, n in rows}


def accrual(tx: Tx, tenant: str, agreement_id: str) -> tuple[int, int] | None:
    """(minor, at) of what an agreement's services had run up when that was last counted."""
    row = tx.one(
        "SELECT minor, at_ms FROM credit_accruals WHERE tenant_id = ? AND agreement_id = ?", (tenant, agreement_id)
    )
    return None if row is None else (int(row[0]), int(row[1]))


def put_accrual(tx: Tx, tenant: str, agreement_id: str, minor: int, at_ms: int) -> None:
    """Writes what an agreement's services have run up."""
    tx.insert(
        "credit_accruals",
        ("tenant_id", "agreement_id", "minor", "at_ms"),
        [(tenant, agreement_id, minor, at_ms)],
        "ON CONFLICT (tenant_id, agreement_id) DO UPDATE SET minor = excluded.minor, at_ms = excluded.at_ms",
    )


def put_asked(tx: Tx, tenant: str, agreement_id: str, minor: int) -> None:
    """Writes what early bills of the open period have asked for an agreement's services."""
    tx.insert(
        "credit_accruals",
        ("tenant_id", "agreement_id", "minor", "at_ms", "asked_minor"),
        [(tenant, agreement_id, minor, 0, minor)],
        "ON CONFLICT (tenant_id, agreement_id) DO UPDATE SET asked_minor = excluded.asked_minor",
    )


def accrued(tx: Tx, tenant: str, owner: Owner) -> int:
    """What the customer's services have run up beyond what early bills asked for, over all agreements."""
    row = tx.one(
        "SELECT COALESCE(SUM(CASE WHEN c.minor > c.asked_minor THEN c.minor - c.asked_minor ELSE 0 END), 0) "
        "FROM agreements a JOIN credit_accruals c ON c.tenant_id = a.tenant_id "
        "AND c.agreement_id = a.agreement_id WHERE a.tenant_id = ? AND a.supplier_id = ? AND a.customer_id = ? "
        "AND a.currency = ?",
        (tenant, *owner),
    )
    return int(row[0] if row else 0)


def devices_on_credit(tx: Tx, tenant: str, agreement_id: str, devices: Sequence[str], *, on: bool) -> None:
    """Marks the devices whose draws use an agreement's credit."""
    for device in devices:
        tx.run(
            "UPDATE devices SET credit_agreement = ? WHERE tenant_id = ? AND device_id = ?",
            (agreement_id if on else "", tenant, device),
        )
