"""HTTP load from ready-made requests over raw sockets, so that the client's own work is as small as Python allows.

A lane is one keep-alive connection with its requests in order: a gateway sends the next piece of its log only after the
receipt of the one before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

Lane = Sequence[bytes]


class LoadError(RuntimeError):
    """The server answered something else than 200."""


class Load(NamedTuple):
    """How long the whole load took, in seconds, and each request of it."""

    seconds: float
    latencies: list[float]


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The bytes of one POST."""
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def drive(port: int, lanes: Iterable[Lane]) -> Load:
    """Sends every lane over a connection of its own, all at once; raises LoadError."""
    return asyncio.run(_drive(port, list(lanes)))


async def _drive(port: int, lanes: list[Lane]) -> Load:
    loop = asyncio.get_running_loop()
    connections: list[_Connection] = []
    for lane in lanes:
        _, connection = await loop.create_connection(partial(_Connection, lane, loop), "127.0.0.1", port)
        connections.append(connection)
    begun = time.perf_counter()
    for connection in connections:
        connection.send_next()
    await asyncio.gather(*(connection.done for connection in connections))
    seconds = time.perf_counter() - begun
    return Load(seconds, [one for connection in connections for one in connection.latencies])


class _Connection(asyncio.Protocol):
    def __init__(self, lane: Lane, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self.latencies: list[float] = []
        self._requests = iter(lane)
        self._received = b""
        self._begun = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send_next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._begun = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _length(head):
            return
        self.latencies.append(time.perf_counter() - self._begun)
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(self._received.decode(errors="replace")[:600])
            return
        self._received = b""
        self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the server closed the connection ({exc})")

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadError(why))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0
