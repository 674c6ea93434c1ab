"""The seeded shop: repeatable, physically possible, quiet at night."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from firmware_sim import shop
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.scenario import AirSensor, Scenario, SerialLine, load
from firmware_sim.shop import AirStep, LoadStep, Refill, Visit
from firmware_sim.truth import Truth


@pytest.fixture
def day() -> Scenario:
    return load("first_day")


def test_the_same_seed_plays_the_same_day(day: Scenario) -> None:
    assert shop.plan(day) == shop.plan(day)


def test_another_seed_plays_another_day(day: Scenario) -> None:
    assert shop.plan(replace(day, seed=day.seed + 1)).visits != shop.plan(day).visits


def test_every_draw_of_the_scenario_is_planned_and_the_strangers_with_them(day: Scenario) -> None:
    visits = shop.plan(day).visits

    assert sum(visit.known for visit in visits) == day.shop.draws
    assert sum(not visit.known for visit in visits) == day.shop.strangers


def test_nobody_is_meant_to_take_what_is_not_there(day: Scenario) -> None:
    filled = {(cabinet.id, slot.slot): slot.filled for cabinet in day.cabinet for slot in cabinet.slot}

    taken = Counter((visit.cabinet, visit.slot) for visit in shop.plan(day).visits if visit.known)

    assert all(filled[place] >= count for place, count in taken.items())


def test_visits_leave_each_other_time_for_a_whole_session(day: Scenario) -> None:
    moments = [visit.at_ms for visit in shop.plan(day).visits]

    assert min(later - sooner for sooner, later in pairwise(moments)) >= shop.SESSION_MS


def test_each_worker_comes_during_the_own_shift(day: Scenario) -> None:
    plan = shop.plan(day)
    early = {worker.badge for worker in plan.workers[: day.shop.shift[0].workers]}

    for visit in plan.visits:
        if visit.known:
            assert (visit.badge in early) == (visit.at_ms < day.ms("14:00"))


def test_the_plant_draws_nothing_around_midnight(day: Scenario) -> None:
    steps = [event for event in shop.plan(day).events if isinstance(event, LoadStep)]

    assert steps[0].at_ms == day.ms("05:30")
    assert steps[-1] == LoadStep(day.ms("22:30"), "meter-1", 0)
    assert all(step.watts > 0 for step in steps[:-1])


def test_twin_and_ledger_show_the_same_watt_hours_at_every_step_of_the_day(day: Scenario) -> None:
    zero_ms, begin = day.ms("00:00"), day.meter[0].start_wh
    twin = Sdm630(start_wh=begin, world_ms=lambda now: zero_ms + round(now * 1000))
    account = Truth(day.terms)
    account.meter_installed("meter-1", begin, zero_ms)

    for step in shop.plan(day).events:
        if isinstance(step, LoadStep):
            now = (step.at_ms - zero_ms) / 1000
            assert twin.import_wh(now) == account.register_wh("meter-1", step.at_ms)
            twin.set_load_w(step.watts, now)
            account.load("meter-1", step.watts, step.at_ms)

    assert account.wh(day.first_day, day.end_day)["meter-1"] > 50_000


def test_slots_are_filled_before_the_first_shift(day: Scenario) -> None:
    refills = [event for event in shop.plan(day).events if isinstance(event, Refill)]

    assert sum(refill.quantity for refill in refills) == sum(slot.filled for slot in day.cabinet[0].slot)
    assert all(refill.at_ms < day.ms("06:00") for refill in refills)


def test_a_jam_befalls_as_many_draws_as_asked_for(day: Scenario) -> None:
    jammed = replace(day, shop=replace(day.shop, jams=3))

    assert sum(visit.jammed for visit in shop.plan(jammed).visits) == 3


def test_two_days_share_the_draws_and_each_has_its_own_load(day: Scenario) -> None:
    two = replace(day, days=2)

    plan = shop.plan(two)

    assert sum(visit.known for visit in plan.visits) == day.shop.draws
    offs = [event for event in plan.events if isinstance(event, LoadStep) and not event.watts]
    assert [off.at_ms for off in offs] == [two.ms("22:30"), two.ms("22:30", 1)]


def test_air_is_given_in_whole_micrograms_and_grows_with_the_particle(day: Scenario) -> None:
    airy = replace(day, air=(AirSensor("air-1", "uart1"),), line=(*day.line, SerialLine("uart1", half_duplex=False)))

    steps = [event for event in shop.plan(airy).events if isinstance(event, AirStep)]

    assert steps
    assert all(0 < step.pm1 <= step.pm25 <= step.pm10 for step in steps)


def test_a_day_too_short_for_its_draws_is_refused(day: Scenario) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        shop.plan(replace(day, shop=replace(day.shop, draws=450)))


def test_events_come_in_order_of_time(day: Scenario) -> None:
    moments = [event.at_ms for event in shop.plan(day).events]

    assert moments == sorted(moments)
    assert any(isinstance(event, Visit) for event in shop.plan(day).events)
