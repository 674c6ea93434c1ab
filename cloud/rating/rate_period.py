"""A whole period of an agreement: uses, versions of prices and a cycle become lines. PURE.

The surprise: a price that changes inside a period splits the lines at the instant from which it counts, and a bill for
a part of a period is the same function over a shorter span. Commitments and rounding over several lines come last, so
that what the lines say always adds up to the total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction

import msgspec

from cloud.calendar import Period, local_day, midnight, month_shares
from cloud.money import RoundingPolicy, payables, plain
from cloud.rating.charges import commitment
from cloud.rating.intervals import Splitting, within
from cloud.rating.lines import ChargeTerms, Line, Measured, Pricing, exact_of
from cloud.rating.price_changes import Keeping
from cloud.rating.rate_usage import charge_models, kind_of
from cloud.rating.usage_terms import Aggregation, Source, UsageTerms
from cloud.rating.uses import Use, count, greatest, latest, time_weighted, told_once, total, unique
from cloud.rating.validity import Refusal, Verdict, judge

Uses = Callable[[ChargeTerms], Sequence[Use]]


class PriceVersion(msgspec.Struct, frozen=True):
    """Charges that count from the instant ``from_ms`` on, until the next version's."""

    version: int
    from_ms: int
    charges: tuple[ChargeTerms, ...]


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """A period to be rated: what the agreement left of it, the whole period of the cycle, versions in order of time."""

    currency: str
    zone: str
    rounding: RoundingPolicy
    period: Period
    whole: Period
    versions: tuple[PriceVersion, ...]

    def spans(self) -> list[tuple[PriceVersion, int, int]]:
        """Each version with the instants ``[from, to)`` of the period in which it counts."""
        found = []
        for place, version in enumerate(self.versions):
            following = self.versions[place + 1].from_ms if place + 1 < len(self.versions) else self.period.to_ms
            span = max(version.from_ms, self.period.from_ms), min(following, self.period.to_ms)
            if span[0] < span[1]:
                found.append((version, *span))
        return found

    def pricing(self, version: int, charge: int) -> Pricing:
        """What a charge of a version needs beside its terms."""
        return Pricing(version, charge, self.currency, self.rounding, self.zone)


def rate_period(rated: Rated, uses: Uses, rate_of: Callable[[Line], str] = lambda _: "") -> list[Line]:
    """The numbered lines of a period. ``uses`` gives what a charge measures; ``rate_of`` the tax rate of a line, for
    rounding by rate. Raises RatingError where the terms refuse what was used.
    """
    spans = rated.spans()
    keeping = Keeping(spans) if len(spans) > 1 else None
    lines: list[Line] = []
    for place, (version, _, _) in enumerate(spans):
        for position, terms in enumerate(version.charges):
            model = charge_models()[kind_of(terms)]
            pricing = rated.pricing(version.version, position)
            for measured in measure(rated, spans, place, position, uses):
                kept = measured if keeping is None else keeping.of(place, position, measured)
                made = model.charge(kept, terms, pricing)
                if keeping is not None:
                    keeping.note(place, position, kept, made)
                lines += [named(line, terms) for line in made]
    lines += bounds_kept(rated, keeping)
    return finish(rated, [*lines, *commitment_lines(rated, lines)], rate_of)


def bounds_kept(rated: Rated, keeping: Keeping | None) -> list[Line]:
    """The minimum and maximum lines that hold once for a period in which the price changes."""
    if keeping is None:
        return []
    return [named(line, terms) for line, terms in keeping.bounds(rated.pricing, lambda span: _bare(rated, span))]


def named(line: Line, terms: ChargeTerms) -> Line:
    """The line under the name that its charge has on the statement."""
    return line if terms.name is None or line.name else msgspec.structs.replace(line, name=terms.name)


def commitment_lines(rated: Rated, lines: Sequence[Line]) -> list[Line]:
    """What commitments in force at the period's end add to these lines or take off them."""
    spans = rated.spans()
    if not spans:
        return []
    version = spans[-1][0]
    bare = measure_whole(rated)
    found: list[Line] = []
    for position, terms in enumerate(version.charges):
        if isinstance(terms, commitment.Terms):
            pricing = rated.pricing(version.version, position)
            made = commitment.charge_lines(bare, terms, pricing, [*lines, *found])
            found += [named(line, terms) for line in made]
    return found


def finish(rated: Rated, lines: Sequence[Line], rate_of: Callable[[Line], str] = lambda _: "") -> list[Line]:
    """Numbers the lines, and where they are rounded together gives each its share of the rounded sum."""
    numbered = [msgspec.structs.replace(line, no=at) for at, line in enumerate(lines, 1)]
    if rated.rounding.place == "line":
        return numbered
    due = payables(
        [exact_of(line) for line in numbered], [rate_of(line) for line in numbered], rated.currency, rated.rounding
    )
    return [msgspec.structs.replace(line, amount=plain(one)) for line, one in zip(numbered, due, strict=True)]


def total_of(lines: Iterable[Line]) -> Decimal:
    """The sum of the lines: what is due."""
    return sum((Decimal(line.amount) for line in lines), Decimal(0))


def measure(
    rated: Rated, spans: Sequence[tuple[PriceVersion, int, int]], place: int, position: int, uses: Uses
) -> list[Measured]:
    """What one charge measures in one version's span of the period."""
    version, from_ms, to_ms = spans[place]
    terms = version.charges[position]
    kind = charge_models()[kind_of(terms)].MEASURE
    bare = msgspec.structs.replace(_bare(rated, (from_ms, to_ms)), measure=kind, charge=position)
    if kind == "period":
        return [bare]
    if kind == "days":
        return _by_month(bare)
    if kind in ("pieces", "energy"):
        # A register's step has the price of the later reading: a line is closing less opening register.
        how: Splitting = "at_end" if kind == "energy" else "by_time"
        return _by_subject(bare, _between(uses(terms), (from_ms, to_ms), how))
    if kind == "usage":
        assert isinstance(terms, UsageTerms)
        earlier: tuple[int, int] | None = None
        if terms.across_versions == "continue" and place:
            same = [span for span in spans[:place] if _same(span[0], position, terms)]
            earlier = (same[0][1], from_ms) if same else None
        return usage_measured(bare, terms, uses(terms), earlier)
    return []


def _same(version: PriceVersion, position: int, terms: ChargeTerms) -> bool:
    return position < len(version.charges) and kind_of(version.charges[position]) == kind_of(terms)


def _bare(rated: Rated, span: tuple[int, int]) -> Measured:
    """Nothing yet, over some instants of the period. The days are those of the period where the span is all of it."""
    whole = span == (rated.period.from_ms, rated.period.to_ms)
    first = local_day(span[0], rated.zone)
    end = local_day(span[1], rated.zone)
    by_days = whole or all(midnight(local_day(at, rated.zone), rated.zone) == at for at in span)
    return Measured(
        measure="", device="", subject="", quantity=Fraction(0), unit="",
        first=rated.period.first if whole else first.isoformat(),
        end=rated.period.end if whole else end.isoformat(),
        from_ms=span[0], to_ms=span[1], instants=not by_days, whole=rated.whole, actual=rated.period,
    )  # fmt: skip


def measure_whole(rated: Rated) -> Measured:
    """Nothing measured, over the whole period: what lines about other lines are made of."""
    return _bare(rated, (rated.period.from_ms, rated.period.to_ms))


def _by_month(bare: Measured) -> list[Measured]:
    shares = month_shares(date.fromisoformat(bare.first), date.fromisoformat(bare.end))
    return [
        msgspec.structs.replace(
            bare, first=one.first.isoformat(), end=one.end.isoformat(), quantity=Fraction(one.days), unit="d",
            days=one.days, month_days=one.month_days, level="C",
        )
        for one in shares
    ]  # fmt: skip


def _by_subject(bare: Measured, uses: Sequence[Use]) -> list[Measured]:
    groups: dict[tuple[str, str, str], list[Use]] = {}
    for use in uses:
        key = (use.labels.get("device", ""), use.labels.get("subject", ""), use.labels.get("unit", ""))
        groups.setdefault(key, []).append(use)
    default = "pc" if bare.measure == "pieces" else "kWh"
    return [
        msgspec.structs.replace(bare, device=device, subject=subject, quantity=total(found), unit=unit or default)
        for (device, subject, unit), found in sorted(groups.items())
    ]


def usage_measured(
    bare: Measured, terms: UsageTerms, uses: Sequence[Use], earlier: tuple[int, int] | None
) -> list[Measured]:
    """One aggregated quantity for each group; without groups there is always one, so that fees at zero usage are due.

    ``earlier``: the span of the period that another version already priced, where tiers continue.
    """
    span = (bare.from_ms, bare.to_ms)
    groups: dict[tuple[tuple[str, str], ...], list[Use]] = {}
    valid = counted(uses, terms).valid
    if not terms.source.group_by:
        groups[()] = valid
    for use in valid if terms.source.group_by else ():
        key = tuple([(label, use.labels.get(label, "")) for label in terms.source.group_by])
        groups.setdefault(key, []).append(use)
    found = []
    for group, members in sorted(groups.items()):
        own = _between(members, span, terms.edges_split)
        if group and not own and not _goes_on(members, span, earlier, terms.aggregation):
            continue
        quantity = aggregate(own, terms.aggregation, span, _levels_before(members, span, terms.aggregation))
        before, continues = Fraction(0), False
        if earlier is not None:
            told = _between(members, earlier, terms.edges_split)
            continues = not group or bool(told) or _goes_on(members, earlier, None, terms.aggregation)
            before = aggregate(told, terms.aggregation, earlier, _levels_before(members, earlier, terms.aggregation))
            both = (earlier[0], span[1])
            whole = [*told, *own]
            quantity = (
                aggregate(whole, terms.aggregation, both, _levels_before(members, both, terms.aggregation)) - before
            )
        labels = dict(group)
        found.append(
            msgspec.structs.replace(
                bare, quantity=quantity, unit=terms.source.unit, uses=tuple(own), group=group, before=before,
                continues=continues,
                device=labels.get("device", "") or _one_of(terms.source.devices),
                subject=labels.get("subject", "") or _one_of(terms.source.subjects),
            )
        )  # fmt: skip
    return found


def _goes_on(members: Sequence[Use], span: tuple[int, int], earlier: tuple[int, int] | None, how: Aggregation) -> bool:
    """Whether a group without a use in a span has a line there: a level goes on, and so do tiers from the version
    before. What it used in other periods is no reason, for how much of that is known depends on who asks.
    """
    if how.function in ("latest", "time_weighted"):
        return any(use.at < span[0] for use in members)
    return earlier is not None and any(earlier[0] <= use.at < span[0] for use in members)


def _one_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ""


def counted(uses: Sequence[Use], terms: UsageTerms) -> Verdict:
    """The uses that a charge is for and that its validity rules let count; and those that they refuse."""
    mine = selected(uses, terms.source)
    if terms.valid is not None:
        return judge(mine, uses, terms.valid)
    told = told_once(mine)
    return Verdict(told.uses, [Refusal(use, "conflict") for use in told.conflicts])


def selected(uses: Sequence[Use], source: Source) -> Sequence[Use]:
    """The uses that a charge is for."""
    wanted: dict[str, frozenset[str]] = {label: frozenset(values) for label, values in source.where.items()}
    for label, values in (("device", source.devices), ("subject", source.subjects), ("type", source.types)):
        if values:
            wanted[label] = frozenset(values)
    if not wanted:
        return uses
    for label, allowed in wanted.items():
        uses = [use for use in uses if use.labels.get(label) in allowed]
    return uses


def _between(uses: Sequence[Use], span: tuple[int, int], how: Splitting) -> list[Use]:
    """Uses in ``[from, to)``; an interval that crosses the border is cut there by time, or lies on one side of it."""
    from_ms, to_ms = span
    found = [use for use in uses if from_ms <= use.at < to_ms and use.until <= to_ms]
    if len(found) == len(uses):
        return found
    for use in uses:
        if (
            use.until > use.at
            and use.at < to_ms
            and use.until > from_ms
            and not (from_ms <= use.at and use.until <= to_ms)
        ):
            found += within(use, span, how)
    return found


def _levels_before(uses: Sequence[Use], span: tuple[int, int], how: Aggregation) -> Fraction:
    """The level at the beginning of a span: from the uses before it, or the declared one."""
    opening = Fraction(how.opening)
    if how.function not in ("time_weighted", "latest"):
        return opening
    earlier = [use for use in uses if use.at < span[0]]
    if not earlier:
        return opening
    return opening + total(earlier) if how.level == "changed_by_use" else latest(earlier)


def aggregate(uses: Sequence[Use], how: Aggregation, span: tuple[int, int], opening: Fraction) -> Fraction:
    """Many uses as one quantity. ``opening``: the level at the beginning, for levels."""
    if how.function == "sum":
        return total(uses)
    if how.function == "count":
        return count(uses)
    if how.function == "max":
        return greatest(uses)
    if how.function == "unique":
        return unique(uses, how.of or "")
    if how.function == "latest":
        return latest(uses) if uses else opening
    return time_weighted(uses, span, how.per, opening, changes=how.level == "changed_by_use")
