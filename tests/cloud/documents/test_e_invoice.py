"""E-invoices before the standard's own judge, and the documents that must not become one."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from lxml import etree

from cloud.documents.e_invoice import Flavour, UnfitError, e_invoice, unfit
from cloud.documents.invoice_facts import Address, InvoiceFacts, InvoiceLine, Preceding, TaxSum
from tests.cloud.documents.schematron import complaints

SELLER = Address(
    name="Messer & Söhne <GmbH>", country="DE", street="Weg 1", city="Berlin", postcode="10115",
    vat_id="DE123456789", email="rechnung@example.org",
)  # fmt: skip
BUYER = Address(name="宁波工厂", country="DE", city="Bonn", postcode="53111", vat_id="DE987654321")
ABROAD = msgspec.structs.replace(BUYER, country="FR", vat_id="FR40303265045")
FLAVOURS = ("cii", "ubl")


def line(no: int, net: str, **changes: Any) -> InvoiceLine:
    given: dict[str, Any] = {
        "no": no, "name": "Drill 8 mm", "quantity": "1", "unit": "pc", "unit_price": net.lstrip("-"), "net": net,
        "category": "S", "percent": "19",
    }  # fmt: skip
    return InvoiceLine(**{**given, **changes})


def invoice(*lines: InvoiceLine, taxes: list[TaxSum], **changes: Any) -> InvoiceFacts:
    net = sum((Decimal(one.net) for one in lines), Decimal(0))
    tax = sum((Decimal(one.tax) for one in taxes), Decimal(0))
    given: dict[str, Any] = {
        "number": "INV-000001", "kind": "invoice", "issued_on": date(2026, 12, 1), "due_on": date(2026, 12, 31),
        "currency": "EUR", "seller": SELLER, "buyer": BUYER, "lines": list(lines), "taxes": taxes,
        "net": str(net), "tax": str(tax), "gross": str(net + tax),
        "first": date(2026, 11, 1), "last": date(2026, 11, 30),
        "evidence": "stm_1", "evidence_hash": "ab" * 32, "terms": "30 days net",
    }  # fmt: skip
    return InvoiceFacts(**{**given, **changes})


def of_category(category: str, percent: str, tax: str, reason: str = "", **changes: Any) -> InvoiceFacts:
    only = line(1, "100.00", category=category, percent=percent)
    return invoice(only, taxes=[TaxSum(category, percent, "100.00", tax, reason)], **changes)


MIXED = invoice(
    line(1, "3.60", quantity="3", unit_price="1.20", seller_id="drill-8", first=date(2026, 11, 1)),
    line(2, "35.18", name="Energy", quantity="123.456", unit="kWh", unit_price="0.285", percent="7"),
    line(3, "-5.00", name="Guarantee credit", unit="x", unit_price="-5", note="target missed on 4 days"),
    line(4, "0.00", name="Free units", unit_price="0", quantity="10", unit="h"),
    taxes=[TaxSum("S", "7", "35.18", "2.46"), TaxSum("S", "19", "-1.40", "-0.27")],
    notes=["Rounded once a line, half away from zero."], iban="DE02120300000000202051",
)  # fmt: skip
CREDIT = invoice(
    line(1, "-3.60", quantity="-3", unit_price="1.20"),
    taxes=[TaxSum("S", "19", "-3.60", "-0.68")],
    kind="credit_note", number="CN-000001", preceding=[Preceding("INV-000001", date(2026, 12, 1))],
)  # fmt: skip
YEN = invoice(
    line(1, "1000", percent="10"), taxes=[TaxSum("S", "10", "1000", "100")], currency="JPY",
)  # fmt: skip
DOCUMENTS = {
    "several rates, a credit, a free line": MIXED,
    "a credit note": CREDIT,
    "a credit note that completes a rate": invoice(
        line(1, "-7.47", quantity="-1", unit_price="7.47", percent="7"),
        taxes=[TaxSum("S", "7", "-7.47", "-0.53")],
        kind="credit_note", number="CN-000002", preceding=[Preceding("INV-000001", date(2026, 12, 1))],
    ),
    "a currency without cents": YEN,
    "partly paid": invoice(line(1, "10.00"), taxes=[TaxSum("S", "19", "10.00", "1.90")], paid="5.00"),
    "zero rated": of_category("Z", "0", "0.00"),
    "exempt": of_category("E", "0", "0.00", "exempt under article 132"),
    "reverse charge": of_category("AE", "0", "0.00", "reverse charge"),
    "within the community": of_category("K", "0", "0.00", "intra-community supply", buyer=ABROAD),
    "a deposit beside what is taxed": invoice(
        line(1, "10.00"), line(2, "50.00", category="O", percent="0", name="Deposit"),
        line(3, "1.00", category="E", percent="0"),
        taxes=[
            TaxSum("E", "0", "1.00", "0.00", "exempt"), TaxSum("O", "0", "50.00", "0.00", "a deposit is no supply"),
            TaxSum("S", "19", "10.00", "1.90"),
        ],
    ),
    "a rate with a word to it": of_category("S", "19", "19.00", "why not"),
    "zero rated with a word to it": of_category("Z", "0", "0.00", "why not"),
    "three decimals that say nothing": invoice(
        line(1, "10.000", percent="10"), taxes=[TaxSum("S", "10", "10.000", "1.000")], currency="KWD",
    ),
    "a seller with a tax number alone": of_category(
        "S", "19", "19.00", seller=msgspec.structs.replace(SELLER, vat_id="", tax_id="12/345/67890")
    ),
    "outside of VAT": of_category("O", "0", "0.00", "no tax was agreed on"),
}  # fmt: skip


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_schematron_accepts_every_e_invoice(name: str, flavour: Flavour) -> None:
    xml = e_invoice(DOCUMENTS[name], flavour)

    assert complaints(xml, flavour) == []


@pytest.mark.parametrize(("flavour", "mark"), [("cii", "GrandTotalAmount"), ("ubl", "TaxInclusiveAmount")])
def test_the_judge_bites(flavour: Flavour, mark: str) -> None:
    xml = e_invoice(MIXED, flavour)
    spoilt = re.sub(rf"({mark}[^>]*>)[^<]+".encode(), rb"\g<1>99.99", xml, count=1)

    assert any("BR-CO-15" in one for one in complaints(spoilt, flavour))


def test_every_number_of_the_document_stands_in_the_xml_to_the_digit() -> None:
    root = etree.fromstring(e_invoice(MIXED))

    def amounts(tag: str) -> list[str]:
        return [one.text or "" for one in root.iter(f"{{*}}{tag}")]

    assert amounts("LineTotalAmount") == ["3.60", "35.18", "-5.00", "0.00", "33.78"]
    assert amounts("GrandTotalAmount") == ["35.97"]
    assert amounts("BilledQuantity") == ["3", "123.456", "-1", "10"]
    assert amounts("ChargeAmount") == ["1.2", "0.285", "5", "0"]


def test_a_credit_note_has_no_signs_and_names_what_it_corrects() -> None:
    root = etree.fromstring(e_invoice(CREDIT))

    assert next(one.text for one in root.iter("{*}TypeCode")) == "381"
    assert [one.text for one in root.iter("{*}GrandTotalAmount")] == ["4.28"]
    assert "INV-000001" in [one.text for one in root.iter("{*}IssuerAssignedID")]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (msgspec.structs.replace(MIXED, gross="99.00"), "net and tax do not come to 99.00"),
        (msgspec.structs.replace(MIXED, net="1.00"), "its lines come to 33.78"),
        (msgspec.structs.replace(MIXED, seller=Address(name="x", country="DE")), "no VAT, tax or register number"),
        (msgspec.structs.replace(MIXED, buyer=Address(name="x")), "the buyer's country is missing"),
        (msgspec.structs.replace(MIXED, due_on=None, terms=""), "neither when it is due"),
        (msgspec.structs.replace(MIXED, lines=[]), "it has no line"),
        (of_category("S", "0", "0.00"), "category S has a rate above 0"),
        (
            of_category("G", "0", "0.00", "r", seller=msgspec.structs.replace(SELLER, vat_id="", tax_id="12/345")),
            "a tax number is not enough",
        ),
        (
            invoice(line(1, "1.234", percent="10"), taxes=[TaxSum("S", "10", "1.234", "0.123")], currency="KWD"),
            "1.234 KWD has more than the 2 decimals",
        ),
        (of_category("AE", "0", "0.00", "r", buyer=Address(name="x", country="DE")), "the buyer's VAT number"),
        (
            invoice(line(1, "1.00"), taxes=[TaxSum("S", "19", "1.00", "0.20")]),
            "tax.rounded = rate",
        ),
    ],
)
def test_what_does_not_fit_the_standard_is_said_and_not_sent(facts: InvoiceFacts, said: str) -> None:
    with pytest.raises(UnfitError, match=re.escape(said)):
        e_invoice(facts)


def test_all_reasons_are_told_at_once() -> None:
    assert len(unfit(msgspec.structs.replace(MIXED, seller=Address(name="x"), gross="0", lines=[]))) > 3
