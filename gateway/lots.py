"""What lies in a slot by lot: first expired, first out. PURE.

The surprise is that a lot is bookkeeping and not sight: nobody watches which piece a hand takes. It is said of every
piece that it came from the lot that ends first, and a person who is lent or given a serial number names it himself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

FAR = 2**62


class Lot(msgspec.Struct):
    """So many pieces of one lot; `expires` ms UTC, None: it keeps."""

    lot: str
    expires: int | None
    qty: int


def put(lots: list[Lot], lot: str, expires: int | None, qty: int) -> None:
    """Pieces of a lot come to those that are there."""
    for one in lots:
        if (one.lot, one.expires) == (lot, expires):
            one.qty += qty
            return
    lots.append(Lot(lot, expires, qty))
    lots.sort(key=lambda one: FAR if one.expires is None else one.expires)


def take(lots: list[Lot], qty: int, lot: str = "") -> None:
    """Pieces leave: of the lot that is named, else of the one that ends first."""
    for one in [one for one in lots if one.lot == lot and lot] + [one for one in lots if not lot or one.lot != lot]:
        gone = min(one.qty, qty)
        one.qty -= gone
        qty -= gone
    lots[:] = [one for one in lots if one.qty]


def level(lots: list[Lot], qty: int) -> None:
    """A count says how many there are in all: what is too much leaves as a draw would, what is missing has no lot."""
    held = sum(one.qty for one in lots)
    if held > qty:
        take(lots, held - qty)


def first(lots: Sequence[Lot]) -> Lot | None:
    """The lot that is drawn next."""
    return lots[0] if lots else None
