"""The Merkle tree of RFC 9162 section 2 (the same as RFC 6962): roots, inclusion and consistency proofs.

Hashes are 32 bytes. Leaves and nodes are hashed under different prefixes, so that one can never pass for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import msgspec

EMPTY_ROOT = sha256(b"").digest()
Node = Callable[[int, int], bytes]


class ProofError(ValueError):
    """A proof does not prove: wrong length, wrong index, or another root."""


def leaf_hash(leaf: bytes) -> bytes:
    """``SHA-256(0x00 || leaf)``."""
    return sha256(b"\x00" + leaf).digest()


def leaf_hashes(leaves: Sequence[bytes]) -> list[bytes]:
    """The hash of each leaf."""
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """``SHA-256(0x01 || left || right)``."""
    return sha256(b"\x01" + left + right).digest()


class Frontier(msgspec.Struct, frozen=True):
    """All a log must remember to grow: its size and its full subtrees' roots, largest first (one for each 1 bit)."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def extend(self, leaf_hashes: Sequence[bytes]) -> Frontier:
        """The frontier after these leaves; O(number of leaves). Pairs become nodes, level by level."""
        peaks, kept = list(self.peaks), []
        nodes, position = list(leaf_hashes), self.size
        while nodes:
            if position & 1:
                nodes.insert(0, peaks.pop())
            if len(nodes) & 1:
                kept.append(nodes.pop())
            nodes = [
                sha256(b"\x01" + left + right).digest() for left, right in zip(nodes[::2], nodes[1::2], strict=True)
            ]
            position >>= 1
        return Frontier(self.size + len(leaf_hashes), (*peaks, *reversed(kept)))

    def root(self) -> bytes:
        """The tree's root at this size."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node

    def to_bytes(self) -> bytes:
        """The peaks one after the other; the size says how many there are."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """What ``to_bytes`` wrote; raises ValueError when the count of hashes cannot belong to the size."""
        if size < 0 or len(data) != 32 * size.bit_count():
            raise ValueError(f"a frontier of size {size} has {max(size, 0).bit_count()} hashes, not {len(data) / 32:g}")
        return cls(size, tuple(data[at : at + 32] for at in range(0, len(data), 32)))


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root over the leaf hashes."""
    return Frontier().extend(leaf_hashes).root()


def split_at(size: int) -> int:
    """The largest power of two below ``size`` (size > 1): where RFC 9162 section 2.1.1 divides a tree."""
    return int(1 << (size - 1).bit_length() - 1)


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """RFC 9162 2.1.3.1 for leaf ``index`` < ``size``; ``node(low, high)`` is the root over leaves ``[low, high)``."""
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split_at(high - low)
        if index < middle:
            path.append(node(middle, high))
            high = middle
        else:
            path.append(node(low, middle))
            low = middle
    return path[::-1]


def consistency_path(old: int, size: int, node: Node) -> list[bytes]:
    """RFC 9162 2.1.4.1 for 0 < ``old`` <= ``size``; ``node`` as for ``inclusion_path``."""
    path: list[bytes] = []
    low, high, whole = 0, size, True
    while old != high:
        middle = low + split_at(high - low)
        if old <= middle:
            path.append(node(middle, high))
            high = middle
        else:
            path.append(node(low, middle))
            low, whole = middle, False
    if not whole:
        path.append(node(low, high))
    return path[::-1]


def inclusion_proof(index: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162 2.1.3.1: the path that shows leaf ``index`` is in the tree over these leaf hashes."""
    size = len(leaf_hashes)
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    return inclusion_path(index, size, lambda low, high: root(leaf_hashes[low:high]))


def verify_inclusion(index: int, size: int, hashed: bytes, proof: Sequence[bytes], expected: bytes) -> None:
    """RFC 9162 2.1.3.2; raises ProofError unless the leaf hash is at ``index`` in the tree with root ``expected``."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    position, last, node = index, size - 1, hashed
    for sibling in proof:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("the inclusion proof is too short")
    if node != expected:
        raise ProofError("the inclusion proof leads to another root")


def consistency_proof(old: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162 2.1.4.1: shows that the first ``old`` leaves are a prefix of the tree over these leaf hashes."""
    size = len(leaf_hashes)
    if not 0 < old <= size:
        raise ProofError(f"no consistency proof from {old} to {size}")
    return consistency_path(old, size, lambda low, high: root(leaf_hashes[low:high]))


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """RFC 9162 2.1.4.2; raises ProofError unless the tree at ``new`` extends the tree at ``old``. ``old`` >= 1."""
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof from {old} to {new}")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("equal sizes need equal roots and an empty proof")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofError("the consistency proof is empty")
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if position & 1 or position == last:
            old_node = node_hash(sibling, old_node)
            new_node = node_hash(sibling, new_node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new_node = node_hash(new_node, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise ProofError("the consistency proof is too short")
    if old_node != old_root or new_node != new_root:
        raise ProofError("the consistency proof leads to other roots")
