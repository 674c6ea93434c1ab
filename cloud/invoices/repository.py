"""The SQL of documents: number series, documents, what waits for the next invoice, drafts of statements."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.database import Tx
from cloud.invoices.document import Document, Item, Place
from cloud.invoices.document_row import DocumentRow
from cloud.invoices.minor import to_minor

_documents = msgspec.json.Decoder(Document)
_items = msgspec.json.Decoder(Item)
_COLUMNS = (
    "document_id, kind, number_text, agreement_id, customer_id, supplier_id, currency, issued_on, due_on, gross_minor, "
    "open_minor, state, step, disputed, about, statement_id"
)


def next_place(tx: Tx, tenant: str, series: str) -> Place:
    """The next place in a series, held until this transaction ends: numbers have no gaps and documents one order."""
    tx.insert(
        "number_series", ("tenant_id", "series", "last", "head"), [(tenant, series, 0, "")], "ON CONFLICT DO NOTHING"
    )
    row = tx.one("SELECT last, head FROM number_series WHERE tenant_id = ? AND series = ? FOR UPDATE", (tenant, series))
    assert row is not None, "it was inserted"
    return Place(series, row[0] + 1, row[1])


def add(tx: Tx, tenant: str, made: Document, *, open_minor: int, now_ms: int) -> None:
    """Stores a document for good, and its number as the newest of its series."""
    hashed = made.hash
    tx.run(
        "UPDATE number_series SET last = ?, head = ? WHERE tenant_id = ? AND series = ?",
        (made.number, hashed, tenant, made.series),
    )
    tx.insert(
        "documents",
        (
            "tenant_id", "document_id", "kind", "series", "number", "number_text", "supplier_id", "customer_id",
            "agreement_id", "statement_id", "about", "currency", "issued_on", "due_on", "net_minor", "tax_minor",
            "gross_minor", "open_minor", "state", "step", "disputed", "hash", "body", "issued_ms",
        ),
        [
            (
                tenant, made.document_id, made.kind, made.series, made.number, made.number_text, made.supplier_id,
                made.customer_id, made.agreement_id, made.statement_id, made.about, made.currency, made.issued_on,
                made.due_on, to_minor(made.net, made.currency), to_minor(made.tax, made.currency),
                to_minor(made.gross, made.currency), open_minor, "final", "", 0, hashed,
                msgspec.json.encode(made).decode(), now_ms,
            )
        ],
    )  # fmt: skip


def find(tx: Tx, tenant: str, document_id: str) -> Document | None:
    """A document by its id."""
    row = tx.one("SELECT body FROM documents WHERE tenant_id = ? AND document_id = ?", (tenant, document_id))
    return None if row is None else _documents.decode(row[0])


def row(tx: Tx, tenant: str, document_id: str, *, lock: bool = False) -> DocumentRow | None:
    """What a list shows of a document; ``lock`` keeps other changes of what is open waiting."""
    sql = f"SELECT {_COLUMNS} FROM documents WHERE tenant_id = ? AND document_id = ?"  # noqa: S608 -- constant
    found = tx.one(sql + (" FOR UPDATE" if lock else ""), (tenant, document_id))
    return None if found is None else DocumentRow(*found)


def page(
    tx: Tx, tenant: str, agreement_id: str, kind: str, after: str, limit: int, *, only_open: bool = False
) -> list[DocumentRow]:
    """Documents by id, of one agreement and kind or all ("")."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM documents WHERE tenant_id = ? AND (? = '' OR agreement_id = ?) "  # noqa: S608 -- constant
        "AND (? = '' OR kind = ?) AND document_id > ? AND (? = 0 OR open_minor <> 0) ORDER BY document_id LIMIT ?",
        (tenant, agreement_id, agreement_id, kind, kind, after, int(only_open), limit),
    )
    return [DocumentRow(*one) for one in rows]


def about(tx: Tx, tenant: str, document_id: str) -> list[Document]:
    """The credit notes and cancellations of a document, in order of their numbers."""
    rows = tx.all(
        "SELECT body FROM documents WHERE tenant_id = ? AND about = ? AND kind <> 'invoice' ORDER BY series, number",
        (tenant, document_id),
    )
    return [_documents.decode(row[0]) for row in rows]


def invoice_of_statement(tx: Tx, tenant: str, statement_id: str) -> str:
    """The id of a statement's invoice; "" when it has none."""
    found = tx.one(
        "SELECT document_id FROM documents WHERE tenant_id = ? AND statement_id = ? AND kind = 'invoice'",
        (tenant, statement_id),
    )
    return "" if found is None else str(found[0])


def series_of_tenant(tx: Tx, tenant: str) -> list[tuple[str, int, int]]:
    """(series, its newest number, how many documents it holds): without a gap the two are equal."""
    return [
        (series, last, count)
        for series, last, count in tx.all(
            "SELECT s.series, s.last, (SELECT COUNT(*) FROM documents d WHERE d.tenant_id = s.tenant_id "
            "AND d.series = s.series) FROM number_series s WHERE s.tenant_id = ? ORDER BY s.series",
            (tenant,),
        )
    ]


def set_state(tx: Tx, tenant: str, document_id: str, state: str) -> None:
    """Marks a document as final or void."""
    tx.run("UPDATE documents SET state = ? WHERE tenant_id = ? AND document_id = ?", (state, tenant, document_id))


def set_open(tx: Tx, tenant: str, document_id: str, open_minor: int) -> None:
    """What is left to pay of a document (negative: what is left to give back of a credit note)."""
    tx.run(
        "UPDATE documents SET open_minor = ? WHERE tenant_id = ? AND document_id = ?",
        (open_minor, tenant, document_id),
    )


def set_step(tx: Tx, tenant: str, document_id: str, step: str) -> None:
    """How far a document has been dunned."""
    tx.run("UPDATE documents SET step = ? WHERE tenant_id = ? AND document_id = ?", (step, tenant, document_id))


def set_disputed(tx: Tx, tenant: str, document_id: str, *, disputed: bool) -> None:
    """Whether the customer objects: a disputed document is not dunned."""
    tx.run(
        "UPDATE documents SET disputed = ? WHERE tenant_id = ? AND document_id = ?",
        (int(disputed), tenant, document_id),
    )


def open_documents(tx: Tx, tenant: str, supplier: str, customer: str, currency: str) -> list[DocumentRow]:
    """What a customer still has to pay a supplier (and credit notes still to be given back), oldest due first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM documents WHERE tenant_id = ? AND customer_id = ? AND currency = ? "  # noqa: S608 -- constant
        "AND open_minor <> 0 AND supplier_id = ? ORDER BY due_on, document_id FOR UPDATE",
        (tenant, customer, currency, supplier),
    )
    return [DocumentRow(*one) for one in rows]


def open_credits(tx: Tx, tenant: str, supplier: str, customer: str, currency: str) -> list[DocumentRow]:
    """What a supplier still has to give back to a customer, oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM documents WHERE tenant_id = ? AND customer_id = ? AND currency = ? "  # noqa: S608 -- constant
        "AND open_minor < 0 AND supplier_id = ? ORDER BY due_on, document_id FOR UPDATE",
        (tenant, customer, currency, supplier),
    )
    return [DocumentRow(*one) for one in rows]


def overdue(tx: Tx, tenant: str, day: str) -> list[DocumentRow]:
    """Invoices that were due before a day and are not paid."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM documents WHERE tenant_id = ? AND open_minor > 0 AND state = 'final' "  # noqa: S608 -- constant
        "AND kind = 'invoice' AND due_on < ? ORDER BY due_on, document_id",
        (tenant, day),
    )
    return [DocumentRow(*one) for one in rows]


def add_item(tx: Tx, tenant: str, agreement_id: str, item: Item, *, due_first: str, now_ms: int) -> bool:
    """Lets an item wait for the next invoice of a period that ends after ``due_first``; False when it already does."""
    columns = ("tenant_id", "agreement_id", "item_id", "due_first", "document_id", "body", "added_ms")
    body = msgspec.json.encode(item).decode()
    values = (tenant, agreement_id, item.item_id, due_first, "", body, now_ms)
    return tx.insert("waiting_items", columns, [values], "ON CONFLICT DO NOTHING") == 1


def waiting_items(tx: Tx, tenant: str, agreement_id: str, before: str) -> list[Item]:
    """What waits for an invoice whose period ends with the day ``before``."""
    rows = tx.all(
        "SELECT body FROM waiting_items WHERE tenant_id = ? AND agreement_id = ? AND document_id = '' "
        "AND due_first < ? ORDER BY added_ms, item_id",
        (tenant, agreement_id, before),
    )
    return [_items.decode(one[0]) for one in rows]


def items_page(tx: Tx, tenant: str, agreement_id: str) -> list[tuple[Item, str, str]]:
    """(item, the day from which it is due, the document that took it or "") of an agreement, oldest first."""
    rows = tx.all(
        "SELECT body, due_first, document_id FROM waiting_items WHERE tenant_id = ? AND agreement_id = ? "
        "ORDER BY added_ms, item_id",
        (tenant, agreement_id),
    )
    return [(_items.decode(body), due_first, document_id) for body, due_first, document_id in rows]


def take_items(tx: Tx, tenant: str, agreement_id: str, items: Sequence[Item], document_id: str) -> None:
    """The items are on a document now."""
    for item in items:
        tx.run(
            "UPDATE waiting_items SET document_id = ? WHERE tenant_id = ? AND agreement_id = ? AND item_id = ?",
            (document_id, tenant, agreement_id, item.item_id),
        )


def release_items(tx: Tx, tenant: str, agreement_id: str, document_id: str) -> None:
    """The document is void: what it took waits again."""
    tx.run(
        "UPDATE waiting_items SET document_id = '' WHERE tenant_id = ? AND agreement_id = ? AND document_id = ?",
        (tenant, agreement_id, document_id),
    )


def drop_items(tx: Tx, tenant: str, agreement_id: str, about: str) -> list[Item]:
    """Items about something that is no more, as far as they still wait: they wait no longer."""
    found = [item for item, _, taken in items_page(tx, tenant, agreement_id) if item.about == about and not taken]
    _drop(tx, tenant, agreement_id, found)
    return found


def drop_rests(tx: Tx, tenant: str, agreement_id: str, document_id: str) -> None:
    """A document is void: what it left of coupons waits no longer, for they wait again themselves."""
    page = items_page(tx, tenant, agreement_id)
    _drop(tx, tenant, agreement_id, [item for item, _, taken in page if item.rest_of == document_id and not taken])


def _drop(tx: Tx, tenant: str, agreement_id: str, items: Sequence[Item]) -> None:
    for item in items:
        tx.run(
            "DELETE FROM waiting_items WHERE tenant_id = ? AND agreement_id = ? AND item_id = ? AND document_id = ''",
            (tenant, agreement_id, item.item_id),
        )


def keep_draft(
    tx: Tx, tenant: str, key: tuple[str, str, str, int], total: tuple[str, str], body: str, now_ms: int
) -> None:
    """A draft in the place of the one before; ``key``: agreement, first, end, revision; ``total``: amount, currency."""
    columns = (
        "tenant_id", "agreement_id", "period_first", "period_end", "revision", "total", "currency", "body", "made_ms",
    )  # fmt: skip
    tx.insert(
        "statement_drafts",
        columns,
        [(tenant, *key, *total, body, now_ms)],
        "ON CONFLICT (tenant_id, agreement_id, period_first, period_end, revision) DO UPDATE SET "
        "total = excluded.total, currency = excluded.currency, body = excluded.body, made_ms = excluded.made_ms",
    )


def drop_drafts(tx: Tx, tenant: str, agreement_id: str, before: str) -> None:
    """Drafts of periods that end by a day are final now."""
    tx.run(
        "DELETE FROM statement_drafts WHERE tenant_id = ? AND agreement_id = ? AND period_end <= ?",
        (tenant, agreement_id, before),
    )


def drafts(tx: Tx, tenant: str, agreement_id: str) -> list[str]:
    """The drafts of an agreement, as documents in JSON, oldest period first."""
    rows = tx.all(
        "SELECT body FROM statement_drafts WHERE tenant_id = ? AND (? = '' OR agreement_id = ?) "
        "ORDER BY agreement_id, period_first",
        (tenant, agreement_id, agreement_id),
    )
    return [str(one[0]) for one in rows]
