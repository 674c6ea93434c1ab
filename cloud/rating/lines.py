"""What is measured, and the line it becomes: every number a customer needs to work a line out again. PURE.

The surprise: a line is never free text. Its words are made from its fields (``describe``), so that page, PDF and the
offline verifier say the same. Amounts are worked out as exact fractions and rounded once, here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

import msgspec
from pydantic import BaseModel, ConfigDict

from cloud.money import RoundingPolicy, parse_amount, payable, plain, rounded, unrounded_text
from wire.canonical import MAX_INTEGER
from wire.quantity import MAX_SCALE

Effect = Literal["usage", "credit"]
TimeQuality = Literal["synchronised", "repaired", "received_time"]


class LeafRef(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A leaf as evidence: ``log`` is the position in the statement's list of logs, ``index`` the index in that log;
    ``at`` (ms UTC) is the time that decides its period, and ``quality`` says where that time comes from.
    """

    log: int
    index: int
    at: int
    quality: TimeQuality


class RegisterPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meter's register at the opening or closing of a line: ``value * 10**scale unit``, and the leaf that says so."""

    device: str
    register: str
    value: Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
    scale: Annotated[int, msgspec.Meta(ge=-MAX_SCALE, le=MAX_SCALE)]
    unit: str
    leaf: LeafRef


class Amount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantity in plain digits with its unit."""

    value: str
    unit: str


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
    days: int = 0
    month_days: int = 0
    level: Literal["A", "B", "C"] = "B"
    charge: int = -1


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a statement. ``no`` counts from 1; ``charge`` is the charge's position in the agreement's version."""

    no: int
    kind: str
    version: int
    charge: int
    device: str
    subject: str
    first: str
    end: str
    effect: Effect
    belongs_to: str
    quantity: Amount
    unit_price: str
    unrounded: str
    rounding: str
    amount: str
    level: Literal["A", "B", "C"]
    days: int
    month_days: int
    rollovers: int
    modulus: str
    registers: list[RegisterPoint]
    leaves: list[LeafRef]


class Pricing(msgspec.Struct, frozen=True):
    """What a charge needs beside its terms: where in which version it stands, the currency, the rounding policy."""

    version: int
    charge: int
    currency: str
    rounding: RoundingPolicy


class ChargeTerms(BaseModel):
    """The terms of every charge: stored as they were typed, unknown fields refused, frozen once invoiced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def metered_devices(self) -> list[str]:
        """Devices the charge names itself; they must be devices of the agreement."""
        return []


def number(exact: Fraction) -> str:
    """A quantity in plain digits; quantities end (they come from scaled integers), so nothing is lost."""
    return plain(rounded(exact, 18, "half_up")).rstrip("0").rstrip(".")


def exact_price(text: str) -> Fraction:
    """A price text as a fraction."""
    return Fraction(parse_amount(text))


def price_line(measured: Measured, kind: str, unit_price: str, exact: Fraction, pricing: Pricing) -> Line:
    """The line of a measured quantity whose exact amount is ``exact``; ``no`` is given by the statement."""
    return Line(
        no=0,
        kind=kind,
        version=pricing.version,
        charge=pricing.charge,
        device=measured.device,
        subject=measured.subject,
        first=measured.first,
        end=measured.end,
        effect=measured.effect,
        belongs_to=measured.belongs_to,
        quantity=Amount(number(measured.quantity), measured.unit),
        unit_price=unit_price,
        unrounded=unrounded_text(exact),
        rounding=pricing.rounding.mode,
        amount=plain(payable(exact, pricing.currency, pricing.rounding)),
        level=measured.level,
        days=measured.days,
        month_days=measured.month_days,
        rollovers=measured.rollovers,
        modulus=measured.modulus,
        registers=list(measured.registers),
        leaves=list(measured.leaves),
    )


def describe(line: Line) -> str:
    """The line in one sentence of words and numbers, e.g. ``5 pc drill-8 from cab-1 at 1.20 = 6.00``."""
    where = f" at {line.device}" if line.device else ""
    what = f" {line.subject}" if line.subject else ""
    late = f" (late, belongs to {line.belongs_to})" if line.belongs_to else ""
    if line.month_days:
        body = f"{line.kind}: {line.days} of {line.month_days} days of {line.unit_price}"
    else:
        body = f"{line.quantity.value} {line.quantity.unit}{what}{where}, each {line.unit_price}"
    if len(line.registers) == 2:
        opening, closing = (f"{plain_register(point)} {point.unit}" for point in line.registers)
        body += f", register {opening} to {closing}"
    return f"{body} = {line.amount}{late}"


def plain_register(point: RegisterPoint) -> str:
    """The register in plain digits."""
    return number(Fraction(point.value) * Fraction(10) ** point.scale)
