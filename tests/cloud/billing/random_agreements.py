"""Random agreements over many months, rated in each database and by the offline check: the same line hashes everywhere.

The test takes a few; ``python -m tests.cloud.billing.random_agreements 1000 12`` takes as many as one likes (SQLite and
PostgreSQL, some minutes), and a third number says with which agreement to begin. Chance comes from a hash of the
agreement's number, so a number is an agreement for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from cloud.agreements import repository as agreements
from cloud.agreements.terms import AgreementTerms, Version
from cloud.billing.bundle import Keys, dump, load
from cloud.billing.close_period import Wanted, close_period
from cloud.billing.evidence import bundle_of
from cloud.billing.verify import Trust, verify
from cloud.calendar import Cycle, Period, billing_periods, parse_day
from cloud.database import Tx
from cloud.events.count_events import count_events
from cloud.open_store import open_store
from cloud.rating.events import CountedEvent
from tests.cloud.databases import DIALECTS, Databases
from wire.seal import Signer

SIGNER = Signer("cloud.example", b"k" * 32)
KEYS = Keys(cosigner=SIGNER.cosigner_vkey, signer=SIGNER.vkey)
ZONES = ("Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC")
TENANT = "tenant"


class Chance:
    """Numbers that follow from a text."""

    def __init__(self, text: str) -> None:
        self._text, self._turn = text, 0

    def below(self, bound: int) -> int:
        """A number from 0 to ``bound`` - 1."""
        self._turn += 1
        return int.from_bytes(hashlib.sha256(f"{self._text} {self._turn}".encode()).digest()[:8], "big") % bound

    def one(self, of: Sequence[Any]) -> Any:
        """One of several."""
        return of[self.below(len(of))]

    def price(self) -> str:
        """A price with three places."""
        return f"{self.below(9)}.{self.below(1000):03}"


def terms_of(number: int) -> AgreementTerms:
    """The terms of an agreement."""
    chance = Chance(f"terms {number}")
    events = {"measure": "events", "types": ["click"]}
    tiers = [{"up_to": "10", "unit_price": chance.price(), "flat": "1"}, {"unit_price": chance.price()}]
    usage = {
        "source": events | chance.one([{}, {"group_by": ["team"]}]),
        "aggregation": {"function": chance.one(["sum", "count", "max", "unique", "latest", "time_weighted"])},
        "minimum": chance.one([None, {"amount": "20"}]),
        "discounts": chance.one([[], [{"percent": "12.5"}]]),
    } | limits_of(number)
    models = [
        {"kind": "standard", "unit_price": chance.price()} | usage,
        {"kind": chance.one(["graduated", "volume", "graduated_percentage"]), "tiers": tiers} | usage,
        {"kind": "package", "size": "7", "price": chance.price()} | usage,
        {
            "kind": "percentage",
            "percent": "2.5",
            "fixed": "0.1",
            "source": events,
            "valid": {"repeats": {"seconds": 3600}},
        },
        {"kind": "bucketed_maximum", "tiers": tiers, "source": events, "bucket": chance.one(["hour", "day", "month"])},
        {
            "kind": "flat",
            "amount": chance.price(),
            "proration": {"count": chance.one(["days", "seconds", "both_edges"])},
        },
        {"kind": "monthly_fee", "amount": chance.price()},
        {"kind": "commitment", "minimum": {"amount": "100"}, "maximum": {"amount": "400"}},
    ]
    return AgreementTerms.model_validate(
        {
            "supplier_id": "sup", "customer_id": "cust", "currency": chance.one(["EUR", "JPY", "KWD"]),
            "zone": chance.one(ZONES), "starts": f"2026-01-{chance.below(28) + 1:02}", "devices": [f"d{number}"],
            "event_sources": [f"s{number}"], "cycle": {"anchor_day": chance.below(31) + 1},
            "rounding": {
                "mode": chance.one(["half_up", "half_even", "down"]), "place": chance.one(["line", "rate", "total"]),
            },
            "charges": [one for one in models if chance.below(3)] or models[:1],
        }
    )  # fmt: skip


def limits_of(number: int) -> dict[str, Any]:
    """What is free, off and the most in an agreement's charges on usage, for all of a period or for each price."""
    chance = Chance(f"limits {number}")
    holds = chance.one([{}, {"holds": "for_each_price"}, {"holds": "for_the_period", "prorated": True}])
    return {
        "free_units": chance.one([None, {"quantity": "15"} | holds]),
        "maximum": chance.one([None, {"amount": "90"} | holds]),
        "across_versions": "restart" if holds.get("holds") == "for_each_price" else chance.one(["restart", "continue"]),
    }


def changed_terms(number: int) -> AgreementTerms | None:
    """The same agreement with other prices, which count from a day inside its second period on; None: it has none."""
    chance = Chance(f"change {number}")
    if not chance.below(3):
        return None
    told = terms_of(number).model_dump(mode="json", by_alias=True, exclude_none=True)
    for charge in told["charges"]:
        charge |= {name: chance.price() for name in ("unit_price", "price", "percent") if name in charge}
    return AgreementTerms.model_validate(told)


def periods_of(terms: AgreementTerms, months: int) -> list[Period]:
    """The first billing periods of an agreement."""
    every = billing_periods(terms.cycle or Cycle(), terms.zone, parse_day(terms.starts), parse_day("2028-01-01"))
    return [one for _, one in zip(range(months), every, strict=False)]


def versions_of(number: int) -> list[Version]:
    """The versions of an agreement's terms."""
    terms, changed = terms_of(number), changed_terms(number)
    first = Version(1, terms.starts, terms)
    if changed is None:
        return [first]
    second = parse_day(periods_of(terms, 2)[1].first) + timedelta(days=10)
    return [first, Version(2, second.isoformat(), changed)]


def events_of(number: int, period: Period, order: str) -> list[CountedEvent]:
    """What happened in a period, in an order of arrival of its own, and some of it twice."""
    chance = Chance(f"events {number} {period.first}")
    told = [
        CountedEvent(
            serial=0, source=f"s{number}", id=f"{period.first}-{n}", type="click", received=period.to_ms,
            at=period.from_ms + chance.below(period.to_ms - period.from_ms), value=chance.below(5000), scale=-2,
            subject=f"v{chance.below(4)}", labels={"team": chance.one(["red", "blue"])},
        )
        for n in range(chance.below(15))
    ]  # fmt: skip
    told += told[::3]
    return sorted(told, key=lambda event: hashlib.sha256(f"{order} {event.id}".encode()).digest())


def rated(tx: Tx, number: int, months: int, order: str) -> list[tuple[str, list[str], str]]:
    """One agreement, closed month by month and checked offline: period, line hashes without arrival, total."""
    found = []
    for raw in bundles(tx, number, months, order):
        bundle = load(raw)
        made, label = bundle.statement, bundle.statement.head.period.label
        verdict = verify(bundle, Trust())
        assert verdict.verified, (number, label, verdict.findings[:3])
        found.append((label, [line.hash for line in made.lines], made.head.total))
    return found


def bundles(tx: Tx, number: int, months: int, order: str = "") -> list[bytes]:
    """The bundles of one agreement, closed month by month."""
    terms = terms_of(number)
    agreement_id = f"agr-{number}"
    agreements.add(tx, TENANT, agreement_id, terms, 0)
    for version in versions_of(number):
        agreements.add_version(tx, TENANT, agreement_id, version, 0)
    found = []
    for period in periods_of(terms, months):
        count_events(tx, TENANT, events_of(number, period, order), period.to_ms)
        wanted = Wanted(first=period.first, end=period.end)
        made, _ = close_period(tx, TENANT, agreement_id, wanted, now_ms=period.to_ms + 1, signer=SIGNER)
        found.append(dump(bundle_of(tx, TENANT, made, KEYS)))
    return found


def compare(databases: Databases, agreements_: int, months: int, first: int = 0) -> int:
    """Rates so many of them, from ``first`` on, in both databases; returns how many statements were equal. Raises
    AssertionError otherwise.
    """
    numbers = range(first, first + agreements_)
    told: dict[str, list[list[tuple[str, list[str], str]]]] = {}
    for dialect in DIALECTS:
        with databases.fresh(dialect) as address:
            told[dialect] = asyncio.run(_all(address, numbers, months))
    for number, left, right in zip(numbers, *told.values(), strict=True):
        assert left == right, f"agreement {number} is rated otherwise"
    return sum(len(one) for one in told[DIALECTS[0]])


async def _all(address: str, numbers: Sequence[int], months: int) -> list[list[tuple[str, list[str], str]]]:
    store = open_store(address)
    try:
        return [await store.run(partial(rated, number=number, months=months, order="order")) for number in numbers]
    finally:
        await store.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        places = Databases(Path(folder))
        sys.stdout.write(f"{compare(places, *map(int, sys.argv[1:4]))} statements are equal\n")
        places.close()
