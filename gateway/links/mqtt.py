"""One MQTT connection: paho-mqtt on our own event loop, without its thread. PUBACK only when the journal holds it.

The surprise is the speed: driven by its thread, paho makes three system calls a message and wakes for each. On our loop
and behind a buffer that takes the messages out itself, a burst costs a quarter of that and arrives as one batch for one
commit. MQTT 5 comes first, for its Receive Maximum; a broker that does not have it gets 3.1.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Sequence
from typing import Any, cast

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.links.buffered_socket import BufferedSocket, puback
from gateway.ports import BrokerSettings, LinkDown, Message, Will

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
HOUSEKEEPING_SECONDS = 5.0
# Reads before other tasks get their turn.
AT_ONCE = 8
WEEK = 7 * 86_400


class _Client(paho.Client):
    """paho, with a buffer between it and the socket."""

    buffer: BufferedSocket | None = None

    def _create_socket(self) -> Any:  # noqa: ANN401 - paho's own private type
        self.buffer = BufferedSocket(cast("Any", super()._create_socket()))
        return self.buffer


class MqttConnection:
    """`open_mqtt` of the real world. Opened again after LinkDown, it goes on with the same session at the broker."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._version = paho.MQTTv5
        self._client: _Client | None = None
        self._inbox: list[Message] = []
        self._arrived = asyncio.Event()
        self._answers: dict[tuple[str, int], asyncio.Future[Any]] = {}
        self._down = "not opened yet"
        self._timer: asyncio.TimerHandle | None = None
        self._will: Will | None = None

    async def open(self, topics: Sequence[str], will: Will | None = None) -> None:
        """Connects and subscribes; raises LinkDown with what to look at."""
        self._will = will
        try:
            await self._connect(self._version)
        except LinkDown as error:
            if self._version != paho.MQTTv5:
                raise
            try:
                await self._connect(paho.MQTTv311)
            except LinkDown:
                self._version = paho.MQTTv5
                raise error from None
        await self.subscribe(topics)

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Listens to these too; raises LinkDown where the broker refuses one."""
        granted = await self._ask("subscribe", lambda client: client.subscribe([(topic, 1) for topic in topics]))
        refused = [topic for topic, code in zip(topics, granted, strict=False) if code.is_failure]
        if refused:
            await self.close()
            raise LinkDown(f"broker {self._settings.name} does not let us read {', '.join(refused)}: check its rights")

    async def batch(self) -> list[Message]:
        """Waits for a message; all that have come. Raises LinkDown when the connection is gone."""
        while not self._inbox:
            self._check()
            self._arrived.clear()
            await self._arrived.wait()
        batch, self._inbox = self._inbox, []
        return batch

    async def ack(self, messages: Sequence[Message]) -> None:
        """One PUBACK each, in one write."""
        client = self._check()
        if client.buffer is not None:
            client.buffer.send(puback([message.mid for message in messages if message.qos]))
        self._flush()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """Returns when the broker has acknowledged, with `qos` 0 when it is handed over; raises LinkDown."""
        if qos == 0:
            self._check().publish(topic, payload, qos=0, retain=retain)
            self._flush()
            return
        await self._ask("publish", lambda client: _sent(client.publish(topic, payload, qos=1, retain=retain)))

    async def close(self) -> None:
        """Says goodbye; the session stays at the broker. Never raises."""
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError, ValueError):
                client.disconnect()
                self._flush()
        self._lost("closed")

    async def _connect(self, version: Any) -> None:  # noqa: ANN401 - paho's enum
        settings = self._settings
        client = self._made(version)
        future = self._expect("connect", 0)
        self._version = version
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.to_thread(self._dial, client, version)
                assert client.buffer is not None
                self._client, self._down, self._inbox = client, "", []
                asyncio.get_running_loop().add_reader(client.buffer.fileno(), self._readable)
                self._flush()
                reason = await future
        except (TimeoutError, OSError, ValueError) as error:
            self._answers.pop(("connect", 0), None)
            self._lost(str(error) or "no answer")
            raise LinkDown(
                f"broker {settings.name} at {settings.host}:{settings.port}: {str(error) or 'no answer'}"
            ) from error
        if reason.is_failure:
            self._lost(str(reason))
            raise LinkDown(f"broker {settings.name} refuses us: {reason}. Check user, password and its rights.")
        self._timer = asyncio.get_running_loop().call_later(HOUSEKEEPING_SECONDS, self._housekeeping)

    def _made(self, version: Any) -> _Client:  # noqa: ANN401 - paho's enum
        settings = self._settings
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=settings.clean if version == paho.MQTTv311 else None,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if settings.username:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls_ca:
            client.tls_set_context(ssl.create_default_context(cafile=settings.tls_ca))
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=self._will.retain)
        client.max_inflight_messages_set(200)
        client.on_connect = lambda _c, _u, _flags, reason, _p: self._answer("connect", 0, reason)
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: self._answer("subscribe", mid, reasons)
        client.on_publish = lambda _c, _u, mid, _reason, _p: self._answer("publish", mid, None)
        client.on_disconnect = lambda _c, _u, _flags, reason, _p: self._lost(str(reason))
        # Only to tell paho that a loop of ours writes: what it queues leaves with the next flush.
        client.on_socket_register_write = lambda _c, _u, _socket: None
        return client

    def _dial(self, client: _Client, version: Any) -> None:  # noqa: ANN401 - paho's enum
        settings = self._settings
        if version != paho.MQTTv5:
            client.connect(settings.host, settings.port, settings.keepalive)
            return
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        wishes.SessionExpiryInterval = 0 if settings.clean else WEEK
        wishes.ReceiveMaximum = settings.window
        client.connect(settings.host, settings.port, settings.keepalive, clean_start=settings.clean, properties=wishes)

    def _readable(self) -> None:
        """Everything that has come: messages into the inbox, the rest through paho. Runs on the event loop."""
        client = self._client
        if client is None or client.buffer is None:
            return
        buffer = client.buffer
        for _ in range(AT_ONCE):
            filled = buffer.fill()
            self._inbox += buffer.messages(properties=self._version == paho.MQTTv5)
            while buffer.packet() and client is self._client:
                client.loop_read()
                self._inbox += buffer.messages(properties=self._version == paho.MQTTv5)
            if not filled:
                break
        else:
            asyncio.get_running_loop().call_soon(self._readable)
        if client is self._client and client.want_write():
            self._flush()
        if self._inbox:
            self._arrived.set()

    def _flush(self) -> None:
        client = self._client
        if client is None or client.buffer is None:
            return
        client.loop_write()
        try:
            left = client.buffer.flush()
        except OSError as error:
            self._lost(str(error))
            return
        loop = asyncio.get_running_loop()
        if left:
            loop.add_writer(client.buffer.fileno(), self._flush)
        else:
            loop.remove_writer(client.buffer.fileno())

    def _housekeeping(self) -> None:
        client = self._client
        if client is not None:
            client.loop_misc()
            self._flush()
            self._timer = asyncio.get_running_loop().call_later(HOUSEKEEPING_SECONDS, self._housekeeping)

    async def _ask(self, what: str, send: Any) -> Any:  # noqa: ANN401 - as paho's answers are
        client = self._check()
        code, mid = send(client)
        if code:
            raise LinkDown(f"broker {self._settings.name}: {paho.error_string(code)}")
        future = self._expect(what, mid)
        self._flush()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError as error:
            self._lost("no answer")
            raise LinkDown(f"broker {self._settings.name} does not answer a {what}") from error
        finally:
            self._answers.pop((what, mid), None)

    def _expect(self, what: str, mid: int) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[what, mid] = future
        return future

    def _answer(self, what: str, mid: int, value: Any) -> None:  # noqa: ANN401 - as paho's answers are
        future = self._answers.pop((what, mid), None)
        if future is not None and not future.done():
            future.set_result(value)

    def _check(self) -> _Client:
        if self._client is None:
            raise LinkDown(f"broker {self._settings.name}: {self._down}")
        return self._client

    def _lost(self, why: str) -> None:
        """The connection is over, whoever ended it: everyone who waits hears so."""
        client, self._client = self._client, None
        self._down = self._down or why
        if self._timer is not None:
            self._timer.cancel()
        if client is not None and client.buffer is not None:
            client.buffer.close()
        # The broker tells again what was not acknowledged.
        self._inbox = []
        for future in list(self._answers.values()):
            if not future.done():
                future.set_exception(LinkDown(f"broker {self._settings.name}: {why}"))
        self._answers.clear()
        self._arrived.set()


def _sent(info: paho.MQTTMessageInfo) -> tuple[int, int]:
    return info.rc, info.mid
