"""A bad network between gateways and their cloud: an HTTP relay that loses, cuts, delays and repeats; needs no root.

Each request gets one fate from a seeded source: it passes; its answer is dropped after the cloud's work is done; it is
cut in the middle of its body; it passes and comes a second time, whole, on another connection. Besides: latency, a
rate in bytes a second, and partitions (nobody gets through).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.loop_thread import LoopThread
from benchmarks.processes import free_port

HEAD = 1 << 16


@dataclass(frozen=True)
class Weather:
    """Parts of requests (0 to 1) and their fate; ``latency`` in seconds, ``rate`` in bytes a second (0: no limit)."""

    dropped: float = 0.15
    cut: float = 0.10
    replayed: float = 0.05
    latency: float = 0.0
    rate: int = 0


class ChaosProxy:
    """Listens on ``port``, in a thread of its own. ``fates`` counts what was done."""

    def __init__(self, upstream: int, weather: Weather, seed: int) -> None:
        self.port = free_port()
        self.weather = weather
        self.fates: Counter[str] = Counter()
        self._upstream = upstream
        self._chance = random.Random(seed)
        self._parted = False
        self._open: set[asyncio.StreamWriter] = set()
        self._replays: set[asyncio.Task[None]] = set()
        self._loop = LoopThread("chaos")
        self._server = self._loop.run(self._listen())

    def part(self, *, parted: bool) -> None:
        """From now on nobody gets through, or everybody again."""
        self._parted = parted
        self._loop.soon(self._hang_up)

    def close(self) -> None:
        """Ends it."""
        self._loop.soon(self._server.close)
        self._loop.close()

    def _hang_up(self) -> None:
        if self._parted:
            for writer in list(self._open):
                writer.transport.abort()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 24)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while not self._parted and await self._pass(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its fate; whether the connection goes on."""
        whole = await _message(reader)
        fate = self._fate()
        self.fates[fate] += 1
        await self._travel(len(whole))
        if fate == "cut":
            await self._send(whole[: len(whole) // 2], answered=False)
            return False
        answer = await self._send(whole)
        if fate == "replayed":
            self._replays.add(task := asyncio.create_task(self._again(whole)))
            task.add_done_callback(self._replays.discard)
        if fate == "dropped" or not answer or self._parted:
            return False
        await self._travel(len(answer))
        writer.write(answer)
        await writer.drain()
        return True

    def _fate(self) -> str:
        at = self._chance.random()
        for fate in ("dropped", "cut", "replayed"):
            at -= getattr(self.weather, fate)
            if at < 0:
                return fate
        return "passed"

    async def _travel(self, size: int) -> None:
        seconds = self.weather.latency + (size / self.weather.rate if self.weather.rate else 0)
        if seconds:
            await pause(seconds)

    async def _again(self, whole: bytes) -> None:
        await pause(self._chance.random() * 0.3)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._send(whole)

    async def _send(self, data: bytes, *, answered: bool = True) -> bytes:
        """To the cloud on a connection of its own; its answer."""
        there, onward = await asyncio.open_connection("127.0.0.1", self._upstream, limit=1 << 24)
        self._open.add(onward)
        try:
            onward.write(data)
            await onward.drain()
            return await _message(there) if answered else b""
        finally:
            self._open.discard(onward)
            onward.transport.abort()


async def pause(seconds: float) -> None:
    """Lets time pass for this one."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """A whole HTTP/1.1 message that says how long it is, or has no body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)
