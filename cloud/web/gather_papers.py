"""What a paper, a table or an e-invoice of a statement or document is made of, read in one transaction."""

from __future__ import annotations

from cloud.agreements import repository as agreements
from cloud.billing import repository as statements
from cloud.billing.statement import Statement
from cloud.billing.view import options_of
from cloud.database import Tx
from cloud.documents.daily import Series, daily
from cloud.documents.gather_facts import facts_of
from cloud.documents.invoice_facts import Address, InvoiceFacts
from cloud.documents.paper import Paper
from cloud.invoices import repository as invoices
from cloud.invoices.document import Document
from cloud.metering.told import METER_EVENTS
from cloud.parties import repository as parties
from cloud.parties.details import PartyDetails
from cloud.web.languages import Words
from cloud.web.repository import overview as rows
from cloud.web.views.charts import charts_of
from cloud.web.views.paper import Parties, paper_of
from wire.canonical import LeafError
from wire.records import DeviceEvent, Record, decode


def statement_paper(tx: Tx, tenant: str, words: Words, statement_id: str) -> Paper | None:
    """A statement on paper; None: there is none."""
    found = statements.statement(tx, tenant, statement_id)
    return None if found is None else _paper(tx, tenant, words, found)


def invoice_paper(tx: Tx, tenant: str, words: Words, document_id: str) -> Paper | None:
    """An invoice on paper, with the statement it bills; None: there is none, or it is no invoice of a statement."""
    document = invoices.find(tx, tenant, document_id)
    statement = statements.statement(tx, tenant, document.statement_id) if document else None
    return None if statement is None else _paper(tx, tenant, words, statement, document)


def invoice_facts(tx: Tx, tenant: str, document_id: str) -> InvoiceFacts | None:
    """What the e-invoice of a document says; None: there is no such document."""
    document = invoices.find(tx, tenant, document_id)
    if document is None:
        return None
    before = invoices.find(tx, tenant, document.about) if document.about else None
    seller = parties.details(tx, tenant, document.supplier_id)
    buyer = parties.details(tx, tenant, document.customer_id)
    return facts_of(
        document,
        _address(tx, tenant, document.supplier_id, seller),
        _address(tx, tenant, document.customer_id, buyer),
        preceding=[before] if before else [],
        iban=seller.iban,
    )


def _paper(tx: Tx, tenant: str, words: Words, statement: Statement, invoice: Document | None = None) -> Paper:
    head = statement.head
    both = Parties(parties.details(tx, tenant, head.supplier_id), parties.details(tx, tenant, head.customer_id))
    names = rows.names(tx, tenant)
    options = agreed_options(tx, tenant, statement)
    charts = charts_of(words, by_day(tx, tenant, statement), names)
    return paper_of(words, statement, names, both, invoice=invoice, options=options, charts=charts)


USED = (b'"k":"draw"', b'"k":"reading"')
EXCHANGED = tuple(f'"event":"{name}"'.encode("ascii") for name in METER_EVENTS)
_series: dict[str, list[Series]] = {}
MOST_SERIES = 500


def by_day(tx: Tx, tenant: str, statement: Statement) -> list[Series]:
    """What was used day by day. A statement never changes, so its leaves are read once for all its pages and papers."""
    known = _series.get(statement.hash)
    if known is None:
        known = _by_day(tx, tenant, statement)
        while len(_series) >= MOST_SERIES:
            _series.pop(next(iter(_series)), None)
        _series[statement.hash] = known
    return known


def _by_day(tx: Tx, tenant: str, statement: Statement) -> list[Series]:
    head = statement.head
    agreement = agreements.find(tx, tenant, head.agreement_id)
    if agreement is None:
        return []
    newest = {one.version for one in head.versions}
    terms = next(one.terms for one in reversed(agreement.versions) if one.version in newest)
    logs = {row.log_id: row for row in statements.logs_of(tx, tenant, sorted(terms.devices))}
    records = (
        record
        for stated in head.logs
        if stated.log in logs
        for leaf in statements.leaves(tx, tenant, logs[stated.log].log_no, stated.from_, stated.to)
        for record in _used(leaf.leaf)
    )
    return daily(statement.lines, records, terms, head.period, head.zone)


def _used(leaf: bytes) -> list[Record]:
    """The record of a leaf, if it says that something was used, or by which meter; no other is read."""
    if not any(kind in leaf for kind in USED) and not any(event in leaf for event in EXCHANGED):
        return []
    try:
        record = decode(leaf)
    except LeafError:
        return []
    return [] if isinstance(record, DeviceEvent) and record.event not in METER_EVENTS else [record]


def agreed_options(tx: Tx, tenant: str, statement: Statement) -> list[str]:
    """The conventions of the agreement, as the statement's versions agreed on them, but for rounding and tax, which a
    paper says in sentences of their own.
    """
    agreement = agreements.find(tx, tenant, statement.head.agreement_id)
    if agreement is None:
        return []
    mine = {one.version for one in statement.head.versions}
    terms = [version.terms for version in agreement.versions if version.version in mine]
    elsewhere = {one.rounding.in_words() for one in terms} | {one.tax.in_words() for one in terms if one.tax}
    return [one for one in options_of(agreement.versions, statement.head) if one not in elsewhere]


def _address(tx: Tx, tenant: str, party_id: str, details: PartyDetails) -> Address:
    party = parties.party(tx, tenant, party_id)
    return Address(
        name=details.legal_name or (party.name if party else party_id),
        country=details.country,
        street=details.street,
        city=details.city,
        postcode=details.postcode,
        vat_id=details.vat_id,
        tax_id=details.tax_id,
        legal_id=details.legal_id,
        email=details.email,
    )
