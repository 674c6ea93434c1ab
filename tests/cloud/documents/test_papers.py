"""Papers of a real shop's week, asked for as finance does: PDF in both languages, a table, an invoice's e-invoice."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import msgspec
import pytest
from pypdf import PdfReader

from cloud.documents.bars import Bar, Line, draw
from cloud.documents.paper import Headings, Paper
from cloud.documents.pdf import render
from tests.web.conftest import cloud, shop
from tests.web.shop import Shop

__all__ = ["cloud", "shop"]
DETAILS = {
    "street": "88 Harbour Road", "postcode": "315000", "city": "Ningbo", "country": "CN",
    "tax_id": "91330200MA2CXXXX0A",
}  # fmt: skip


def statement_of(shop: Shop) -> str:
    return str(shop.cloud.ask("GET", "/v1/statements").json()["items"][0]["statement_id"])


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "en",
            [
                "Statement 1",
                "Northlight Tools",
                "Total",
                "Twist drill HSS 8 mm",
                "tally-verify",
                "signed by the gateway",
            ],
        ),
        ("zh-CN", ["账单", "供应商", "合计", "由网关签名", "Twist drill HSS 8 mm", "tally-verify"]),
    ],
)
def test_a_statement_prints_in_both_languages_with_every_line_and_every_glyph(
    shop: Shop, lang: str, words: list[str]
) -> None:
    shop.cloud.ask("PUT", "/v1/parties/sup/details", json=DETAILS)
    named = statement_of(shop)
    lines = shop.cloud.ask("GET", f"/v1/statements/{named}").json()["lines"]

    answer = shop.cloud.ask("GET", f"/v1/statements/{named}/paper?lang={lang}")
    said = text_of(answer.content)

    assert answer.headers["content-type"] == "application/pdf"
    assert [word for word in [*words, "91330200MA2CXXXX0A", "88 Harbour Road"] if word not in said] == []
    assert [line["no"] for line in lines if line["amount"]["amount"] not in said.replace(",", "")] == []
    assert "\ufffd" not in said


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["part of a calendar month", "due 30 days after the invoice's day", "what is paid too much becomes"]),
        ("zh-CN", ["发票日后 30 天到期", "多付部分转为预付余额"]),
    ],
)
def test_what_was_agreed_on_beside_the_charges_is_printed_too(shop: Shop, lang: str, words: list[str]) -> None:
    said = text_of(shop.cloud.ask("GET", f"/v1/statements/{statement_of(shop)}/paper?lang={lang}").content)

    assert [word for word in words if word.replace(" ", "") not in "".join(said.split())] == []


def test_a_statement_as_json_names_every_convention(shop: Shop) -> None:
    told = shop.cloud.ask("GET", f"/v1/statements/{statement_of(shop)}").json()
    (agreement,) = shop.cloud.ask("GET", "/v1/agreements").json()["items"]

    assert told["options"] == agreement["versions"][0]["options"]
    assert "what is paid too much becomes prepaid balance" in told["options"]


def test_a_name_that_no_font_shows_is_spelt_by_its_codes_and_the_rest_stays(shop: Shop) -> None:
    street = "88 부산 \U0001f529 \U00020bb7 Harbour สวน"
    assert shop.cloud.ask("PUT", "/v1/parties/sup/details", json=DETAILS | {"street": street}).status_code == 200

    answer = shop.cloud.ask("GET", f"/v1/statements/{statement_of(shop)}/paper?lang=zh-CN")
    said = text_of(answer.content)

    assert answer.status_code == 200
    spelt = ["[U+BD80]", "[U+C0B0]", "[U+1F529]", "[U+20BB7]", "Harbour", "[U+0E2A]", "[U+0E19]"]
    assert [word for word in (*spelt, "账单", "合计") if word not in said] == []


def test_control_characters_of_a_signed_record_are_printed_as_their_codes() -> None:
    words = {name: name for name in Headings.__struct_fields__} | {"register_columns": ["a"], "log_columns": ["b"]}
    who = {"role": "r", "name": "a\0b\x1bc"}
    paper = {"title": "T", "lang": "en", "region": "GB", "made_at": 0, "total": "1", "seller": who, "buyer": who}

    said = text_of(render(msgspec.convert(paper | {"words": words}, Paper)))

    assert "a[U+0000]b[U+001B]c" in said


def test_the_same_statement_gives_the_same_bytes(shop: Shop) -> None:
    path = f"/v1/statements/{statement_of(shop)}/paper"

    first, second = shop.cloud.ask("GET", path).content, shop.cloud.ask("GET", path).content

    assert first == second
    assert b"pdfaid:part>3<" in first.replace(b"\n", b"")


def test_the_table_holds_the_statement_to_the_digit(shop: Shop) -> None:
    named = statement_of(shop)
    whole = shop.cloud.ask("GET", f"/v1/statements/{named}").json()

    rows = list(csv.DictReader(io.StringIO(shop.cloud.ask("GET", f"/v1/statements/{named}/lines.csv").text)))

    assert [row["line"] for row in rows] == [str(line["no"]) for line in whole["lines"]]
    assert sum((Decimal(row["amount"]) for row in rows), Decimal(0)) == Decimal(whole["total"]["amount"])


def test_a_paper_that_is_not_there_is_a_problem_in_words(shop: Shop) -> None:
    answer = shop.cloud.ask("GET", "/v1/statements/stm_none/paper")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "place"),
    [({"country": "Germany"}, "country"), ({"iban": "DE02120300000000202052"}, "iban"), ({"x": 1}, "x")],
)
def test_details_that_cannot_be_right_are_refused_by_name(shop: Shop, body: dict[str, str], place: str) -> None:
    answer = shop.cloud.ask("PUT", "/v1/parties/sup/details", json=body)

    assert answer.status_code == 422
    assert place in answer.text


def test_a_chart_keeps_hostile_words_as_words() -> None:
    bars = [Bar("<1>", (Decimal(3), Decimal("1.5"))), Bar("2", (Decimal(0), Decimal(0)))]

    drawn = draw(bars, unit="kWh", title='<script>"&', parts=["peak", "<valley>"], line=Line(Decimal(4), "a & b"))

    assert "<script>" not in drawn
    assert "&lt;valley&gt;" in drawn
    assert drawn.count("<rect") == 4
