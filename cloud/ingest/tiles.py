"""A log's tiles out of its stored leaf hashes. Nothing is kept for them but, in memory, the roots of full tiles."""

from __future__ import annotations

from cloud.database import Tx
from cloud.ingest import repository
from cloud.ingest.repository import Place
from wire.log import root
from wire.tiles import HEIGHT, WIDTH, Tile, TiledTree

MAX_ROOTS = 200_000  # of 32 bytes each; they never change, so they are forgotten only for room


class Tiles:
    """Reads tiles of every log of this cloud."""

    def __init__(self) -> None:
        self._roots: dict[tuple[Place, int, int], bytes] = {}

    def read(self, tx: Tx, place: Place, tile: Tile) -> bytes:
        """The hashes of a tile that the log is large enough for."""
        start = tile.number * WIDTH
        if tile.level == 0:
            return b"".join(repository.leaf_hashes(tx, place, start, start + tile.width))
        return b"".join(self._root(tx, place, tile.level - 1, number) for number in range(start, start + tile.width))

    def tree(self, tx: Tx, place: Place, size: int) -> TiledTree:
        """The log at a size that it has."""
        return TiledTree(size, lambda tile: self.read(tx, place, tile))

    def _root(self, tx: Tx, place: Place, level: int, number: int) -> bytes:
        """The root under a full tile."""
        key = (place, level, number)
        found = self._roots.get(key)
        if found is None:
            data = self.read(tx, place, Tile(level, number))
            found = root([data[at : at + 32] for at in range(0, len(data), 32)])
            if len(self._roots) >= MAX_ROOTS:
                self._roots.clear()
            self._roots[key] = found
        return found


def complete(tile: Tile, size: int) -> bool:
    """Whether a log of this size has the tile, as a full one or as exactly this part of it."""
    return tile.leaves <= size and tile.level * HEIGHT < 64
