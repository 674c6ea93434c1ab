"""The real MQTT link against a real broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.links.mqtt import MqttConnection
from gateway.ports import BrokerSettings, LinkDown, Message
from tests.gateway.broker import broker, free_port

TOPIC = "vend/v1/cab-7/evt"


def settings(port: int, name: str = "gateway") -> BrokerSettings:
    return BrokerSettings("b", "127.0.0.1", port, client_id=name, keepalive=30)


async def collect(link: MqttConnection, count: int) -> list[Message]:
    """Messages until there are so many."""
    found: list[Message] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += await link.batch()
    return found


async def opened(port: int, name: str = "gateway", topics: tuple[str, ...] = (TOPIC,)) -> MqttConnection:
    link = MqttConnection(settings(port, name))
    await link.open(topics)
    return link


def test_messages_arrive_in_order_and_in_batches(tmp_path: Path) -> None:
    async def play(port: int) -> list[bytes]:
        reader, writer = await opened(port), await opened(port, "writer", ("other",))
        await asyncio.gather(*(writer.publish(TOPIC, b"%d" % n) for n in range(300)))
        messages = await collect(reader, 300)
        await reader.ack(messages)
        await reader.close()
        await writer.close()
        return [message.payload for message in messages]

    with broker(tmp_path, free_port()) as port:
        assert asyncio.run(play(port)) == [b"%d" % n for n in range(300)]


def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(tmp_path: Path) -> None:
    async def play(port: int) -> list[bytes]:
        reader, writer = await opened(port), await opened(port, "writer", ("other",))
        for n in range(4):
            await writer.publish(TOPIC, b"%d" % n)
        first = await collect(reader, 4)
        await reader.ack(first[:2])
        await reader.publish("flush", b"")
        await reader.close()
        await writer.publish(TOPIC, b"4")
        again = await opened(port)
        told = await collect(again, 3)
        await again.close()
        await writer.close()
        return [message.payload for message in told]

    with broker(tmp_path, free_port()) as port:
        assert sorted(asyncio.run(play(port))) == [b"2", b"3", b"4"]


def test_a_broker_that_stops_is_noticed_and_one_link_opens_again(tmp_path: Path) -> None:
    async def until_gone(link: MqttConnection) -> None:
        with pytest.raises(LinkDown):
            async with asyncio.timeout(20):
                while True:
                    await link.batch()
        with pytest.raises(LinkDown):
            await link.publish(TOPIC, b"nobody hears it")

    async def talk(link: MqttConnection) -> bytes:
        await link.open([TOPIC])
        await link.publish(TOPIC, b"here again")
        return (await collect(link, 1))[0].payload

    async def play() -> bytes:
        port = free_port()
        link = MqttConnection(settings(port))
        with pytest.raises(LinkDown, match=r"127\.0\.0\.1"):
            await link.open([TOPIC])
        with broker(tmp_path, port):
            assert await talk(link) == b"here again"
        await until_gone(link)
        with broker(tmp_path, port):
            again = await talk(link)
            await link.close()
        return again

    assert asyncio.run(play()) == b"here again"
