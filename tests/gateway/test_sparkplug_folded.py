"""Sparkplug payloads that hold others: templates, as an encoder of somebody else makes them, and packed messages."""

from __future__ import annotations

import tomllib
import tracemalloc
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import DeviceFault, Event, Measured
from gateway.drivers import sparkplug_payload as spb
from gateway.drivers.protobuf_wire import LENGTH, VARINT, key_of, sized, varint

FRAMES: dict[str, dict[str, Any]] = {
    one["id"]: one
    for one in tomllib.loads((Path(__file__).parents[1] / "vectors" / "sparkplug_b.toml").read_text())["frame"]
}
METER = {
    "group": "Shopfloor", "node": "edge-heldout", "device": "meter01",
    "registers": {"import_wh": 0, "power": 0},
    "metrics": {"import_wh": "meter01/import_kwh", "power": "meter01/power W"},
}  # fmt: skip
DATA = "spBv1.0/Shopfloor/DDATA/edge-heldout/meter01"


def born() -> Any:
    driver = drivers.create("sparkplug_b", METER)
    for name in ("spb-5", "spb-6"):
        hear(driver, name)
    return driver


def hear(driver: Any, name: str) -> list[Event]:
    told: list[Event] = driver.feed(FRAMES[name]["topic"], bytes.fromhex(FRAMES[name]["hex"]), 1.0)
    return told


def shown(events: list[Event]) -> dict[str, Decimal]:
    return {one.register: Decimal(one.value).scaleb(one.scale) for one in events if isinstance(one, Measured)}


def packed(inside: bytes, outside: bytes = b"") -> bytes:
    body = zlib.compress(inside)
    return outside + key_of(4, LENGTH) + sized(spb.PACKED) + key_of(5, LENGTH) + sized(body)


def test_the_members_of_a_template_are_values_below_its_name() -> None:
    driver = drivers.create("sparkplug_b", METER)
    hear(driver, "spb-5")

    told = [event for event in hear(driver, "spb-6") if isinstance(event, Measured)]

    assert shown(list(told)) == {"import_wh": Decimal(100250), "power": Decimal(-1500)}
    assert {event.at for event in told} == {1_700_000_000_000}


@pytest.mark.parametrize("name", ["spb-8", "spb-9"])
def test_an_instance_is_known_by_its_alias_also_in_a_packed_message(name: str) -> None:
    driver = born()

    assert shown(hear(driver, "spb-7")) == {"import_wh": Decimal(101_500)}
    told = hear(driver, name)

    assert shown(told) == {"import_wh": Decimal(102_750)}
    assert {event.at for event in told if isinstance(event, Measured)} == {1_700_000_002_000}
    assert driver.outgoing == []


def test_an_instance_that_no_birth_named_makes_the_driver_ask_for_one() -> None:
    driver = drivers.create("sparkplug_b", METER)
    hear(driver, "spb-1")

    assert shown(hear(driver, "spb-7")) == {}
    assert len(driver.outgoing) == 1


def test_a_number_that_stands_outside_of_the_packed_message_counts_too() -> None:
    inside = spb.encode(spb.Payload(None, (spb.Metric("meter01/power", datatype=spb.INT32, value=7),)))
    outside = spb.encode(spb.Payload(1_700_000_003_000, (), 2))

    told = born().feed(DATA, packed(inside, outside), 1.0)

    assert shown(told) == {"power": Decimal(7)}
    assert not [event for event in told if isinstance(event, DeviceFault)]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (packed(bytes(2 * spb.UNPACKED)), "size"),
        (packed(packed(b"")), "packed"),
        (packed(b"")[:-3], "length"),
        (key_of(4, LENGTH) + sized(spb.PACKED) + key_of(5, LENGTH) + sized(b"plain"), "packed"),
        (key_of(4, LENGTH) + sized(spb.PACKED), "length"),
    ],
)
def test_what_cannot_be_unpacked_is_refused_by_name(payload: bytes, why: str) -> None:
    with pytest.raises(spb.BadPayloadError) as refused:
        spb.decode(payload)

    assert refused.value.why == why


def test_a_bomb_takes_no_more_than_its_limit() -> None:
    bomb = packed(bytes(64 * spb.UNPACKED))
    tracemalloc.start()

    with pytest.raises(spb.BadPayloadError):
        spb.decode(bomb)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * spb.UNPACKED


def test_templates_in_templates_end_somewhere_and_their_metrics_are_counted_together() -> None:
    def template(members: bytes) -> bytes:
        return key_of(2, LENGTH) + sized(key_of(1, LENGTH) + sized(b"t") + key_of(18, LENGTH) + sized(members))

    deep = key_of(2, LENGTH) + sized(key_of(10, VARINT) + varint(1))
    for _ in range(spb.DEEPEST):
        deep = template(deep)
    wide = template((key_of(2, LENGTH) + b"\x00") * spb.MOST_METRICS)

    assert spb.decode(deep).metrics[0].members
    for payload in (template(deep), wide):
        with pytest.raises(spb.BadPayloadError, match="size"):
            spb.decode(payload)
