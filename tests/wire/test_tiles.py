"""Tiles: paths as C2SP spells them, and proofs from tiles that equal those over all leaf hashes."""

from __future__ import annotations

import random
from functools import cache

import pytest

from wire import log
from wire.log import ProofError
from wire.tiles import WIDTH, Tile, TiledTree, bundle, parse, tiles_of

HASHES = [log.leaf_hash(b"%d" % i) for i in range(70_000)]


@cache
def read(tile: Tile) -> bytes:
    """A tile of the log over HASHES."""
    span = WIDTH**tile.level
    first = tile.number * WIDTH
    return b"".join(log.root(HASHES[at * span : (at + 1) * span]) for at in range(first, first + tile.width))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(1, 1_234_067), "tile/1/x001/x234/067"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
    ],
)
def test_a_path_is_spelled_as_the_standard_does_and_read_again(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse(path).tile == tile


@pytest.mark.parametrize(
    "path",
    ["", "tile/0/0", "tile/0/x000/001", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/07", "tile/64/000",
     "tile/00/000", "tile/0/000/", "tile/0/../000", "tile/entries/x1/000", "tile/0/٣٣٣", "tile/0/" + "x999/" * 30],
)  # fmt: skip
def test_another_spelling_is_no_tile(path: str) -> None:
    with pytest.raises(ProofError):
        parse(path)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 65_535, 65_536, 65_537, 69_999])
def test_proofs_out_of_tiles_are_those_over_all_hashes(size: int) -> None:
    tree, hashes = TiledTree(size, read), HASHES[:size]

    assert tree.root() == log.root(hashes)
    for index in {0, size // 3, size // 2, size - 1}:
        assert tree.inclusion(index) == log.inclusion_proof(index, hashes)
    for old in {1, size // 3 or 1, size // 2 or 1, size - 1 or 1, size}:
        assert tree.consistency(old) == log.consistency_proof(old, hashes)


@pytest.mark.parametrize("seed", range(60))
def test_a_tree_proves_about_every_smaller_size_too(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.randint(1, 600)
    until = chance.randint(1, size)
    index, old = chance.randrange(until), chance.randint(1, until)
    tree = TiledTree(size, read)

    assert tree.root(until) == log.root(HASHES[:until])
    assert tree.inclusion(index, until) == log.inclusion_proof(index, HASHES[:until])
    assert tree.consistency(old, until) == log.consistency_proof(old, HASHES[:until])


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0), (0, 11)])
def test_what_is_not_in_the_tree_cannot_be_proven(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        TiledTree(10, read).inclusion(index, size)


def test_a_cut_tile_is_refused() -> None:
    with pytest.raises(ProofError):
        TiledTree(300, lambda tile: read(tile)[:-1]).root()


def test_the_tiles_of_a_log_are_the_full_ones_and_one_part_a_level() -> None:
    paths = [tile.path for tile in tiles_of(70_000)]

    assert paths[272:] == ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    assert [tile.path for tile in tiles_of(70_000, 69_999)] == ["tile/0/273.p/112"]


def test_a_bundle_of_leaves_says_each_length() -> None:
    assert bundle([b"", b"ab"]) == b"\x00\x00\x00\x02ab"
