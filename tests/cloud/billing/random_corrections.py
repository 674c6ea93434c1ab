"""Random shops whose data come late: original lines and deltas together against one rating of everything.

The test takes a few; ``python -m tests.cloud.billing.random_corrections 100`` takes as many as one likes, and a second
number says with which to begin. A number is a shop for ever.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from cloud.calendar import midnight, parse_day
from tests.cloud.billing.random_agreements import Chance
from tests.cloud.databases import Databases
from tests.cloud.trade import HOUR, MINUTE, TERMS, ZONE, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.ids import RecordKey
from wire.records import Reading, Runtime

DAYS = 5
# A register of 30 kWh that wraps, and one behind transformers.
WRAP = 30_000
METERS = [
    {"device": "meter-1", "register": "import_wh", "modulus": "30", "max_kw": "9"},
    {"device": "meter-2", "register": "import_wh", "ratios": [{"since": "2026-11-02T07:30:00+00:00", "factor": "3"}]},
]
Amounts = dict[str, dict[tuple[str, ...], Decimal]]


def day(number: int) -> str:
    """A day of the story, from 1."""
    return f"2026-11-{number:02d}"


def charges(chance: Chance, factor: int) -> list[dict[str, Any]]:
    """A price list; ``factor`` makes the next one differ."""
    price = f"{chance.below(5) * factor}.{chance.below(1000):03}"
    tiers = [{"up_to": "4", "unit_price": price, "flat": "1.5"}, {"unit_price": f"0.{chance.below(1000):03}"}]
    pieces = {"source": {"measure": "pieces", "unit": "pc"} | chance.one([{}, {"subjects": ["drill-8"]}])}
    pieces |= chance.one([{}, {"free_units": {"quantity": "2"}}, {"minimum": {"amount": "9"}}])
    pieces |= chance.one([{}, {"discounts": [{"percent": "12.5"}]}, {"maximum": {"amount": "12"}}])
    energy = {"source": {"measure": "energy", "unit": "kWh"} | chance.one([{}, {"group_by": ["device"]}])}
    weights = [{"speed": "low", "weight": "0.6"}, {"speed": "high", "weight": "1.4"}]
    windows = {"rules": [{"window": "day", "from": "07:00", "to": "19:00"}], "otherwise": "night"}
    every: list[dict[str, Any]] = [
        {"kind": "per_piece", "prices": {"drill-8": price, "glove": "0.335"}},
        {"kind": chance.one(["graduated", "volume"]), "tiers": tiers} | pieces,
        {"kind": "package", "size": "3", "price": price} | pieces,
        {"kind": "energy", "unit_price": price, "devices": ["meter-1"]},
        {"kind": chance.one(["graduated", "volume"]), "tiers": tiers} | energy,
        {"kind": "time_of_use", "windows": windows, "prices": {"day": price, "night": "0.21"}} | energy,
        {"kind": "weighted_runtime", "unit_price": price, "weights": weights,
         "source": {"measure": "runtime", "unit": "h"}},
        {"kind": "monthly_fee", "amount": "30"},
        {"kind": "commitment", "minimum": {"amount": "14"}, "maximum": {"amount": "25"}},
    ]  # fmt: skip
    return [one for one in every if chance.below(2)] or every[:1]


def terms_of(number: int, *, newer: bool = False) -> dict[str, Any]:
    """The terms of a shop, or those that follow them."""
    chance, later = Chance(f"corrected {number}"), Chance(f"corrected {number} later")
    rounding = {"mode": chance.one(["half_up", "half_even", "down"]), "place": chance.one(["line", "rate", "total"])}
    currency = chance.one(["EUR", "JPY", "KWD"])
    listed = charges(chance, 1)
    return TERMS | {
        "charges": charges(later, 2) if newer else listed, "rounding": rounding, "currency": currency,
        "estimates": chance.one([None, {"silent_minutes": 150}]), "meters": chance.one([None, METERS]),
        "cycle": {"unit": "day"}, "devices": ["cab-1", "meter-1", "meter-2"],
    }  # fmt: skip


class Shop:
    """A shop with two gateways, which tell in time or late (``late``); everything else follows from the number."""

    def __init__(self, cloud: CloudTwin, number: int, *, late: bool) -> None:
        self.number, self.late = number, late
        second = cloud.gateway("gw-2", devices=("meter-2",))
        self.trade = Trade(cloud, **terms_of(number))
        self.what = Random(f"what {number}")
        self.when = Random(f"when {number}")
        self.books = [self._book(), self._book(second)]
        self.at_hand = 0
        self.doubtful: list[RecordKey] = []
        self.used: list[RecordKey] = []
        self.shown = {"meter-1": 0, "meter-2": 0}
        self.made: list[dict[str, Any]] = []
        self.wraps = terms_of(number)["meters"] is not None
        self.strange = 0.15 if number % 2 else 0.0
        if self.what.random() < 0.5:
            terms = terms_of(number, newer=True)
            terms.pop("agreement_id")
            self.trade.post("/v1/agreements/agr-1/versions", {"first": day(3), "terms": terms})

    def _book(self, gateway: Any = None) -> dict[str, Any]:
        one = self.trade
        return {
            "gateway": gateway or one.gateway, "sent": 0, "boot": one.boot, "booted": one.booted, "n": {},
        }  # fmt: skip

    def take(self, place: int) -> Trade:
        """The trade, with this gateway at hand."""
        held = self.books[self.at_hand]
        held |= {name: getattr(self.trade, name) for name in held}
        self.at_hand = place
        for name, value in self.books[place].items():
            setattr(self.trade, name, value)
        return self.trade

    def run(self) -> Amounts:
        """All days; what each period came to, by charge and effect."""
        for number in range(1, DAYS + 1):
            self._pass(number)
            if self.late:
                self._close(number)
        for number in range(1, DAYS + 1) if not self.late else ():
            self._close(number)
        found: Amounts = defaultdict(lambda: defaultdict(Decimal))
        for number, statement in enumerate(self.made, 1):
            period = f"{day(number)}/{day(number + 1)}"
            for line in statement["lines"]:
                key = (line["kind"], line["subject"], line["effect"])
                found[line["belongs_to"] or period][key] += Decimal(line["amount"]["amount"])
        return {label: {key: one for key, one in lines.items() if one} for label, lines in found.items()}

    def _pass(self, number: int) -> None:
        for hour in range(1, 24):
            self.trade.at = midnight(parse_day(day(number)), ZONE) + hour * HOUR
            place = self.what.randrange(2)
            self.take(place)
            self.trade.at += self.what.randrange(50) * MINUTE
            if self.what.random() < 0.5:
                self._goods() if place == 0 and self.what.random() < 0.6 else self._meters(place)
            if self.late and self.when.random() < 0.06:
                self.trade.send(pieces=self.when.randint(1, 3))
        if not self.late or number == DAYS:
            for place in (0, 1):
                self.take(place).send()

    def _goods(self) -> None:
        trade, chance = self.trade, self.what
        match chance.randrange(8):
            case 0:
                trade.reboot()
            case 1:
                self.doubtful.append(trade.draw(outcome="unverified"))
            case 2 if self.doubtful:
                trade.resolve(self.doubtful.pop(0), chance.choice(["confirmed", "not_dispensed"]))
            case 3 if self.used:
                trade.reverse(self.used.pop(0))
            case 4 if self.used:
                trade.give_back(key=self.used.pop())
            case 5:
                trade.give_back()
            case _:
                self.used.append(trade.draw(item := chance.choice(["drill-8", "glove"]), slot="12"[item == "glove"]))

    def _meters(self, place: int) -> None:
        meter = f"meter-{place + 1}"
        if place == 1 and self.what.random() < 0.4:
            begin = self.trade.at // HOUR * HOUR
            self.trade.at = begin + HOUR
            speeds = {"low": self.what.randrange(1800), "high": self.what.randrange(1800)}
            said = self.trade.said(meter, **{"from": begin, "to": begin + HOUR, "speeds": speeds})
            said["from_"] = said.pop("from")
            self.trade.gateway.keep(Runtime(**said))
            return
        # As much as the time since the last reading allows a load of 2 kW, mostly.
        self.shown[meter] = (self.shown[meter] + self.what.randrange(2000)) % (WRAP if self.wraps else 10**9)
        shown, strange = self.shown[meter], self.what.random()
        if strange < self.strange:
            shown = self._stranger(meter, strange / self.strange)
        body = {"register": "import_wh", "value": shown, "scale": 0, "unit": "Wh"}
        self.trade.gateway.keep(Reading(**self.trade.said(meter, **body)))

    def _stranger(self, meter: str, chance: float) -> int:
        """A reading that is wrong, or of a meter that begins anew."""
        if chance < 0.3:
            return self.shown[meter] + int(10 ** self.what.randint(4, 7))
        if chance < 0.6:
            return self.shown[meter] // 3
        if chance < 0.8:
            self.shown[meter] = self.what.randrange(2000)
            self.trade.event(meter, "replaced", old="1", new=str(self.what.randrange(10**6)))
        else:
            self.shown[meter] = 0
        return self.shown[meter]

    def _close(self, number: int) -> None:
        statement = self.trade.close(day(number), day(number + 1))
        if self.late and self.when.random() < 0.3:
            self.trade.cloud.clock.ms += MINUTE
            self.trade.post(f"/v1/statements/{statement['statement_id']}/void", {"reason": "a wrong day", "who": "ann"})
            for place in (0, 1):
                if self.when.random() < 0.5:
                    self.take(place).send()
            statement = self.trade.close(day(number), day(number + 1))
        assert refusals(self.trade.bundle(statement)) == []
        self.made.append(statement)


def difference(databases: Databases, folder: Path, number: int) -> str:
    """What differs between a shop told late and the same told at once; "" for nothing."""
    found = []
    for late in (True, False):
        with databases.fresh("sqlite") as address, CloudTwin(address, folder / f"{number}-{late}") as cloud:
            found.append(Shop(cloud, number, late=late).run())
    labels = sorted({*found[0], *found[1]})
    return "\n".join(
        f"{label}: late {dict(found[0].get(label, {}))}, at once {dict(found[1].get(label, {}))}"
        for label in labels
        if found[0].get(label, {}) != found[1].get(label, {})
    )


def main(count: int, first: int = 0) -> int:
    """Tells of each shop that differs; 1 if any does."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        for number in range(first, first + count):
            said = difference(databases, Path(folder), number)
            if said:
                wrong += 1
                sys.stdout.write(f"shop {number}:\n{said}\n")
    sys.stdout.write(f"{count} shops, {wrong} differ\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
