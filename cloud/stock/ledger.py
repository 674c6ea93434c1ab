"""Stock is never set, it moves: from one place to another, so that all places together always hold nothing. PURE.

The surprise: a count is a move too (to or from *variance*), worked out for the position in the log at which it was
taken; and an unverified draw moves to *doubtful*, from where evidence moves it on. Once a slot was counted after such a
draw, the count has already settled where the piece is, so a draw that did not happen goes to variance, not back into
the slot. A balance below nothing is a discrepancy, never a refusal: physical facts win. Source: vending.md 5.2-5.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Literal, NamedTuple

import msgspec

from cloud.ingest.posted import Posted
from wire.ids import RecordKey
from wire.records import Count, Draw, DrawResolved, Goods, Loan, LoanBack, Record, Refill, Return, Reversal

MICRO_SCALE = -6
MOST_MICRO = 10**15
STOCK_KINDS = (Draw, DrawResolved, Reversal, Refill, Count, Return, Loan, LoanBack)

Place = Literal["warehouse", "slot", "doubtful", "loaned", "consumed", "variance"]
DiscrepancyKind = Literal[
    "negative_balance", "planogram_mismatch", "unknown_ref", "count_variance", "inexact", "taken_back_twice"
]


GOODS_MOVES: Mapping[type, tuple[Place, Place]] = {
    Refill: ("warehouse", "slot"),
    Return: ("consumed", "slot"),
    Loan: ("slot", "loaned"),
    LoanBack: ("loaned", "slot"),
}


class Shelf(NamedTuple):
    """A place that holds an item: the slot it belongs to, the item, the kind of place."""

    device: str
    slot: str
    item: str
    place: Place


class Move(msgspec.Struct, frozen=True):
    """So many millionths of an item from one place to another. ``entry`` numbers the moves of a device."""

    device: str
    entry: int
    slot: str
    item: str
    micro: int
    unit: str
    source: Place
    target: Place
    reason: str
    about: RecordKey
    posted: Posted


class Discrepancy(msgspec.Struct, frozen=True):
    """A fact that does not fit the books; ``facts`` are the numbers behind it."""

    kind: DiscrepancyKind
    device: str
    subject: str
    facts: dict[str, str | int]
    posted: Posted


class Earlier(msgspec.Struct, frozen=True):
    """A move as later records refer to it: made by record ``key``, about record ``about`` (itself, or a draw)."""

    key: RecordKey
    about: RecordKey
    entry: int
    slot: str
    item: str
    micro: int
    unit: str
    source: Place
    target: Place


class Books(msgspec.Struct):
    """What the ledger has to know of the devices it posts to, as loaded before and as it stands after."""

    last_entry: dict[str, int]
    balances: dict[Shelf, int] = msgspec.field(default_factory=dict)
    units: dict[Shelf, str] = msgspec.field(default_factory=dict)
    counted: dict[Shelf, int] = msgspec.field(default_factory=dict)
    earlier: dict[RecordKey, list[Earlier]] = msgspec.field(default_factory=dict)
    positions: dict[RecordKey, int] = msgspec.field(default_factory=dict)
    after: dict[RecordKey, list[Earlier]] = msgspec.field(default_factory=dict)
    planogram: Mapping[tuple[str, str], str] = msgspec.field(default_factory=dict)
    moves: list[Move] = msgspec.field(default_factory=list)
    discrepancies: list[Discrepancy] = msgspec.field(default_factory=list)

    def post(self, records: Iterable[Posted]) -> None:
        """Posts records in the order given."""
        for posted in records:
            record = posted.record
            if isinstance(record, Draw):
                _draw(self, posted, record)
            elif isinstance(record, DrawResolved):
                _resolve(self, posted, record)
            elif isinstance(record, Reversal):
                _reverse(self, posted, record)
            elif isinstance(record, Count):
                _count(self, posted, record)
            elif isinstance(record, Goods):
                _goods(self, posted, record)

    def shelf(self, device: str, slot: str, item: str, place: Place) -> int:
        """The balance of one place, in millionths."""
        return self.balances.get(Shelf(device, slot, item, place), 0)

    def move(self, posted: Posted, of: Earlier, source: Place, target: Place, reason: str) -> None:
        """Books one move of ``of.micro``; says so when a slot falls below nothing."""
        if not of.micro:
            return
        device = posted.record.src
        entry = self.last_entry[device] = self.last_entry.get(device, 0) + 1
        moved = Move(device, entry, of.slot, of.item, of.micro, of.unit, source, target, reason, of.about, posted)
        self.moves.append(moved)
        known = Earlier(posted.key, of.about, entry, of.slot, of.item, of.micro, of.unit, source, target)
        self.earlier.setdefault(of.about, []).append(known)
        for place, change in ((source, -of.micro), (target, of.micro)):
            shelf = Shelf(device, of.slot, of.item, place)
            before = self.balances.get(shelf, 0)
            self.balances[shelf] = before + change
            self.units.setdefault(shelf, of.unit)
            if place == "slot" and before >= 0 > before + change:
                self.doubt(posted, "negative_balance", of.slot, {"item": of.item, "micro": before + change})

    def doubt(self, posted: Posted, kind: DiscrepancyKind, subject: str, facts: dict[str, str | int]) -> None:
        """Notes a discrepancy."""
        self.discrepancies.append(Discrepancy(kind, posted.record.src, subject, facts, posted))


def is_stock(record: Record) -> bool:
    """Whether the record moves goods."""
    return isinstance(record, STOCK_KINDS)


def referred(record: Record) -> RecordKey | None:
    """The record of the same device whose moves a later one takes up, if any."""
    if not isinstance(record, DrawResolved | Reversal | Return) or not record.ref or record.ref.src != record.src:
        return None
    return record.ref.key


def count_position(record: Record) -> RecordKey | None:
    """The record after which a count was taken, when that is not simply the one before it."""
    if not isinstance(record, Count) or not record.position:
        return None
    epoch, _, n = record.position.rpartition("/")
    if not epoch or not n.isdigit() or len(n) > 15 or (epoch == record.ep and int(n) >= record.n - 1):
        return None
    return RecordKey(record.src, epoch, int(n))


def in_micro(quantity: int, scale: int) -> int | None:
    """The quantity in millionths; None when it is finer than that, or more than a billion units."""
    exact = Fraction(quantity) * Fraction(10) ** (scale - MICRO_SCALE)
    return exact.numerator if exact.denominator == 1 and exact.numerator <= MOST_MICRO else None


def _amount(books: Books, posted: Posted, goods: Draw | Goods) -> Earlier | None:
    micro = goods.qty * 1_000_000 if goods.scale == 0 and goods.qty < 10**6 else in_micro(goods.qty, goods.scale)
    if micro is None:
        books.doubt(posted, "inexact", goods.slot, {"item": goods.item, "qty": goods.qty, "scale": goods.scale})
        return None
    about = referred(posted.record) or posted.key
    return Earlier(posted.key, about, 0, goods.slot, goods.item, micro, goods.unit, "slot", "slot")


def _goods(books: Books, posted: Posted, record: Goods) -> None:
    amount = _amount(books, posted, record)
    if amount is not None:
        source, target = GOODS_MOVES[type(record)]
        books.move(posted, amount, source, target, str(type(record).__struct_config__.tag))


def _draw(books: Books, posted: Posted, draw: Draw) -> None:
    if draw.outcome not in ("confirmed", "unverified"):
        return
    amount = _amount(books, posted, draw)
    if amount is None:
        return
    planned = books.planogram.get((draw.src, draw.slot))
    if planned is not None and planned != draw.item:
        books.doubt(posted, "planogram_mismatch", draw.slot, {"drawn": draw.item, "planned": planned})
    if draw.outcome == "unverified":
        presumed = amount if amount.micro else msgspec.structs.replace(amount, micro=1_000_000)
        books.move(posted, presumed, "slot", "doubtful", "draw_unverified")
    else:
        books.move(posted, amount, "slot", "consumed", "draw")


def _taken_up(
    books: Books, posted: Posted, record: DrawResolved | Reversal, place: Place
) -> tuple[Earlier, int, int] | None:
    """The draw a record is about with what of it still lies at ``place``, and how much the record speaks of."""
    key = referred(record)
    about = books.earlier.get(key, []) if key is not None else []
    micro = in_micro(record.qty, record.scale)
    lying = sum(one.micro * ((one.target == place) - (one.source == place)) for one in about)
    subject = f"{record.ref.src}/{record.ref.ep}/{record.ref.n}"
    if not about or micro is None:
        books.doubt(posted, "unknown_ref", subject, {})
        return None
    if lying <= 0:
        books.doubt(posted, "taken_back_twice", subject, {})
        return None
    return about[0], lying, micro


def _resolve(books: Books, posted: Posted, record: DrawResolved) -> None:
    found = _taken_up(books, posted, record, "doubtful")
    if found is None or record.outcome == "unverified":
        return
    draw, lying, micro = found
    proven = micro if record.outcome == "confirmed" else 0
    whence = _whence(books, draw, record.src)
    taken = min(proven, lying)
    books.move(posted, msgspec.structs.replace(draw, micro=taken), "doubtful", "consumed", "draw_resolved")
    books.move(posted, msgspec.structs.replace(draw, micro=lying - taken), "doubtful", whence, "draw_resolved")
    books.move(posted, msgspec.structs.replace(draw, micro=proven - taken), whence, "consumed", "draw_resolved")


def _reverse(books: Books, posted: Posted, record: Reversal) -> None:
    found = _taken_up(books, posted, record, "consumed")
    if found is None:
        return
    draw, lying, micro = found
    if micro > lying:
        books.doubt(posted, "taken_back_twice", draw.slot, {"item": draw.item, "micro": micro - lying})
    back = msgspec.structs.replace(draw, micro=min(micro, lying))
    books.move(posted, back, "consumed", _whence(books, draw, record.src), "reversal")


def _whence(books: Books, draw: Earlier, device: str) -> Place:
    """Where a draw that did not happen goes back to: the slot, unless a count has settled the slot since."""
    counted = books.counted.get(Shelf(device, draw.slot, draw.item, "slot"), 0)
    return "variance" if counted >= draw.entry else "slot"


def _count(books: Books, posted: Posted, count: Count) -> None:
    amount = _amount(books, posted, count)
    if amount is None:
        return
    shelf = Shelf(count.src, count.slot, count.item, "slot")
    later = _later_moves(books, count)
    since = sum(one.micro * ((one.target == "slot") - (one.source == "slot")) for one in later)
    books.counted[shelf] = min((one.entry for one in later), default=books.last_entry.get(count.src, 0) + 1) - 1
    variance = amount.micro - (books.balances.get(shelf, 0) - since)
    moved = msgspec.structs.replace(amount, micro=abs(variance))
    if variance > 0:
        books.move(posted, moved, "variance", "slot", "count")
    else:
        books.move(posted, moved, "slot", "variance", "count")
    if variance:
        books.doubt(posted, "count_variance", count.slot, {"item": count.item, "micro": variance})
    books.units.setdefault(shelf, count.unit)
    books.balances.setdefault(shelf, 0)


def _later_moves(books: Books, count: Count) -> list[Earlier | Move]:
    """Moves of the counted slot and item that were posted after the position the count speaks of."""
    position = count_position(count)
    if position is None:
        return []
    posted_now = [one for one in books.moves if one.device == count.src]
    within = [one.entry for one in posted_now if one.posted.key.ep == position.ep and one.posted.key.n <= position.n]
    at = max([*within, books.positions.get(position, -1)])
    if at < 0:
        return []
    later: list[Earlier | Move] = [*books.after.get(position, []), *posted_now]
    return [one for one in later if one.entry > at and (one.slot, one.item) == (count.slot, count.item)]
