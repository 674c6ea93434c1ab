"""The cloud's PostgreSQL killed in the middle of ingest and closing: a backend, or the whole server.

    ./run python -m tests.reliability.postgres_kills             # 100 kills, some five minutes
    ./run python -m tests.reliability.postgres_kills --points 10

A relay between cloud and server counts what the cloud sends. At the Nth message it kills (SIGKILL) the backend or the
postmaster: before the message goes on, or after the server has answered and before the cloud hears it, so that a commit
may have happened that nobody was told of. The cloud goes on in its process; what failed is asked again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg

from benchmarks.tiny_cloud import until
from cloud.app import create_cloud
from cloud.entropy import Entropy
from cloud.open_store import open_store
from cloud.settings import Settings
from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin, StandingClock
from tests.postgres_server import Server, postgres_server
from tests.reliability import cloud_case
from tests.reliability.cloud_case import Asked
from tests.reliability.verdict import told

Victim = Literal["backend", "postmaster"]
TRIES = 100
# The seeded bug: a commit is answered before it is in the write-ahead log's file.
ASYNCHRONOUS = {"synchronous_commit": "off", "wal_writer_delay": "10000"}


@dataclass
class Result:
    """``points``: kills; ``messages``: how many the cloud sends in all; ``refused``: answers of 500 and more."""

    points: int = 0
    messages: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class Relay:
    """Between cloud and server. ``kill_at``: the message at which ``victim`` dies (0: none); ``late``: see above."""

    server: Server
    victim: Victim = "backend"
    late: bool = False
    kill_at: int = 0
    count: int = 0
    played: int = 0
    killed: bool = False
    port: int = 0
    restart: asyncio.Task[None] | None = None

    async def begin(self) -> asyncio.Server:
        """Listens."""
        listening = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        return listening

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, onward = await asyncio.open_connection("127.0.0.1", self.server.port)
        except OSError:
            writer.transport.abort()
            return
        here = onward.get_extra_info("sockname")[1]
        both = {
            asyncio.create_task(self._asked(reader, onward, here)),
            asyncio.create_task(self._answered(there, writer, here)),
        }
        with suppress(asyncio.CancelledError):
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        writer.transport.abort()
        onward.transport.abort()

    async def _asked(self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, here: int) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                self.count += 1
                if self.count == self.kill_at and not self.late:
                    await self._kill(here)
                    return
                onward.write(data)
                await onward.drain()

    async def _answered(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, here: int) -> None:
        with suppress(OSError):
            while data := await there.read(1 << 16):
                if self.late and self.kill_at and self.count >= self.kill_at and not self.killed:
                    await self._kill(here)
                    return
                writer.write(data)
                await writer.drain()

    async def _kill(self, here: int) -> None:
        self.killed = True
        if self.victim == "backend":
            os.kill(self.server.backend_of(here), signal.SIGKILL)
            return
        # A task of its own: the connections of a server that goes end, and with them the tasks that serve them.
        self.restart = asyncio.create_task(asyncio.to_thread(self._start_again))
        await asyncio.shield(self.restart)

    def _start_again(self) -> None:
        """Kills it and starts it: its children need a moment to go, and before that a new one refuses."""
        self.server.kill()

        def starts() -> bool:
            try:
                self.server.start()
            except RuntimeError:
                return False
            return True

        if not until(starts, 60):
            raise RuntimeError("PostgreSQL does not start again after it was killed")


@dataclass
class Case:
    """A server with a template database, the script for it and its key."""

    server: Server
    folder: Path
    script: list[Asked]
    key: str

    async def play(self, relay: Relay, kill_at: int = 0) -> tuple[dict[str, Any], list[tuple[int, str]], int]:
        """The whole script on a fresh copy: the books, every success, how many answers were 500 or more."""
        self._copy()
        listening = await relay.begin()
        store = open_store(f"postgresql://postgres@127.0.0.1:{relay.port}/shop")
        clock = StandingClock()
        app = create_cloud(Settings(state=self.folder / "state"), clock, Entropy(), store)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        answers: list[tuple[int, str]] = []
        refused = 0
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://c") as http,
        ):
            relay.count, relay.kill_at = 0, kill_at
            for _ in range(2):
                for number, one in enumerate(self.script):
                    clock.ms = one.now_ms
                    answer, times = await _insist(http, one)
                    refused += times
                    answers.append((number, cloud_case.digest(answer)))
            relay.kill_at, relay.played = 0, relay.count
            if relay.restart is not None:
                await relay.restart
            found = await cloud_case.books(http, store, self.key)
        await store.close()
        listening.close()
        return found, answers, refused

    def _copy(self) -> None:
        def done() -> bool:
            try:
                with psycopg.connect(self.server.address, autocommit=True) as connection:
                    connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
                    connection.execute("CREATE DATABASE shop TEMPLATE template")
            except psycopg.OperationalError:
                return False
            return True

        if not until(done, 60):
            raise RuntimeError("PostgreSQL does not take connections")


async def _insist(http: httpx.AsyncClient, one: Asked) -> tuple[bytes, int]:
    """Asks until there is an answer, as a gateway does."""
    for times in range(TRIES):
        answer = await http.request(one.method, one.path, content=one.body, headers=one.headers)
        if answer.status_code < 500:
            return answer.content, times
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.Event().wait()
    raise AssertionError(f"{one.path} had no answer in {TRIES} tries")


def _template(server: Server, folder: Path) -> Case:
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute("CREATE DATABASE template")
    with CloudTwin(server.address.rpartition("/")[0] + "/template", folder / "state") as twin:
        script = cloud_case.script(Trade(twin))
        return Case(server, folder, script, twin.key)


def _killed(case: Case, relay: Relay, kill_at: int) -> tuple[Relay, tuple[dict[str, Any], list[tuple[int, str]], int]]:
    """A life with a kill. How many messages there are depends on how the way cuts them: where this one never came, once
    more with an earlier one."""
    found = asyncio.run(case.play(relay, kill_at))
    if not relay.killed:
        relay = Relay(relay.server, relay.victim, relay.late)
        found = asyncio.run(case.play(relay, kill_at * 9 // 10))
    return relay, found


def play(points: int, seed: int, **settings: str) -> Result:
    """So many kills, spread evenly over all messages; with ``settings`` (a mistake) it ends at the first finding."""
    chance, result = random.Random(seed), Result()
    with tempfile.TemporaryDirectory(prefix="tallystick-pg-kills-") as name, postgres_server(**settings) as server:
        case = _template(server, Path(name))
        relay = Relay(server)
        wanted, _, _ = asyncio.run(case.play(relay))
        result.messages = relay.played
        for number in range(points):
            kill_at = 1 + (result.messages * number + chance.randrange(result.messages)) // points
            victim: Victim = "postmaster" if number % 2 else "backend"
            relay, (books, answers, refused) = _killed(case, Relay(server, victim, chance.random() < 0.5), kill_at)
            result.points += relay.killed
            result.refused += refused
            where = f"{victim} killed at message {kill_at} of {result.messages}{', answer lost' * relay.late}"
            wrong = [*cloud_case.changed(answers), *cloud_case.differences(books, wanted)]
            result.findings += [f"{where}: {one}" for one in wrong]
            if settings and result.findings:
                break
    return result


def main() -> int:
    """The command; exit code 3 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description="PostgreSQL killed under the cloud")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", action="store_true", help="a server that answers before it writes: must be found")
    given = parser.parse_args()
    result = play(given.points, given.seed, **(ASYNCHRONOUS if given.bug else {}))
    return told(
        f"{result.points} kills of backend and postmaster among {result.messages} messages, {result.refused} "
        f"answers of 500 and more",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
