"""An invoice as EN 16931 XML: CII for Factur-X, or UBL 2.1; and the Factur-X PDF that carries it.

The surprise: EN 16931 has its own arithmetic (tax once a rate, sums of rounded lines), and a document that was agreed
on otherwise cannot be sent in it. That is found here, in words, before an XML is made that a receiver would refuse.
Source: EN 16931-1:2017 with its rules BR-*; code lists UNTDID 1001, 5305, UNECE Rec. 20; Factur-X 1.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import msgspec

from cloud.documents.invoice_facts import Address, InvoiceFacts, InvoiceLine, TaxSum
from cloud.money import minor_digits

Flavour = Literal["cii", "ubl"]
FLAVOURS: Mapping[Flavour, str] = {"cii": "factur-x", "ubl": "ubl-2.1"}
# UNECE Recommendation 20; what it has no code for is "one" (C62) and keeps its word in the line's note.
UNITS = {
    "pc": "H87", "kWh": "KWH", "Wh": "WHR", "MWh": "MWH", "h": "HUR", "s": "SEC", "min": "MIN", "d": "DAY",
    "month": "MON", "m2": "MTK", "m3": "MTQ", "kg": "KGM", "g": "GRM", "l": "LTR", "event": "C62", "%": "P1",
}  # fmt: skip
ONE = "C62"
INVOICE, CREDIT_NOTE = "380", "381"
TAXED = frozenset(("S", "L", "M"))
WITH_REASON = frozenset(("E", "AE", "K", "G", "O"))
MOST_DECIMALS = 2
CREDIT_TRANSFER, NOT_AGREED = "30", "1"


class UnfitError(ValueError):
    """The document cannot be sent as an e-invoice. ``reasons``: each says what is missing and where it is entered."""

    def __init__(self, number: str, reasons: list[str]) -> None:
        super().__init__(f"{number} cannot be sent as an e-invoice: " + "; ".join(reasons))
        self.reasons = reasons


def e_invoice(facts: InvoiceFacts, flavour: Flavour = "cii") -> bytes:
    """The XML, checked against the standard's schema. Raises UnfitError."""
    from facturx import generate_xml  # noqa: PLC0415 - lxml takes its time, and only who asks for XML should wait

    facts = _none_outside(facts)
    reasons = unfit(facts)
    if reasons:
        raise UnfitError(facts.number, reasons)
    made = generate_xml(
        terms_of(facts), flavor=FLAVOURS[flavour], level="en16931", check_xsd=True, check_schematron=False
    )
    return bytes(made)


def factur_x(pdf: bytes, facts: InvoiceFacts, *, language: str) -> bytes:
    """The PDF/A-3 with the XML inside. Raises UnfitError."""
    from facturx import generate_from_binary  # noqa: PLC0415 - as above

    about = {
        "author": facts.seller.name,
        "keywords": "invoice, Factur-X",
        "title": facts.number,
        "subject": f"{facts.number} {facts.issued_on.isoformat()}",
    }
    made = generate_from_binary(
        pdf, e_invoice(facts), flavor="factur-x", level="en16931", check_xsd=False, check_schematron=False,
        pdf_metadata=about, lang=language,
    )  # fmt: skip
    return bytes(made)


def unfit(facts: InvoiceFacts) -> list[str]:
    """Why it cannot be sent; empty when it can."""
    return [*_parties(facts), *_sums(facts), *_rules_of_categories(facts)]


def _none_outside(facts: InvoiceFacts) -> InvoiceFacts:
    """Lines outside of VAT (a deposit, a fee for delay) stand on no e-invoice with others (BR-O-11 to BR-O-14): beside
    them they are sent as exempt, with the reason why no tax is due. No number changes.
    """
    if {tax.category for tax in facts.taxes} <= {"O"}:
        return facts
    outside = [tax for tax in facts.taxes if tax.category in ("O", "E") and not Decimal(tax.percent)]
    if not any(tax.category == "O" for tax in outside):
        return facts
    net = sum((Decimal(tax.net) for tax in outside), Decimal(0))
    reasons = "; ".join(dict.fromkeys(tax.reason for tax in outside if tax.reason))
    exempt = TaxSum("E", "0", f"{net:f}", f"{net * 0:f}", reasons)
    return msgspec.structs.replace(
        facts,
        lines=[msgspec.structs.replace(one, category="E") if one.category == "O" else one for one in facts.lines],
        taxes=[exempt, *(tax for tax in facts.taxes if tax not in outside)],
    )


def terms_of(facts: InvoiceFacts) -> dict[str, Any]:
    """The document by the standard's business terms (BT) and groups (BG)."""
    sign = _sign(facts)
    bare = {tax.category for tax in facts.taxes} == {"O"}
    owed = sign * (Decimal(facts.gross) - Decimal(facts.paid))
    found: dict[str, Any] = {
        "BT-1": facts.number,
        "BT-2": facts.issued_on,
        "BT-3": CREDIT_NOTE if facts.kind == "credit_note" else INVOICE,
        "BT-5": facts.currency,
        "BT-9": facts.due_on if owed > 0 else None,
        "BT-10": facts.buyer_reference,
        "BT-12": facts.agreement,
        "BT-20": facts.terms,
        # Goods drawn and energy used are delivered by the last day of their period.
        "BT-72": facts.last or facts.issued_on,
        "BT-73": facts.first,
        "BT-74": facts.last,
        "BT-81": CREDIT_TRANSFER if facts.iban else NOT_AGREED,
        "BT-84": facts.iban,
        "BT-106": _amount(facts, facts.net, sign),
        "BT-109": _amount(facts, facts.net, sign),
        "BT-110": _amount(facts, facts.tax, sign),
        "BT-112": _amount(facts, facts.gross, sign),
        "BT-113": _amount(facts, facts.paid, sign),
        "BT-115": _amount(facts, str(Decimal(facts.gross) - Decimal(facts.paid)), sign),
        "BG-1": [{"BT-22": note} for note in facts.notes],
        "BG-3": [{"BT-25": one.number, "BT-26": one.issued_on} for one in facts.preceding],
        "BG-4": _party(facts.seller, bare=bare),
        "BG-7": _party(facts.buyer, bare=bare),
        "BG-13": {"name": facts.buyer.name, "country_code": facts.buyer.country} if _crosses(facts) else None,
        "BG-23": [_tax(facts, tax, sign) for tax in facts.taxes],
        "BG-24": _evidence(facts),
        "BG-25": [_line(facts, line, sign) for line in facts.lines],
    }
    return {term: value for term, value in found.items() if value not in (None, "", [])}


def _crosses(facts: InvoiceFacts) -> bool:
    """An intra-community supply says where it went (BR-IC-12)."""
    return any(tax.category == "K" for tax in facts.taxes)


def _sign(facts: InvoiceFacts) -> int:
    """A credit note's amounts stand without a sign in EN 16931; the document keeps them negative."""
    return -1 if facts.kind == "credit_note" and Decimal(facts.gross) < 0 else 1


def _amount(facts: InvoiceFacts, text: str, sign: int = 1) -> str:
    value = Decimal(text) * sign
    return f"{value + 0:.{min(minor_digits(facts.currency), MOST_DECIMALS)}f}"


def _party(one: Address, *, bare: bool) -> dict[str, Any]:
    """``bare``: of an invoice that is outside of VAT, which must not name VAT numbers (BR-O-02 to BR-O-04)."""
    found = {
        "name": one.name,
        "legal_identifier": one.legal_id,
        "vat_identifier": "" if bare else one.vat_id,
        "tax_identifier": "" if bare else one.tax_id,
        "country_code": one.country,
        "city": one.city,
        "postcode": one.postcode,
        "addr_l1": one.street,
        "einvoicing_addr": one.email,
        "einvoicing_addr_schemeid": "EM" if one.email else "",
    }
    if not one.legal_id and (bare or not one.vat_id):
        found["legal_identifier"] = one.tax_id or one.vat_id
    return {name: value for name, value in found.items() if value}


def _tax(facts: InvoiceFacts, tax: TaxSum, sign: int) -> dict[str, Any]:
    found = {
        "BT-116": _amount(facts, tax.net, sign),
        "BT-117": _amount(facts, tax.tax, sign),
        "BT-118": tax.category,
        "BT-119": "" if tax.category == "O" else _plain(tax.percent),
        "BT-120": tax.reason if tax.category in WITH_REASON else "",
    }
    return {term: value for term, value in found.items() if value}


def _line(facts: InvoiceFacts, line: InvoiceLine, sign: int) -> dict[str, Any]:
    """A price is never negative there (BR-27), so what is given back is a negative quantity."""
    quantity, price = Decimal(line.quantity) * sign, Decimal(line.unit_price)
    if price < 0:
        quantity, price = -quantity, -price
    note = line.note if line.unit in UNITS else f"{line.unit}. {line.note}".strip()
    found: dict[str, Any] = {
        "BT-126": str(line.no),
        "BT-127-00": [{"BT-127": note}] if note else [],
        "BT-129": _plain(str(quantity)),
        "BT-130": UNITS.get(line.unit, ONE),
        "BT-131": _amount(facts, line.net, sign),
        "BT-134": line.first,
        "BT-135": line.last,
        "BT-146": _plain(str(price)),
        "BT-151": line.category,
        "BT-152": "" if line.category == "O" else _plain(line.percent),
        "BT-153": line.name,
        "BT-155": line.seller_id,
    }
    return {term: value for term, value in found.items() if value not in (None, "", [])}


def _evidence(facts: InvoiceFacts) -> list[dict[str, Any]]:
    if not facts.evidence:
        return []
    words = f"Evidence bundle, check it with tally-verify; statement hash SHA-256 {facts.evidence_hash}"
    return [{"BT-122": facts.evidence, "BT-123": words}]


def _plain(text: str) -> str:
    """Digits without an exponent and without zeros that say nothing."""
    value = Decimal(text)
    return f"{value.normalize():f}" if value else "0"


def _parties(facts: InvoiceFacts) -> list[str]:
    found = []
    for role, one in (("seller", facts.seller), ("buyer", facts.buyer)):
        found += [
            f"the {role}'s {what} is missing (PUT /v1/parties/ID/details)"
            for what, value in (("name", one.name), ("country", one.country))
            if not value
        ]
    if not (facts.seller.vat_id or facts.seller.tax_id or facts.seller.legal_id):
        found.append("the seller has no VAT, tax or register number (PUT /v1/parties/ID/details)")
    return found


def _sums(facts: InvoiceFacts) -> list[str]:
    """BR-CO-10, 13, 14, 15 and 17; BR-DEC-*."""
    found = []
    lines = sum((Decimal(line.net) for line in facts.lines), Decimal(0))
    if not facts.lines:
        found.append("it has no line")
    if lines != Decimal(facts.net):
        found.append(f"its lines come to {lines} and its net is {facts.net}")
    if sum((Decimal(tax.tax) for tax in facts.taxes), Decimal(0)) != Decimal(facts.tax):
        found.append(f"its taxes do not come to {facts.tax}")
    if Decimal(facts.net) + Decimal(facts.tax) != Decimal(facts.gross):
        found.append(f"net and tax do not come to {facts.gross}")
    amounts = [facts.net, facts.tax, facts.gross, facts.paid, *(line.net for line in facts.lines)]
    amounts += [text for tax in facts.taxes for text in (tax.net, tax.tax)]
    fine = next((text for text in amounts if Decimal(text) != round(Decimal(text), MOST_DECIMALS)), None)
    if fine is not None:
        found.append(f"{fine} {facts.currency} has more than the {MOST_DECIMALS} decimals that the standard allows")
    # The credit note that completes a rate takes the cents that were left of its tax; the standard's judges look away
    # below one unit of the currency, and here there can be no other reason.
    most = Decimal(1) if facts.kind == "credit_note" else Decimal(1).scaleb(-minor_digits(facts.currency)) / 2
    for tax in facts.taxes:
        exact = Decimal(tax.net) * Decimal(tax.percent) / 100
        if abs(exact - Decimal(tax.tax)) > most:
            found.append(
                f"the tax of {tax.percent} % on {tax.net} is {tax.tax}, which is not that rate rounded once: "
                "agree on tax.rounded = rate to send e-invoices"
            )
    return found


def _rules_of_categories(facts: InvoiceFacts) -> list[str]:
    found = []
    categories = {tax.category for tax in facts.taxes}
    if categories & (TAXED | {"Z", "E", "AE", "K", "G"}) and not (facts.seller.vat_id or facts.seller.tax_id):
        found.append("the seller's VAT number is missing (PUT /v1/parties/ID/details)")
    elif categories & {"K", "G"} and not facts.seller.vat_id:
        found.append("the seller's VAT number is missing, a tax number is not enough for what crosses a border")
    found += [
        f"category {tax.category} has a rate above 0; agree on category Z for what is zero-rated"
        for tax in facts.taxes
        if tax.category in TAXED and not Decimal(tax.percent)
    ]
    if categories & {"AE", "K"} and not facts.buyer.vat_id:
        found.append("the buyer's VAT number is missing: it owes the tax (PUT /v1/parties/ID/details)")
    if Decimal(facts.gross) > Decimal(facts.paid) and facts.due_on is None and not facts.terms:
        found.append("it says neither when it is due nor the terms of payment")
    return found


def last_day(end: date) -> date:
    """The last day of a period that ends before ``end``."""
    return date.fromordinal(end.toordinal() - 1)
