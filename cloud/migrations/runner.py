"""Brings a database to this program's schema: numbered files, each applied once, checked by its hash ever after.

All of it happens in one transaction behind one lock, so two programs that start together do not meet in the middle. A
file that was changed after it was applied, or a database newer than the program, is refused and nothing is touched.
"""

from __future__ import annotations

import hashlib
import re
from functools import partial
from importlib import resources

import msgspec

from cloud.database import Dialect, Store, Tx

_FILE = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")
_ONLY_FOR = re.compile(r"/\*(sqlite|postgresql) (.*?)\*/", re.DOTALL)


class MigrationError(Exception):
    """The database's schema and this program do not belong together; the message says which step disagrees."""


class Migration(msgspec.Struct, frozen=True):
    """One numbered file."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, dialect: Dialect) -> list[str]:
        """Its statements for one database, comments removed."""

        def keep(match: re.Match[str]) -> str:
            return match.group(2) if match.group(1) == dialect else ""

        plain = re.sub(r"--[^\n]*", "", _ONLY_FOR.sub(keep, self.text))
        return [statement.strip() for statement in plain.split(";") if statement.strip()]


def known() -> list[Migration]:
    """The migrations of this program, in order; raises MigrationError when a number is missing or double."""
    found = []
    for file in resources.files("cloud.migrations").iterdir():
        match = _FILE.match(file.name)
        if match:
            found.append(Migration(int(match.group(1)), file.name, file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the migration files are not numbered 0001, 0002, ...: {[m.name for m in found]}")
    return found


async def migrate(store: Store, now_ms: int, migrations: list[Migration] | None = None) -> list[str]:
    """Applies what is missing; the names of the files that were applied now."""
    wanted = known() if migrations is None else migrations
    await store.run(_prepare)
    return await store.run(partial(_apply, wanted=wanted, now_ms=now_ms))


async def pending(store: Store) -> list[str]:
    """The names of the files that this database still lacks; raises MigrationError when it is no match at all."""
    return await store.run(lambda tx: [migration.name for migration in _missing(tx, known())])


def _prepare(tx: Tx) -> None:
    tx.run("CREATE TABLE IF NOT EXISTS schema_lock (id BIGINT PRIMARY KEY)")
    tx.run(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_ms BIGINT NOT NULL)"
    )
    tx.run("INSERT INTO schema_lock (id) VALUES (1) ON CONFLICT DO NOTHING")


def _apply(tx: Tx, *, wanted: list[Migration], now_ms: int) -> list[str]:
    tx.one("SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE")
    missing = _missing(tx, wanted)
    for migration in missing:
        for statement in migration.statements(tx.dialect):
            tx.run(statement)
        row = (migration.number, migration.name, migration.checksum, now_ms)
        tx.run("INSERT INTO schema_migrations (number, name, checksum, applied_ms) VALUES (?, ?, ?, ?)", row)
    return [migration.name for migration in missing]


def _missing(tx: Tx, wanted: list[Migration]) -> list[Migration]:
    if not _exists(tx):
        return wanted
    applied = {row[0]: (row[1], row[2]) for row in tx.all("SELECT number, name, checksum FROM schema_migrations")}
    by_number = {migration.number: migration for migration in wanted}
    for number, (name, checksum) in sorted(applied.items()):
        migration = by_number.get(number)
        if migration is None:
            raise MigrationError(f"the database has {name}, which this program does not know: use a newer program")
        if migration.checksum != checksum:
            raise MigrationError(f"{name} was changed after it was applied: restore the file and add a new migration")
    return [migration for migration in wanted if migration.number not in applied]


def _exists(tx: Tx) -> bool:
    if tx.dialect == "sqlite":
        return tx.one("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'") is not None
    return tx.one("SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL") is not None
