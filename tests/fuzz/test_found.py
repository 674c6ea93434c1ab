"""What hostile bytes once did, each found by the harnesses here or by hand: it must not come back."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from pathlib import Path

import httpx
import pytest

from cloud.books.beancount import _cell
from cloud.calendar import CalendarError, Cycle, parse_day, parse_instant, period
from cloud.documents.lines_csv import _text
from cloud.payments import bank_csv, camt053
from cloud.payments.bank_entry import MOST_ENTRIES, BankFileError
from cloud.rating.price_cases import MAX_CASES, price_cases
from cloud.web.gather import natural
from gateway.cloud_requests import MAX_ANSWER, CloudError, exchange
from gateway.drivers.mqtt_numbers import number, parse
from gateway.lifecycle import NotACaseError, play
from gateway.mdb_desk import place_of
from tests.cloud.twins import CloudTwin
from tests.fuzz.entrances import CAMT, CSV

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t", "ce-time": "2026-11-05T10:00:00Z"}


@pytest.fixture
def cloud(tmp_path: Path) -> object:
    with CloudTwin(f"sqlite:///{tmp_path}/cloud.db", tmp_path / "state") as made:
        yield made


@pytest.mark.parametrize(
    "raw", [b"1e9999999", b'"1e9999999"', b"-1E999999999999999999", b'"\xd9\xa1\xd9\xa2"', b'"1_000"']
)
def test_a_number_of_a_device_that_is_beyond_arithmetic_is_no_reading(raw: bytes) -> None:
    assert number(parse(raw), "Wh") is None


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-0\u0665T10:00:00Z"]
)
def test_an_instant_that_other_zones_do_not_have_is_none(text: str) -> None:
    with pytest.raises(CalendarError, match="is no instant"):
        parse_instant(text)


def test_a_period_of_a_thousand_years_is_refused_before_it_is_cut_into_windows() -> None:
    with pytest.raises(CalendarError, match="at most"):
        period(parse_day("1971-01-01"), parse_day("2971-01-01"), "UTC")
    with pytest.raises(ValueError, match="at most"):
        Cycle(unit="year", every=300)


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" + b"1," * MAX_CASES + b"1]"]
)
def test_a_file_of_cases_that_is_deep_or_long_is_one_error(raw: bytes) -> None:
    answer = price_cases(raw)

    assert isinstance(answer, dict)
    assert set(answer) == {"error"}


def test_a_case_of_a_draw_that_is_none_is_said_so() -> None:
    with pytest.raises(NotACaseError):
        play({"events": ["badge"] * 20_000})
    with pytest.raises(NotACaseError):
        play({"events": ["badge"], "policy": "x"})

    assert play({"events": ["scale_minus_" + "9" * 5000]}).state


def test_digits_that_only_python_knows_break_no_page_and_no_map() -> None:
    assert sorted(["\u00b2", "10", "2", "9" * 5000], key=natural)[:2] == ["2", "10"]
    assert place_of("\u00b2-1") is None


@pytest.mark.parametrize("day", ["9999-99-99", "2026-1", "x"])
def test_a_bank_file_whose_days_are_none_is_refused(day: str) -> None:
    with pytest.raises(BankFileError, match="is not a date"):
        camt053.read(CAMT.replace("2026-12-01", day).encode())


@pytest.mark.parametrize(
    ("text", "why"), [("r\x1b[2J", "cannot be shown"), ("r" * 300, "characters"), ("r\x00", "cannot be shown")]
)
def test_a_bank_file_whose_texts_are_traps_is_refused(text: str, why: str) -> None:
    with pytest.raises(BankFileError, match=why):
        bank_csv.read(CSV.replace(";r;", f";{text};").encode())


def test_a_bank_file_has_at_most_so_many_entries() -> None:
    head, _, line = CSV.partition("\n")

    with pytest.raises(BankFileError, match="at most"):
        bank_csv.read((head + "\n" + line * (MOST_ENTRIES + 1)).encode())


@pytest.mark.parametrize("text", ["=cmd|'/C calc'!A0", "+1", "-1", "@SUM(A1)"])
def test_no_text_of_an_export_is_a_formula(text: str) -> None:
    assert (_cell(text), _text(text)) == (f"'{text}", f"'{text}")


def test_an_answer_that_inflates_without_end_is_not_read() -> None:
    bomb = gzip.compress(bytes(MAX_ANSWER * 2))

    async def asked(content: bytes, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.MockTransport(lambda _: httpx.Response(500, content=content, headers=headers))
        async with httpx.AsyncClient(base_url="http://cloud", transport=transport) as client:
            return await exchange(client, "GET", "/", seconds=60)

    with pytest.raises(CloudError, match="more than"):
        asyncio.run(asked(bomb, {"content-encoding": "gzip"}))
    with pytest.raises(CloudError, match="the cloud answered 500: no reason given"):
        asyncio.run(asked(b'{"x":' + b"[" * 100_000, {"retry-after": "9" * 500}))


def test_headers_of_an_event_say_what_they_say_and_smuggle_nothing(cloud: CloudTwin) -> None:
    def counted(body: bytes = b"", **headers: str) -> tuple[int, str]:
        sent = BINARY | {f"ce-{name}": value for name, value in headers.items()}
        answer = cloud.ask("POST", "/v1/events", body=body, headers=sent)
        return answer.status_code, answer.json().get("detail", "")

    assert counted()[0] == 200
    assert counted(time="0001-01-01T00:00:00+14:00")[1].startswith("time: ")
    assert counted(id="%00")[0] == 422
    assert counted(id="%ff")[1] == "ce-id: it is not percent-encoded UTF-8"
    assert counted(id="2", tenant="other", data="x", received="0")[0] == 200
    assert counted(json.dumps({"quantity": "1e9"}).encode(), id="3")[0] == 422
    assert counted(b"[" * 100_000, id="4")[0] == 422


def test_a_cursor_and_a_length_that_nobody_gave_are_refused_by_name(cloud: CloudTwin) -> None:
    lent = cloud.ask("GET", "/v1/loans?after=open")
    sent = cloud.ask("POST", "/v1/payments/imports?format=csv", body=b"x", headers={"content-length": b"\xb2"})  # type: ignore[dict-item]

    assert (lent.status_code, sent.status_code) == (422, 422)
    assert re.match("query/after", lent.json()["detail"])


def test_the_bodies_that_the_description_points_to_are_in_it(cloud: CloudTwin) -> None:
    for _ in range(2):
        described = cloud.ask("GET", "/openapi.json", key="").json()
        cloud.restart()

        assert "$defs" not in json.dumps(described)
        assert "EventData" in described["components"]["schemas"]
