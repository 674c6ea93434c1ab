"""A running bill and a statement's page read what is new, however long the period is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from cloud.billing import repository
from cloud.billing.close_period import running
from cloud.billing.kept_leaves import RUNNING, Kept, KeptLeaves
from cloud.database import Tx
from cloud.web import gather_papers
from cloud.web.gather_papers import by_day
from tests.cloud.trade import FIRST, MINUTE, Trade
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
