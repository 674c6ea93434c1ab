"""The part of a log's tree that can be worked out from a frontier and the leaves after it. PURE.

The surprise: that is enough for the inclusion path of every later leaf. All that lies before the frontier enters a path
only as one of the frontier's own peaks, because a sibling's parent reaches beyond the frontier (RFC 9162 section 2).
"""

from __future__ import annotations

from collections.abc import Sequence

from wire.log import Frontier, ProofError, inclusion_path, node_hash, split_at


class PartialTree:
    """Leaves ``[frontier.size, frontier.size + len(leaf_hashes))`` on top of a frontier."""

    def __init__(self, frontier: Frontier, leaf_hashes: Sequence[bytes]) -> None:
        self.start = frontier.size
        self.size = frontier.size + len(leaf_hashes)
        self._hashes = leaf_hashes
        self._known: dict[tuple[int, int], bytes] = {}
        low = 0
        for peak, bit in zip(frontier.peaks, _bits(frontier.size), strict=True):
            self._known[low, low + bit] = peak
            low += bit

    def root(self) -> bytes:
        """The root over everything."""
        return self._node(0, self.size)

    def path(self, index: int) -> list[bytes]:
        """The inclusion path of a leaf at or after the frontier."""
        if not self.start <= index < self.size:
            raise ProofError(f"leaf {index} is not among [{self.start}, {self.size})")
        return inclusion_path(index, self.size, self._node)

    def _node(self, low: int, high: int) -> bytes:
        """The hash over leaves ``[low, high)``."""
        known = self._known.get((low, high))
        if known is not None:
            return known
        if high - low == 1:
            return self._hashes[low - self.start]
        middle = low + split_at(high - low)
        node = node_hash(self._node(low, middle), self._node(middle, high))
        self._known[low, high] = node
        return node


def _bits(size: int) -> list[int]:
    """The powers of two that make up a size, largest first."""
    return [1 << bit for bit in range(size.bit_length() - 1, -1, -1) if size >> bit & 1]
