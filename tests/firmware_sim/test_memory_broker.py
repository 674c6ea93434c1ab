"""The broker in memory: it repeats, doubles and forgets as brokers may, and no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from firmware_sim import virtual_time
from firmware_sim.cabinet_client import CabinetClient
from firmware_sim.devices.mqtt_cabinet import MqttCabinet
from firmware_sim.faults import MqttFaults, MqttPlan
from firmware_sim.memory_broker import MemoryBroker, MemoryMqttLink, Packet

TOPICS = ("vend/v1/+/evt", "vend/v1/+/state")


class GoneError(OSError):
    """What the gateway's side would call it."""


class Scene:
    """A broker, one cabinet, and a gateway's link on it."""

    def __init__(self, plan: MqttPlan) -> None:
        self.broker = MemoryBroker(MqttFaults(plan, "test"))
        self.client = CabinetClient(MqttCabinet("cab-7", {"1-03": 9}))
        self.broker.attach(self.client)

    def link(self, window: int = 400) -> MemoryMqttLink[Packet]:
        return MemoryMqttLink(
            self.broker, "gateway", make=lambda one: one, mid=lambda one: one.mid, down=GoneError, window=window
        )

    def badge(self) -> None:
        self.client.did(self.client.twin.badge("04A1B2C3", "1-03", self.client.now))


def played(play: Callable[[Scene], Coroutine[None, None, None]], plan: MqttPlan | None = None) -> None:
    async def main() -> None:
        await play(Scene(plan or MqttPlan()))

    virtual_time.run(main())


async def gather(link: MemoryMqttLink[Packet], seconds: float = 1.0, *, ack: bool = True) -> list[dict[str, Any]]:
    """Everything that comes until the link is silent for `seconds`."""
    seen: list[dict[str, Any]] = []
    while True:
        try:
            packets = await asyncio.wait_for(link.batch(), seconds)
        except TimeoutError:
            return seen
        seen += [{"retain": one.retain, **json.loads(one.payload)} for one in packets]
        if ack:
            await link.ack(packets)


def types(messages: list[dict[str, Any]]) -> list[str]:
    return [one.get("type", "state") for one in messages]


def command(cmd: str, cmd_id: str, **fields: object) -> bytes:
    return json.dumps({"v": 1, "cmd": cmd, "cmd_id": cmd_id, "expires": "2100-01-01T00:00:00Z", **fields}).encode()


def test_a_whole_draw_goes_there_and_back() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link()
        await link.open(TOPICS)
        await gather(link)
        scene.badge()
        (request,) = [one for one in await gather(link) if one.get("type") == "vend.request"]

        await link.publish("vend/v1/cab-7/cmd", command("dispense", "d-1", slot="1-03", qty=1, req=request["mid"]))
        told = await gather(link, 5.0)

        assert types(told) == ["dispense.result", "state"]
        assert scene.client.twin.coils.goods("1-03") == 8

    played(play)


def test_what_was_not_acknowledged_comes_again_to_the_next_connection() -> None:
    async def play(scene: Scene) -> None:
        first = scene.link()
        await first.open(TOPICS)
        scene.badge()
        told = await gather(first, ack=False)

        second = scene.link()
        await second.open(TOPICS)
        again = await gather(second)

        assert types(again)[: len(told)] == types(told)
        with pytest.raises(GoneError):
            await first.batch()

    played(play)


def test_events_wait_for_a_gateway_that_is_away() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link()
        await link.open(TOPICS)
        await gather(link)
        await link.close()
        scene.badge()
        await asyncio.sleep(60)

        again = scene.link()
        await again.open(TOPICS)

        assert "vend.request" in types(await gather(again))

    played(play)


def test_a_new_subscriber_gets_the_retained_state_marked_as_such() -> None:
    async def play(scene: Scene) -> None:
        await asyncio.sleep(1)
        link = scene.link()
        await link.open(TOPICS)

        (state,) = await gather(link)

        assert (state["retain"], state["online"]) == (True, True)

    played(play)


def test_a_cabinet_that_is_gone_leaves_its_will() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link()
        await link.open(TOPICS)
        await gather(link)

        scene.broker.drop(scene.client)

        assert [one["online"] for one in await gather(link)] == [False]

    played(play)


def test_a_lost_acknowledgement_makes_the_cabinet_say_it_again_after_reconnecting() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link()
        await link.open(TOPICS)
        scene.badge()
        first = await gather(link)

        scene.broker.drop(scene.client)
        scene.broker.connect(scene.client)
        again = await gather(link)

        assert {one["mid"] for one in again if "mid" in one} == {one["mid"] for one in first if "mid" in one}
        assert scene.broker.counts["lost_acks"] > 0

    played(play, MqttPlan(lose_ack=1.0))


def test_a_doubled_command_turns_the_motor_once() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link()
        await link.open(TOPICS)
        await link.publish("vend/v1/cab-7/cmd", command("dispense", "d-1", slot="1-03", qty=1))
        told = await gather(link, 5.0)

        assert scene.client.twin.coils.goods("1-03") == 8
        assert len({one["mid"] for one in told if one.get("type") == "dispense.result"}) == 1
        assert scene.broker.counts["doubled"] > 0

    played(play, MqttPlan(double=1.0))


def test_a_broker_without_a_disk_leaves_a_gap_that_resend_fills() -> None:
    async def play(scene: Scene) -> None:
        scene.badge()
        await asyncio.sleep(1)
        scene.broker.stop(forget=True)
        scene.broker.start()
        link = scene.link()
        await link.open(TOPICS)
        lost = await gather(link)

        await link.publish("vend/v1/cab-7/cmd", command("resend", "r-1", boot=1, **{"from": 1, "to": 2}))

        assert "vend.request" not in types(lost)
        assert types(await gather(link)) == ["boot", "vend.request"]

    played(play)


def test_a_stopped_broker_ends_every_connection_and_refuses_new_ones() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link()
        await link.open(TOPICS)
        await gather(link)
        asyncio.get_running_loop().call_later(5, scene.broker.stop)

        with pytest.raises(GoneError):
            await link.batch()
        with pytest.raises(GoneError, match="does not answer"):
            await scene.link().open(TOPICS)

    played(play)


def test_a_full_window_waits_for_acknowledgements() -> None:
    async def play(scene: Scene) -> None:
        link = scene.link(window=1)
        await link.open(TOPICS)

        (first,) = await link.batch()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.batch(), 10)
        await link.ack([first])

        assert len(await link.batch()) == 1

    played(play)
