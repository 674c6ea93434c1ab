"""Tiles: a log's hashes in pieces of 256 that never change (C2SP tlog-tiles, height 8), and proofs out of them.

The surprise: nobody needs the whole tree. A tile of level L holds the roots of 256 subtrees of 256**L leaves; an
inclusion or consistency proof touches a handful of tiles, however long the log is. https://c2sp.org/tlog-tiles
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from wire.log import EMPTY_ROOT, ProofError, consistency_path, inclusion_path, node_hash, split_at
from wire.log import root as root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
_PATH = re.compile(r"tile/(\d{1,2}|entries)/((?:x\d{3}/)*\d{3})(?:\.p/(\d{1,3}))?\Z", re.ASCII)


class Tile(NamedTuple):
    """Hashes ``[number * 256, number * 256 + width)`` of a level; width 256 is a full tile and never changes."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is published, such as ``tile/0/x001/234.p/5``."""
        return f"tile/{self.level}/{_digits(self.number)}{_partial(self.width)}"

    @property
    def entries_path(self) -> str:
        """Where the leaves under a tile of level 0 are published."""
        return f"tile/entries/{_digits(self.number)}{_partial(self.width)}"

    @property
    def leaves(self) -> int:
        """How large a log must be to have it."""
        return (self.number * WIDTH + self.width) << (HEIGHT * self.level)


class Asked(NamedTuple):
    """A tile that a path names; ``entries``: its leaves are meant, not its hashes."""

    tile: Tile
    entries: bool


def parse(path: str) -> Asked:
    """What a path names; raises ProofError on any other spelling."""
    found = _PATH.match(path)
    if found is None or len(path) > 80:
        raise ProofError(f"{path[:80]!r} is no tile: 'tile/<level>/<number>' with an optional '.p/<width>'")
    level, digits, partial = found.groups()
    number = int(digits.replace("x", "").replace("/", ""))
    width = int(partial) if partial else WIDTH
    tile = Tile(0 if level == "entries" else int(level), number, width)
    spelled = tile.entries_path if level == "entries" else tile.path
    if spelled != path or tile.level > MAX_LEVEL or not 0 < width <= WIDTH or (partial and width == WIDTH):
        raise ProofError(f"{path!r} is not how this tile is spelled")
    return Asked(tile, level == "entries")


def tiles_of(size: int, start: int = 0) -> Iterator[Tile]:
    """Every hash tile that a log of ``size`` leaves publishes and one of ``start`` leaves did not, level by level."""
    for level in range(MAX_LEVEL):
        count, before = size >> (HEIGHT * level), start >> (HEIGHT * level)
        if count == 0:
            return
        for number in range(before // WIDTH, -(-count // WIDTH)):
            width = min(WIDTH, count - number * WIDTH)
            if number * WIDTH + width > before:
                yield Tile(level, number, width)


def bundle(leaves: Sequence[bytes]) -> bytes:
    """An entry bundle: each leaf behind its length in two bytes, big-endian."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


class TiledTree:
    """Roots and proofs of a log of ``size`` leaves, from tiles that ``read`` brings (``width`` hashes of 32 bytes)."""

    def __init__(self, size: int, read: Callable[[Tile], bytes]) -> None:
        self.size = size
        self._read = read
        self._kept: dict[Tile, bytes] = {}

    def root(self, size: int | None = None) -> bytes:
        """The root at a size up to ours."""
        until = self.size if size is None else size
        return self._hash(0, until) if until else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """RFC 9162 2.1.3.1 for a leaf of the tree at ``size``; raises ProofError."""
        until = self._checked(size)
        if not 0 <= index < until:
            raise ProofError(f"leaf {index} is not in a tree of {until}")
        return inclusion_path(index, until, self._hash)

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """RFC 9162 2.1.4.1 between two sizes; raises ProofError."""
        until = self._checked(size)
        if not 0 < old <= until:
            raise ProofError(f"a tree of {until} has no proof about size {old}")
        return consistency_path(old, until, self._hash)

    def _checked(self, size: int | None) -> int:
        until = self.size if size is None else size
        if not 0 <= until <= self.size:
            raise ProofError(f"the log has {self.size} leaves, not {until}")
        return until

    def _hash(self, low: int, high: int) -> bytes:
        """The root over leaves ``[low, high)``, a subtree of RFC 9162."""
        count = high - low
        if count & (count - 1):
            middle = low + split_at(count)
            return node_hash(self._hash(low, middle), self._hash(middle, high))
        depth = count.bit_length() - 1
        level = depth // HEIGHT
        first, width = low >> (HEIGHT * level), 1 << (depth - HEIGHT * level)
        number, at = divmod(first, WIDTH)
        data = self._tile(Tile(level, number, min(WIDTH, (self.size >> (HEIGHT * level)) - number * WIDTH)))
        return root_of([data[32 * place : 32 * place + 32] for place in range(at, at + width)])

    def _tile(self, tile: Tile) -> bytes:
        if tile not in self._kept:
            data = self._read(tile)
            if len(data) != 32 * tile.width:
                raise ProofError(f"{tile.path} has {len(data)} bytes instead of {32 * tile.width}")
            self._kept[tile] = data
        return self._kept[tile]


def _digits(number: int) -> str:
    text = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        text = f"x{number % 1000:03}/{text}"
    return text


def _partial(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"
