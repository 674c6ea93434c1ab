"""Our own edge node at a broker: births, what waited, deaths, and the questions of hosts."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

from gateway.drivers import sparkplug_payload as spb
from gateway.drivers.sparkplug_payload import Metric, Payload
from gateway.ports import BrokerSettings
from gateway.recording import happened, stamp
from gateway.sparkplug_node import SparkplugNode
from tests.gateway.mqtt_devices import Behind, behind_a_broker, memory_link
from tests.gateway.site import MORNING
from wire.records import Reading, Record


def wh(found: list[Reading]) -> list[int]:
    return [one.value * 10**one.scale for one in found]


async def store(site: Behind, value: int, device: str = "meter-1", register: str = "import_wh") -> None:
    at = stamp(site.clock)
    reading: Record = Reading(
        v=1, z="", src=device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
        register=register, value=value, scale=0, unit="Wh",
    )  # fmt: skip
    await site.journal.append([reading])


def our_node(site: Behind, folder: Path) -> asyncio.Task[None]:
    told = BrokerSettings("broker", "memory", client_id="tallystick-node", clean=True)
    return asyncio.create_task(SparkplugNode(told, "site", "gw-1", folder, site.ports, site.journal).run())


async def heard(site: Behind) -> list[tuple[str, Payload]]:
    listener = memory_link(site.broker, "listener")
    await listener.open(["spBv1.0/site/#"])
    told: list[tuple[str, Payload]] = []

    async def listen() -> None:
        while True:
            messages = await listener.batch()
            await listener.ack(messages)
            told.extend((one.topic.split("/")[2], spb.decode(one.payload)) for one in messages)

    site.listening = asyncio.create_task(listen())  # type: ignore[attr-defined]
    return told


def test_our_node_tells_births_then_what_waited_as_historical_then_what_is_new(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        told = await heard(site)
        await store(site, 5000)
        await site.clock.sleep(10)
        await store(site, 5100)
        running = our_node(site, tmp_path)
        await site.clock.sleep(5)
        await store(site, 5200)
        await site.clock.sleep(5)
        running.cancel()

        assert [verb for verb, _ in told] == ["NBIRTH", "DBIRTH", "DDATA", "DDATA"]
        assert [payload.seq for _, payload in told] == [0, 1, 2, 3]
        waited, live = told[2][1].metrics, told[3][1].metrics
        assert [(one.historical, one.value) for one in (*waited, *live)] == [(True, 5000), (True, 5100), (False, 5200)]
        assert [one.timestamp for one in waited] == [MORNING + 500, MORNING + 10_500]
        site.listening.cancel()  # type: ignore[attr-defined]

    behind_a_broker(tmp_path, {}, play, kind="sparkplug_b")


def test_a_broken_connection_is_a_death_and_the_next_birth_has_the_next_number(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        told = await heard(site)
        await store(site, 5000)
        running = our_node(site, tmp_path)
        await site.clock.sleep(5)
        site.broker.cut("tallystick-node")
        await store(site, 5100)
        await site.clock.sleep(10)
        running.cancel()

        numbers = [(verb, spb.bd_seq(payload.metrics)) for verb, payload in told if verb in ("NBIRTH", "NDEATH")]
        assert numbers == [("NBIRTH", 0), ("NDEATH", 0), ("NBIRTH", 1)]
        sent = [one for verb, payload in told if verb == "DDATA" for one in payload.metrics]
        assert [(one.historical, one.value) for one in sent] == [(True, 5000), (True, 5100)]
        site.listening.cancel()  # type: ignore[attr-defined]

    behind_a_broker(tmp_path, {}, play, kind="sparkplug_b")


def test_a_host_may_ask_our_node_for_its_births_and_for_nothing_else(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        told = await heard(site)
        await store(site, 5000)
        running = our_node(site, tmp_path)
        await site.clock.sleep(5)
        for name, value in (("Node Control/Rebirth", True), ("Node Control/Reboot", True)):
            metric = Metric(name, datatype=spb.BOOLEAN, value=value)
            site.broker.publish("spBv1.0/site/NCMD/gw-1", spb.encode(Payload(None, (metric,))))
            await site.clock.sleep(2)
        running.cancel()

        assert [verb for verb, _ in told].count("NBIRTH") == 2
        site.listening.cancel()  # type: ignore[attr-defined]

    behind_a_broker(tmp_path, {}, play, kind="sparkplug_b")


def test_a_node_that_is_switched_off_says_its_death_itself(tmp_path: Path) -> None:
    # tck-id-operational-behavior-edge-node-intentional-disconnect-ndeath: a disconnect in order takes the will back.
    async def play(site: Behind) -> None:
        told = await heard(site)
        running = our_node(site, tmp_path)
        await site.clock.sleep(5)
        running.cancel()
        await site.clock.sleep(2)

        births = [(verb, spb.bd_seq(payload.metrics), payload.seq) for verb, payload in told]
        assert births == [("NBIRTH", 0, 0), ("NDEATH", 0, None)]
        site.listening.cancel()  # type: ignore[attr-defined]

    behind_a_broker(tmp_path, {}, play, kind="sparkplug_b")


def test_a_device_that_is_away_is_not_born_because_somebody_asks_for_the_births(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        told = await heard(site)
        await store(site, 5000)
        await store(site, 700, device="meter-2")
        running = our_node(site, tmp_path)
        await site.clock.sleep(5)
        await site.journal.append([happened("silent", stamp(site.clock), "meter-1")])
        await site.clock.sleep(5)
        rebirth = Metric("Node Control/Rebirth", datatype=spb.BOOLEAN, value=True)
        site.broker.publish("spBv1.0/site/NCMD/gw-1", spb.encode(Payload(None, (rebirth,))))
        await site.clock.sleep(2)
        running.cancel()
        await site.clock.sleep(2)
        again = our_node(site, tmp_path)
        await site.clock.sleep(5)
        await store(site, 5100)
        await site.clock.sleep(5)
        again.cancel()

        first = ["NBIRTH", "DBIRTH", "DDATA", "DBIRTH", "DDATA", "DDEATH"]
        asked, after_a_start = ["NBIRTH", "DBIRTH", "NDEATH"], ["NBIRTH", "DBIRTH", "DBIRTH", "DDATA"]
        assert [verb for verb, _ in told if verb != "NCMD"] == [*first, *asked, *after_a_start]
        site.listening.cancel()  # type: ignore[attr-defined]

    behind_a_broker(tmp_path, {}, play, kind="sparkplug_b")


def test_births_that_are_asked_for_in_the_middle_of_data_keep_the_numbers_in_order(tmp_path: Path) -> None:
    # tck-id-operational-behavior-data-commands-rebirth-action-1: no data between the question and the last birth.
    async def play(site: Behind) -> None:
        sent: list[str] = []
        link = memory_link(site.broker, "tallystick-node")
        handed_over = link.publish

        async def slowly(topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
            sent.append(f"{topic.split('/')[2]} {spb.decode(payload).seq}")
            await site.clock.sleep(0.01)
            await handed_over(topic, payload, retain=retain, qos=qos)

        link.publish = slowly  # type: ignore[method-assign]
        for number in range(6):
            await store(site, 5000 + number, device=f"meter-{number}")
        told = BrokerSettings("broker", "memory", client_id="tallystick-node", clean=True)
        ports = dataclasses.replace(site.ports, open_mqtt=lambda _: link)
        node = asyncio.create_task(SparkplugNode(told, "site", "gw-1", tmp_path, ports, site.journal).run())
        while len(sent) < 4:
            await site.clock.sleep(0.001)
        rebirth = Metric("Node Control/Rebirth", datatype=spb.BOOLEAN, value=True)
        site.broker.publish("spBv1.0/site/NCMD/gw-1", spb.encode(Payload(None, (rebirth,))))
        await site.clock.sleep(5)
        node.cancel()

        at = sent.index("NBIRTH 0", 1)
        before, after = sent[:at], sent[at:]
        born = {one for one in before if one.startswith("DBIRTH")}
        assert [one.split()[0] for one in after[: 1 + len(born)]] == ["NBIRTH", *["DBIRTH"] * len(born)]
        for numbers in (before, after):
            assert [one.split()[1] for one in numbers] == [str(number) for number in range(len(numbers))]

    behind_a_broker(tmp_path, {}, play, kind="sparkplug_b")


def test_our_node_and_our_host_understand_each_other(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        await store(site, 5000, device="far-meter")
        running = our_node(site, tmp_path)
        await site.clock.sleep(5)
        await store(site, 5100, device="far-meter")
        await site.clock.sleep(15)
        running.cancel()

        assert wh(await site.readings("near"))[:2] == [5000, 5100]

    near = {"group": "site", "node": "gw-1", "device": "far-meter", "metrics": {"import_wh": "import_wh"}}
    behind_a_broker(tmp_path, {"near": near}, play, kind="sparkplug_b")
