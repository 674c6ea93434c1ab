"""The SQL of the books, and of the events that are not booked yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from cloud.books.entries import Entry, Posting
from cloud.database import Tx
from cloud.invoices.document import Document

_documents = msgspec.json.Decoder(Document)


class Moved(NamedTuple):
    """A move of goods that is not booked yet."""

    device: str
    log_no: int
    idx: int
    leg: int
    item: str
    micro: int
    unit: str
    source: str
    target: str
    reason: str
    at_ms: int


def lock(tx: Tx, tenant: str) -> tuple[int, str]:
    """The newest entry's number and hash; keeps other booking runs waiting."""
    tx.insert("book_heads", ("tenant_id", "seq", "hash"), [(tenant, 0, "")], "ON CONFLICT DO NOTHING")
    row = tx.one("SELECT seq, hash FROM book_heads WHERE tenant_id = ? FOR UPDATE", (tenant,))
    assert row is not None, "it was inserted"
    return int(row[0]), str(row[1])


def append(tx: Tx, tenant: str, entries: Sequence[Entry], head: tuple[int, str]) -> tuple[int, str]:
    """Appends entries and adds them to the balances; the new head. An event that is booked already is left out."""
    seq, hashed = head
    known = {
        str(row[0])
        for row in tx.all(
            "SELECT e.entry_id FROM GIVEN(entry_id text) AS g JOIN book_entries e ON e.tenant_id = ? "
            "AND e.entry_id = g.entry_id",
            ([[entry.entry_id] for entry in entries], tenant),
        )
    }
    rows, postings, sums = [], [], dict[tuple[str, str], int]()
    for entry in entries:
        if entry.entry_id in known or not entry.postings:
            continue
        known.add(entry.entry_id)
        seq, hashed = seq + 1, entry.hash_after(hashed)
        what = (entry.kind, entry.on_day, entry.at_ms, entry.agreement_id, entry.text)
        rows.append((tenant, entry.entry_id, seq, *what, hashed))
        for number, one in enumerate(entry.postings):
            postings.append((tenant, entry.entry_id, number, one.account, one.commodity, one.units))
            sums[one.account, one.commodity] = sums.get((one.account, one.commodity), 0) + one.units
    tx.insert(
        "book_entries",
        ("tenant_id", "entry_id", "seq", "kind", "on_day", "at_ms", "agreement_id", "text", "hash"),
        rows,
    )
    tx.insert("book_postings", ("tenant_id", "entry_id", "no", "account", "commodity", "units"), postings)
    tx.insert(
        "book_balances",
        ("tenant_id", "account", "commodity", "units"),
        [(tenant, *key, units) for key, units in sorted(sums.items())],
        "ON CONFLICT (tenant_id, account, commodity) DO UPDATE SET units = book_balances.units + excluded.units",
    )
    tx.run("UPDATE book_heads SET seq = ?, hash = ? WHERE tenant_id = ?", (seq, hashed, tenant))
    return seq, hashed


def entries(tx: Tx, tenant: str, after: int, limit: int) -> list[tuple[int, str, Entry]]:
    """(number, hash, entry) in the order they were booked, after a number."""
    rows = tx.all(
        "SELECT seq, hash, entry_id, kind, on_day, at_ms, agreement_id, text FROM book_entries "
        "WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
        (tenant, after, limit),
    )
    postings = tx.all(
        "SELECT p.entry_id, p.account, p.commodity, p.units FROM GIVEN(entry_id text) AS g JOIN book_postings p "
        "ON p.tenant_id = ? AND p.entry_id = g.entry_id ORDER BY p.entry_id, p.no",
        ([[row[2]] for row in rows], tenant),
    )
    by_entry: dict[str, list[Posting]] = {}
    for entry_id, account, unit, units in postings:
        by_entry.setdefault(entry_id, []).append(Posting(account, unit, int(units)))
    found = []
    for seq, hashed, entry_id, kind, on_day, at_ms, agreement_id, text in rows:
        entry = Entry(entry_id, kind, on_day, at_ms, agreement_id, text, by_entry.get(entry_id, []))
        found.append((int(seq), str(hashed), entry))
    return found


def balances(tx: Tx, tenant: str) -> dict[tuple[str, str], int]:
    """The balances we keep, by account and commodity."""
    rows = tx.all("SELECT account, commodity, units FROM book_balances WHERE tenant_id = ?", (tenant,))
    return {(account, unit): int(units) for account, unit, units in sorted(rows)}


def new_moves(tx: Tx, tenant: str) -> list[Moved]:
    """Moves that are not booked yet, log by log, up to the first leaf that may still be posted late."""
    found = []
    logs = tx.all(
        "SELECT h.log_no, h.size, COALESCE(m.idx, 0), (SELECT MIN(q.idx) FROM quarantine q "
        "WHERE q.tenant_id = h.tenant_id AND q.log_no = h.log_no AND q.state = 'open') "
        "FROM log_heads h LEFT JOIN book_marks m ON m.tenant_id = h.tenant_id AND m.log_no = h.log_no "
        "WHERE h.tenant_id = ? ORDER BY h.log_no",
        (tenant,),
    )
    for log_no, size, mark, waiting in logs:
        rows = tx.all(
            "SELECT device_id, log_no, idx, leg, item_id, micro, unit, source, target, reason, at_ms FROM stock_moves "
            "WHERE tenant_id = ? AND log_no = ? AND idx >= ? AND idx < ? ORDER BY idx, leg",
            (tenant, log_no, mark, size),
        )
        found += [Moved(*row) for row in rows]
        upto = size if waiting is None else min(size, waiting)
        if upto > mark:
            tx.insert(
                "book_marks",
                ("tenant_id", "log_no", "idx"),
                [(tenant, log_no, upto)],
                "ON CONFLICT (tenant_id, log_no) DO UPDATE SET idx = excluded.idx",
            )
    return found


def booked(tx: Tx, tenant: str, ids: Sequence[str]) -> set[str]:
    """Those of these events that are booked already."""
    rows = tx.all(
        "SELECT e.entry_id FROM GIVEN(entry_id text) AS g JOIN book_entries e ON e.tenant_id = ? "
        "AND e.entry_id = g.entry_id",
        ([[one] for one in ids], tenant),
    )
    return {str(row[0]) for row in rows}


def units_of(tx: Tx, tenant: str, ids: Sequence[str], account: str) -> int:
    """What the entries of these events put on an account, in all."""
    rows = tx.all(
        "SELECT p.units FROM GIVEN(entry_id text) AS g JOIN book_postings p ON p.tenant_id = ? "
        "AND p.entry_id = g.entry_id AND p.account = ?",
        ([[one] for one in ids], tenant, account),
    )
    return sum(int(row[0]) for row in rows)


def new_documents(tx: Tx, tenant: str) -> list[tuple[Document, int]]:
    """Documents that are not booked yet, with when they were issued, in that order."""
    rows = tx.all(
        "SELECT d.body, d.issued_ms FROM documents d LEFT JOIN book_entries e ON e.tenant_id = d.tenant_id "
        "AND e.entry_id = 'document:' || d.document_id WHERE d.tenant_id = ? AND e.entry_id IS NULL "
        "ORDER BY d.issued_ms, d.series, d.number",
        (tenant,),
    )
    return [(_documents.decode(body), issued_ms) for body, issued_ms in rows]


class Paid(NamedTuple):
    """A payment as the books see it."""

    payment_id: str
    account: str
    customer: str
    currency: str
    minor: int
    day: str
    state: str
    matched_by: str
    at_ms: int


def payments(tx: Tx, tenant: str) -> list[Paid]:
    """All payments, in the order they became known."""
    rows = tx.all(
        "SELECT payment_id, account, customer_id, currency, amount_minor, booked_on, state, matched_by, at_ms "
        "FROM payments WHERE tenant_id = ? ORDER BY at_ms, payment_id",
        (tenant,),
    )
    return [Paid(*row) for row in rows]


def allocations(tx: Tx, tenant: str) -> list[tuple[str, str, int, int, int, int | None, str, str]]:
    """(payment, document, number, minor, at, undone at, customer, currency) of what payments settle."""
    rows = tx.all(
        "SELECT a.source_id, a.document_id, a.no, a.minor, a.at_ms, a.undone_ms, d.customer_id, d.currency "
        "FROM allocations a JOIN payments p ON p.tenant_id = a.tenant_id AND p.payment_id = a.source_id "
        "JOIN documents d ON d.tenant_id = a.tenant_id AND d.document_id = a.document_id "
        "WHERE a.tenant_id = ? ORDER BY a.at_ms, a.source_id, a.document_id, a.no",
        (tenant,),
    )
    return [tuple(row) for row in rows]


def income_until(tx: Tx, tenant: str, agreement_id: str, before_ms: int) -> dict[str, int]:
    """Income of an agreement's usage booked with events before an instant, by account, as credits (positive)."""
    rows = tx.all(
        "SELECT p.account, SUM(p.units) FROM book_entries e JOIN book_postings p ON p.tenant_id = e.tenant_id "
        "AND p.entry_id = e.entry_id WHERE e.tenant_id = ? AND e.agreement_id = ? AND e.at_ms < ? "
        "AND e.kind IN ('draw', 'accrual', 'billing') AND p.account LIKE 'Income:%' GROUP BY p.account",
        (tenant, agreement_id, before_ms),
    )
    return {account: -int(units) for account, units in rows}


def billed(tx: Tx, tenant: str, agreement_id: str) -> dict[str, int]:
    """What invoices have asked for of an agreement's usage, by income account."""
    rows = tx.all(
        "SELECT account, minor FROM book_billed WHERE tenant_id = ? AND agreement_id = ?", (tenant, agreement_id)
    )
    return {account: int(minor) for account, minor in rows}


def add_billed(tx: Tx, tenant: str, agreement_id: str, by_account: dict[str, int]) -> None:
    """Invoices (or, negative, cancellations) have asked for so much more."""
    tx.insert(
        "book_billed",
        ("tenant_id", "agreement_id", "account", "minor"),
        [(tenant, agreement_id, account, minor) for account, minor in sorted(by_account.items())],
        "ON CONFLICT (tenant_id, agreement_id, account) DO UPDATE SET minor = book_billed.minor + excluded.minor",
    )


def stock(tx: Tx, tenant: str, device: str, item: str) -> tuple[int, int]:
    """(micro, minor) of an item in a cabinet."""
    row = tx.one(
        "SELECT micro, minor FROM book_stock WHERE tenant_id = ? AND device_id = ? AND item_id = ?",
        (tenant, device, item),
    )
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def put_stock(tx: Tx, tenant: str, device: str, item: str, currency: str, held: tuple[int, int]) -> None:
    """What is in a cabinet now, and what it cost."""
    tx.insert(
        "book_stock",
        ("tenant_id", "device_id", "item_id", "currency", "micro", "minor"),
        [(tenant, device, item, currency, *held)],
        "ON CONFLICT (tenant_id, device_id, item_id) DO UPDATE SET micro = excluded.micro, minor = excluded.minor",
    )


def cost(tx: Tx, tenant: str, item: str, day: str) -> tuple[str, str]:
    """(cost of a unit, currency) on a day; of the first day there is one, when none is as old; ("0", "") without."""
    row = tx.one(
        "SELECT cost, currency FROM item_costs WHERE tenant_id = ? AND item_id = ? "
        "ORDER BY CASE WHEN first <= ? THEN 0 ELSE 1 END, CASE WHEN first <= ? THEN first END DESC, first LIMIT 1",
        (tenant, item, day, day),
    )
    return ("0", "") if row is None else (str(row[0]), str(row[1]))


def put_cost(tx: Tx, tenant: str, item: str, first: str, cost_text: str, currency: str) -> None:
    """What a unit costs from a day on."""
    tx.insert(
        "item_costs",
        ("tenant_id", "item_id", "first", "cost", "currency"),
        [(tenant, item, first, cost_text, currency)],
        "ON CONFLICT (tenant_id, item_id, first) DO UPDATE SET cost = excluded.cost, currency = excluded.currency",
    )


def agreements_of(tx: Tx, tenant: str, device: str) -> list[tuple[str, str, str]]:
    """(agreement, first day, end day or "") of every agreement a device was ever under."""
    rows = tx.all(
        "SELECT agreement_id, first, ends FROM agreement_devices WHERE tenant_id = ? AND device_id = ? ORDER BY first",
        (tenant, device),
    )
    return [(str(agreement_id), str(first), str(ends)) for agreement_id, first, ends in rows]
