"""A statement over two logs of one gateway: what the second seals again, and where it begins, hides nothing."""

from __future__ import annotations

import pytest

from tests.cloud.trade import FIRST, HOUR, Trade, refusals
from tests.cloud.twins import CloudTwin

NEW_BOOT = "c" * 16


def follow(trade: Trade, unsent: int, boot: str = NEW_BOOT) -> None:
    """The gateway begins the next log as ours does: entry 0 is a newer boot's first record, then what was not sent."""
    waiting = trade.gateway.leaves[-unsent:] if unsent else []
    before = trade.gateway.origin
    trade.gateway.enrol()
    trade.gateway.leaves, trade.sent = [], 0
    old, counters = trade.boot, trade.n
    trade.boot, trade.booted, trade.n = boot, trade.at, {}
    trade.event("gw-1", "epoch_begun", old_origin=before, reason="its card was copied", approver="A. Operator")
    trade.gateway.leaves += waiting
    last = [[src, n] for src, n in sorted(counters.items())]
    trade.event("gw-1", "boot", previous=old, last=last)


@pytest.fixture
def trade(cloud: CloudTwin) -> Trade:
    """A gateway with a cosigned boot and draw, and two records that the cloud has not seen."""
    made = Trade(cloud)
    made.event("gw-1", "boot", previous="", last=[])
    made.draw()
    made.send()
    made.at += HOUR
    made.event("gw-1", "clock_set", offset_ms=0)
    made.draw(qty=2)
    return made


def test_what_the_old_log_did_not_get_cosigned_is_sealed_again_and_verifies(trade: Trade) -> None:
    follow(trade, unsent=2)
    trade.draw()
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert statement["lines"][0]["quantity"]["value"] == "4"
    assert refusals(trade.bundle(statement)) == []


def test_the_next_statement_goes_on_where_the_range_begins_between_the_two(trade: Trade) -> None:
    trade.to("2026-11-02", 1)
    trade.draw()
    follow(trade, unsent=3)
    trade.draw()
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    second = trade.close("2026-11-02", "2026-11-03")

    assert [refusals(trade.bundle(one)) for one in (first, second)] == [[], []]


def test_a_record_that_is_left_out_between_two_logs_is_missed(trade: Trade) -> None:
    trade.draw()
    follow(trade, unsent=1)
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert any("missing or hidden" in one for one in refusals(trade.bundle(statement)))
