"""Every charge model priced again in a real browser, from the bundle alone: true lines fit, changed ones are named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from cloud import migrations
from cloud.agreements import repository as agreements
from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.bundle import dump
from cloud.billing.close_period import Wanted, close_period
from cloud.billing.evidence import bundle_of
from cloud.database import Tx
from cloud.events.count_events import count_events
from cloud.open_store import open_store
from cloud.rating.events import CountedEvent
from cloud.rating.rate_usage import charge_models
from tests.cloud.billing import random_agreements
from tests.cloud.billing.random_agreements import KEYS, SIGNER, TENANT
from tests.cloud.books.test_whole_month import november
from tests.cloud.twins import CloudTwin
from tests.web.conftest import Served
from tests.web.test_in_browser import page, sign_in

pytestmark = pytest.mark.browser
__all__ = ["page"]
RUN = "async (bundle) => (await import('/static/check.js')).arithmetic(bundle)"
# All changes in one call: a bundle is large, and each way into the browser is slow.
CHANGED = """async ([bundle, changes]) => {
  const { arithmetic } = await import('/static/check.js');
  const unnoticed = [];
  for (const [path, value] of changes) {
    const changed = structuredClone(bundle);
    let place = changed.statement.lines;
    for (const key of path.slice(0, -1)) place = place[key];
    place[path.at(-1)] = value;
    if (!arithmetic(changed).length) unnoticed.push(path);
  }
  return unnoticed;
}"""
EVENTS = {"measure": "events", "types": ["click"]}
TIERS = [{"up_to": "10", "unit_price": "0.7", "flat": "1"}, {"up_to": "20", "unit_price": "0.51"},
         {"unit_price": "0.333"}]  # fmt: skip
WINDOWS = {
    "rules": [
        {"window": "night", "from": "22:00", "to": "06:00", "weekdays": [1, 2, 3, 4, 5]},
        {"window": "peak", "from": "08:00", "to": "20:00", "holidays": "never", "seasons": ["winter"]},
    ],
    "otherwise": "low", "holidays": ["2026-11-11"],
    "seasons": [{"name": "winter", "first": "11-01", "last": "03-31"}],
}  # fmt: skip
CHARGES: list[dict[str, Any]] = [
    {
        "kind": "standard", "unit_price": "0.125", "source": EVENTS, "free_units": {"quantity": "3", "prorated": True},
        "convert": {"multiply_by": "10", "divide_by": "3", "unit": "part"}, "round_quantity": {"mode": "up"},
        "discounts": [{"percent": "12.5"}, {"amount": "1", "prorated": True}], "minimum": {"amount": "900"},
    },
    {"kind": "standard", "unit_price": "2", "source": EVENTS | {"group_by": ["team"]}, "maximum": {"amount": "30"}},
    {"kind": "graduated", "tiers": TIERS, "source": EVENTS, "bounds": "exclusive"},
    {"kind": "volume", "tiers": TIERS, "source": EVENTS, "aggregation": {"function": "unique"}},
    {"kind": "graduated_percentage", "tiers": TIERS, "source": EVENTS, "aggregation": {"function": "max"}},
    {"kind": "package", "size": "7", "price": "1.9", "source": EVENTS, "aggregation": {"function": "count"}},
    {
        "kind": "percentage", "percent": "2.5", "fixed": "0.1", "free_amount": "20", "least_per_event": "0.3",
        "most_per_event": "0.9", "source": EVENTS, "free_units": {"quantity": "33.3"},
    },
    {"kind": "percentage", "percent": "2.5", "fixed": "0.1", "free_amount": "20", "source": EVENTS,
     "aggregation": {"function": "max"}, "maximum": {"amount": "3"}},
    {"kind": "percentage", "percent": "200", "least_per_event": "2.5", "source": EVENTS, "free_events": 2,
     "aggregation": {"function": "count"}},
    {"kind": "dynamic", "multiplier": "1.1", "source": EVENTS},
    {"kind": "dynamic", "source": EVENTS, "aggregation": {"function": "count"}},
    {"kind": "time_of_use", "windows": WINDOWS, "prices": {"night": "0.1", "peak": "0.4", "low": "0.2"},
     "source": EVENTS, "discounts": [{"percent": "5"}, {"amount": "90"}]},
    {"kind": "bucketed_maximum", "tiers": TIERS, "source": EVENTS, "bucket": "week"},
    {"kind": "bucketed_maximum", "tiers": TIERS, "source": EVENTS, "bucket": "hour", "tiers_apply": "to_the_sum"},
    {"kind": "standard", "unit_price": "0.01", "source": EVENTS, "aggregation": {"function": "time_weighted"}},
    {"kind": "flat", "amount": "30", "quantity": "2", "proration": {"count": "seconds"},
     "discounts": [{"percent": "10"}]},
    {"kind": "area", "areas": [{"subject": "hall", "m2": "50", "first": "2026-11-15"}], "plant_cost": "900",
     "total_m2": "700"},
    {"kind": "commitment", "maximum": {"amount": "2000", "prorated": True}},
]  # fmt: skip


ONCE, ANEW = {"holds": "for_the_period"}, {"holds": "for_each_price"}
GROUPED = EVENTS | {"group_by": ["team"]}
CHANGING: list[dict[str, Any]] = [
    {"kind": "standard", "unit_price": "0.5", "source": EVENTS, "free_units": {"quantity": "900"},
     "discounts": [{"percent": "10"}, {"amount": "99"}], "minimum": {"amount": "70"}},
    {"kind": "standard", "unit_price": "0.5", "source": GROUPED, "minimum": {"amount": "90"} | ANEW,
     "maximum": {"amount": "300"}, "bounds_apply": "before_discounts", "discounts": [{"percent": "3"}]},
    {"kind": "graduated", "tiers": TIERS, "source": GROUPED, "convert": {"divide_by": "7", "unit": "k"},
     "round_quantity": {"mode": "up"}, "free_units": {"quantity": "70", "prorated": True} | ONCE},
    {"kind": "percentage", "percent": "2.5", "fixed": "0.1", "free_amount": "700", "free_events": 30, "source": EVENTS,
     "free_units": {"quantity": "100", "when": "before_conversion"}, "least_per_event": "0.3"},
    {"kind": "percentage", "percent": "50", "free_amount": "50", "source": EVENTS, "aggregation": {"function": "max"}},
    {"kind": "time_of_use", "windows": WINDOWS, "prices": {"night": "0.1", "peak": "0.4", "low": "0.2"},
     "source": EVENTS, "discounts": [{"percent": "5"}, {"amount": "300"}, {"amount": "20", "prorated": True} | ONCE],
     "maximum": {"amount": "40"}},
    {"kind": "bucketed_maximum", "tiers": TIERS, "source": EVENTS, "bucket": "week", "free_units": {"quantity": "9"},
     "minimum": {"amount": "500", "prorated": True} | ONCE},
    {"kind": "bucketed_maximum", "tiers": TIERS, "source": EVENTS, "bucket": "day", "tiers_apply": "to_the_sum",
     "free_units": {"quantity": "60"}},
    {"kind": "flat", "amount": "30", "quantity": "2", "discounts": [{"percent": "10"}, {"amount": "28"}]},
    {"kind": "commitment", "maximum": {"amount": "2000", "prorated": True}},
]  # fmt: skip


def with_other_prices(charges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same charges, some at another price, the last but one with other limits, and the first group without any."""
    changed = [one | ({"unit_price": "0.25"} if one["kind"] == "standard" else {}) for one in charges]
    changed[0] = changed[0] | {"free_units": {"quantity": "950"}}
    changed[4] = changed[4] | {"percent": "40"}
    return changed


def all_on_events(tx: Tx, name: str = "all", more: Sequence[tuple[str, list[dict[str, Any]]]] = ()) -> bytes:
    """The bundle of a cut November with every charge on events, and fees; ``more``: later versions (day, charges)."""
    told = [("2026-11-04", CHARGES if not more else CHANGING), *more]
    for number, (first, charges) in enumerate(told, 1):
        terms = AgreementTerms.model_validate(
            {
                "supplier_id": "sup", "customer_id": "cust", "currency": "EUR", "zone": "Europe/Berlin",
                "starts": "2026-11-04", "devices": [f"d-{name}"], "event_sources": [f"shop-{name}"],
                "charges": charges,
            }
        )  # fmt: skip
        if number == 1:
            agreements.add(tx, TENANT, f"agr-{name}", terms, 0)
        agreements.add_version(tx, TENANT, f"agr-{name}", Version(number, first, terms), 0)
    begins, hour = 1_793_746_800_000, 3_600_000
    events = [
        CountedEvent(
            serial=0, source=f"shop-{name}", id=f"e{n}", type="click" if n % 7 else "view", at=begins + n * 11 * hour,
            received=begins + 700 * hour, value=137 * n % 4001, scale=-2, price=f"0.{n % 97:02}", subject=f"v{n % 5}",
            labels={"team": "red" if n % 3 else "blue"},
        )
        for n in range(57)
    ]  # fmt: skip
    count_events(tx, TENANT, events, begins + 700 * hour)
    wanted = Wanted(first="2026-11-04", end="2026-12-01")
    made, _ = close_period(tx, TENANT, f"agr-{name}", wanted, now_ms=begins + 700 * hour, signer=SIGNER)
    return dump(bundle_of(tx, TENANT, made, KEYS))


async def bundles_on_events(folder: Path) -> list[bytes]:
    """That one, and some of random agreements."""
    store = open_store(f"sqlite:///{folder}/random.db")
    await migrations.migrate(store, 0)
    found = [await store.run(all_on_events)]
    other = with_other_prices(CHANGING)
    found.append(await store.run(lambda tx: all_on_events(tx, "twice", [("2026-11-15", other)])))
    found.append(
        await store.run(lambda tx: all_on_events(tx, "thrice", [("2026-11-12", other), ("2026-11-21", CHANGING)]))
    )
    for number in range(6):
        found += await store.run(lambda tx, number=number: random_agreements.bundles(tx, number, 2))  # type: ignore[misc]
    await store.close()
    return found


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Bundles with every charge model; made before the browser opens, whose loop runs in this thread."""
    folder = tmp_path_factory.mktemp("bundles")
    with CloudTwin(f"sqlite:///{folder}/month.db", folder / "state") as cloud:
        trade, first, second = november(cloud)
        told = [cloud.ask("GET", f"/v1/statements/{one['statement_id']}/bundle").content for one in (first, second)]
        told += trade.cloud.wait(bundles_on_events(folder))
    return [json.loads(one) for one in told]


def test_every_charge_model_is_priced_again_and_fits(bundles: list[dict[str, Any]], page: Page, served: Served) -> None:
    sign_in(page, served)

    found = [page.evaluate(RUN, one) for one in bundles]

    assert found == [[] for _ in bundles]
    kinds = {line["kind"] for one in bundles for line in one["statement"]["lines"]}
    assert set(charge_models()) - kinds == {"commitment", "progressive_billing"}
    assert {"minimum", "maximum"} <= kinds


def test_no_changed_number_of_a_line_fits_its_terms(bundles: list[dict[str, Any]], page: Page, served: Served) -> None:
    sign_in(page, served)

    # Of those in which the price changes each third: they have the most lines, and each change prices all of them.
    changes = [list(changes_of(one))[:: 3 if at > 2 else 1] for at, one in enumerate(bundles[:5])]
    unnoticed = [page.evaluate(CHANGED, [one, told]) for one, told in zip(bundles, changes, strict=False)]

    assert sum(map(len, changes)) >= 300
    assert unnoticed == [[], [], [], [], []]


def test_a_missing_maximum_and_a_wrong_tier_are_named(
    bundles: list[dict[str, Any]], page: Page, served: Served
) -> None:
    sign_in(page, served)
    one = copy.deepcopy(bundles[2])
    lines = one["statement"]["lines"]
    gone = next(line for line in lines if line["kind"] == "maximum")
    lines.remove(gone)

    findings = page.evaluate(RUN, one)

    assert any("maximum" in found["what"] and "left out" in found["what"] for found in findings)


NUMBERS = ("amount", "unrounded", "exact", "unit_price", "days", "month_days")
STEP_NUMBERS = ("amount", "quantity", "unit_price")


def changes_of(bundle: dict[str, Any]) -> Iterator[tuple[list[str | int], str | int]]:
    """(where, another value) for each number of each line."""
    for at, line in enumerate(bundle["statement"]["lines"]):
        for name in NUMBERS:
            if line.get(name):
                yield [at, name], other(line[name])
        yield [at, "quantity", "value"], other(line["quantity"]["value"])
        for place, step in enumerate(line.get("steps", [])):
            for name in STEP_NUMBERS if step.get("amount") else ():
                if step.get(name):
                    yield [at, "steps", place, name], other(step[name])


def other(value: str | int) -> str | int:
    """Another number: its first digit is one more."""
    if isinstance(value, int):
        return value + 1
    at = next(place for place, sign in enumerate(value) if sign.isdigit())
    return f"{value[:at]}{(int(value[at]) + 1) % 10}{value[at + 1 :]}"
