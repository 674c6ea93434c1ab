"""What lies in a slot by lot and serial number: first expired, first out. PURE.

The surprise is that a lot is bookkeeping and not sight: nobody watches which piece a hand takes. It is said of every
piece that it came from the lot that ends first. A serial number is not: whoever takes one names it, or its tag does, so
that no other known number ever leaves in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from wire.records import OfLot

FAR = 2**62
# Lots of one record: a leaf is at most 4 KiB.
MOST = 12


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


def take(lots: list[Lot], qty: int, lot: str = "", serial: str = "", parts: Sequence[OfLot] = ()) -> list[Lot]:
    """Pieces leave: the numbers that are named, else of the lots that are named, else of the one that ends first. What
    left, the first to end first.
    """
    numbers = serial.split()
    gone = [msgspec.structs.replace(one) for one in lots if one.serial and one.serial in numbers]
    lots[:] = [one for one in lots if not (one.serial and one.serial in numbers)]
    rest = [one for one in lots if not (numbers and one.serial)]
    for part in () if numbers else parts:
        gone += _leave([one for one in rest if one.lot == part.lot], min(part.qty, qty - total(gone)))
    gone += _leave(sorted(rest, key=lambda one: bool(lot) and one.lot != lot), qty - total(gone))
    lots[:] = [one for one in lots if one.qty]
    return gone


def leaving(lots: Sequence[Lot], qty: int, serial: str = "") -> list[Lot]:
    """What would leave; nothing does."""
    return take([msgspec.structs.replace(one) for one in lots], qty, serial=serial) if lots else []


def total(lots: Iterable[Lot | OfLot]) -> int:
    """Pieces in all."""
    return sum(one.qty for one in lots)


def labels(gone: Iterable[Lot | OfLot], qty: int) -> tuple[str, list[OfLot]]:
    """How a record of so many pieces says their lots: `lot`, and `lots` where not all of them are known to be of it."""
    found: dict[str, int] = {}
    for one in gone:
        if one.lot:
            found[one.lot] = found.get(one.lot, 0) + one.qty
    named = [OfLot(lot, pieces) for lot, pieces in found.items()]
    if not named:
        return "", []
    return named[0].lot, [] if named[0].qty >= qty else named[:MOST]


def first_of(parts: Sequence[OfLot], qty: int) -> list[OfLot]:
    """The lots of the first so many pieces of a draw."""
    found: list[OfLot] = []
    for one in parts:
        if left := min(one.qty, qty - total(found)):
            found.append(OfLot(one.lot, left))
    return found


def last_of(parts: Sequence[OfLot], whole: int, qty: int) -> list[OfLot]:
    """The lots of the last so many of a draw of `whole` pieces: what comes back is what would have been used up last.
    Of pieces that no lot is known of, none is said.
    """
    staying = {one.lot: one.qty for one in first_of(parts, max(0, whole - qty))}
    return [OfLot(one.lot, left) for one in parts if (left := one.qty - staying.get(one.lot, 0))]


def _leave(lots: Sequence[Lot], qty: int) -> list[Lot]:
    gone = []
    for one in lots:
        pieces = max(0, min(one.qty, qty))
        if pieces:
            gone.append(msgspec.structs.replace(one, qty=pieces))
            one.qty -= pieces
            qty -= pieces
    return gone


def level(lots: list[Lot], qty: int) -> None:
    """A count says how many there are in all: what is too much leaves as a draw would, what is missing has no lot.
    Which numbers are gone it does not say, unless all are.
    """
    held = total(lots)
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
