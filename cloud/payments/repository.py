"""The SQL of payments: what came in, what it settles, who pays from which account, notices and coupons."""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx

_COLUMNS = (
    "payment_id, account, bank_ref, supplier_id, customer_id, currency, amount_minor, free_minor, booked_on, payer, "
    "payer_account, remittance, state, matched_by, at_ms"
)


class Payment(NamedTuple):
    """A payment; negative amounts are what we paid back. ``free_minor`` of it settles nothing yet.

    ``state``: unmatched, matched, returned (by the bank), refund (what is free is to be paid back), refunded.
    """

    payment_id: str
    account: str
    bank_ref: str
    supplier_id: str
    customer_id: str
    currency: str
    amount_minor: int
    free_minor: int
    booked_on: str
    payer: str
    payer_account: str
    remittance: str
    state: str
    matched_by: str
    at_ms: int


class Allocation(NamedTuple):
    """So much of a payment or credit note settles so much of a document."""

    source_id: str
    document_id: str
    no: int
    minor: int
    at_ms: int
    undone_ms: int | None


def add(tx: Tx, tenant: str, payment: Payment) -> bool:
    """A payment; False when the bank's reference is known already."""
    columns = ("tenant_id", *(name.strip() for name in _COLUMNS.split(",")))
    return tx.insert("payments", columns, [(tenant, *payment)], "ON CONFLICT DO NOTHING") == 1


def find(tx: Tx, tenant: str, payment_id: str, *, lock: bool = False) -> Payment | None:
    """A payment by its id."""
    sql = f"SELECT {_COLUMNS} FROM payments WHERE tenant_id = ? AND payment_id = ?"  # noqa: S608 -- constant
    row = tx.one(sql + (" FOR UPDATE" if lock else ""), (tenant, payment_id))
    return None if row is None else Payment(*row)


def page(tx: Tx, tenant: str, state: str, after: str, limit: int) -> list[Payment]:
    """Payments by id, of one state or all ("")."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM payments WHERE tenant_id = ? AND (? = '' OR state = ?) AND payment_id > ? "  # noqa: S608 -- constant
        "ORDER BY payment_id LIMIT ?",
        (tenant, state, state, after, limit),
    )
    return [Payment(*row) for row in rows]


def change(tx: Tx, tenant: str, payment: Payment) -> None:
    """Whose it is, what is free of it, its state."""
    tx.run(
        "UPDATE payments SET supplier_id = ?, customer_id = ?, free_minor = ?, state = ?, matched_by = ? "
        "WHERE tenant_id = ? AND payment_id = ?",
        (
            payment.supplier_id, payment.customer_id, payment.free_minor, payment.state, payment.matched_by, tenant,
            payment.payment_id,
        ),
    )  # fmt: skip


def with_free(tx: Tx, tenant: str, supplier: str, customer: str, currency: str) -> list[Payment]:
    """Payments of a customer of which something is free, oldest first: his prepaid balance."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM payments WHERE tenant_id = ? AND customer_id = ? AND currency = ? "  # noqa: S608 -- constant
        "AND free_minor <> 0 AND supplier_id = ? AND state = 'matched' ORDER BY booked_on, payment_id FOR UPDATE",
        (tenant, customer, currency, supplier),
    )
    return [Payment(*row) for row in rows]


def owed_back(tx: Tx, tenant: str, customer: str, currency: str, minor: int) -> Payment | None:
    """The oldest payment of which just so much is to be paid back to a customer."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM payments WHERE tenant_id = ? AND customer_id = ? AND currency = ? "  # noqa: S608 -- constant
        "AND free_minor = ? AND state = 'refund' ORDER BY booked_on, payment_id LIMIT 1 FOR UPDATE",
        (tenant, customer, currency, minor),
    )
    return None if row is None else Payment(*row)


def add_allocation(tx: Tx, tenant: str, source_id: str, document_id: str, minor: int, now_ms: int) -> None:
    """Notes that a source settles so much of a document."""
    row = tx.one(
        "SELECT COUNT(*) FROM allocations WHERE tenant_id = ? AND source_id = ? AND document_id = ?",
        (tenant, source_id, document_id),
    )
    number = 0 if row is None else int(row[0])
    columns = ("tenant_id", "source_id", "document_id", "no", "minor", "at_ms", "undone_ms")
    tx.insert("allocations", columns, [(tenant, source_id, document_id, number, minor, now_ms, None)])


def allocations(tx: Tx, tenant: str, *, source: str = "", document: str = "") -> list[Allocation]:
    """What a source settles, or what settles a document; also what was undone."""
    where, wanted = ("source_id", source) if source else ("document_id", document)
    rows = tx.all(
        "SELECT source_id, document_id, no, minor, at_ms, undone_ms FROM allocations "  # noqa: S608 -- names of our own
        f"WHERE tenant_id = ? AND {where} = ? ORDER BY at_ms, source_id, document_id, no",
        (tenant, wanted),
    )
    return [Allocation(*row) for row in rows]


def undo(tx: Tx, tenant: str, one: Allocation, now_ms: int) -> None:
    """The allocation holds no more."""
    tx.run(
        "UPDATE allocations SET undone_ms = ? WHERE tenant_id = ? AND source_id = ? AND document_id = ? AND no = ?",
        (now_ms, tenant, one.source_id, one.document_id, one.no),
    )


def learn_account(tx: Tx, tenant: str, payer_account: str, customer: str) -> None:
    """Remembers whose account this is."""
    tx.insert(
        "payer_accounts",
        ("tenant_id", "payer_account", "customer_id"),
        [(tenant, payer_account, customer)],
        "ON CONFLICT (tenant_id, payer_account) DO UPDATE SET customer_id = excluded.customer_id",
    )


def customer_of_account(tx: Tx, tenant: str, payer_account: str) -> str:
    """Whose account this is; "" when nobody knows."""
    row = tx.one(
        "SELECT customer_id FROM payer_accounts WHERE tenant_id = ? AND payer_account = ?", (tenant, payer_account)
    )
    return "" if row is None else str(row[0])


def of_amount(tx: Tx, tenant: str, account: str, currency: str, minor: int) -> list[Payment]:
    """The payments onto an account of just this amount, among which one that comes back is looked for."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM payments WHERE tenant_id = ? AND account = ? AND currency = ? "  # noqa: S608 -- constant
        "AND amount_minor = ? ORDER BY booked_on, payment_id",
        (tenant, account, currency, minor),
    )
    return [Payment(*row) for row in rows]


def open_numbers(tx: Tx, tenant: str, currency: str) -> list[tuple[str, str, str, str, int, str, str]]:
    """(number, document, supplier, customer, what is open, due day, agreement) of every document that is open."""
    rows = tx.all(
        "SELECT number_text, document_id, supplier_id, customer_id, open_minor, due_on, agreement_id FROM documents "
        "WHERE tenant_id = ? AND currency = ? AND open_minor <> 0 ORDER BY due_on, document_id",
        (tenant, currency),
    )
    return [tuple(row) for row in rows]


def add_notice(tx: Tx, tenant: str, notice: tuple[str, str, str, int], now_ms: int) -> bool:
    """A document's step (document, step, day, open); False when it was reached before."""
    columns = ("tenant_id", "document_id", "step", "on_day", "open_minor", "at_ms")
    return tx.insert("dunning_notices", columns, [(tenant, *notice, now_ms)], "ON CONFLICT DO NOTHING") == 1


def notices(tx: Tx, tenant: str, document_id: str) -> list[tuple[str, str, int]]:
    """(step, day, what was open) of a document, in order."""
    rows = tx.all(
        "SELECT step, on_day, open_minor FROM dunning_notices WHERE tenant_id = ? AND document_id = ? "
        "ORDER BY on_day, at_ms",
        (tenant, document_id),
    )
    return [(step, day, open_minor) for step, day, open_minor in rows]


def add_coupon(tx: Tx, tenant: str, code: str, body: str) -> bool:
    """A coupon; False when the code is taken."""
    columns = ("tenant_id", "code", "body", "redeemed")
    return tx.insert("coupons", columns, [(tenant, code, body, 0)], "ON CONFLICT DO NOTHING") == 1


def coupon(tx: Tx, tenant: str, code: str, *, lock: bool = False) -> tuple[str, int] | None:
    """A coupon's terms and how often it was redeemed."""
    sql = "SELECT body, redeemed FROM coupons WHERE tenant_id = ? AND code = ?"
    row = tx.one(sql + (" FOR UPDATE" if lock else ""), (tenant, code))
    return None if row is None else (str(row[0]), int(row[1]))


def count_redemption(tx: Tx, tenant: str, code: str) -> None:
    """The coupon was redeemed once more."""
    tx.run("UPDATE coupons SET redeemed = redeemed + 1 WHERE tenant_id = ? AND code = ?", (tenant, code))
