"""Views: facts in, words out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cloud.calendar import month
from cloud.rating.lines import Amount, LeafRef, Line, RegisterPoint
from cloud.web.facts import Bill, Cabinet, Device, OrderLine, Overview, Slot
from cloud.web.figures import moment, money, number, quantity
from cloud.web.gather import natural
from cloud.web.languages import Words, read_languages
from cloud.web.views.bill import bill_views, line_rows
from cloud.web.views.devices import QUIET_AFTER_MS, state_of
from cloud.web.views.events import sentence_of
from cloud.web.views.glance import calls
from cloud.web.views.orders import order_rows
from cloud.web.views.statement import index_ranges
from cloud.web.views.stock import slot_maps
from wire.records import Draw

LANGUAGES = read_languages()
EN, ZH = LANGUAGES["en"], LANGUAGES["zh_CN"]
NOW = 1_800_000_000_000


def slot(on_hand: str | None, **said: Any) -> Slot:
    """A slot with room for 24 of something."""
    facts = {"minimum": Decimal(4), "maximum": Decimal(20), "capacity": Decimal(24)} | said
    held = None if on_hand is None else Decimal(on_hand)
    return Slot(slot="1", item="Drill", unit="pc", on_hand=held, **facts)


def device(**said: Any) -> Device:
    """A device that is well."""
    facts: dict[str, Any] = {"heard_ms": NOW, "last_record_ms": NOW, "log_state": "open"} | said
    return Device(device_id="d", kind="meter", name="D", site="S", zone="UTC", gateway="G", **facts)


def line(**said: Any) -> Line:
    """A line of five drills."""
    facts: dict[str, Any] = {
        "no": 1, "kind": "per_piece", "version": 1, "charge": 0, "device": "cab-1", "subject": "drill",
        "first": "2026-11-01", "end": "2026-12-01", "effect": "usage", "belongs_to": "",
        "quantity": Amount(value="5", unit="pc"),
        "unit_price": "1.20", "unrounded": "6", "rounding": "half_up", "amount": "6.00", "level": "B", "days": 0,
        "month_days": 0, "rollovers": 0, "modulus": "", "registers": [], "leaves": [],
    }  # fmt: skip
    return Line(**(facts | said))


def overview(**said: Any) -> Overview:
    """A page with nothing on it."""
    return Overview(tenant="T", now_ms=NOW, zone="UTC", names={}, **said)


@pytest.mark.parametrize(
    ("on_hand", "word", "tone"),
    [
        (None, "Not counted", "off"),
        ("-1", "Count it", "bad"),
        ("0", "Empty", "bad"),
        ("4", "Low", "warn"),
        ("5", "Enough", "good"),
        ("20", "Full", "good"),
    ],
)
def test_what_is_left_is_a_word_and_a_tone(on_hand: str | None, word: str, tone: str) -> None:
    tile = slot_maps(EN, (Cabinet(device_id="c", name="C", site="S", slots=(slot(on_hand),)),))[0].tiles[0]

    assert (tile.state.word, tile.state.tone) == (word, tone)


def test_the_bar_never_leaves_its_frame() -> None:
    slots = (slot("-3"), slot("12"), slot("99"), slot("1", capacity=Decimal(0), maximum=Decimal(0)))

    tiles = slot_maps(EN, (Cabinet(device_id="c", name="C", site="S", slots=slots),))[0].tiles

    assert [tile.share for tile in tiles] == [0, 50, 100, 0]


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({}, "Connected"),
        ({"heard_ms": 0}, "Not seen yet"),
        ({"heard_ms": NOW - QUIET_AFTER_MS - 1}, "Quiet"),
        ({"news": "silent"}, "Silent"),
        ({"news": "back"}, "Connected"),
        ({"quarantined": 2}, "Needs a look"),
        ({"last_record_ms": None}, "Waiting"),
        ({"log_state": "frozen", "heard_ms": 0}, "Frozen"),
    ],
)
def test_a_device_has_one_state_and_says_what_to_do(said: dict[str, Any], word: str) -> None:
    state, note = state_of(EN, device(**said), NOW)

    assert state.word == word
    assert bool(note) == (word != "Connected")


def test_only_what_needs_attention_is_called_out() -> None:
    quiet = device(heard_ms=1)
    cabinet = Cabinet(device_id="c", name="C", site="S", slots=(slot("0"), slot("3"), slot("3"), slot(None)))

    busy = overview(devices=(quiet, device()), cabinets=(cabinet,), quarantined=3)

    assert calls(EN, overview(devices=(device(),))) == []
    assert [call.sentence for call in calls(EN, busy)] == [
        "1 slot is empty", "2 slots are low", "1 device is quiet", "3 records wait aside",
    ]  # fmt: skip


def order(**numbers: int) -> OrderLine:
    """A proposal with the numbers its policy looked at."""
    facts = {"on_hand": 4, "on_order": 0, "min": 5, "max": 20, "pack": 1, "packs": 16} | numbers
    return OrderLine(
        order_id="o", cabinet="C", slot="7", item="Drill", unit="pc", quantity=Decimal(16), state="proposed",
        reason="position_at_or_below_min", numbers={name: Decimal(value) for name, value in facts.items()},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({}, "4 on hand: not more than the minimum of 5. Order 16 to reach the maximum of 20."),
        (
            {"on_order": 1, "pack": 8, "packs": 2},
            "4 on hand and 1 on order: not more than the minimum of 5. Order 2 packs of 8 to reach the maximum of 20.",
        ),
        ({"capacity": 12, "packs": 8}, "4 on hand: not more than the minimum of 5. Order 8: the slot holds 12."),
    ],
)
def test_an_order_gives_its_reason_in_sentences(numbers: dict[str, int], reason: str) -> None:
    assert order_rows(EN, (order(**numbers),))[0].reason == reason


def test_a_reason_nobody_has_a_sentence_for_is_still_shown() -> None:
    odd = OrderLine(
        order_id="o", cabinet="C", slot="7", item="D", unit="pc", quantity=Decimal(1), state="proposed",
        reason="moon_phase", numbers={"age": Decimal(14)},
    )  # fmt: skip

    assert order_rows(EN, (odd,))[0].reason == "moon_phase: age 14"


def test_a_line_is_never_without_quantity_and_price() -> None:
    period = month("2026-11", "Europe/Berlin")
    fee = line(kind="monthly_fee", quantity=Amount(value="10", unit="d"), unit_price="300.00", days=10, month_days=30)
    bill = Bill(
        agreement_id="a", customer="C", currency="EUR", zone="Europe/Berlin", period=period, total=Decimal("106.00"),
        lines=(line(), fee),
    )  # fmt: skip

    view = bill_views(EN, (bill,), {"drill": "Drill 8 mm", "cab-1": "Cabinet A"})[0]

    assert [(row.what, row.where, row.quantity, row.price) for row in view.rows] == [
        ("Drill 8 mm", "Cabinet A", "5 pc", "€1.20"),
        ("Monthly fee", "Cabinet A", "10 of 30 days", "€300.00"),
    ]
    assert (view.span.first.text, view.span.end.iso) == ("Nov 1, 2026 00:00", "2026-12-01T00:00:00+01:00")


def test_a_line_says_what_is_unusual_about_it() -> None:
    point = RegisterPoint(
        device="meter-1",
        register="import_wh",
        value=12,
        scale=0,
        unit="Wh",
        leaf=LeafRef(log=0, index=1, at=2, quality="received_time"),
    )
    odd = line(belongs_to="2026-10", effect="credit", rollovers=1, modulus="1000", registers=[point, point])

    notes = line_rows(EN, [odd], "EUR", month("2026-11", "UTC"), {})[0].notes

    assert notes == [
        "taken back: this line is a credit",
        "arrived late, belongs to 2026-10",
        "the register wrapped at 1000",
        "time repaired or taken from its arrival",
    ]


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        ("confirmed", "2 pc of Drill taken from slot 7"),
        ("jammed", "Slot 7 is jammed; Drill did not come out"),
        ("denied", "Drill in slot 7 was asked for and not allowed"),
    ],
)
def test_an_event_is_a_sentence_without_blame(outcome: str, sentence: str) -> None:
    draw = Draw(
        v=1, z="", src="c", ep="e", n=1, t=0, ts="S", b="b", m=0, slot="7", item="d", asked=2, qty=2, actuation="",
        confirmation="", outcome=outcome,  # type: ignore[arg-type]  # from a list of words
    )  # fmt: skip

    assert sentence_of(EN, draw, {"d": "Drill"}) == sentence


@pytest.mark.parametrize(
    ("indexes", "shown"), [([], ""), ([7], "7"), ([3, 1, 2, 2], "1-3"), ([1, 2, 4, 9, 10], "1-2, 4, 9-10")]
)
def test_neighbouring_leaves_are_one_range(indexes: list[int], shown: str) -> None:
    assert index_ranges(indexes) == shown


def test_slots_are_in_the_order_people_count() -> None:
    assert sorted(["10", "2", "1-12", "1-3", "A2"], key=natural) == ["1-3", "1-12", "2", "10", "A2"]


@pytest.mark.parametrize(
    ("words", "amount", "currency", "shown"),
    [
        (EN, "1234.50", "CNY", "CN¥1,234.50"),
        (ZH, "1234.50", "CNY", "¥1,234.50"),
        (EN, "1234", "JPY", "¥1,234"),
        (EN, "-1.234", "KWD", "-KWD1.234"),
        (EN, "0.085312", "EUR", "€0.085312"),
    ],
)
def test_money_keeps_every_digit_that_is_due(words: Words, amount: str, currency: str, shown: str) -> None:
    assert money(words, Decimal(amount), currency) == shown


def test_numbers_and_times_follow_the_reader_and_the_site() -> None:
    assert number(EN, Decimal("12345.678900")) == "12,345.6789"
    assert quantity(EN, Decimal("1.250"), "kWh") == "1.25 kWh"
    assert moment(EN, NOW, "Asia/Shanghai").text == "Jan 15 16:00:00"
    assert moment(EN, NOW, "Asia/Shanghai").zone == "Asia/Shanghai"
    assert moment(EN, NOW, "Europe/Berlin").iso == "2027-01-15T09:00:00+01:00"
