"""Stock is never set, it moves: from one place to another, so that all places together always hold nothing. PURE.

The surprise: a count is a move too (to or from *variance*), worked out for the position in the log at which it was
taken; and an unverified draw moves to *doubtful*, from where evidence moves it on. Whatever lies before a slot's last
count in the log is settled by that count: what is posted late (after a quarantine, or as a draw that did not happen)
then moves to or from variance and leaves the slot as it was counted. A slot below nothing is a discrepancy, never a
refusal: physical facts win. Source: vending.md 5.2-5.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Literal

import msgspec

from cloud.ingest.posted import Posted
from wire.ids import RecordKey
from wire.records import NOT_AS_NEW, Count, Draw, DrawResolved, Goods, Loan, LoanBack, Record, Refill, Return, Reversal

MICRO_SCALE = -6
MICRO = 1_000_000
MOST_MICRO = 10**15
REFERRING = (DrawResolved, Reversal, Return, LoanBack)
STOCK_KINDS = frozenset((Draw, DrawResolved, Reversal, Refill, Count, Return, Loan, LoanBack))

Place = Literal["warehouse", "slot", "doubtful", "loaned", "consumed", "variance"]
DiscrepancyKind = Literal[
    "negative_balance", "planogram_mismatch", "unknown_ref", "count_variance", "inexact", "taken_back_twice"
]
Position = tuple[int, int]
"""Log number and index of a leaf: the order of everything that happened at a device."""
Shelf = tuple[str, str, str, Place]
"""Device, slot, item, place."""
NEVER: Position = (-1, -1)
GOODS_MOVES: Mapping[type, tuple[Place, Place]] = {
    Refill: ("warehouse", "slot"),
    Return: ("consumed", "slot"),
    Loan: ("slot", "loaned"),
    LoanBack: ("loaned", "slot"),
}


class Move(msgspec.Struct, frozen=True, gc=False):
    """So many millionths of an item from one place to another, by the leaf at ``at``, about the draw at ``about``."""

    device: str
    at: Position
    about: Position
    slot: str
    item: str
    micro: int
    unit: str
    source: Place
    target: Place
    reason: str
    at_ms: int


class Discrepancy(msgspec.Struct, frozen=True):
    """A fact that does not fit the books; ``facts`` are the numbers behind it."""

    kind: DiscrepancyKind
    device: str
    subject: str
    facts: dict[str, str | int]
    posted: Posted


class Books(msgspec.Struct):
    """What the ledger has to know of the devices it posts to, as loaded before and as it stands after.

    ``places``: where records that others refer to stand. ``earlier``: the moves about
    a draw, by its position. ``later``: moves of counted slots that are posted already and lie behind the count.
    ``planogram``: the item that (device, slot) should hold. ``changed``: shelves whose balance has to be written.
    """

    balances: dict[Shelf, int] = {}
    units: dict[Shelf, str] = {}
    counted: dict[Shelf, Position] = {}
    places: Mapping[RecordKey, Position] = {}
    earlier: dict[Position, list[Move]] = {}
    later: Mapping[Position, list[Move]] = {}
    planogram: Mapping[tuple[str, str], str] = {}
    moves: list[Move] = []
    discrepancies: list[Discrepancy] = []
    changed: set[Shelf] = set()
    indexed: int = 0

    def post(self, records: Iterable[Posted]) -> None:
        """Posts records in the order given."""
        for posted in records:
            record = posted.record
            if type(record) is Draw:
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
        return self.balances.get((device, slot, item, place), 0)

    def about(self, position: Position) -> list[Move]:
        """All moves so far about the draw at a position, in order."""
        for move in self.moves[self.indexed :]:
            self.earlier.setdefault(move.about, []).append(move)
        self.indexed = len(self.moves)
        return self.earlier.get(position, [])

    def move(self, posted: Posted, move: Move, settled_by: Position) -> None:
        """Books one move; ``settled_by`` is the position that a count must have passed to have settled it already."""
        if not move.micro:
            return
        device, slot, item, unit = move.device, move.slot, move.item, move.unit
        source, target = move.source, move.target
        if self.counted:
            counted = self.counted.get((device, slot, item, "slot"), NEVER)
            if counted >= settled_by and counted != NEVER:
                source = "variance" if source == "slot" else source
                target = "variance" if target == "slot" else target
                move = msgspec.structs.replace(move, source=source, target=target)
            if source == target:
                return
        self.moves.append(move)
        taken, given, balances = (device, slot, item, source), (device, slot, item, target), self.balances
        before = balances.get(taken, 0)
        after = balances[taken] = before - move.micro
        balances[given] = balances.get(given, 0) + move.micro
        self.units[taken] = self.units[given] = unit
        self.changed.add(taken)
        self.changed.add(given)
        if source == "slot" and before >= 0 > after:
            self.doubt(posted, "negative_balance", slot, {"item": item, "micro": after})

    def doubt(self, posted: Posted, kind: DiscrepancyKind, subject: str, facts: dict[str, str | int]) -> None:
        """Notes a discrepancy."""
        self.discrepancies.append(Discrepancy(kind, posted.record.src, subject, facts, posted))


def referred(record: Record) -> RecordKey | None:
    """The record of the same device whose moves a later one takes up, if any."""
    if not isinstance(record, REFERRING) or not record.ref or record.ref.src != record.src:
        return None
    return record.ref.key


def count_position(record: Record) -> RecordKey | None:
    """The record after which a count was taken, when that is not simply the one before it."""
    if not isinstance(record, Count) or not record.position:
        return None
    epoch, _, n = record.position.rpartition("/")
    if not epoch or not n.isdecimal() or len(n) > 15 or (epoch == record.ep and int(n) >= record.n - 1):
        return None
    return RecordKey(record.src, epoch, int(n))


def in_micro(quantity: int, scale: int) -> int | None:
    """The quantity in millionths; None when it is finer than that, or more than a billion units."""
    if scale == 0 and quantity < MICRO:
        return quantity * MICRO
    exact = Fraction(quantity) * Fraction(10) ** (scale - MICRO_SCALE)
    return exact.numerator if exact.denominator == 1 and exact.numerator <= MOST_MICRO else None


def _amount(books: Books, posted: Posted, goods: Draw | Goods) -> int | None:
    micro = in_micro(goods.qty, goods.scale)
    if micro is None:
        books.doubt(posted, "inexact", goods.slot, {"item": goods.item, "qty": goods.qty, "scale": goods.scale})
    return micro


def _goods(books: Books, posted: Posted, record: Goods) -> None:
    if isinstance(record, Return) and record.condition in NOT_AS_NEW:
        # Used goods are the customer's, in whatever box they lie.
        return
    micro = _amount(books, posted, record)
    if micro is None:
        return
    source, target = GOODS_MOVES[type(record)]
    at, reason = posted.position, str(type(record).__struct_config__.tag)
    key = referred(posted.record)
    about = at if key is None else books.places.get(key, at)
    move = Move(
        record.src, at, about, record.slot, record.item, micro, record.unit, source, target, reason, posted.at_ms
    )
    books.move(posted, move, at)


def _draw(books: Books, posted: Posted, draw: Draw) -> None:
    outcome = draw.outcome
    if outcome not in ("confirmed", "unverified"):
        return
    micro = _amount(books, posted, draw)
    if micro is None:
        return
    src, slot, item = draw.src, draw.slot, draw.item
    planned = books.planogram.get((src, slot), item)
    if planned != item:
        books.doubt(posted, "planogram_mismatch", slot, {"drawn": item, "planned": planned})
    at = posted.position
    if outcome == "confirmed":
        move = Move(src, at, at, slot, item, micro, draw.unit, "slot", "consumed", "draw", posted.at_ms)
    else:
        presumed = micro or MICRO
        move = Move(src, at, at, slot, item, presumed, draw.unit, "slot", "doubtful", "draw_unverified", posted.at_ms)
    books.move(posted, move, at)


def _taken_up(
    books: Books, posted: Posted, record: DrawResolved | Reversal, place: Place
) -> tuple[Move, int, int] | None:
    """The draw a record is about with what of it still lies at ``place``, and how much the record speaks of."""
    key = referred(record)
    position = None if key is None else books.places.get(key)
    about = [] if position is None else books.about(position)
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
    taken = min(proven, lying)
    legs: tuple[tuple[int, Place, Place], ...] = (
        (taken, "doubtful", "consumed"),
        (lying - taken, "doubtful", "slot"),
        (proven - taken, "slot", "consumed"),
    )
    for amount, source, target in legs:
        _correct(books, posted, draw, (amount, source, target), "draw_resolved")


def _reverse(books: Books, posted: Posted, record: Reversal) -> None:
    found = _taken_up(books, posted, record, "consumed")
    if found is None:
        return
    draw, lying, micro = found
    if micro > lying:
        books.doubt(posted, "taken_back_twice", draw.slot, {"item": draw.item, "micro": micro - lying})
    _correct(books, posted, draw, (min(micro, lying), "consumed", "slot"), "reversal")


def _correct(books: Books, posted: Posted, draw: Move, leg: tuple[int, Place, Place], reason: str) -> None:
    """A move that says a draw was otherwise: a count that came after the draw has settled the slot already."""
    micro, source, target = leg
    move = msgspec.structs.replace(
        draw, at=posted.position, micro=micro, source=source, target=target, reason=reason, at_ms=posted.at_ms
    )
    books.move(posted, move, draw.about)


def _count(books: Books, posted: Posted, count: Count) -> None:
    micro = _amount(books, posted, count)
    if micro is None:
        return
    shelf: Shelf = (count.src, count.slot, count.item, "slot")
    at = posted.position
    key = count_position(count)
    taken_at = at if key is None else books.places.get(key, at)
    if books.counted.get(shelf, NEVER) > taken_at:
        return
    later = [one for one in (*books.later.get(taken_at, []), *books.moves) if one.at > taken_at]
    since = sum(
        one.micro * ((one.target == "slot") - (one.source == "slot"))
        for one in later
        if (one.device, one.slot, one.item) == shelf[:3]
    )
    variance = micro - (books.balances.get(shelf, 0) - since)
    source, target = _sides(variance)
    # Taken out by whoever counted is a difference with a reason, and nobody's loss.
    reason = next((one for one in ("spoiled", "removed") if one in count.q and variance < 0), "count")
    move = Move(
        count.src, at, at, count.slot, count.item, abs(variance), count.unit, source, target, reason, posted.at_ms
    )
    books.move(posted, move, at)
    if variance and reason == "count":
        books.doubt(posted, "count_variance", count.slot, {"item": count.item, "micro": variance})
    books.counted[shelf] = taken_at
    books.units.setdefault(shelf, count.unit)
    books.balances.setdefault(shelf, 0)
    books.changed.add(shelf)


def _sides(variance: int) -> tuple[Place, Place]:
    return ("variance", "slot") if variance > 0 else ("slot", "variance")
