"""The cloud as a process that lives through a script of requests: batches of a gateway, closings of months.

For the zygote; the folder is SHIM_FOLDER, ``script.json`` in it holds the requests. Each answer is said at once, as
``answer NUMBER STATUS DIGEST``: gateways and people take it for good news, so it must outlive a kill that follows it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from fastapi import FastAPI

from cloud.app import create_cloud
from cloud.database_sqlite import PRAGMAS, SqliteStore
from cloud.entropy import Entropy
from cloud.settings import Settings
from tests.cloud.twins import StandingClock
from tests.reliability.cloud_case import Asked, books, digest

BUG = os.environ.get("TALLY_SEEDED_BUG", "")
PREPARED: list[tuple[FastAPI, StandingClock, SqliteStore]] = []


class LateConnection(sqlite3.Connection):
    """The seeded bug: a writing transaction ends only when the next one begins."""

    owed = ""

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.owed == "BEGIN IMMEDIATE":
            self.owed = sql
            return super().execute("SELECT 1")
        if sql == "BEGIN IMMEDIATE":
            if self.owed == "COMMIT":
                super().execute("COMMIT")
            self.owed = sql
        return super().execute(sql, parameters)


def late(path: Path) -> sqlite3.Connection:
    """A connection with that bug."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=LateConnection)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def prepare() -> None:
    """What every life has in common: the application, on a database that nobody has opened yet."""
    folder = Path(os.environ["SHIM_FOLDER"])
    clock, store = StandingClock(), SqliteStore(folder / "cloud.db", connect=late if BUG else None)
    settings = Settings(state=folder / "state", database=f"sqlite:///{folder / 'cloud.db'}")
    PREPARED.append((create_cloud(settings, clock, Entropy(), store), clock, store))


@asynccontextmanager
async def living() -> AsyncIterator[tuple[httpx.AsyncClient, StandingClock, SqliteStore]]:
    """The application at work."""
    app, clock, store = PREPARED[0]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://cloud") as http,
    ):
        yield http, clock, store


async def show(key: str) -> None:
    """The books, as JSON."""
    async with living() as (http, _, store):
        os.write(1, msgspec.json.encode(await books(http, store, key)))


async def play(script: Sequence[Asked], first: int) -> None:
    """All requests, one after the other."""
    async with living() as (http, clock, _):
        for number, one in enumerate(script[first:], first):
            clock.ms = one.now_ms
            answer = await http.request(one.method, one.path, content=one.body, headers=one.headers)
            os.write(1, f"answer {number} {answer.status_code} {digest(answer.content)}\n".encode())


def main(words: list[str]) -> None:
    """One life: ``ask FIRST`` goes through the script from that request on, ``books KEY`` shows what is there."""
    verb, word = words
    if verb == "books":
        asyncio.run(show(word))
        return
    data = (Path(os.environ["SHIM_FOLDER"]) / "script.json").read_bytes()
    asyncio.run(play(msgspec.json.decode(data, type=list[Asked]), int(word)))
