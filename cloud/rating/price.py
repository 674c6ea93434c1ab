"""One case = terms + usage + period -> lines with exact and rounded amounts: the documented entry to all pricing. PURE.

The surprise: it is no simulation. The same ``rate_period`` that statements use gives the lines; a case only says in one
JSON document what an agreement, its devices and its events would have said. Described in docs/api/rating.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from operator import itemgetter
from typing import Annotated, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.calendar import (
    LONGEST_DAYS,
    TZDATA_VERSION,
    CalendarError,
    Cycle,
    Day,
    Period,
    midnight,
    month,
    parse_day,
    parse_instant,
    period,
    utc_text,
    zone,
)
from cloud.money import RoundingPolicy, minor_digits, parse_amount, plain, unrounded_text
from cloud.rating.any_charge import AnyCharge
from cloud.rating.charges import progressive_billing
from cloud.rating.charges.commitment import refuse_unknown_positions
from cloud.rating.intervals import begins_in
from cloud.rating.lines import Line, describe, exact_of
from cloud.rating.rate_period import PriceVersion, Rated, counted, measure_whole, rate_period, total_of
from cloud.rating.rate_usage import kind_of
from cloud.rating.usage_terms import UsageTerms
from cloud.rating.uses import Use, decimal_of
from cloud.rating.validity import REASONS, Refusal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Document = dict[str, object]


class CaseError(ValueError):
    """The case cannot be read; the message says which field and what is accepted."""


class Part(BaseModel):
    """A part of a case: unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CasePeriod(Part):
    """Local days ``[first, end)``, a calendar ``month`` (2026-11), or the cycle's period that holds the instant
    ``at``.
    """

    first: Day | None = None
    end: Day | None = None
    month: str | None = None
    at: str | None = None


class CaseVersion(Part):
    """Charges that count from an instant or local day on."""

    version: int
    from_: Annotated[str, Field(alias="from")]
    charges: list[AnyCharge]


class CaseUse(Part):
    """A use at an instant, or over ``[at, until)``; ``quantity`` a plain decimal text."""

    at: str
    quantity: str = "1"
    until: str | None = None
    source: str = ""
    id: str = ""
    price: str = ""
    received: str | None = None
    labels: dict[str, str] = {}


class CaseReading(Part):
    """A cumulative register at an instant; what it moved on between two readings is a use over the time between."""

    at: str
    value: str
    device: str = ""
    subject: str = ""
    modulus: str | None = None


class Case(Part):
    """Terms, usage and period. ``starts`` and ``ends``: of the agreement, which may cut the cycle's period."""

    currency: str
    zone: str = "UTC"
    rounding: RoundingPolicy = RoundingPolicy()
    cycle: Cycle | None = None
    period: CasePeriod
    starts: Day | None = None
    ends: Day | None = None
    charges: list[AnyCharge] = []
    versions: list[CaseVersion] = []
    quantity: str | None = None
    usage: list[CaseUse] = []
    readings: list[CaseReading] = []
    tax_rates: Annotated[dict[str, str], Field(description="kind of charge -> rate, for rounding by rate")] = {}

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.charges) == bool(self.versions):
            raise ValueError("write either charges, or versions that each have a from and charges")
        numbers = [one.version for one in self.versions]
        begin = [instant(one.from_, self.zone) for one in self.versions]
        for place, one in enumerate(self.versions):
            if one.version in numbers[:place]:
                raise ValueError(f"versions: version {one.version} stands there twice")
            if begin[place] in begin[:place]:
                raise ValueError(f"versions: two versions begin at {one.from_}")
        for charges in (self.charges, *(one.charges for one in self.versions)):
            refuse_unknown_positions(charges)
        return self


class Priced(msgspec.Struct, frozen=True, kw_only=True):
    """What a case comes to. ``exact`` is the sum of the exact amounts, ``total`` that of the lines."""

    rated: Rated
    lines: list[Line]
    total: str
    exact: Fraction
    options: list[str]
    interim: list[progressive_billing.Interim]
    refused: list[Refusal]


def parse_case(raw: bytes | str) -> Case:
    """A case from JSON; raises CaseError with every field that is wrong."""
    try:
        return Case.model_validate_json(raw)
    except ValueError as error:
        raise CaseError(str(error)) from error


def price(case: Case) -> Priced:
    """The lines of a case. Raises CaseError, RatingError, CalendarError, MoneyError."""
    minor_digits(case.currency)
    rated = rated_of(case)
    uses = _uses(case, rated)
    lines = rate_period(rated, lambda _: uses, lambda line: case.tax_rates.get(line.kind, ""))
    interim, lines = _progressive(rated, uses, lines)
    return Priced(
        rated=rated,
        lines=lines,
        total=plain(total_of(lines)),
        exact=sum((exact_of(line) for line in lines), Fraction(0)),
        options=options_of(rated, case.cycle),
        interim=interim,
        refused=_refused(rated, uses),
    )


def rated_of(case: Case) -> Rated:
    """The period, its whole cycle period, and the versions of a case."""
    actual, whole = _periods(case)
    if case.versions:
        versions = [
            PriceVersion(one.version, instant(one.from_, case.zone), tuple(one.charges))
            for one in sorted(case.versions, key=lambda one: instant(one.from_, case.zone))
        ]
    else:
        versions = [PriceVersion(1, min(actual.from_ms, whole.from_ms), tuple(case.charges))]
    return Rated(
        currency=case.currency,
        zone=case.zone,
        rounding=case.rounding,
        period=actual,
        whole=whole,
        versions=tuple(versions),
    )


def _periods(case: Case) -> tuple[Period, Period]:
    wanted = case.period
    if wanted.month is not None:
        asked = month(wanted.month, case.zone)
    elif wanted.first is not None and wanted.end is not None:
        asked = period(parse_day(wanted.first), parse_day(wanted.end), case.zone)
    elif wanted.at is not None:
        day = (_EPOCH + timedelta(milliseconds=instant(wanted.at, case.zone))).astimezone(zone(case.zone)).date()
        asked = (case.cycle or Cycle()).whole(day, case.zone)
    else:
        raise CaseError("period: write first and end, or month, or at")
    first = max(asked.first, case.starts or asked.first)
    end = min(asked.end, case.ends or asked.end)
    actual = period(parse_day(first), parse_day(end), case.zone)
    whole = asked if case.cycle is None else case.cycle.whole(date.fromisoformat(first), case.zone)
    return actual, whole


def instant(text: str, zone_name: str) -> int:
    """Milliseconds UTC of an RFC 3339 instant, or of a local date or date and time in the zone."""
    try:
        when = parse_instant(text)
    except CalendarError as error:
        raise CaseError(f"{text[:60]!r} is no instant; write 2026-11-05T10:00:00Z, or a local 2026-11-05") from error
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone(zone_name))
    return (when.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


def _uses(case: Case, rated: Rated) -> list[Use]:
    uses = [] if case.quantity is None else [_use_of(case.quantity, rated.period.from_ms)]
    for one in case.usage:
        use = _use_of(one.quantity, instant(one.at, case.zone))
        until = 0 if one.until is None else instant(one.until, case.zone)
        if one.until is not None and until < use.at:
            raise CaseError(f"usage: {one.at} to {one.until} ends before it begins")
        if until > use.at + LONGEST_DAYS * 86_400_000:
            raise CaseError(f"usage: {one.at} to {one.until} is longer than {LONGEST_DAYS} days")
        uses.append(
            msgspec.structs.replace(
                use,
                until=until,
                source=one.source,
                id=one.id,
                price=one.price,
                received=0 if one.received is None else instant(one.received, case.zone),
                labels=one.labels,
            )
        )
    return uses + _from_readings(case, rated.period)


def _use_of(quantity: str, at: int) -> Use:
    value, scale = decimal_of(Fraction(parse_amount(quantity)))
    return Use(at=at, value=value, scale=scale)


def _from_readings(case: Case, counted_in: Period) -> list[Use]:
    """Differences of registers, each a use over the time between two readings; as on a statement, a whole step belongs
    to the period of the later reading, and readings from before the agreement are not its own.
    """
    starts = 0 if case.starts is None else midnight(parse_day(case.starts), case.zone)
    series: dict[tuple[str, str], list[tuple[int, CaseReading]]] = {}
    for reading in case.readings:
        told = instant(reading.at, case.zone)
        if told >= starts:
            series.setdefault((reading.device, reading.subject), []).append((told, reading))
    found = []
    for (device, subject), readings in sorted(series.items()):
        readings.sort(key=itemgetter(0))
        for (since, before), (until, after) in pairwise(readings):
            moved = parse_amount(after.value) - parse_amount(before.value)
            if moved < 0:
                if after.modulus is None:
                    raise CaseError(f"readings: {device or 'the register'} falls at {after.at}; name its modulus")
                moved += parse_amount(after.modulus)
            at = begins_in(counted_in, since, until, starts)
            if at is None:
                continue
            use = _use_of(plain(moved), at)
            labels = {name: value for name, value in (("device", device), ("subject", subject)) if value}
            found.append(msgspec.structs.replace(use, until=until if until > at else 0, labels=labels))
    return found


def _progressive(
    rated: Rated, uses: Sequence[Use], lines: list[Line]
) -> tuple[list[progressive_billing.Interim], list[Line]]:
    """Early bills of the period, and the lines with what they asked for taken off."""
    spans = rated.spans()
    found = [
        (position, terms)
        for position, terms in enumerate(spans[-1][0].charges if spans else ())
        if isinstance(terms, progressive_billing.Terms)
    ]
    if not found:
        return [], lines
    position, terms = found[0]
    instants = sorted({max(use.at, use.until - 1) for use in uses if rated.period.holds(use.at)})

    def due_until(at: int) -> Fraction:
        told = [use for use in uses if max(use.at, use.until - 1) <= at]
        return Fraction(total_of(one for one in rate_period(rated, lambda _: told) if terms.counts(one)))

    interim = progressive_billing.interim_bills(terms, instants, due_until)
    if not interim:
        return [], lines
    pricing = rated.pricing(spans[-1][0].version, position)
    credit = progressive_billing.credit_line(measure_whole(rated), interim, pricing)
    # What was asked for is in whole minor units already: nothing is left to be rounded or shared out.
    return interim, [*lines, msgspec.structs.replace(credit, no=len(lines) + 1)]


def _refused(rated: Rated, uses: Sequence[Use]) -> list[Refusal]:
    found: dict[tuple[str, str, int, str], Refusal] = {}
    for version, from_ms, to_ms in rated.spans():
        for terms in version.charges:
            if isinstance(terms, UsageTerms):
                for one in counted(uses, terms).refused:
                    if from_ms <= one.use.at < to_ms:
                        found[one.use.source, one.use.id, one.use.at, one.reason] = one
    return [found[key] for key in sorted(found)]


def options_of(rated: Rated, cycle: Cycle | None = None) -> list[str]:
    """Every convention that these lines follow, in words: what a statement prints."""
    said = [rated.rounding.in_words()]
    if cycle is not None:
        said.append(f"periods: {cycle.in_words()}, half-open, on the clock of {rated.zone}")
    for version, _, _ in rated.spans():
        for terms in version.charges:
            said += [f"{terms.name or kind_of(terms)}: {one}" for one in terms.options()]
    return list(dict.fromkeys(said))


def priced_document(priced: Priced) -> Document:
    """What the command prints."""
    rated = priced.rated
    return {
        "period": {
            "first": rated.period.first,
            "end": rated.period.end,
            "from": utc_text(rated.period.from_ms),
            "to": utc_text(rated.period.to_ms),
            "zone": rated.zone,
            "tzdata": TZDATA_VERSION,
        },
        "currency": rated.currency,
        "lines": [_line_document(line) for line in priced.lines],
        "exact": unrounded_text(priced.exact),
        "total": priced.total,
        "options": priced.options,
        "interim": [
            {"at": utc_text(one.at), "threshold": unrounded_text(one.threshold), "amount": unrounded_text(one.amount)}
            for one in priced.interim
        ],
        "refused": [
            {"source": one.use.source, "id": one.use.id, "at": utc_text(one.use.at), "reason": one.reason,
             "text": REASONS[one.reason]}
            for one in priced.refused
        ],
    }  # fmt: skip


def _line_document(line: Line) -> Document:
    return {
        "no": line.no,
        "text": describe(line),
        "kind": line.kind,
        "name": line.name,
        "effect": line.effect,
        "version": line.version,
        "charge": line.charge,
        "device": line.device,
        "subject": line.subject,
        "group": line.group,
        "window": line.window,
        "first": line.first,
        "end": line.end,
        "from": utc_text(line.from_) if line.from_ else None,
        "to": utc_text(line.to) if line.to else None,
        "quantity": line.quantity.value,
        "unit": line.quantity.unit,
        "unit_price": line.unit_price,
        "steps": [msgspec.to_builtins(step) for step in line.steps],
        "exact": line.exact or line.unrounded,
        "unrounded": line.unrounded,
        "amount": line.amount,
        "hash": line.hash,
    }
