"""Exact quantities: an integer, a power of ten and a unit. Never a float; 0.1 + 0.2 is 0.3 here."""

from __future__ import annotations

from decimal import Decimal

import msgspec

MAX_SCALE = 18


class UnitMismatch(ValueError):
    """Two quantities of different units were put together."""


class Quantity(msgspec.Struct, frozen=True):
    """``value * 10**scale unit``: 1.25 kWh is ``Quantity(125, -2, "kWh")``."""

    value: int
    scale: int
    unit: str

    @property
    def decimal(self) -> Decimal:
        """The number alone, exact."""
        return Decimal(self.value).scaleb(self.scale)

    def at_scale(self, scale: int) -> Quantity:
        """The same quantity at a finer scale; a coarser one that would lose digits raises ValueError."""
        if scale <= self.scale:
            return Quantity(self.value * 10 ** (self.scale - scale), scale, self.unit)
        whole, rest = divmod(self.value, 10 ** (scale - self.scale))
        if rest:
            raise ValueError(f"{self} cannot be written at scale {scale} without rounding")
        return Quantity(whole, scale, self.unit)

    def _aligned(self, other: Quantity) -> tuple[Quantity, Quantity]:
        if self.unit != other.unit:
            raise UnitMismatch(f"{self.unit} and {other.unit} cannot be added")
        scale = min(self.scale, other.scale)
        return self.at_scale(scale), other.at_scale(scale)

    def __add__(self, other: Quantity) -> Quantity:
        left, right = self._aligned(other)
        return Quantity(left.value + right.value, left.scale, self.unit)

    def __sub__(self, other: Quantity) -> Quantity:
        left, right = self._aligned(other)
        return Quantity(left.value - right.value, left.scale, self.unit)

    def __str__(self) -> str:
        return f"{self.decimal:f} {self.unit}"
