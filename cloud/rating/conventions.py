"""The conventions of a charge on usage in words, as terms state and statements print them. PURE.

The surprise: nothing that the terms say about an amount may be left out here; what is not said is not agreed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from cloud.rating.intervals import Splitting
from cloud.rating.limits import Holds

if TYPE_CHECKING:
    from cloud.rating.discounts import Discount
    from cloud.rating.limits import Bound, FreeUnits
    from cloud.rating.usage_terms import Source, UsageTerms
    from cloud.time_windows import TimeWindows

OVER_EDGES: Mapping[Splitting, str] = {
    "by_time": "usage over an interval in which the price changes is shared out by time",
    "at_start": "usage over an interval in which the price changes has the price at which it begins",
    "at_end": "usage over an interval in which the price changes has the price at which it ends",
}
LATER_READING = "what a meter counted between two readings belongs to the period of the later one"
DAYS_OF_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BY_PART = ", by the part of the period"


def of_usage(terms: UsageTerms) -> list[str]:
    """Every convention that all charges on usage may have."""
    said = [*of_source(terms.source), *_quantity(terms), *of_discounts(terms.discounts)]
    said += of_bounds(terms.minimum, terms.maximum)
    if terms.minimum is not None or terms.maximum is not None:
        said.append(f"minimum and maximum apply {terms.bounds_apply.replace('_', ' ')}")
    parts = (terms.free_units, terms.minimum, terms.maximum, *terms.discounts)
    if any(one is not None and one.prorated for one in parts):
        said.append(f"part of a period: {terms.proration.in_words()}")
    free = terms.free_units if terms.across_versions == "restart" else None
    said += of_holds({
        "what is free": [free], "the minimum": [terms.minimum], "the maximum": [terms.maximum],
        "a discount of an amount": [one for one in terms.discounts if one.amount is not None],
    })  # fmt: skip
    if terms.across_versions == "continue":
        said.append("tiers and free units continue across a change of price inside a period")
    if terms.source.measure in ("quantity", "energy"):
        said.append(OVER_EDGES[terms.edges_split])
    if terms.source.measure == "energy":
        said.append(LATER_READING)
    return said


def of_source(source: Source) -> list[str]:
    """Which uses are counted at all."""
    said = [f"counts only what is of type {', '.join(source.types)}"] if source.types else []
    return said + [
        f"counts only where {label} is {', '.join(values)}" for label, values in sorted(source.where.items()) if values
    ]


def of_discounts(discounts: Sequence[Discount]) -> list[str]:
    """What is taken off, in this order."""
    return [
        f"discount {place} of {one.percent} percent" if one.percent is not None
        else f"discount {place} of {one.amount}{BY_PART if one.prorated else ''}"
        for place, one in enumerate(discounts, 1)
    ]  # fmt: skip


def of_windows(windows: TimeWindows) -> list[str]:
    """Which hours belong to which window."""
    said = []
    for rule in windows.rules:
        days = ", ".join(DAYS_OF_WEEK[day - 1] for day in rule.weekdays) if rule.weekdays else "every day"
        seasons = ", ".join(rule.seasons) if rule.seasons else "every season"
        holidays = {"like_any_day": "like any day", "never": "left out", "only": "only"}[rule.holidays]
        said.append(f"window {rule.window} from {rule.from_} to {rule.to}, {days}, {seasons}, on holidays {holidays}")
    said.append(f"window {windows.otherwise} at every other hour")
    said += [f"season {one.name} from {one.first} to {one.last}" for one in windows.seasons]
    return said + ([f"holidays are {', '.join(windows.holidays)}"] if windows.holidays else [])


def of_holds(limits: Mapping[str, Sequence[Discount | FreeUnits | Bound | None]]) -> list[str]:
    """For how much of a period each limit holds."""
    return list(dict.fromkeys(
        holds_words(what, getattr(one, "holds", None))
        for what, some in limits.items()
        for one in some
        if one is not None
    ))  # fmt: skip


def holds_words(what: str, holds: Holds | None) -> str:
    """For how much of a period one limit holds."""
    if holds == "for_the_period":
        return f"{what} holds once for the whole period, also when the price changes in it"
    return f"{what} holds anew for each price inside a period"


def of_bounds(minimum: Bound | None, maximum: Bound | None) -> list[str]:
    """The least and the most that is due."""
    return [
        f"at {word} {bound.amount} is due{BY_PART if bound.prorated else ''}"
        for word, bound in (("least", minimum), ("most", maximum))
        if bound is not None
    ]


def _quantity(terms: UsageTerms) -> Iterator[str]:
    """How many uses become one quantity, and what becomes of it before it is priced."""
    how = terms.aggregation
    yield f"aggregation: {how.function}"
    if how.function == "unique" and how.of is not None:
        yield f"how many different values of {how.of}"
    if how.function in ("latest", "time_weighted"):
        moves = "changes" if how.level == "changed_by_use" else "sets"
        per = f"counted by the {how.per}, " if how.function == "time_weighted" else ""
        yield f"a level is {per}{how.opening} at first, and each use {moves} it"
    if terms.source.group_by:
        yield f"a line for each {', '.join(terms.source.group_by)}"
    if terms.valid is not None:
        yield from terms.valid.options()
    if terms.free_units is not None:
        free = terms.free_units
        yield f"{free.quantity} units free, {free.when.replace('_', ' ')}{BY_PART if free.prorated else ''}"
    if terms.convert is not None:
        one = terms.convert
        yield f"quantity times {one.multiply_by}, divided by {one.divide_by}, counted in {one.unit}"
    if terms.round_quantity is not None:
        yield f"quantity rounded {terms.round_quantity.mode} to {terms.round_quantity.places} places"
