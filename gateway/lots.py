"""What lies in a slot by lot and serial number: first expired, first out. PURE.

The surprise is that a lot is bookkeeping and not sight: nobody watches which piece a hand takes. It is said of every
piece that it came from the lot that ends first. A serial number is not: whoever takes one names it, or its tag does, so
that no other known number ever leaves in its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

FAR = 2**62


class Lot(msgspec.Struct):
    """So many pieces of one lot, one where there is a serial number; `expires` ms UTC, None: it keeps."""

    lot: str
    expires: int | None
    qty: int
    serial: str = ""


def put(lots: list[Lot], lot: str, expires: int | None, qty: int, serial: str = "") -> None:
    """Pieces of a lot come to those that are there. A number that lies here already does not lie here twice."""
    for one in lots:
        if one.serial == serial and (serial or (one.lot, one.expires) == (lot, expires)):
            one.qty = 1 if serial else one.qty + qty
            return
    lots.append(Lot(lot, expires, 1 if serial else qty, serial))
    lots.sort(key=lambda one: FAR if one.expires is None else one.expires)


def take(lots: list[Lot], qty: int, lot: str = "", serial: str = "") -> None:
    """Pieces leave: the numbers that are named, else of the lot that is named, else of the one that ends first."""
    numbers = serial.split()
    for one in lots:
        if one.serial and one.serial in numbers:
            one.qty, qty = 0, qty - 1
    rest = [one for one in lots if one.qty and not (numbers and one.serial)]
    for one in sorted(rest, key=lambda one: bool(lot) and one.lot != lot):
        gone = max(0, min(one.qty, qty))
        one.qty -= gone
        qty -= gone
    lots[:] = [one for one in lots if one.qty]


def level(lots: list[Lot], qty: int) -> None:
    """A count says how many there are in all: what is too much leaves as a draw would, what is missing has no lot.
    Which numbers are gone it does not say, unless all are.
    """
    held = sum(one.qty for one in lots)
    nameless = [one for one in lots if not one.serial]
    if held > qty:
        numbers = [one for one in lots if one.serial] if qty else []
        take(nameless, held - qty)
        lots[:] = [one for one in lots if one in nameless or one in numbers]


def first(lots: Sequence[Lot]) -> Lot | None:
    """The lot that is drawn next."""
    return lots[0] if lots else None


def serials(lots: Sequence[Lot]) -> list[str]:
    """The numbers that are known to lie here, the one that ends first before the others."""
    return [one.serial for one in lots if one.serial]
