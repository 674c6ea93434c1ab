"""A running bill and a statement's page read what is new, however long the period is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import msgspec

from cloud.billing import repository
from cloud.billing.close_period import running
from cloud.billing.kept_events import RUNNING_EVENTS, KeptEvents
from cloud.billing.kept_leaves import RUNNING, Kept, KeptLeaves
from cloud.calendar import midnight, parse_day
from cloud.database import Tx
from cloud.web import gather_papers
from cloud.web.gather_papers import by_day
from tests.cloud.trade import FIRST, MINUTE, ZONE, Trade
from tests.cloud.twins import CloudTwin


class CountingTx:
    """A transaction that counts the rows it hands out."""

    def __init__(self, tx: Tx) -> None:
        self._tx, self.rows = tx, 0

    def all(self, sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        found = self._tx.all(sql, params)
        self.rows += len(found)
        return found

    def one(self, sql: str, params: Any = ()) -> tuple[Any, ...] | None:
        self.rows += 1
        return self._tx.one(sql, params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


def rows_read(trade: Trade) -> tuple[int, str]:
    """How many rows the running bill took, and what it came to."""

    def work(tx: Tx) -> tuple[int, str]:
        counting = CountingTx(tx)
        found = running(cast("Tx", counting), trade.cloud.tenant, "agr-1", trade.cloud.clock.ms)
        return counting.rows, found.settlement.total

    return trade.cloud.run(work)


@contextmanager
def forgotten() -> Iterator[None]:
    """Nothing is kept while this lasts."""
    before = RUNNING._ranges.copy()
    RUNNING._ranges.clear()
    yield
    RUNNING._ranges.update(before)


def told(trade: Trade, count: int) -> None:
    """So many readings, a minute apart, in one batch."""
    for _ in range(count):
        trade.at += MINUTE
        trade.read(trade.n.get("meter-1", 0) * 10)
    trade.send()


def test_a_running_bill_reads_what_is_new_and_says_the_same(cloud: CloudTwin) -> None:
    RUNNING._ranges.clear()
    trade = Trade(cloud)
    told(trade, 40)
    first, _ = rows_read(trade)
    told(trade, 1)
    short, _ = rows_read(trade)
    told(trade, 200)
    rows_read(trade)
    told(trade, 1)

    long, total = rows_read(trade)
    with forgotten():
        anew, alike = rows_read(trade)

    assert (long, total) == (short, alike)
    assert long < first < anew
    assert anew > 240


def clicked(trade: Trade, count: int, day: str) -> None:
    """So many clicks, told by the shop."""
    events = [
        {
            "specversion": "1.0", "type": "click", "source": "shop", "id": f"{day}-{at}",
            "time": f"{day}T12:{at // 60:02}:{at % 60:02}Z",
        }
        for at in range(count)
    ]  # fmt: skip
    answer = trade.cloud.ask("POST", "/v1/events", events)
    assert answer.status_code in (200, 201, 202), answer.text


def test_counted_events_are_read_once_for_all_running_bills_and_say_the_same(cloud: CloudTwin) -> None:
    RUNNING_EVENTS.forget()
    clicks = {"kind": "standard", "unit_price": "0.5", "source": {"measure": "events", "types": ["click"]}}
    trade = Trade(cloud, event_sources=["shop"], charges=[clicks])
    trade.cloud.clock.ms = midnight(parse_day("2026-11-04"), ZONE)
    clicked(trade, 300, "2026-11-02")
    first, _ = rows_read(trade)
    clicked(trade, 3, "2026-11-03")

    again, total = rows_read(trade)
    RUNNING_EVENTS.forget()
    anew, alike = rows_read(trade)

    assert (total, alike) == ("151.50", "151.50")
    assert again < 40 < 300 < first < anew


def test_events_of_another_database_are_not_taken_for_those_that_are_kept(cloud: CloudTwin) -> None:
    kept = KeptEvents(most=100)
    trade = Trade(cloud)
    clicked(trade, 2, "2026-11-02")
    key = (trade.cloud.tenant, ("shop",), 0, 0)
    told = trade.cloud.run(lambda tx: kept.read(tx, key, 2))
    kept._told[key] = (2, [told[0], msgspec.structs.replace(told[1], id="another")])

    found = trade.cloud.run(lambda tx: kept.read(tx, key, 2))

    assert found == told


def test_the_days_of_a_statement_are_read_once(cloud: CloudTwin) -> None:
    gather_papers._series.clear()
    trade = Trade(cloud)
    told(trade, 30)
    made = trade.close(FIRST, "2026-11-02")
    counts = []
    shown = []
    for _ in range(2):

        def work(tx: Tx) -> None:
            statement = repository.statement(tx, trade.cloud.tenant, made["statement_id"])
            assert statement is not None
            counting = CountingTx(tx)
            shown.append(by_day(cast("Tx", counting), trade.cloud.tenant, statement))
            counts.append(counting.rows)

        cloud.run(work)

    assert counts[0] > 30
    assert counts[1] == 0
    assert shown[0] == shown[1]


def test_what_nobody_asks_for_is_let_go() -> None:
    kept = KeptLeaves(most=3)
    for name in ("a", "b", "a", "c"):
        counters = tuple((at, cast("Any", None)) for at in range(2))
        kept.keep((name, 0, ()), Kept(2, "", {}, counters))

    assert kept.find(("b", 0, ())) is None
    assert kept.find(("c", 0, ())) is not None
