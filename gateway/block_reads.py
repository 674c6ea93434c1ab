"""Which registers travel together: the fewest requests that read everything wanted, within a device's limits. PURE.

The surprise is what may lie between two wanted registers: reading through a gap costs 2 bytes a register, a second
request costs 13 bytes, two silences and the device's turn-round, so a gap is read through, but only where the device
answers for it: some refuse a block that touches one register they do not have. Among the plans with the fewest
requests, the one that reads the fewest registers is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from gateway.device_events import Want

# More than any plan's registers: a request less is always worth it.
REQUEST = 100_000


class Limits(msgspec.Struct, frozen=True):
    """What a device allows: `most` registers a read (125 by the standard), `gap` unwanted ones in a row inside a block,
    `holes` (table, first, last) that no read may touch.
    """

    most: int = 125
    gap: int = 125
    holes: tuple[tuple[int, int, int], ...] = ()


def blocks(wants: Sequence[Want], limits: Limits) -> tuple[tuple[Want, ...], ...]:
    """The wants in groups, one request each, by table and address. A want that alone exceeds `most` stands alone."""
    return _planned(tuple(sorted(wants, key=_place)), limits)


def block_of(urgent: Want, wants: Sequence[Want], limits: Limits) -> tuple[Want, ...]:
    """The group of the plan that the most urgent want travels in."""
    return next(block for block in blocks(wants, limits) if urgent in block)


def _place(want: Want) -> tuple[int, int, int, str]:
    return want.table, want.address, want.width, want.name


@lru_cache(maxsize=512)
def _planned(wants: tuple[Want, ...], limits: Limits) -> tuple[tuple[Want, ...], ...]:
    """Cheapest cut of the sorted wants: `best[n]` is the cost of the first n, and where their last block begins."""
    best: list[tuple[int, int]] = [(0, 0)]
    for end in range(1, len(wants) + 1):
        found = []
        high = 0
        for start in range(end - 1, -1, -1):
            high = max(high, wants[start].address + wants[start].width)
            if start < end - 1 and not _may_join(wants[start:end], high, limits):
                # A want further left only makes the block longer.
                break
            found.append((best[start][0] + REQUEST + high - wants[start].address, start))
        best.append(min(found))
    cut: list[tuple[Want, ...]] = []
    end = len(wants)
    while end:
        start = best[end][1]
        cut.append(wants[start:end])
        end = start
    return tuple(reversed(cut))


def _may_join(block: tuple[Want, ...], high: int, limits: Limits) -> bool:
    first, second = block[0], block[1]
    if first.table != second.table or high - first.address > limits.most:
        return False
    if second.address - (first.address + first.width) > limits.gap:
        return False
    return not any(table == first.table and low < high and last >= first.address for table, low, last in limits.holes)
