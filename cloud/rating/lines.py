"""What is measured, and the line it becomes: every number a customer needs to work a line out again. PURE.

The surprise: a line is never free text. Its words are made from its fields (``describe``), so that page, PDF and the
offline verifier say the same. Amounts are worked out as exact fractions and rounded once, here.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from cloud.calendar import Period
from cloud.money import RoundingPolicy, parse_amount, short_text
from cloud.rating.kept import Kept
from cloud.rating.uses import Use
from wire.canonical import MAX_INTEGER
from wire.quantity import MAX_SCALE

Effect = Literal["usage", "credit", "fixed", "minimum", "maximum", "progressive", "delta"]
TimeQuality = Literal["synchronised", "repaired", "received_time", "declared"]


class RatingError(ValueError):
    """What was used cannot be priced by these terms; the message says why and what to write."""


def _not_told() -> object:
    raise msgspec.ValidationError("Object missing required field")


# A field that everything must say, among others that may be left out; it is never left out where it is written.
TOLD: Any = msgspec.field(default_factory=_not_told)


class LeafRef(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A leaf as evidence: ``log`` is the position in the statement's list of logs, ``index`` the index in that log;
    ``at`` (ms UTC) is the time that decides its period, and ``quality`` says where that time comes from. Leaves are in
    order of log and index.
    """

    at: int
    index: int
    log: int
    quality: TimeQuality

    def __lt__(self, other: LeafRef) -> bool:
        return leaf_place(self) < leaf_place(other)


leaf_place = attrgetter("log", "index", "at", "quality")


class RegisterPoint(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A meter's register at the opening or closing of a line: ``value * 10**scale unit``, and the leaf that says so."""

    device: str
    leaf: LeafRef
    register: str
    scale: Annotated[int, msgspec.Meta(ge=-MAX_SCALE, le=MAX_SCALE)]
    unit: str
    value: Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]


class Amount(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A quantity in plain digits with its unit."""

    unit: str
    value: str


class Step(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """A row under a line: how its exact amount comes about. Rows with an ``amount`` (unrounded) add up to the line's;
    the others (conversion, free units) say what became of the quantity. The fields are in the order of the alphabet, so
    that a hash has less to sort.
    """

    amount: str = ""
    quantity: str = ""
    unit: str = ""
    unit_price: str = ""
    what: str = TOLD


class Evidence(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """The counted events that a line stands on: how many, and the Merkle root (hex) over them in order of time."""

    events: int
    root: str


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """So much of one thing at one device in one service period, and the leaves that prove it.

    ``quantity`` is exact; ``subject`` is the item or register; ``first`` and ``end`` are local days, end exclusive.
    ``belongs_to`` names the closed period a late quantity belongs to ("" for the statement's own). ``charge`` is the
    position of the charge it was measured for, -1 when any charge of its measure may price it.
    """

    measure: str
    device: str
    subject: str
    first: str
    end: str
    quantity: Fraction
    unit: str
    effect: Effect = "usage"
    belongs_to: str = ""
    leaves: tuple[LeafRef, ...] = ()
    registers: tuple[RegisterPoint, ...] = ()
    rollovers: int = 0
    modulus: str = ""
    quality: str = ""
    days: int = 0
    month_days: int = 0
    level: Literal["A", "B", "C"] = "B"
    charge: int = -1
    # What usage charges need more: the single uses, the instants [from, to) they are from, whether these are other than
    # the local days first and end and must be said, the whole period of the
    # agreement's cycle and what the agreement left of it, what of this charge another version already priced in this
    # period, and the value of each label it is grouped by; and the leaves of each use, by its id.
    uses: tuple[Use, ...] = ()
    from_ms: int = 0
    to_ms: int = 0
    instants: bool = False
    whole: Period | None = None
    actual: Period | None = None
    before: Fraction = Fraction(0)
    group: tuple[tuple[str, str], ...] = ()
    window: str = ""
    evidence: Evidence | None = None
    proofs: Mapping[str, tuple[LeafRef, ...]] = {}
    # How a quantity that was not just measured came about: rows without amounts, for under the line.
    rows: tuple[Step, ...] = ()
    # Whether tiers go on from an earlier stretch of the period that has a line already, also where that is of nothing.
    continues: bool = False
    # Where the price changes inside the period: what its stretches leave for one another.
    kept: Kept | None = None


class LineRef(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A line of an earlier statement, by their numbers and its hash; ``line`` 0: that statement had no such line."""

    hash: str
    line: int
    statement: int


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """One line of a statement. ``no`` counts from 1; ``charge`` is the charge's position in the agreement's version.

    The fields are in the order of the alphabet, as those of what is in them, but for two that few lines have: written
    down one after the other they are canonical JSON, and nothing has to be sorted for a hash. These two come last
    because Python packs the arguments of a call with more than thirty, which takes as long as to make the line.

    ``unrounded`` is the exact amount; where its digits never end it has 12 decimals, and ``exact`` the fraction
    ("3000/31"). ``amount`` is what is due. ``steps``: how it comes about, where it is more than quantity x price.
    ``from``/``to``: the instants it covers, where they are not the local days ``first`` and ``end``. ``corrects``: on
    a delta line, which says how much more or less an earlier line should have been.
    ``quality``: how a quantity that is not just what meters showed came about (``metering.usage.Quality``).
    """

    amount: str
    belongs_to: str
    charge: int
    corrects: LineRef | None = None
    days: int = TOLD
    device: str = TOLD
    effect: Effect = TOLD
    end: str = TOLD
    evidence: Evidence | None = None
    exact: str = ""
    first: str = TOLD
    from_: int = msgspec.field(name="from", default=0)
    group: dict[str, str] = {}
    kind: str = TOLD
    leaves: list[LeafRef] = TOLD
    level: Literal["A", "B", "C"] = TOLD
    modulus: str = TOLD
    month_days: int = TOLD
    name: str = ""
    no: int = TOLD
    quality: str = ""
    quantity: Amount = TOLD
    registers: list[RegisterPoint] = TOLD
    rollovers: int = TOLD
    rounding: str = TOLD
    steps: list[Step] = []
    subject: str = TOLD
    unit_price: str = TOLD
    unrounded: str = TOLD
    version: int = TOLD
    to: int = 0
    window: str = ""

    @property
    def hash(self) -> str:
        """SHA-256 of the line's canonical JSON, hex: what a correction names."""
        return sha256(_sorted(self) if self.to or self.window else _as_declared(self)).hexdigest()

    def content_hash(self) -> str:
        """As ``hash``, whatever number the line has on its statement: equal for equal lines of two ratings."""
        return msgspec.structs.replace(self, no=0).hash


class Pricing(msgspec.Struct, frozen=True):
    """What a charge needs beside its terms: where in which version it stands, the currency, the rounding policy."""

    version: int
    charge: int
    currency: str
    rounding: RoundingPolicy
    zone: str = "UTC"


class ChargeTerms(BaseModel):
    """The terms of every charge: stored as they were typed, unknown fields refused, frozen once invoiced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str | None, Field(max_length=120, description="what the statement calls it")] = None

    def options(self) -> list[str]:
        """The conventions of these terms in words, as a statement prints them."""
        return []

    def metered_devices(self) -> list[str]:
        """Devices the charge names itself; they must be devices of the agreement."""
        return []


_sorted = msgspec.json.Encoder(order="sorted").encode
_as_declared = msgspec.json.Encoder(order="deterministic").encode


def number(exact: Fraction) -> str:
    """A quantity in plain digits; quantities end (they come from scaled integers), so nothing is lost."""
    return short_text(*exact.as_integer_ratio(), 18)


@lru_cache(maxsize=65_536)
def exact_price(text: str) -> Fraction:
    """A price text as a fraction."""
    return Fraction(parse_amount(text))


def exact_of(line: Line) -> Fraction:
    """The line's exact amount."""
    return Fraction(line.exact or line.unrounded)


QUALITY_WORDS = {
    "rollover_corrected": "the register started again at 0",
    "estimated_split": "total measured, split estimated",
    "edited": "edited",
    "substituted": "substituted",
    "estimated": "estimated",
    "received_time_only": "time of arrival",
}


def describe(line: Line) -> str:
    """The line in one sentence of words and numbers, e.g. ``5 pc drill-8 from cab-1 at 1.20 = 6.00``."""
    where = f" at {line.device}" if line.device else ""
    what = f" {line.subject}" if line.subject else ""
    what = f" {line.window}{what}" if line.window else what
    late = f" (late, belongs to {line.belongs_to})" if line.belongs_to else ""
    if line.corrects is not None:
        named = f"line {line.corrects.line} of " if line.corrects.line else ""
        late = f" (corrects {named}statement {line.corrects.statement}, {line.belongs_to})"
    rows = "; ".join(step_text(step) for step in line.steps)
    if rows and (line.quality == "" or any(step.amount for step in line.steps)):
        body = f"{line.name or line.kind}: {line.quantity.value} {line.quantity.unit}{what}{where}: {rows}"
    elif line.month_days:
        body = f"{line.kind}: {line.days} of {line.month_days} days of {line.unit_price}"
    elif line.effect in ("minimum", "maximum", "progressive"):
        body = line.name or line.kind
    else:
        body = f"{line.quantity.value} {line.quantity.unit}{what}{where}, each {line.unit_price}"
        body += f" ({rows})" if rows else ""
    if len(line.registers) == 2:
        opening, closing = (f"{plain_register(point)} {point.unit}" for point in line.registers)
        body += f", register {opening} to {closing}"
    sure = f" ({QUALITY_WORDS.get(line.quality, line.quality)})" if line.quality else ""
    return f"{body}{sure} = {line.amount}{late}"


def step_text(step: Step) -> str:
    """A row in words and numbers: ``tier 1: 100 kWh at 0.20 = 20``."""
    quantity = f"{step.quantity} {step.unit}".strip()
    price = f" at {step.unit_price}" if step.unit_price else ""
    amount = f" = {step.amount}" if step.amount else ""
    return f"{step.what}: {quantity}{price}{amount}" if quantity else f"{step.what}{price}{amount}"


def plain_register(point: RegisterPoint) -> str:
    """The register in plain digits."""
    return number(Fraction(point.value) * Fraction(10) ** point.scale)
