"""How much a customer owes in all, and whether one more draw fits: the arithmetic of use first, pay later. PURE."""

from __future__ import annotations

from typing import NamedTuple


class Exposure(NamedTuple):
    """Minor units. ``unbilled``: draws and services no invoice has asked for yet; ``reserved``: decisions for draws
    that have not happened, and what gateways may still let go on their own.
    """

    limit: int
    receivable: int
    unbilled: int
    reserved: int

    @property
    def used(self) -> int:
        """Everything that is owed or may become owed."""
        return self.receivable + self.unbilled + self.reserved

    @property
    def available(self) -> int:
        """What still fits; never negative."""
        return max(0, self.limit - self.used)

    def fits(self, minor: int) -> bool:
        """Whether so much more stays within the limit."""
        return minor <= 0 or self.used + minor <= self.limit
