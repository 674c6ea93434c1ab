"""Go's golang.org/x/mod/sumdb/tlog, told again in Python: what checks our proofs and tiles must not be our own code.

Written from tlog.go and tile.go of golang.org/x/mod 0.7.0 as an algorithm (recursion from the end of the proof, hashes
addressed by level and number, tiles of height 8 by path); nothing of ``wire`` is imported. Go itself runs over the same
files in ``test_go.py``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

HEIGHT = 8


class ProofRefused(ValueError):
    """tlog.errProofFailed."""


def record_hash(data: bytes) -> bytes:
    """tlog.RecordHash."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """tlog.NodeHash."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def maxpow2(n: int) -> int:
    """The largest power of two smaller than n (n > 1)."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def check_record(proof: list[bytes], size: int, root: bytes, index: int, leaf: bytes) -> None:
    """tlog.CheckRecord."""
    if not 0 <= index < size:
        raise ProofRefused("index out of range")
    if _run_record(proof, 0, size, index, leaf) != root:
        raise ProofRefused("record proof")


def _run_record(proof: list[bytes], lo: int, hi: int, n: int, leaf: bytes) -> bytes:
    if lo + 1 == hi:
        if proof:
            raise ProofRefused("too long")
        return leaf
    if not proof:
        raise ProofRefused("too short")
    k = maxpow2(hi - lo)
    if n < lo + k:
        return node_hash(_run_record(proof[:-1], lo, lo + k, n, leaf), proof[-1])
    return node_hash(proof[-1], _run_record(proof[:-1], lo + k, hi, n, leaf))


def check_tree(proof: list[bytes], size: int, root: bytes, old: int, old_root: bytes) -> None:
    """tlog.CheckTree."""
    if not 1 <= old <= size:
        raise ProofRefused("size out of range")
    was, now = _run_tree(proof, 0, size, old, old_root)
    if (was, now) != (old_root, root):
        raise ProofRefused("tree proof")


def _run_tree(proof: list[bytes], lo: int, hi: int, n: int, old: bytes) -> tuple[bytes, bytes]:
    if n == hi:
        if lo == 0:
            if proof:
                raise ProofRefused("too long")
            return old, old
        if len(proof) != 1:
            raise ProofRefused("wrong length")
        return proof[0], proof[0]
    if not proof:
        raise ProofRefused("too short")
    k = maxpow2(hi - lo)
    if n <= lo + k:
        was, now = _run_tree(proof[:-1], lo, lo + k, n, old)
        return was, node_hash(now, proof[-1])
    was, now = _run_tree(proof[:-1], lo + k, hi, n, old)
    return node_hash(proof[-1], was), node_hash(proof[-1], now)


def tile_path(level: int, number: int, width: int) -> str:
    """tlog.Tile.Path, without its height (C2SP leaves it out)."""
    parts = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width != 1 << HEIGHT else "")


class TiledFolder:
    """A folder of tiles, as ``tally-cloud logs export-tiles`` writes it; hashes of a tree of ``size`` leaves."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size

    def hash(self, level: int, number: int) -> bytes:
        """The stored hash of tlog: of the full subtree over leaves [number << level, (number + 1) << level)."""
        tile_level, rest = divmod(level, HEIGHT)
        tile = number << rest >> HEIGHT
        first = (number << rest) - (tile << HEIGHT)
        width = min(1 << HEIGHT, (self.size >> (HEIGHT * tile_level)) - (tile << HEIGHT))
        data = (self.folder / tile_path(tile_level, tile, width)).read_bytes()
        assert len(data) == 32 * width
        return self._fold([data[32 * i : 32 * i + 32] for i in range(first, first + (1 << rest))])

    def tree_hash(self, size: int) -> bytes:
        """tlog.TreeHash: the subtrees of the size's bits, joined from the right."""
        if size == 0:
            return hashlib.sha256(b"").digest()
        found, lo = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                found.append(self.hash(level, lo >> level))
                lo += 1 << level
        node = found.pop()
        while found:
            node = node_hash(found.pop(), node)
        return node

    def _fold(self, hashes: list[bytes]) -> bytes:
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]
