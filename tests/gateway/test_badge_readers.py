"""Badge readers: their lines, spellings, double reads; the twin at the other end; the reader behind a broker."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.devices.badge_ascii import BadgeAscii as TextTwin
from firmware_sim.devices.badge_ascii import spelled
from firmware_sim.devices.badge_mqtt import BadgeMqtt as BrokerTwin
from firmware_sim.devices.badge_r200 import BadgeR200 as CloseTwin
from gateway import drivers
from gateway.device_events import BadgeRead, Event
from gateway.drivers.badge_numbers import LONGEST, normal

VECTORS = Path(__file__).parents[1] / "vectors"
CARD = 0x62E3086CED
LINES: dict[str, dict[str, Any]] = {
    "badge_ascii.03": {"frame": "line", "reads": "decimal", "digits": 10},
    "badge_ascii.04": {"frame": "line", "reads": "facility_card", "gives": "facility_card"},
    "badge_ascii.05": {"frame": "line", "reads": "wiegand26", "gives": "facility_card"},
}


def frames(kind: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in tomllib.loads((VECTORS / f"{kind}.toml").read_text())["frame"]}


def badges(events: list[Event]) -> list[str]:
    return [event.badge for event in events if isinstance(event, BadgeRead)]


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_read_as_its_spelling_says(name: str) -> None:
    frame = frames("badge_ascii")[name]

    assert badges(drivers.create("badge_ascii", LINES[name]).feed(bytes.fromhex(frame["hex"]), 1.0)) == [
        frame["decoded"]["badge"]
    ]


@pytest.mark.parametrize(
    ("reads", "gives", "read", "badge"),
    [
        ("text", "as_read", " B0017 ", "B0017"),
        ("hex", "as_read", "62e3086ced", "62E3086CED"),
        ("hex", "decimal", "62E3086CED", "424715775213"),
        ("hex", "decimal10", "62E3086CED", "3808980205"),
        ("hex", "facility_card", "62E3086CED", "008:27885"),
        ("decimal", "hex", "3808980205", "00E3086CED"),
        ("facility_card", "as_read", "123,45678", "123,45678"),
        ("facility_card", "decimal10", "123,45678", "0008106606"),
        ("wiegand26", "as_read", "2F764DD", "123:45678"),
        ("wiegand26", "as_read", "2F764DC", None),
        ("wiegand26", "as_read", "FFFFFFFFF", None),
        ("facility_card", "hex", "123,99999", None),
        ("decimal", "hex", "12a", None),
        ("hex", "hex", "xyz", None),
        ("text", "as_read", "", None),
        ("text", "as_read", "9" * 65, None),
    ],
)
def test_one_card_has_many_spellings(reads: Any, gives: Any, read: str, badge: str | None) -> None:
    assert normal(read, reads, gives) == badge


@given(text=st.text(max_size=80), reads=st.sampled_from(["text", "hex", "decimal", "facility_card", "wiegand34"]))
def test_nothing_a_reader_sends_makes_a_number_raise(text: str, reads: Any) -> None:
    found = normal(text, reads, "hex")

    assert found is None or len(found) <= LONGEST


@pytest.mark.parametrize(
    ("dialect", "settings", "badge"),
    [
        ("rdm6300", {}, "62E3086CED"),
        ("id12", {}, "62E3086CED"),
        ("hex", {"frame": "line"}, "62E3086CED"),
        ("decimal", {"frame": "line", "reads": "decimal"}, "3808980205"),
        ("wiegand", {"frame": "line", "reads": "facility_card", "gives": "facility_card"}, "008:27885"),
    ],
)
def test_a_card_that_is_held_there_is_read_once_and_again_when_it_was_gone(
    dialect: str, settings: dict[str, Any], badge: str
) -> None:
    driver, twin = drivers.create("badge_ascii", settings), TextTwin(dialect)
    read: list[str] = []

    def held(since: float, until: float) -> None:
        twin.show(CARD, since)
        while (due := twin.due()) is not None and due < until:
            read.extend(badges([event for one in twin.wake(due) for event in driver.feed(one.data, one.at)]))
        twin.take_away()

    held(0.0, 3.0)
    assert read == [badge]
    held(3.5, 4.0)
    assert read == [badge]
    held(7.0, 8.0)

    assert read == [badge, badge]


def test_another_card_is_read_at_once() -> None:
    driver = drivers.create("badge_ascii", {})

    events = driver.feed(spelled(CARD, "rdm6300"), 1.0) + driver.feed(spelled(CARD + 1, "rdm6300"), 1.1)

    assert badges(events) == ["62E3086CED", "62E3086CEE"]


def test_a_line_that_never_ends_is_noise() -> None:
    driver = drivers.create("badge_ascii", {"frame": "line"})

    driver.feed(b"7" * 1000, 1.0)

    assert badges(driver.feed(b"\r62E3086CED\r", 2.0)) == ["62E3086CED"]
    assert driver.counters.noise_bytes >= 900


def rounds(driver: Any, twin: CloseTwin, count: int, now: float = 0.0) -> list[str]:
    read: list[str] = []
    for _ in range(count):
        now += 0.1
        read += badges(driver.idle(now))
        for one in twin.receive(driver.outgoing(), now):
            read += badges(driver.feed(one.data, one.at))
    return read


def test_the_card_that_is_held_up_is_the_badge_and_the_goods_behind_are_not() -> None:
    driver, twin = drivers.create("badge_r200", {}), CloseTwin()
    twin.far = {"E200471BB0006013044509D0"}
    twin.near = {"E200001D7315016521408FC6"}

    assert rounds(driver, twin, 5) == ["E200001D7315016521408FC6"]


def test_of_two_cards_held_up_neither_is_believed() -> None:
    driver, twin = drivers.create("badge_r200", {}), CloseTwin()
    twin.near = {"E200001D7315016521408FC6", "E200471BB0006013044509D0"}

    assert rounds(driver, twin, 5) == []
    assert driver.counters.refusals["two_cards"] == 4


def test_a_tag_of_other_goods_is_no_badge() -> None:
    driver, twin = drivers.create("badge_r200", {"prefix": "E2004"}), CloseTwin()
    twin.near = {"E200001D7315016521408FC6"}

    assert rounds(driver, twin, 3) == []


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("badge_mqtt.01", {}),
        ("badge_mqtt.02", {"key": "RDM6300.UID", "reads": "hex", "gives": "decimal10"}),
    ],
)
def test_a_message_is_read_as_its_spelling_says(name: str, settings: dict[str, Any]) -> None:
    frame = frames("badge_mqtt")[name]
    driver = drivers.create("badge_mqtt", {"topic": frame["topic"], **settings})

    first = driver.feed(frame["topic"], frame["json"].encode(), 1.0)
    again = driver.feed(frame["topic"], frame["json"].encode(), 1.5)

    assert (badges(first), again) == ([frame["decoded"]["badge"]], [])


def test_the_last_badge_of_yesterday_opens_nothing_today() -> None:
    said = BrokerTwin("hall3/badge", "uid", retains=True).show("B0017")
    driver = drivers.create("badge_mqtt", {"topic": "hall3/badge", "key": "uid"})

    assert driver.feed(said.topic, said.payload, 1.0, retained=said.retain) == []
    assert badges(driver.feed(said.topic, said.payload, 2.0)) == ["B0017"]


@pytest.mark.parametrize("payload", [b"", b"\xff", b"{", b'{"uid":null}', b'{"uid":true}', b"[" * 3000, b'{"uid":{}}'])
def test_a_message_without_a_number_is_refused(payload: bytes) -> None:
    driver = drivers.create("badge_mqtt", {"topic": "t", "key": "uid"})

    assert driver.feed("t", payload, 1.0) == []
    assert driver.counters.refusals == {"layout": 1}
