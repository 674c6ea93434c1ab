"""Pieces that are due: from draws, their resolutions, reversals and returns. PURE.

The surprise: nothing is billed on doubt. An unverified draw is due only when a resolution proves it, and then with both
leaves as its evidence; a credit never exceeds what was drawn; a record told twice counts once. What is left out is
listed with its reason, so that a statement accounts for every leaf. Source: vending.md 5.2, 5.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, NamedTuple

from cloud.billing.facts import Fact
from cloud.rating.events import CountedEvent
from cloud.rating.lines import Effect, LeafRef
from wire.ids import RecordKey
from wire.records import NOT_AS_NEW, Draw, DrawResolved, Return, Reversal

DoubtReason = Literal[
    "unverified", "unknown_ref", "resolved_twice", "not_unverified", "reversed_too_much", "duplicate", "not_as_new",
    "unpriced", "register_fall", "register_reset", "implausible_rise", "unknown_unit", "ratio_missing", "silent",
    "modulus_differs", "ratio_differs", "conflict", "robot", "refused", "outside_window", "received_late", "no_price",
    "repeat",
]  # fmt: skip


class Piece(NamedTuple):
    """So many of an item, due (or credited, negative). ``at`` decides the period, ``priced_at`` the price; ``known`` is
    the leaf with which it became due.
    """

    device: str
    item: str
    quantity: Fraction
    unit: str
    effect: Effect
    at: int
    priced_at: int
    leaves: tuple[LeafRef, ...]
    known: LeafRef


class Doubt(NamedTuple):
    """A leaf that is not billed, and why."""

    reason: DoubtReason
    device: str
    subject: str
    at: int
    leaves: tuple[LeafRef, ...]
    known: LeafRef


class _Drawn(NamedTuple):
    """A draw that is due: where a credit finds its item, unit and price."""

    fact: Fact
    draw: Draw
    quantity: Fraction


def due_pieces(facts: Sequence[Fact]) -> tuple[list[Piece], list[Doubt]]:
    """What is due or credited in a series of facts (in log order), and what is not, with reasons."""
    reader = _Reader()
    for fact in facts:
        if isinstance(fact.record, Draw | DrawResolved | Reversal | Return):
            reader.read(fact)
    for fact, draw in reader.unresolved.values():
        reader.doubt("unverified", fact, draw.item)
    return reader.pieces, reader.doubts


def scaled(quantity: int, scale: int) -> Fraction:
    """``quantity * 10**scale``."""
    return Fraction(quantity) * Fraction(10) ** scale if scale else Fraction(quantity)


class _Reader:
    """Reads facts in log order and keeps what later ones may refer to."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.doubts: list[Doubt] = []
        self.unresolved: dict[RecordKey, tuple[Fact, Draw]] = {}
        self._drawn: dict[RecordKey, _Drawn] = {}
        self._resolved: set[RecordKey] = set()
        self._seen: dict[RecordKey | tuple[str, str], Fact] = {}

    def read(self, fact: Fact) -> None:
        record = fact.record
        if isinstance(record, CountedEvent):
            return
        first = self._seen.get(record.key) or (self._seen.get((record.src, record.did)) if record.did else None)
        if first is not None:
            self.doubt("duplicate", fact, getattr(record, "item", ""), first.leaf)
            return
        self._seen[record.key] = fact
        if record.did:
            self._seen[record.src, record.did] = fact
        if isinstance(record, Draw):
            self._draw(fact, record)
        elif isinstance(record, DrawResolved):
            self._resolve(fact, record)
        elif isinstance(record, Reversal):
            self._credit(fact, record, record.ref.key)
        elif isinstance(record, Return):
            self._return(fact, record)

    def doubt(self, reason: DoubtReason, fact: Fact, subject: str, *others: LeafRef) -> None:
        self.doubts.append(Doubt(reason, fact.record.src, subject, fact.leaf.at, (*others, fact.leaf), fact.leaf))

    def _draw(self, fact: Fact, draw: Draw) -> None:
        if draw.outcome == "unverified":
            self.unresolved[draw.key] = (fact, draw)
        elif draw.outcome == "confirmed" and draw.qty:
            self._due(fact, draw, scaled(draw.qty, draw.scale), (fact.leaf,), fact.leaf)

    def _due(self, fact: Fact, draw: Draw, quantity: Fraction, leaves: tuple[LeafRef, ...], known: LeafRef) -> None:
        self._drawn[draw.key] = _Drawn(fact, draw, quantity)
        at = fact.leaf.at
        self.pieces.append(Piece(draw.src, draw.item, quantity, draw.unit, "usage", at, at, leaves, known))

    def _resolve(self, fact: Fact, record: DrawResolved) -> None:
        target = record.ref.key
        found = self.unresolved.pop(target, None)
        if found is None:
            known = self._seen.get(target)
            reason: DoubtReason = "unknown_ref" if known is None else "not_unverified"
            self.doubt("resolved_twice" if target in self._resolved else reason, fact, "")
            return
        self._resolved.add(target)
        if record.outcome == "unverified":
            self.unresolved[target] = found
            self._resolved.discard(target)
        elif record.outcome == "confirmed" and record.qty:
            quantity = scaled(record.qty, record.scale)
            self._due(found[0], found[1], quantity, (found[0].leaf, fact.leaf), fact.leaf)

    def _credit(self, fact: Fact, record: Reversal | Return, target: RecordKey) -> None:
        drawn = self._drawn.get(target)
        if drawn is None:
            self.doubt("unknown_ref", fact, getattr(record, "item", ""))
            return
        quantity = scaled(record.qty, record.scale)
        if quantity > drawn.quantity or record.unit != drawn.draw.unit:
            self.doubt("reversed_too_much", fact, drawn.draw.item)
            return
        self._drawn[target] = drawn._replace(quantity=drawn.quantity - quantity)
        self._credited(fact, drawn.draw, -quantity, drawn.fact.leaf.at)

    def _return(self, fact: Fact, record: Return) -> None:
        if record.condition in NOT_AS_NEW:
            self.doubt("not_as_new", fact, record.item)
        elif record.ref:
            self._credit(fact, record, record.ref.key)
        else:
            self._credited(fact, record, -scaled(record.qty, record.scale), fact.leaf.at)

    def _credited(self, fact: Fact, goods: Draw | Return, quantity: Fraction, priced_at: int) -> None:
        at = fact.leaf.at
        piece = Piece(goods.src, goods.item, quantity, goods.unit, "credit", at, priced_at, (fact.leaf,), fact.leaf)
        self.pieces.append(piece)
