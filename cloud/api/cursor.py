"""Lists in pieces: ``?limit=50&after=<cursor>``; the answer's ``next`` is the following piece's cursor, "" at the end.

A cursor is the sort key of the last row, made opaque so that nobody computes one. Rows that appear or vanish between
two pieces shift nothing: the next piece begins after that key, wherever it is by then.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Depends, Query

from cloud.api.problems import Problem

MAX_LIMIT = 500
Part = str | int
R = TypeVar("R")

_decoder = msgspec.json.Decoder(list[Part])


class Piece(msgspec.Struct, Generic[R], frozen=True):
    """One piece of a list, as it is answered."""

    items: Sequence[R]
    next: str = ""


class Page(msgspec.Struct, frozen=True):
    """Which piece is wanted: at most ``limit`` rows behind the sort key ``after`` (empty: from the beginning)."""

    limit: int
    after: tuple[Part, ...] = ()

    @property
    def fetch(self) -> int:
        """How many rows to ask the database for: one more, to know whether there are more."""
        return self.limit + 1

    def piece(self, rows: Sequence[R], key: Callable[[R], tuple[Part, ...]], show: Callable[[R], Any]) -> Piece[Any]:
        """The answer for up to ``fetch`` rows in order; ``key`` gives a row's sort key, ``show`` what is answered."""
        shown = rows[: self.limit]
        more = encode(key(shown[-1])) if len(rows) > self.limit and shown else ""
        return Piece([show(row) for row in shown], more)


def encode(key: tuple[Part, ...]) -> str:
    """The cursor of a sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode(cursor: str, shape: tuple[type, ...] | None = None) -> tuple[Part, ...]:
    """The sort key of a cursor; Problem ``malformed`` when it is none of ours."""
    try:
        key = tuple(_decoder.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Problem("malformed", "query/after: this is not a cursor of this list") from error
    if shape is not None and tuple(type(part) for part in key) != shape:
        raise Problem("malformed", "query/after: this cursor belongs to another list")
    return key


async def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most this many rows.")] = 50,
    after: Annotated[str, Query(max_length=512, description="The `next` of the piece before.")] = "",
) -> Page:
    return Page(limit, decode(after) if after else ())


Paged = Annotated[Page, Depends(_page)]
