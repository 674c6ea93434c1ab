"""Both databases for tests: each test gets an empty one of its own, with the schema in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from cloud.migrations import migrate
from cloud.open_store import open_store
from tests.postgres_server import postgres

DIALECTS = ("sqlite", "postgresql")
_numbers = itertools.count()


class Databases:
    """Makes databases; starts PostgreSQL when the first test asks for it, and ends it with the test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ExitStack()
        self._address = ""

    @contextmanager
    def fresh(self, dialect: str) -> Iterator[str]:
        """The address of an empty, migrated database."""
        name = f"t{next(_numbers)}"
        if dialect == "sqlite":
            address = f"sqlite:///{self._folder / name}.db"
            asyncio.run(_migrate(address))
            yield address
            return
        if not self._address:
            self._address = self._server.enter_context(postgres())
            self._run("CREATE DATABASE template_tally")
            asyncio.run(_migrate(self._named("template_tally")))
        self._run(f"CREATE DATABASE {name} TEMPLATE template_tally")
        yield self._named(name)
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Ends the server."""
        self._server.close()

    def _named(self, name: str) -> str:
        return self._address.rpartition("/")[0] + "/" + name

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(statement.encode())


async def _migrate(address: str) -> None:
    store = open_store(address)
    try:
        await migrate(store, 0)
    finally:
        await store.close()
