"""The stock of a slot as a word, since a number alone says nothing to whoever does not know the slot. PURE."""

from __future__ import annotations

from typing import Literal

from gateway.ports import Slot

Stock = Literal["empty", "low", "enough", "unknown"]


def stock_word(on_hand: int | None, place: Slot) -> Stock:
    """The stock as a word."""
    if on_hand is None:
        return "unknown"
    if on_hand <= 0:
        return "empty"
    return "low" if on_hand <= max(place.min, 1) else "enough"
