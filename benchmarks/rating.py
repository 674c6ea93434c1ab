"""Rating and closing: lines and events a second on one core, agreements closed, and whether a year grows as a year.

`./run python benchmarks/rating.py [--quick] [--full] [--json]`. Lines go through the product's own charge models, hash
of each line included; their limit writes and hashes the same finished lines and prices nothing. Events go through the
rating of a whole period, their limit is a dictionary that remembers each key and adds up. Time is processor time.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measure import Goal, Options, Report, Turn, alternate, run
from cloud import migrations
from cloud.agreements import repository as agreements
from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.close_due import close_due
from cloud.calendar import Cycle, Period, billing_periods, month, parse_day
from cloud.database import Tx
from cloud.entropy import Entropy
from cloud.events.count_events import count_events
from cloud.keyring import load_or_create
from cloud.money import RoundingPolicy
from cloud.open_store import open_store
from cloud.rating.charges import energy, graduated, monthly_fee, per_piece, standard
from cloud.rating.events import CountedEvent
from cloud.rating.lines import ChargeTerms, LeafRef, Line, Measured, Pricing
from cloud.rating.rate_period import PriceVersion, Rated, rate_period
from cloud.rating.rate_usage import charge_models
from cloud.rating.uses import Use

ZONE = "Europe/Berlin"
PRICING = Pricing(1, 0, "EUR", RoundingPolicy(), ZONE)
LINES_A_SECOND, EVENTS_A_SECOND, AGREEMENTS_A_SECOND = 100_000, 500_000, 100_000 / 600
FILES = itertools.count()
TERMS: dict[str, dict[str, Any]] = {
    "per_piece": {"prices": {"drill-8": "0.335"}},
    "energy": {"unit_price": "0.27354", "devices": ["meter-1"]},
    "standard": {"unit_price": "0.0125"},
    "monthly_fee": {"amount": "300.00"},
    "graduated": {"tiers": [{"up_to": "20", "unit_price": "0.27"}, {"up_to": "50", "unit_price": "0.25", "flat": "1"},
                            {"unit_price": "0.21"}]},
}  # fmt: skip
EVENT_TERMS: dict[str, dict[str, Any]] = {
    function: {"aggregation": {"function": function}} for function in ("sum", "count", "max", "unique", "latest")
} | {
    "level over time": {"aggregation": {"function": "time_weighted"}},
    "percentage with a fee each": {"kind": "percentage", "percent": "1.5", "fixed": "0.1", "free_amount": "100"},
    "each at its own price": {"kind": "dynamic"},
    "greatest of each hour": {"kind": "bucketed_maximum", "bucket": "hour", "tiers": [{"unit_price": "0.1"}]},
    "peak and valley": {
        "kind": "time_of_use", "prices": {"peak": "0.3", "valley": "0.1"},
        "windows": {"rules": [{"window": "peak", "from": "08:00", "to": "20:00"}], "otherwise": "valley"},
    },
}  # fmt: skip
MODELS = {one.KIND: one for one in (per_piece, energy, standard, monthly_fee, graduated)}
STATEMENT = ("per_piece", "energy", "standard", "per_piece", "energy", "monthly_fee")


def benchmark(options: Options, report: Report) -> None:
    """Lines, events, closings, and a year beside a month."""
    goal = Goal("min", LINES_A_SECOND, "value")
    report.add_turn("lines of a usual statement, hashes included", lines(options, STATEMENT), "lines/s", goal)
    report.add_turn("lines with three tiers, hashes included", lines(options, ("graduated",)), "lines/s")
    for name, more in EVENT_TERMS.items():
        turn = events(options, more)
        report.add_turn(f"events, {name}", turn, "events/s", Goal("min", EVENTS_A_SECOND, "value"))
    rate, spent = asyncio.run(closings(options))
    report.add("agreements closed, SQLite", rate, "agreements/s", goal=Goal("min", AGREEMENTS_A_SECOND, "value"))
    report.add("processor time of an agreement closed", spent, "ms", goal=Goal("max", 6, "value"))
    report.add("a year rated again, to twelve months", year(options), "ratio", goal=Goal("max", 1.3, "value"))


def lines(options: Options, kinds: Sequence[str]) -> Turn:
    """Lines a second of these charge models in turn, against writing and hashing the finished lines."""
    count = options.size(60_000, 600)
    terms = {kind: MODELS[kind].Terms.model_validate({"kind": kind, **TERMS[kind]}) for kind in kinds}
    material = [measured(number, kinds[number % len(kinds)]) for number in range(count)]
    models = charge_models()

    def product(_: int) -> float:
        made = 0
        begun = time.process_time()
        for one in material:
            for line in models[one.measure].charge(one, terms[one.measure], PRICING):
                made += len(line.hash) == 64
        return made / (time.process_time() - begun)

    finished = [line for one in material for line in models[one.measure].charge(one, terms[one.measure], PRICING)]

    def limit(_: int) -> float:
        return write_and_hash(finished)

    return alternate(options, partial(next, FILES), product, limit)


def write_and_hash(finished: Sequence[Line]) -> float:
    """Lines a second that are only written as canonical JSON and hashed."""
    encoder = msgspec.json.Encoder(order="sorted")
    begun = time.process_time()
    for line in finished:
        hashlib.sha256(encoder.encode(line)).hexdigest()
    return len(finished) / (time.process_time() - begun)


def measured(number: int, kind: str) -> Measured:
    """What a charge prices; no two alike."""
    days = number % 30 + 1
    return Measured(
        measure=kind, device="cab-1", subject="drill-8", first="2026-11-01", end="2026-12-01",
        quantity=Fraction(number % 99_730 + 1, 1 if kind == "per_piece" else 1000), unit="pc",
        days=days if kind == "monthly_fee" else 0, month_days=30 if kind == "monthly_fee" else 0,
        leaves=(LeafRef(log=0, index=number, at=number, quality="synchronised"),),
    )  # fmt: skip


def events(options: Options, more: dict[str, Any]) -> Turn:
    """Events a second through the rating of their period, against a dictionary that adds up."""
    count = options.size(200_000, 2000)
    period = month("2026-11", ZONE)
    length = period.to_ms - period.from_ms
    uses = [
        Use(
            at=period.from_ms + number * 7919 % length, value=number % 1000, scale=-2, source="shop", id=f"e{number}",
            price=f"0.{number % 97 + 1:02}", labels={"type": "click", "subject": f"v{number % 5000}"},
        )
        for number in range(count)
    ]  # fmt: skip
    rated = rated_months([period], event_terms(more))[0]

    def product(_: int) -> float:
        begun = time.process_time()
        rate_period(rated, lambda _: uses)
        return count / (time.process_time() - begun)

    def limit(_: int) -> float:
        begun = time.process_time()
        known: dict[tuple[str, str], int] = {}
        for use in uses:
            if use.labels["type"] == "click" and period.from_ms <= use.at < period.to_ms:
                known.setdefault((use.source, use.id), use.value)
        sum(known.values())
        return count / (time.process_time() - begun)

    return alternate(options, partial(next, FILES), product, limit)


def event_terms(more: dict[str, Any]) -> ChargeTerms:
    """A price for every click, or what ``more`` says."""
    told = {"kind": "standard", "source": {"types": ["click"]}} | more
    if told["kind"] == "standard":
        told["unit_price"] = "0.1"
    return charge_models()[told["kind"]].Terms.model_validate(told)


def rated_months(periods: Sequence[Period], terms: ChargeTerms) -> list[Rated]:
    """Periods to rate with one price."""
    return [
        Rated(
            currency="EUR", zone=ZONE, rounding=RoundingPolicy(), period=one, whole=one,
            versions=(PriceVersion(1, one.from_ms, (terms,)),),
        )
        for one in periods
    ]  # fmt: skip


def year(options: Options) -> float:
    """Time for twelve months over twelve times that for one: 1 is linear."""
    count = options.size(20_000, 500)
    periods = list(billing_periods(Cycle(), ZONE, parse_day("2026-01-01"), parse_day("2027-01-01")))
    rated = rated_months(periods, event_terms({}))
    told = [
        [Use(at=one.from_ms + number * 1000, value=number, source="s", id=f"{number}", labels={"type": "click"})
         for number in range(count)]
        for one in periods
    ]  # fmt: skip

    def spent(work: Callable[[], object]) -> float:
        gc.collect()
        begun = time.process_time()
        work()
        return time.process_time() - begun

    def rate(months: int) -> None:
        for one, uses in zip(rated[:months], told, strict=False):
            rate_period(one, lambda _, uses=uses: uses)  # type: ignore[misc]

    rate(1)
    single = min(spent(lambda: rate(1)) for _ in range(5))
    return min(spent(lambda: rate(12)) for _ in range(3)) / (12 * single)


async def closings(options: Options) -> tuple[float, float]:
    """Agreements a second closed to signed statements and invoices in SQLite by one process, each with a fee, tiers on
    events and a commitment; and the processor time of one in ms. `--full` closes the 100,000 of the goal, not a sample.
    """
    count, each = 100_000 if "full" in options.extra else options.size(1500, 20), 20
    folder: Path = options.folder
    store = open_store(f"sqlite:///{folder / 'closing.db'}")
    period = month("2026-11", ZONE)
    signer = load_or_create(folder, "bench", Entropy())
    await migrations.migrate(store, period.from_ms)
    for first in range(0, count, 1000):
        some = range(first, min(first + 1000, count))
        await store.run(lambda tx, some=some: prepare(tx, some, each, period.from_ms))  # type: ignore[misc]
    begun, used = time.perf_counter(), time.process_time()
    closed = await close_due(store, "bench", period.to_ms + 86_400_000, signer)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    await store.close()
    assert [one.state for one in closed] == ["final"] * count
    return count / seconds, used * 1000 / count


def prepare(tx: Tx, numbers: Sequence[int], each: int, at: int) -> None:
    """Agreements, and events of the month for each."""
    for number in numbers:
        source = f"shop-{number}"
        terms = AgreementTerms.model_validate(agreed(source))
        agreements.add(tx, "bench", f"agr-{number}", terms, at)
        agreements.add_version(tx, "bench", f"agr-{number}", Version(1, "2026-11-01", terms), at)
        told = [
            CountedEvent(serial=0, source=source, id=f"e{n}", type="click", at=at + n * 3_600_000, received=at, value=n)
            for n in range(each)
        ]
        count_events(tx, "bench", told, at)


def agreed(source: str) -> dict[str, Any]:
    """The terms of one agreement."""
    return {
        "supplier_id": "sup", "customer_id": "cust", "currency": "EUR", "zone": ZONE, "starts": "2026-11-01",
        "devices": [source], "event_sources": [source],
        "charges": [
            {"kind": "flat", "amount": "30"},
            {"kind": "graduated", "source": {"measure": "events"}, **TERMS["graduated"]},
            {"kind": "commitment", "minimum": {"amount": "50"}},
        ],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(run("Rating and closing", benchmark, ["full"]))
