"""One port to the database, with two of them behind it: SQLite (the default) and PostgreSQL (one setting).

Use cases are plain functions of a transaction; ``store.run(use_case)`` runs one whole, in a thread, and commits or
leaves nothing behind. A function may be run again after a serialisation failure, so it must not do anything that a
rollback does not undo. SQL is written once, portably, for both:

- ``?`` for parameters; ``BIGINT``, ``TEXT``, ``BYTEA`` for columns (SQLite would make a float of a ``NUMERIC``);
- ``FOR UPDATE`` at the end of a ``SELECT`` whose rows are changed next (SQLite's writer is alone; it is dropped there);
- ``GIVEN(a text, b bigint) AS g`` in ``FROM``: a relation over rows that are handed in, as a list, as one parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any, Literal, Protocol, TypeVar

Value = str | int | bytes | Decimal | bool | None
Param = Value | list[Any]
Row = tuple[Any, ...]
Query = tuple[str, Sequence[Param]]
Dialect = Literal["sqlite", "postgresql"]
T = TypeVar("T")
BESIDE = 2  # threads for work that asks no database; signatures and compression let go of the interpreter meanwhile


class DatabaseAwayError(Exception):
    """The database cannot be reached or refuses to work just now; the same call may succeed later."""


class TakenError(Exception):
    """A row that was to be inserted has a key that another row has."""


class UnstorableError(ValueError):
    """A value that no column can hold: a NUL in a text, a number beyond 64 bits."""


class Tx(Protocol):
    """One open transaction."""

    dialect: Dialect

    def all(self, sql: str, params: Sequence[Param] = ()) -> list[Row]:
        """Every row of a query."""

    def one(self, sql: str, params: Sequence[Param] = ()) -> Row | None:
        """The first row of a query, or None."""

    def run(self, sql: str, params: Sequence[Param] = ()) -> int:
        """Runs one statement; how many rows it touched."""

    def several(self, *queries: Query) -> list[list[Row]]:
        """The rows of several queries, in one round trip; each sees what the ones before it have locked."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> int:
        """Inserts many rows in as few round trips as the database allows.

        ``conflict`` is an ``ON CONFLICT ...`` clause; without one a key that is taken raises TakenError (which spoils
        the transaction unless a savepoint stands around it). Where conflicts are rare, try without a clause first:
        PostgreSQL takes half the time. Returns how many rows were written, without those left out by ``DO NOTHING``.
        """

    def claim(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> bool:
        """Inserts those rows whose keys are free; whether all of them were."""

    def later(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Value]], conflict: str = "") -> None:
        """Inserts rows with the next statement, whatever that is, or with the commit: it saves a round trip.

        So every later statement sees them, and may raise the TakenError that is theirs.
        """

    def savepoint(self) -> AbstractContextManager[None]:
        """What is done inside is undone alone when it raises."""


class Store(Protocol):
    """A database that use cases run in."""

    dialect: Dialect
    writers: int
    """How many transactions may usefully write at once."""

    async def run(self, work: Callable[[Tx], T]) -> T:
        """One transaction: committed when ``work`` returns, rolled back when it raises."""

    async def read(self, work: Callable[[Tx], T]) -> T:
        """One reading transaction, beside the writer."""

    async def beside(self, work: Callable[[], T]) -> T:
        """Work that asks no database anything, in a thread beside those that do (or where they run, if that is one)."""

    async def close(self) -> None:
        """Ends all connections; what is under way is finished."""
