"""Sparkplug B both ways: golden payloads, a foreign edge node at our host, and our own node read back by it."""

from __future__ import annotations

import asyncio
import itertools
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.devices.sparkplug_b import EdgeNodeTwin
from gateway import drivers
from gateway.clock import system_clock
from gateway.device_events import DeviceFault, Event, Measured, Presence
from gateway.drivers import sparkplug_payload as spb
from gateway.drivers.sparkplug_payload import Metric, Payload
from gateway.journal import reading as reading_rows
from gateway.journal.store import Journal
from gateway.links.mqtt import MqttConnection
from gateway.mqtt_session import MqttSession
from gateway.ports import BrokerSettings, Ports
from gateway.premises import Premises
from gateway.recording import stamp
from gateway.shelf import Shelf
from gateway.sparkplug_node import SparkplugNode
from tests.gateway.broker import broker, free_port
from tests.gateway.mqtt_devices import Behind, behind_a_broker, memory_link
from tests.gateway.site import MORNING, Told, desired, no_line
from wire.records import Reading, decode

FILE = tomllib.loads((Path(__file__).parents[1] / "vectors" / "sparkplug_b.toml").read_text())
FRAMES = {one["id"]: one for one in FILE["frame"]}
METER = {"group": "Shopfloor", "node": "edge-heldout", "device": "meter01"}
TYPES = {"String": spb.STRING, "Int64": spb.INT64, "Double": spb.DOUBLE, "Float": spb.FLOAT, "Boolean": spb.BOOLEAN}
HOST = {"group": "Shopfloor", "node": "edge-1", "device": "meter01"}


def hear(driver: Any, name: str) -> list[Event]:
    events: list[Event] = driver.feed(FRAMES[name]["topic"], bytes.fromhex(FRAMES[name]["hex"]), 1.0)
    return events


def values(events: list[Event]) -> list[Decimal]:
    return [Decimal(one.value).scaleb(one.scale) for one in events if isinstance(one, Measured)]


@pytest.mark.parametrize("frame", FILE["frame"], ids=lambda one: one["id"])
def test_a_golden_payload_is_read_exactly_and_made_again_byte_for_byte(frame: dict[str, Any]) -> None:
    payload = spb.decode(bytes.fromhex(frame["hex"]))
    told = frame["decoded"]

    for metric, (name, kind, value) in zip(payload.metrics, told.get("metrics", ()), strict=False):
        assert (metric.name, metric.datatype) == (name, TYPES[kind])
        assert metric.value == (Decimal(value) if isinstance(metric.value, Decimal) else value)
    assert payload.seq == told.get("seq", payload.seq)
    assert told.get("bdSeq", 0) in (0, spb.bd_seq(payload.metrics))
    if told.get("made_again", True):
        assert spb.encode(payload) == bytes.fromhex(frame["hex"])


def test_a_death_of_another_birth_is_an_old_will_and_changes_nothing() -> None:
    driver = drivers.create("sparkplug_b", METER)
    hear(driver, "spb-1")
    born = hear(driver, "spb-2")
    told = hear(driver, "spb-3")

    assert (values(born), values(told)) == ([Decimal(100_000)], [Decimal(100_250)])
    assert hear(driver, "spb-4") == []
    assert driver.counters.refused == 1


def test_a_death_of_this_birth_is_one() -> None:
    driver = drivers.create("sparkplug_b", METER)
    hear(driver, "spb-1")
    hear(driver, "spb-2")
    death = spb.encode(Payload(None, (Metric("bdSeq", datatype=spb.INT64, value=0),)))

    assert driver.feed(FRAMES["spb-4"]["topic"], death, 2.0) == [Presence(online=False)]
    assert hear(driver, "spb-3") == []
    assert [one.qos for one in driver.outgoing] == [0]


def test_data_before_a_birth_is_no_reading_and_a_birth_is_asked_for_once() -> None:
    driver = drivers.create("sparkplug_b", METER)

    assert hear(driver, "spb-3") == hear(driver, "spb-3") == []
    (asked,) = driver.outgoing
    (metric,) = spb.decode(asked.payload).metrics
    assert (asked.topic, asked.qos) == ("spBv1.0/Shopfloor/NCMD/edge-heldout", 0)
    assert (metric.name, metric.value) == ("Node Control/Rebirth", True)


def test_a_gap_in_the_numbers_is_said_and_births_are_asked_for() -> None:
    driver = drivers.create("sparkplug_b", METER)
    hear(driver, "spb-1")

    events = hear(driver, "spb-3")

    assert [one.data["expected"] for one in events if isinstance(one, DeviceFault)] == [1]
    assert len(driver.outgoing) == 1


def test_a_retained_birth_is_no_birth() -> None:
    driver = drivers.create("sparkplug_b", METER)

    assert driver.feed(FRAMES["spb-1"]["topic"], bytes.fromhex(FRAMES["spb-1"]["hex"]), 1.0, retained=True) == []


@pytest.mark.parametrize(
    ("datatype", "value"),
    [(spb.INT8, -3), (spb.INT16, -300), (spb.INT32, -70_000), (spb.INT64, -(2**40)), (spb.UINT64, 2**63),
     (spb.UINT32, 2**31), (spb.BOOLEAN, True), (spb.STRING, "ü"), (spb.DOUBLE, Decimal("0.1")),
     (spb.FLOAT, Decimal("230.4"))],
)  # fmt: skip
def test_every_kind_of_value_survives_the_way(datatype: int, value: Any) -> None:
    sent = Payload(1, (Metric("x", 7, 2, datatype, historical=True, value=value, unit="kWh"),), 3)

    (metric,) = spb.decode(spb.encode(sent)).metrics

    assert spb.typed(metric, datatype) == value
    assert (metric.alias, metric.historical, metric.unit) == (7, True, "kWh")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=120))
def test_no_bytes_raise_anything_but_the_declared_error(data: bytes) -> None:
    driver = drivers.create("sparkplug_b", METER)

    for topic in ("spBv1.0/Shopfloor/NBIRTH/edge-heldout", FRAMES["spb-3"]["topic"], FRAMES["spb-4"]["topic"]):
        driver.feed(topic, data, 0.0)


# A foreign node at our host


def node(site: Behind) -> EdgeNodeTwin:
    twin = EdgeNodeTwin(start_wh=5000, now=site.clock.line(), world_ms=lambda now: MORNING + round(now * 1000))
    twin.set_load_w(36_000, site.clock.line())
    site.attach("meter", twin)
    return twin


def wh(readings: list[Reading]) -> list[int]:
    return [int(Decimal(one.value).scaleb(one.scale)) for one in readings]


def test_a_node_is_read_by_its_births_and_its_data(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        node(site)
        await site.clock.sleep(45)

        readings = await site.readings()
        assert wh(readings) == [5000, 5100, 5200, 5300, 5400]
        assert all(one.q == ["device_time"] for one in readings)

    behind_a_broker(tmp_path, {"meter": HOST}, play, kind="sparkplug_b")


def test_a_lost_message_is_said_the_births_come_again_and_nothing_is_told_twice(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        twin = node(site)
        await site.clock.sleep(25)
        twin.lose_next = 1
        await site.clock.sleep(40)

        assert twin.rebirths == 1
        assert await site.events() == ["lost"]
        readings = await site.readings()
        assert wh(readings) == sorted(wh(readings))
        assert len({one.did for one in readings}) == len({one.t for one in readings}) == len(readings)

    behind_a_broker(tmp_path, {"meter": HOST}, play, kind="sparkplug_b")


def test_what_a_node_measured_while_it_was_away_comes_with_its_own_times(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        node(site)
        await site.clock.sleep(15)
        site.broker.drop(site.clients["meter"])
        for _ in range(3):
            await site.clock.sleep(10)
        site.broker.connect(site.clients["meter"])
        await site.clock.sleep(12)

        readings = await site.readings()
        late = [one for one in readings if "historical" in one.q]
        assert [(one.t - MORNING) // 10_000 for one in late] == [2, 3, 4]
        assert "offline" in await site.events()

    behind_a_broker(tmp_path, {"meter": HOST}, play, kind="sparkplug_b")


def test_a_host_says_that_it_is_there_and_its_will_says_when_it_is_not(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        listener = memory_link(site.broker, "listener")
        await listener.open(["spBv1.0/STATE/tally"])
        (here,) = await listener.batch()
        site.broker.cut("tallystick")
        (gone,) = await listener.batch()

        assert here.payload.startswith(b'{"online":true,"timestamp":')
        assert gone.payload == here.payload.replace(b"true", b"false")

    behind_a_broker(tmp_path, {"meter": {**HOST, "host": "tally"}}, play, kind="sparkplug_b")


def test_a_host_that_somebody_calls_gone_says_again_that_it_is_there(tmp_path: Path) -> None:
    # Eclipse Sparkplug 3.0.0, tck-id-message-flow-hid-sparkplug-state-message-delivered.
    async def play(site: Behind) -> None:
        listener = memory_link(site.broker, "listener")
        await listener.open(["spBv1.0/STATE/tally"])
        (here,) = await listener.batch()
        site.broker.publish("spBv1.0/STATE/tally", b'{"online":false,"timestamp":1}', retain=True)
        await site.clock.sleep(1)

        said = await listener.batch()
        assert [one.payload for one in said] == [b'{"online":false,"timestamp":1}', here.payload]

    behind_a_broker(tmp_path, {"meter": {**HOST, "host": "tally"}}, play, kind="sparkplug_b")


def test_at_a_real_broker(tmp_path: Path) -> None:
    async def main(port: int) -> None:
        clock = system_clock("e" * 16)
        salts = (f"{n:032x}" for n in itertools.count())
        journal = await Journal.open(tmp_path / "journal.db", boot=clock.boot, salt=lambda: next(salts), demo=True)
        ports = Ports(clock, lambda: "", no_line, MqttConnection)
        host = BrokerSettings("broker", "127.0.0.1", port)
        own = BrokerSettings("broker", "127.0.0.1", port, client_id="tallystick-node", clean=True)
        near = {
            "group": "site",
            "node": "gw-1",
            "device": "far",
            "metrics": {"import_wh": "import_wh"},
            "host": "tally",
        }
        plug = {"dialect": "tasmota", "name": "pow1"}
        built = {"near": drivers.create("sparkplug_b", near), "plug": drivers.create("mqtt_meters", plug)}
        session = MqttSession(host, built, ports)
        session.serve(Premises(clock, journal, Told(desired()), Shelf()))
        node = SparkplugNode(own, "site", "gw-1", tmp_path, ports, journal)
        running = [asyncio.create_task(session.run()), asyncio.create_task(node.run())]
        at = stamp(clock)
        reading = Reading(
            v=1, z="", src="far", ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
            register="import_wh", value=5000, scale=0, unit="Wh",
        )  # fmt: skip
        await journal.append([reading])
        talker = MqttConnection(BrokerSettings("broker", "127.0.0.1", port, client_id="plug"))
        await talker.open(["nothing"])
        said = b'{"Time":"2018-02-15T17:37:10","ENERGY":{"Total":6.294}}'
        async with asyncio.timeout(20):
            while len(await _sources(journal)) < 3:
                await talker.publish("tele/pow1/SENSOR", said)
                await clock.sleep(0.1)
        await talker.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await journal.close()

    with broker(tmp_path, free_port()) as port:
        asyncio.run(main(port))


async def _sources(journal: Journal) -> set[str]:
    rows = await journal.read(reading_rows.leaves_after, 0, 1000)
    return {record.src for record in map(decode, (leaf for _, leaf in rows)) if isinstance(record, Reading)}
