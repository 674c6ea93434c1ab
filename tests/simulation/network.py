"""The network between gateway and cloud: it may do everything a network may do, and a proxy that remembers too much.

A request can be refused, lost on the way, delayed for longer than anybody waits, delivered twice (the second time after
others that were sent later); its answer can be lost after the work was done, come late, or be an older answer of the
same path. What a delivered request does in the cloud is done by a task of the cloud's process, and dies with it.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from dataclasses import dataclass
from random import Random
from typing import Protocol

import httpx

from tests.simulation.life import Life, pause
from tests.simulation.trace import Trace

# Nobody's process: what the network and people do goes on when a machine dies.
WORLD = contextvars.Context()
HEADS_KEPT = 12
Spoken = tuple[int, list[tuple[str, str]], bytes]


@dataclass(frozen=True)
class Weather:
    """Chances (0..1) for each request. ``slow``: seconds that most exchanges take, at most."""

    lost_request: float = 0.0
    lost_reply: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0
    stale_reply: float = 0.0
    slow: float = 0.08


CALM = Weather()
WEATHERS = (
    CALM,
    Weather(lost_reply=0.25),
    Weather(lost_request=0.25, delayed=0.05),
    Weather(repeated=0.3, delayed=0.1),
    Weather(delayed=0.3, slow=3.0),
    Weather(lost_request=0.15, lost_reply=0.15, repeated=0.15, delayed=0.15, slow=1.0),
    Weather(stale_reply=0.15, lost_reply=0.1),
)


class Server(Protocol):
    """The cloud as the network sees it."""

    async def answer(self, request: httpx.Request) -> httpx.Response | None:
        """None when nobody answers: the process is dead, or died meanwhile."""


class Network:
    """One road. ``partition``: nothing gets through in either direction."""

    def __init__(self, server: Server, chance: Random, trace: Trace) -> None:
        self.weather = CALM
        self.partition = False
        self._server = server
        self._chance = chance
        self._trace = trace
        self._before: dict[tuple[str, str], Spoken] = {}
        self._late: dict[asyncio.Task[None], None] = {}
        self._heads: list[Spoken] = []
        self._play_back = 0

    async def carry(self, request: httpx.Request, body: bytes) -> httpx.Response:
        """One exchange, or an httpx error."""
        weather, chance = self.weather, self._chance
        about = (request.method, request.url.path)
        self._trace.note("ask", *about, hashlib.sha256(body).hexdigest()[:8])
        await pause(chance.random() * weather.slow)
        if self.partition:
            raise httpx.ConnectError("no route to the cloud", request=request)
        if chance.random() < weather.lost_request:
            self._trace.fault("lost_request", *about)
            await self._fail(request)
        if chance.random() < weather.repeated:
            self._trace.fault("repeated", *about)
            self._again(request, body, 0.01 + chance.random() ** 3 * 120)
        if chance.random() < weather.delayed:
            self._trace.fault("delayed", *about)
            await self._hand_over_late(request, body)
        spoken = await self._deliver(request, body)
        await pause(chance.random() * weather.slow)
        if spoken is None or self.partition:
            raise httpx.ReadError("the connection was reset", request=request)
        self._trace.note("answer", *about, spoken[0], hashlib.sha256(spoken[2]).hexdigest()[:8])
        if chance.random() < weather.lost_reply:
            self._trace.fault("lost_reply", *about)
            await self._fail(request)
        return self._response(about, spoken)

    def play_back_heads(self) -> None:
        """Perhaps somebody in the middle answers the next questions for the head with what he heard earlier."""
        self._play_back = self._chance.choice((0, 2, 4))

    def hush(self) -> None:
        """Nothing that is still under way arrives any more."""
        for task in list(self._late):
            task.cancel()

    def _response(self, about: tuple[str, str], spoken: Spoken) -> httpx.Response:
        old = self._before.get(about)
        self._before[about] = spoken
        if about[1].endswith("/head") and spoken[0] == 200:
            self._heads = [*self._heads, spoken][-HEADS_KEPT:]
            if self._play_back:
                self._play_back -= 1
                self._trace.fault("head_played_back", *about)
                spoken = self._chance.choice(self._heads[: HEADS_KEPT // 2])
        if old is not None and self._chance.random() < self.weather.stale_reply:
            self._trace.fault("stale_reply", *about)
            spoken = old
        status, headers, content = spoken
        return httpx.Response(status, headers=headers, content=content)

    async def _fail(self, request: httpx.Request) -> None:
        """A reset that is seen at once, or a silence."""
        if self._chance.random() < 0.5:
            raise httpx.ReadError("the connection was reset", request=request)
        await pause(10_000)

    async def _hand_over_late(self, request: httpx.Request, body: bytes) -> None:
        """It arrives after so long that the sender may have given up; then it must arrive all the same."""
        seconds = self._chance.random() * 40
        try:
            await pause(seconds)
        except asyncio.CancelledError:
            self._again(request, body, seconds)
            raise

    def _again(self, request: httpx.Request, body: bytes, seconds: float) -> None:
        async def later() -> None:
            await pause(seconds)
            if not self.partition:
                await self._deliver(request, body)

        task = asyncio.get_running_loop().create_task(later(), context=WORLD.copy())
        self._late[task] = None
        task.add_done_callback(lambda done: self._late.pop(done, None))

    async def _deliver(self, request: httpx.Request, body: bytes) -> Spoken | None:
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=body)
        answer = await self._server.answer(copy)
        if answer is None:
            return None
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        return answer.status_code, headers, await answer.aread()


class Uplinked(httpx.AsyncBaseTransport):
    """``Ports.transport`` of one life of a gateway."""

    def __init__(self, network: Network, life: Life) -> None:
        self._network = network
        self._life = life

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        self._life.must_live()
        answer = await self._network.carry(request, await request.aread())
        self._life.must_live()
        return answer
