"""The simulator's own account: what left the slots, what flowed through the meters, and what that costs. PURE.

Nothing here knows a record, a log, a gateway or a bill of the product, and nothing of the product is imported: the two
accounts may only meet in the judge. The money is worked out from the plain words of an agreement, each line rounded
half up (away from zero) to the currency's minor unit:

- *per piece*: pieces that left, by cabinet and item, times the item's price;
- *energy*: watt-hours of the register at the end of the period less those at its begin, by meter, times a price a kWh;
- *running hours*: effective seconds a speed times the speed's weight, in hours, times a price an hour, by coil;
- *monthly fee*: for each calendar month the period touches, fee x days of the period in it / days of that month.

Days are days of the agreement's time zone, the end day of a period does not belong to it, and nothing is due for days
before the agreement starts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from zoneinfo import ZoneInfo

from firmware_sim.run_time import RunTimes

MICROJOULES_PER_WH = 3_600_000_000
# Far more digits than any product or quotient here needs: the one rounding that counts is that of the line.
_EXACT = Context(prec=60)


@dataclass(frozen=True)
class PerPiece:
    """Price of one piece by item."""

    prices: Mapping[str, Decimal]


@dataclass(frozen=True)
class Energy:
    """Price of one kWh through these meters."""

    unit_price: Decimal
    meters: Sequence[str]


@dataclass(frozen=True)
class MonthlyFee:
    """Fee of a whole calendar month."""

    amount: Decimal


@dataclass(frozen=True)
class RunHours:
    """Price of one weighted hour of each of these coils."""

    unit_price: Decimal
    weights: Mapping[str, Decimal]
    coils: Sequence[str]


Charge = PerPiece | Energy | RunHours | MonthlyFee


@dataclass(frozen=True)
class Terms:
    """What was agreed. ``digits``: minor units of the currency; ``starts``: the first day that counts."""

    currency: str
    zone: str
    starts: date
    charges: Sequence[Charge]
    digits: int = 2


@dataclass(frozen=True)
class Due:
    """One line. ``subject``: item, or "import_wh", or the month; ``unit_price`` is of a piece, a kWh or a month."""

    kind: str
    device: str
    subject: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Bill:
    """Everything due for one period; the total is the sum of its rounded lines."""

    lines: tuple[Due, ...]
    total: Decimal


@dataclass(frozen=True)
class PieceLeft:
    """Goods that physically left a slot at ``at_ms`` (ms UTC)."""

    cabinet: str
    slot: str
    item: str
    badge: str
    at_ms: int
    quantity: int = 1


@dataclass(frozen=True)
class Refilled:
    """Goods that were physically put into a slot."""

    cabinet: str
    slot: str
    item: str
    badge: str
    at_ms: int
    quantity: int


@dataclass
class _Meter:
    start_wh: int
    at_ms: list[int]
    step_wh: int = 1
    # Energy up to each of these instants (microjoules = milliwatts x milliseconds) and the load from it on.
    counted: list[int] = field(default_factory=lambda: [0])
    watts: list[int] = field(default_factory=lambda: [0])


class Truth:
    """The ledger of one run. Facts go in as they happen, in any order of devices, in order of time for one device."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.left: list[PieceLeft] = []
        self.refills: list[Refilled] = []
        self.coils = RunTimes()
        self._meters: dict[str, _Meter] = {}

    # Facts

    def piece_left(self, cabinet: str, slot: str, item: str, *, badge: str, at_ms: int, quantity: int = 1) -> None:
        """Somebody holds ``quantity`` more pieces in the hand now."""
        self.left.append(PieceLeft(cabinet, slot, item, badge, at_ms, quantity))

    def refilled(self, cabinet: str, slot: str, item: str, *, badge: str, at_ms: int, quantity: int) -> None:
        """Somebody has put ``quantity`` pieces in."""
        self.refills.append(Refilled(cabinet, slot, item, badge, at_ms, quantity))

    def meter_installed(self, meter: str, start_wh: int, at_ms: int, *, step_wh: int = 1) -> None:
        """A meter begins to count at ``start_wh``; its register shows whole steps."""
        self._meters[meter] = _Meter(start_wh, [at_ms], step_wh)

    def load(self, meter: str, watts: int, at_ms: int) -> None:
        """From now on this much flows through the meter; imports only."""
        one = self._meters[meter]
        if watts < 0 or at_ms < one.at_ms[-1]:
            raise ValueError("loads are told in order of time and flow in, never out")
        one.counted.append(one.counted[-1] + one.watts[-1] * 1000 * (at_ms - one.at_ms[-1]))
        one.at_ms.append(at_ms)
        one.watts.append(watts)

    # What follows from them

    def register_wh(self, meter: str, at_ms: int) -> int:
        """What the meter's display shows at that instant, in Wh, as far as it shows them."""
        one = self._meters[meter]
        step = bisect_right(one.at_ms, at_ms) - 1
        if step < 0:
            raise ValueError(f"{meter} was not there yet")
        counted = one.counted[step] + one.watts[step] * 1000 * (at_ms - one.at_ms[step])
        wh = one.start_wh + counted // MICROJOULES_PER_WH
        return wh - wh % one.step_wh

    def on_hand(self) -> dict[tuple[str, str], int]:
        """Pieces in each slot (cabinet, slot) that was ever touched."""
        levels: Counter[tuple[str, str]] = Counter()
        for refill in self.refills:
            levels[refill.cabinet, refill.slot] += refill.quantity
        for piece in self.left:
            levels[piece.cabinet, piece.slot] -= piece.quantity
        return dict(levels)

    def pieces(self, first: date, end: date) -> dict[tuple[str, str], int]:
        """Pieces that left within local days [first, end), by (cabinet, item)."""
        begin_ms, end_ms = self._instants(first, end)
        taken: Counter[tuple[str, str]] = Counter()
        for piece in self.left:
            if begin_ms <= piece.at_ms < end_ms:
                taken[piece.cabinet, piece.item] += piece.quantity
        return dict(taken)

    def wh(self, first: date, end: date) -> dict[str, int]:
        """Wh that each meter's register moved on within local days [first, end)."""
        begin_ms, end_ms = self._instants(first, end)
        return {
            name: self.register_wh(name, end_ms) - self.register_wh(name, max(begin_ms, one.at_ms[0]))
            for name, one in self._meters.items()
        }

    def run_seconds(self, first: date, end: date) -> dict[tuple[str, str], int]:
        """(coil, speed) -> effective seconds within local days [first, end)."""
        return self.coils.seconds(*self._instants(first, end))

    def looked_often(self, first: date, end: date) -> bool:
        """Whether the collectors were asked often enough to know what happened."""
        return self.coils.within_a_look(*self._instants(first, end))

    def bill(self, first: date, end: date) -> Bill:
        """What is due for local days [first, end)."""
        first = max(first, self.terms.starts)
        lines = [line for charge in self.terms.charges for line in self._lines(charge, first, end)]
        return Bill(tuple(lines), sum((line.amount for line in lines), Decimal(0)))

    # Inside

    def _lines(self, charge: Charge, first: date, end: date) -> Iterator[Due]:
        if first >= end:
            return
        if isinstance(charge, PerPiece):
            for (cabinet, item), quantity in sorted(self.pieces(first, end).items()):
                if item in charge.prices:
                    yield self._due("per_piece", cabinet, item, Decimal(quantity), charge.prices[item])
        elif isinstance(charge, Energy):
            moved = self.wh(first, end)
            for meter in charge.meters:
                kwh = _EXACT.divide(Decimal(moved[meter]), Decimal(1000))
                yield self._due("energy", meter, "import_wh", kwh, charge.unit_price)
        elif isinstance(charge, RunHours):
            ran = self.run_seconds(first, end)
            for coil in charge.coils:
                weighed = [Decimal(ran.get((coil, speed), 0)) * weight for speed, weight in charge.weights.items()]
                hours = _EXACT.divide(sum(weighed, Decimal(0)), Decimal(3600))
                amount = _EXACT.divide(_EXACT.multiply(sum(weighed, Decimal(0)), charge.unit_price), Decimal(3600))
                yield Due("weighted_runtime", coil, "", hours, charge.unit_price, self._rounded(amount))
        else:
            for month, days, of in _months(first, end):
                product = _EXACT.multiply(charge.amount, Decimal(days))
                amount = self._rounded(_EXACT.divide(product, Decimal(of)))
                yield Due("monthly_fee", "", month, Decimal(days), charge.amount, amount)

    def _due(self, kind: str, device: str, subject: str, quantity: Decimal, unit_price: Decimal) -> Due:
        amount = self._rounded(_EXACT.multiply(quantity, unit_price))
        return Due(kind, device, subject, quantity, unit_price, amount)

    def _rounded(self, amount: Decimal) -> Decimal:
        return amount.quantize(Decimal(1).scaleb(-self.terms.digits), rounding=ROUND_HALF_UP, context=_EXACT)

    def _instants(self, first: date, end: date) -> tuple[int, int]:
        zone = ZoneInfo(self.terms.zone)
        return midnight_ms(first, zone), midnight_ms(end, zone)


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The instant a local day begins, ms UTC."""
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def _months(first: date, end: date) -> Iterator[tuple[str, int, int]]:
    """Each calendar month the days [first, end) touch: its name, days of it inside, days it has."""
    begin = first
    while begin < end:
        start = begin.replace(day=1)
        following = (start + timedelta(days=31)).replace(day=1)
        yield f"{start:%Y-%m}", (min(end, following) - begin).days, (following - start).days
        begin = following
