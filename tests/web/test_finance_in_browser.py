"""The finance pages in a real browser: both languages, both colour schemes, a narrow phone; a bank's file by button."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.kiosk.conftest import WCAG, violations
from tests.web.conftest import Served
from tests.web.test_in_browser import CONTRAST, SCHEMES, WIDTH, keep, page, sign_in

pytestmark = pytest.mark.browser
__all__ = ["page"]
TITLES = {
    "/statements": ("Statements", "\u5df2\u7ed3\u8d26\u5355"),
    "/invoices": ("Invoices", "\u53d1\u7968"),
    "/payments": ("Payments", "\u4ed8\u6b3e"),
    "/dunning": ("Dunning", "\u50ac\u6b3e"),
    "/credit": ("Credit", "\u4fe1\u7528"),
    "/books": ("Books", "\u8d26\u7c3f"),
    "/agreements": ("Agreements", "\u534f\u8bae"),
    "/agreements/agr-1": ("Agreement agr-1", "\u534f\u8bae agr-1"),
}
CSV = "date,amount,currency,reference,payer,remittance\n2027-01-09,12.34,CNY,B-1,Harbour,hello\n"
# What a screen reader needs: one level-1 heading, every form field with a name, every table with heads, no id twice.
STRUCTURE = """
() => {
  const found = [];
  if (document.querySelectorAll("h1").length !== 1) found.push("h1");
  for (const field of document.querySelectorAll("input, select, textarea"))
    if (!field.labels?.length && !field.ariaLabel) found.push(`no label: ${field.name}`);
  for (const table of document.querySelectorAll("table"))
    if (!table.querySelector("th[scope=col]") || !table.querySelector("tbody th[scope=row]")) found.push("table");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice");
  for (const one of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(one.getAttribute("aria-labelledby"))) found.push("labelled by nothing");
  for (const one of document.querySelectorAll("a, button"))
    if (!one.textContent.trim()) found.push("a link or button without words");
  return found;
}
"""


@pytest.fixture(scope="module")
def furnished(served: Served) -> Served:
    """The shop with a payment, a credit line and booked entries."""
    ask = served.shop.cloud.ask
    body = {"reference": "r1", "amount": "40.00", "currency": "CNY", "booked_on": "2027-01-09", "payer": "Harbour Gear"}
    assert ask("POST", "/v1/payments", body | {"remittance": "INV-1 thank you"}).status_code == 201
    assert ask("POST", "/v1/payments", body | {"reference": "r2", "remittance": "no number"}).status_code == 201
    assert ask("POST", "/v1/books/runs", {}).status_code == 201
    return served


@pytest.mark.parametrize(("language", "place"), [("en", 0), ("zh_CN", 1)])
def test_every_page_is_whole_readable_and_fits_a_phone(
    page: Page, furnished: Served, language: str, place: int
) -> None:
    sign_in(page, furnished)

    for path, titles in TITLES.items():
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{path}?lang={language}")
        expect(page.get_by_role("heading", level=1)).to_have_text(titles[place])
        assert page.evaluate(STRUCTURE) == [], path
        assert violations(page, WCAG[:-1]) == [], path
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            keep(page, path.replace("/", "_"), language, scheme)
            assert page.evaluate(CONTRAST) == [], (path, scheme)
        page.set_viewport_size({"width": 360, "height": 740})
        keep(page, path.replace("/", "_"), language, "narrow")
        assert page.evaluate(WIDTH) == 360, path


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_single_documents_and_the_alarms_are_whole_and_readable(page: Page, furnished: Served, language: str) -> None:
    ask = furnished.shop.cloud.ask
    invoice = ask("GET", "/v1/documents").json()["items"][0]["document_id"]
    payment = ask("GET", "/v1/payments").json()["items"][0]["payment_id"]
    sign_in(page, furnished)

    for path in (f"/statements/{furnished.statement}", f"/invoices/{invoice}", f"/payments/{payment}", "/alarms"):
        page.goto(f"{path}?lang={language}")
        keep(page, path.split("/")[1] + "_one", language, "light")
        assert page.evaluate(STRUCTURE) == [], path
        assert violations(page, WCAG[:-1]) == [], path


def test_an_invoice_is_reached_from_the_list_and_leads_to_its_statement(page: Page, furnished: Served) -> None:
    sign_in(page, furnished)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Invoices").click()

    page.get_by_role("link", name="INV-000001").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Invoice INV-000001")
    keep(page, "invoice", "en", "light")
    assert page.evaluate(STRUCTURE) == []
    page.get_by_role("link", name="the statement it bills").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Statement 1")


def test_a_banks_file_is_imported_and_its_payment_placed_by_a_person(
    page: Page, furnished: Served, tmp_path: Path
) -> None:
    given = tmp_path / "bank.csv"
    given.write_text(CSV)
    sign_in(page, furnished)
    page.goto("/payments?lang=en")

    page.get_by_label("camt.053 (XML) or CSV").set_input_files(given)
    page.get_by_role("button", name="Import").click()

    expect(page.get_by_role("status")).to_contain_text("1 wait for a person")
    page.get_by_role("row", name="hello").get_by_role("link").click()
    keep(page, "payment", "en", "light")
    assert page.evaluate(STRUCTURE) == []
    page.get_by_label("Amount (empty: as much as fits)").fill("10.00")
    page.get_by_role("button", name="Place").click()
    expect(page.get_by_text("CN\u00a52.34", exact=False).first).to_be_visible()
