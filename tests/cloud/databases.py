"""Both databases for tests: each test gets an empty one with the schema in it.

Making a PostgreSQL database costs more than most tests, so one is emptied and used again, unless a test has changed its
schema: then that one is thrown away. An SQLite database is a copy of a file.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from cloud.migrations import migrate
from cloud.open_store import open_store
from tests.postgres_server import postgres

DIALECTS = ("sqlite", "postgresql")
KEPT = {"schema_lock", "schema_migrations"}
SCHEMA = (
    "SELECT table_name, (SELECT string_agg(name || checksum, ',' ORDER BY number) FROM schema_migrations) "
    "FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name"
)
_numbers = itertools.count()


class Databases:
    """Makes databases; starts PostgreSQL when the first test asks for it, and ends it with the test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ExitStack()
        self._address = ""
        self._schema: list[tuple[object, ...]] = []
        self._free: list[str] = []

    @contextmanager
    def fresh(self, dialect: str) -> Iterator[str]:
        """The address of an empty, migrated database."""
        if dialect == "sqlite":
            yield self._copy()
            return
        name = self._free.pop() if self._free else self._create()
        yield self._named(name)
        if not self._emptied(name):
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Ends the server."""
        self._server.close()

    def _copy(self) -> str:
        template = self._folder / "template.db"
        if not template.exists():
            asyncio.run(_migrate(f"sqlite:///{template}"))
        path = self._folder / f"t{next(_numbers)}.db"
        shutil.copyfile(template, path)
        return f"sqlite:///{path}"

    def _create(self) -> str:
        if not self._address:
            self._address = self._server.enter_context(postgres())
        name = f"t{next(_numbers)}"
        self._run(f"CREATE DATABASE {name}")
        asyncio.run(_migrate(self._named(name)))
        with psycopg.connect(self._named(name)) as connection:
            self._schema = connection.execute(SCHEMA).fetchall()
        return name

    def _emptied(self, name: str) -> bool:
        """Empties a database for the next test; False when its schema is not the usual one any more."""
        with psycopg.connect(self._named(name)) as connection:
            connection.execute("SET lock_timeout = '5s'")
            try:
                schema = connection.execute(SCHEMA).fetchall()
            except psycopg.Error:
                return False
            if schema != self._schema:
                return False
            tables = [str(row[0]) for row in schema if row[0] not in KEPT]
            connection.execute("; ".join(f"DELETE FROM {table}" for table in tables).encode())
        self._free.append(name)
        return True

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
