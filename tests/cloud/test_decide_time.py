"""Which time counts: the clock where it was synchronised, else the boot's, else the cosignature's."""

from __future__ import annotations

from typing import Literal

import pytest

from cloud.database import Tx
from cloud.ingest.decide_time import Anchor, anchors_in, decide
from tests.cloud.twins import NOON_MS, CloudTwin
from wire.records import Note, Record

State = Literal["U", "I", "S", "R"]


def record(ts: State, *, t: int = 0, m: int = 0, b: str = "boot") -> Record:
    """A record with a time and nothing else to say."""
    return Note(v=1, z="00", src="gw", ep="e", n=1, t=t, ts=ts, b=b, m=m, text="x")


@pytest.mark.parametrize("ts", ["U", "I", "R"])
def test_an_unsynchronised_clock_is_never_believed(ts: State) -> None:
    assert decide(record(ts, t=5, m=7), None, 900) == (900, "received_time")


def test_a_synchronised_clock_is_believed_even_against_an_anchor() -> None:
    assert decide(record("S", t=5, m=7), Anchor(1000), 900) == (5, "synchronised")


def test_the_boots_first_synchronised_record_dates_the_others_before_and_after() -> None:
    anchor = anchors_in([record("U", m=10), record("S", t=1020, m=20), record("S", t=9999, m=30)], 5000)["boot"]

    assert decide(record("U", m=10), anchor, 5000) == (1010, "repaired")
    assert decide(record("I", t=3, m=40), anchor, 5000) == (1040, "repaired")


def test_a_boot_that_was_cosigned_alive_is_dated_by_the_tightest_cosignature() -> None:
    loose = anchors_in([record("U", m=10)], 5000)["boot"]
    tight = anchors_in([record("U", m=4000)], 6000)["boot"]

    anchor = loose.joined(tight)

    assert anchor == Anchor(None, 2000)
    assert decide(record("U", m=10), anchor, 6000) == (2010, "repaired")


def test_only_the_last_boot_of_a_batch_was_alive_when_it_was_cosigned() -> None:
    found = anchors_in([record("U", m=10, b="old"), record("U", m=20, b="new")], 5000)

    assert found == {"new": Anchor(None, 4980)}


def test_no_record_is_dated_behind_its_cosignature() -> None:
    assert decide(record("U", m=9000), Anchor(None, 1000), 5000) == (5000, "repaired")


def test_the_times_of_a_boot_without_a_clock_are_repaired_across_batches(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(ts="U", t=0, m=1000), gateway.draw(ts="S", t=NOON_MS - 50_000, m=2000))
    gateway.send(0)
    gateway.keep(gateway.draw(ts="U", t=0, m=12_000))
    gateway.send(2)

    at = cloud.run(booked_at)

    assert at == [NOON_MS - 51_000, NOON_MS - 50_000, NOON_MS - 40_000]


def test_a_gateway_without_any_clock_is_dated_by_its_cosignatures(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(ts="U", t=0, m=1000, b="earlier"), gateway.draw(ts="U", t=0, m=5000))
    gateway.send(0)
    cloud.clock.ms += 60_000
    gateway.keep(gateway.draw(ts="U", t=0, m=15_000))
    gateway.send(2)

    at = cloud.run(booked_at)

    assert at == [NOON_MS, NOON_MS, NOON_MS + 10_000]


def booked_at(tx: Tx) -> list[int]:
    """When the moves of goods happened, in the order of their leaves."""
    return [row[0] for row in tx.all("SELECT DISTINCT at_ms, idx FROM stock_moves ORDER BY idx")]
