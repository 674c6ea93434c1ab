"""The MQTT cabinet's messages: the golden ones, the wrong ones, and what a gap in the numbers means."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import drivers
from gateway.device_events import CabinetState, DeviceFault, Dispensed, VendRequested
from gateway.drivers.mqtt_cabinet import Command, Portrait, Told, rfc3339

FRAMES = tomllib.loads((Path(__file__).parents[1] / "vectors" / "mqtt_cabinet.toml").read_text())["frame"]
HEARD = [frame for frame in FRAMES if frame["direction"] == "device>host"]
EVT = "vend/v1/cab-7/evt"


def cabinet() -> Any:
    return drivers.create("mqtt_cabinet", {"cabinet": "cab-7"})


def evt(seq: int, boot: int = 17, kind: str = "door", **fields: Any) -> bytes:
    head = {"v": 1, "mid": f"B{boot}S{seq}", "boot": boot, "seq": seq, "t": "", "clk": "unsynced", "type": kind}
    return msgspec.json.encode({**head, **fields})


@pytest.mark.parametrize("frame", [frame for frame in HEARD if frame["valid"]], ids=lambda frame: frame["id"])
def test_a_golden_message_is_understood(frame: dict[str, Any]) -> None:
    (event,) = cabinet().feed(frame["topic"], frame["json"].encode(), 0.0)

    told = frame["decoded"]
    match event:
        case Dispensed():
            assert (event.cmd_id, event.qty, event.motor) == (told["cmd_id"], told["qty"], told.get("motor", "ok"))
            assert event.drop == told.get("drop", event.drop)
            assert event.local is (told.get("auth") == "local")
        case VendRequested():
            assert (event.badge, event.slot, event.qty) == (told["badge"], told["slot"], told["qty"])
            assert event.for_ == told.get("for", "")
        case CabinetState():
            assert event.online is told["online"]
            assert event.counters.get("1-03") == told.get("ctr", event.counters.get("1-03"))
        case DeviceFault():
            assert event.event.split("_")[0] == told["type"]


@pytest.mark.parametrize("frame", [frame for frame in HEARD if not frame["valid"]], ids=lambda frame: frame["id"])
def test_a_wrong_message_is_malformed_and_nothing_else(frame: dict[str, Any]) -> None:
    (event,) = cabinet().feed(frame["topic"], frame["json"].encode(), 0.0)

    assert (event.event, event.data["size"]) == ("malformed", len(frame["json"].encode()))


def test_an_events_name_is_its_boot_number_and_message() -> None:
    (event,) = cabinet().feed(EVT, evt(3), 0.0)

    assert event.did == "17/3/B17S3"


def test_equal_times_are_no_matter() -> None:
    driver = cabinet()

    told = [driver.feed(EVT, evt(seq), 0.0)[0].did for seq in (1, 2, 3)]

    assert len(set(told)) == 3


def test_a_gap_is_told_once_and_asked_for() -> None:
    driver = cabinet()
    driver.feed(EVT, evt(1), 0.0)

    events = driver.feed(EVT, evt(5), 0.0)

    assert [(one.event, one.data) for one in events[1:]] == [
        ("lost", {"boot": 17, "first": 2, "last": 4, "state": "asked_again"})
    ]
    (asked,) = driver.outgoing
    assert {"cmd": "resend", "boot": 17, "from": 2, "to": 4}.items() <= msgspec.json.decode(asked.payload).items()


def test_what_is_told_again_is_no_new_gap() -> None:
    driver = cabinet()
    for seq in (1, 4):
        driver.feed(EVT, evt(seq), 0.0)

    again = [event.event for seq in (2, 3, 4, 5) for event in driver.feed(EVT, evt(seq), 1.0)]

    assert again == ["door_closed"] * 4
    assert len(driver.outgoing) == 1


def test_a_result_that_is_told_again_is_known_to_be_old() -> None:
    driver = cabinet()
    result: dict[str, Any] = {"kind": "dispense.result", "slot": "1-03", "qty": 1, "motor": "ok", "drop": "seen"}
    driver.feed("vend/v1/cab-7/state", b'{"v":1,"online":true,"boot":17,"seq":3}', 0.0)

    told = [one.old for seq in (2, 4, 3) for one in driver.feed(EVT, evt(seq, **result), 0.0) if hasattr(one, "old")]

    assert told == [True, False, True]


def test_a_portrait_from_before_the_newest_event_says_no_counters() -> None:
    driver = cabinet()
    driver.remember(["17/8/B17S8"])
    slots = b'"slots":{"1-03":{"level":5,"ctr":9}}'

    (old,) = driver.feed("vend/v1/cab-7/state", b'{"v":1,"online":true,"boot":17,"seq":7,' + slots + b"}", 0.0)
    (new,) = driver.feed("vend/v1/cab-7/state", b'{"v":1,"online":true,"boot":17,"seq":8,' + slots + b"}", 0.0)

    assert (old.counters, new.counters) == ({}, {"1-03": 9})


def test_the_end_of_the_boot_before_can_be_a_gap_too() -> None:
    driver = cabinet()
    driver.feed(EVT, evt(7), 0.0)

    events = driver.feed(EVT, evt(1, boot=18, kind="boot", fw="1", prev_boot=17, prev_seq=9), 0.0)

    assert [event.data["first"] for event in events if event.event == "lost"] == [8]


def test_a_gap_across_our_own_restart_is_seen() -> None:
    driver = cabinet()
    driver.remember(["17/6/B17S6", "gap/17/1-2", "17/5/B17S5"])

    events = driver.feed(EVT, evt(8), 0.0)

    assert [(event.data["first"], event.data["last"]) for event in events if event.event == "lost"] == [(7, 7)]


def test_a_portrait_that_knows_more_is_believed_after_a_while() -> None:
    driver = cabinet()
    driver.feed(EVT, evt(1), 0.0)
    driver.feed("vend/v1/cab-7/state", b'{"v":1,"online":true,"boot":17,"seq":3}', 0.0)

    driver.tick(5.0)
    early = list(driver.outgoing)
    driver.tick(11.0)

    assert early == []
    assert len(driver.outgoing) == 1


def test_a_type_of_tomorrow_is_an_event() -> None:
    (event,) = cabinet().feed(EVT, evt(1, kind="temperature", open="warm", celsius=4, note="a\tb"), 0.0)

    assert (event.event, event.data["celsius"], event.data["note"]) == ("temperature", 4, "ab")


def test_retained_events_are_ignored_and_retained_portraits_are_marked() -> None:
    driver = cabinet()

    assert driver.feed(EVT, evt(1), 0.0, retained=True) == []
    (state,) = driver.feed("vend/v1/cab-7/state", b'{"v":1,"online":true}', 0.0, retained=True)
    assert state.retained


def test_a_flood_of_malformed_messages_is_told_ten_times_and_then_once_a_minute() -> None:
    driver = cabinet()

    told = [event for n in range(1000) for event in driver.feed(EVT, b"{", n / 10)]

    assert len(told) == 11
    assert told[-1].data["not_told"] == 590


def test_text_is_made_fit_for_a_record() -> None:
    (event,) = cabinet().feed(
        EVT,
        evt(1, kind="vend.request", badge="B\u00001", slot="1-03", qty=1, **dict[str, Any]({"for": "e\u0301"})),
        0.0,
    )

    assert (event.badge, event.for_) == ("B1", "\u00e9")


def test_the_cabinets_own_time_counts_only_when_it_is_set() -> None:
    driver = cabinet()
    body: dict[str, Any] = {"badge": "B", "slot": "1", "qty": 1, "t": "2026-01-06T08:15:02.120Z"}

    (unset,) = driver.feed(EVT, evt(1, kind="vend.request", **body), 0.0)
    (synced,) = driver.feed(EVT, evt(2, kind="vend.request", **body, clk="synced"), 0.0)

    assert unset.at is None
    assert rfc3339(synced.at) == body["t"]


def test_commands_are_as_the_golden_ones() -> None:
    golden = {
        frame["id"]: msgspec.json.decode(frame["json"]) for frame in FRAMES if frame["direction"] == "host>device"
    }
    driver = cabinet()
    expires = 1_767_687_317_000

    dispense = msgspec.json.decode(driver.dispense("d-7f3b", "1-03", 1, expires, request="B17S2").payload)
    deny = msgspec.json.decode(driver.deny("n-1", "B17S3", "badge unknown", expires).payload)

    assert {**dispense, "expires": 0} == {**golden["mqtt.08"], "expires": 0}
    assert {**deny, "expires": 0} == {**golden["mqtt.18"], "expires": 0}
    assert dispense["expires"] == "2026-01-06T08:15:17.000Z"


NAMES = ["v", "mid", "boot", "seq", "type", "slot", "qty", "motor", "x"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner),
).map(msgspec.json.encode)


@settings(max_examples=200, deadline=None)
@given(payload=st.binary(max_size=200) | ANYTHING)
def test_no_message_makes_the_driver_raise(payload: bytes) -> None:
    driver = cabinet()

    driver.feed(EVT, payload, 0.0)
    driver.feed("vend/v1/cab-7/state", payload, 0.0)


def test_what_is_missing_is_asked_for_again_and_called_unknown_in_the_end() -> None:
    driver = cabinet()
    driver.feed(EVT, evt(1), 0.0)
    driver.feed(EVT, evt(4), 1.0)
    asked = len(driver.outgoing)
    for second in range(2, 600):
        driver.tick(float(second))

    told = driver.feed(EVT, evt(5), 600.0)

    assert asked == 1
    assert len(driver.outgoing) == 7
    (unknown,) = [one for one in told if isinstance(one, DeviceFault) and one.event == "lost"]
    assert (unknown.data["first"], unknown.data["last"], unknown.data["state"]) == (2, 3, "unknown")


def test_what_comes_after_all_is_not_asked_for_any_more() -> None:
    driver = cabinet()
    driver.feed(EVT, evt(1), 0.0)
    driver.feed(EVT, evt(4), 1.0)
    driver.feed(EVT, evt(2), 2.0)
    driver.feed(EVT, evt(3), 2.0)
    driver.outgoing.clear()

    driver.tick(100.0)

    assert driver.outgoing == []


def test_a_gap_that_was_open_when_we_stopped_is_asked_for_after_the_start() -> None:
    driver = cabinet()
    driver.remember(["17/1/a", "17/2/b", "17/5/c"])

    driver.tick(100.0)

    (asked,) = driver.outgoing
    message = msgspec.json.decode(asked.payload)
    assert (message["cmd"], message["boot"], message["from"], message["to"]) == ("resend", 17, 3, 4)


def test_the_published_schema_is_that_of_the_driver() -> None:
    shapes = {"evt": Told, "cmd": Command, "state": Portrait}
    (refs, parts) = msgspec.json.schema_components(shapes.values(), ref_template="#/$defs/{name}")
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vend/v1/{cabinet}/{cmd|evt|state}",
        "properties": dict(zip(shapes, refs, strict=True)),
        "$defs": parts,
    }

    published = (Path(__file__).parents[2] / "docs" / "protocols" / "mqtt_cabinet.schema.json").read_bytes()

    assert msgspec.json.decode(published) == msgspec.json.decode(msgspec.json.encode(whole))


SENT = [one for one in FRAMES if one["direction"] == "host>device" and one["valid"]]


@pytest.mark.parametrize("frame", SENT, ids=lambda one: one["id"])
def test_golden_commands_fit_the_schema(frame: dict[str, Any]) -> None:
    plain = msgspec.json.decode(frame["json"])

    command = msgspec.json.decode(frame["json"], type=Command)

    assert msgspec.to_builtins(command) == plain


def test_a_field_of_tomorrow_that_is_no_text_does_not_hide_the_event() -> None:
    message = evt(1, kind="tomorrow", odd="XX").replace(b"XX", b"\xbe\xff")

    (event,) = cabinet().feed(EVT, message, 0.0)

    assert event.event == "tomorrow"
    assert "utf-8" in event.data["why"]
