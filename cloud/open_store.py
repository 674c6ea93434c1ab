"""From the one setting that names the database to the store behind it."""

from __future__ import annotations

from pathlib import Path

from cloud.database import Store
from cloud.database_postgres import PostgresStore
from cloud.database_sqlite import SqliteStore


class AddressError(ValueError):
    """The database's address cannot be understood."""


def open_store(address: str, *, connections: int = 4, inline: bool = False) -> Store:
    """The store behind ``sqlite:///path/to/file`` or ``postgresql://user@host/name``.

    ``inline`` (SQLite only) runs use cases in the caller's own thread, so that a simulated world stays deterministic.
    Nothing is opened before the first use.
    """
    if address.startswith("sqlite:///"):
        return SqliteStore(Path(address.removeprefix("sqlite:///")), inline=inline)
    if address.startswith(("postgresql://", "postgres://")):
        return PostgresStore(address, connections=connections)
    raise AddressError(f"{address!r}: write sqlite:///folder/file.db or postgresql://user@host/name")
