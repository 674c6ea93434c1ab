"""The other end of a gateway's MQTT connection, and nothing more: events go out at QoS 1, each PUBACK gets its time.

A broker in between would acknowledge to the publisher by itself; here the PUBACK that comes back is the gateway's own
"it is on my disk". What was not acknowledged is sent again when the gateway comes back. MQTT 5 and 3.1.1.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterable

from benchmarks import events
from benchmarks.loop_thread import LoopThread

CONNECT, PUBACK, SUBSCRIBE, PINGREQ, PUBLISH = 1, 4, 8, 12, 3


class DeviceLine:
    """Listens on a port of its own, in a thread. ``left`` and ``acked``: event number to CLOCK_MONOTONIC seconds."""

    def __init__(self, port: int, boot: int = 1) -> None:
        self.port, self.boot = port, boot
        self.left: dict[int, float] = {}
        self.acked: dict[int, float] = {}
        self.connections = 0
        self._open: dict[int, bytes] = {}
        self._packets: dict[int, int] = {}
        self._next_packet = 0
        self._version = 5
        self._writer: asyncio.StreamWriter | None = None
        self._loop = LoopThread("device line")
        self._server = self._loop.run(self._listen())

    def publish(self, numbers: Iterable[int]) -> None:
        """Sends these events of `benchmarks.events` now, or when the gateway is there again."""
        self._loop.run(self._publish(list(numbers)))

    def close(self) -> None:
        """Ends it."""
        self._loop.soon(self._server.close)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _publish(self, numbers: list[int]) -> None:
        for number in numbers:
            self._open[number] = events.payload(number, self.boot)
            self.left[number] = time.monotonic()
            self._send(number)

    def _send(self, number: int) -> None:
        if self._writer is None:
            return
        self._next_packet = self._next_packet % 60_000 + 1
        self._packets[self._next_packet] = number
        topic = f"vend/v1/{events.cabinet(number)}/evt".encode()
        middle = struct.pack("!H", len(topic)) + topic + struct.pack("!H", self._next_packet)
        content = middle + (b"\0" if self._version == 5 else b"") + self._open[number]
        self._writer.write(b"\x32" + _length(len(content)) + content)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                first = (await reader.readexactly(1))[0]
                body = await reader.readexactly(await _read_length(reader))
                self._take(first >> 4, first, body, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            writer.transport.abort()
        finally:
            if self._writer is writer:
                self._writer = None

    def _take(self, kind: int, first: int, body: bytes, writer: asyncio.StreamWriter) -> None:
        five = b"\0" if self._version == 5 else b""
        if kind == CONNECT:
            self._version = body[6]
            writer.write(b"\x20\x03\0\0\0" if self._version == 5 else b"\x20\x02\0\0")
            self.connections += 1
        elif kind == SUBSCRIBE:
            wanted = _topics(body[2:], self._version)
            writer.write(b"\x90" + _length(2 + len(five) + wanted) + body[:2] + five + b"\1" * wanted)
            self._writer = writer
            self._packets.clear()
            for number in list(self._open):
                self._send(number)
        elif kind == PUBACK:
            packet = int.from_bytes(body[:2], "big")
            if packet in self._packets and self._open.pop(number := self._packets.pop(packet), b""):
                self.acked[number] = time.monotonic()
        elif kind == PINGREQ:
            writer.write(b"\xd0\0")
        elif kind == PUBLISH and first & 0x06:
            name = int.from_bytes(body[:2], "big")
            writer.write(b"\x40\x02" + body[2 + name : 4 + name])


def _topics(body: bytes, version: int) -> int:
    """How many topics a SUBSCRIBE wants, behind its packet id."""
    at = 1 + body[0] if version == 5 else 0
    count = 0
    while at < len(body):
        at += 2 + int.from_bytes(body[at : at + 2], "big") + 1
        count += 1
    return count


def _length(number: int) -> bytes:
    """Variable byte integer (MQTT 5 section 1.5.5)."""
    made = b""
    while True:
        number, digit = number >> 7, number & 0x7F
        made += bytes([digit | (0x80 if number else 0)])
        if not number:
            return made


async def _read_length(reader: asyncio.StreamReader) -> int:
    number = shift = 0
    while True:
        digit = (await reader.readexactly(1))[0]
        number |= (digit & 0x7F) << shift
        shift += 7
        if not digit & 0x80:
            return number
