"""A guaranteed outcome, judged from the windows alone."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from cloud.billing.facts import Fact
from cloud.billing.guarantee import Verdict, credit_amount, judge
from cloud.billing.guarantee_spells import Agreed
from cloud.billing.guarantee_terms import GuaranteeTerms
from cloud.calendar import midnight, parse_day
from cloud.rating.lines import LeafRef
from wire.records import DeviceEvent, Window

ZONE = "Europe/Berlin"
DAY = ("2026-11-02", "2026-11-03")
START = midnight(parse_day(DAY[0]), ZONE)
MINUTE = 60_000
HOUR = 60 * MINUTE
TERMS: dict[str, Any] = {
    "name": "clean-air",
    "metric": "pm2_5",
    "unit": "ug/m3",
    "at_most": "35",
    "sensors": ["air-1"],
    "target": "95",
    "steps": [{"below": "95", "credit": "10"}, {"below": "90", "credit": "50"}, {"below": "50", "credit": "100"}],
}


def terms(**changed: Any) -> GuaranteeTerms:
    return GuaranteeTerms.model_validate(TERMS | changed)


class Log:
    """Facts as a statement has them."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def _base(self, src: str, at: int) -> dict[str, Any]:
        n = len(self.facts) + 1
        return {"v": 1, "z": "0" * 32, "src": src, "ep": "e", "n": n, "b": "e", "m": n, "t": at, "ts": "S"}

    def _keep(self, record: Window | DeviceEvent) -> None:
        self.facts.append(Fact(LeafRef(log=0, index=len(self.facts), at=record.t, quality="synchronised"), record))

    def windows(self, begin: int, end: int, value: int, *, src: str = "air-1", **fields: Any) -> None:
        """Quarter-hours ``[begin, end)`` of minutes after the day's start, all with one mean."""
        for minute in range(begin, end, 15):
            start = START + minute * MINUTE
            said: dict[str, Any] = {
                "metric": "pm2_5", "from_": start, "to": start + 15 * MINUTE, "mean": value, "min": value, "max": value,
                "scale": 0, "unit": "ug/m3", "samples": 900, "coverage": 900,
            }  # fmt: skip
            self._keep(Window(**self._base(src, start + 15 * MINUTE), **(said | fields)))

    def event(self, minute: int, event: str, src: str = "door-1", slot: str = "") -> None:
        self._keep(DeviceEvent(**self._base(src, START + minute * MINUTE), event=event, slot=slot))

    def judged(self, agreed: tuple[Agreed, ...] = (), **changed: Any) -> Verdict:
        return judge(terms(**changed), DAY, ZONE, self.facts, agreed)


def test_a_day_of_good_air_owes_nothing() -> None:
    log = Log()
    log.windows(0, 1440, 20)

    verdict = log.judged()

    assert (verdict.outcome, verdict.share, verdict.coverage, verdict.credit) == (
        "met",
        "100.000000",
        "100.000000",
        "0",
    )
    assert verdict.good == verdict.counted == 24 * HOUR
    assert verdict.inputs == 96


@pytest.mark.parametrize(
    ("bad_minutes", "credit"),
    [(60, "0"), (75, "10"), (135, "10"), (150, "50"), (720, "50"), (735, "100"), (1440, "100")],
)
def test_the_less_time_was_good_the_more_is_credited(bad_minutes: int, credit: str) -> None:
    log = Log()
    log.windows(0, 1440 - bad_minutes, 35)
    log.windows(1440 - bad_minutes, 1440, 36)

    verdict = log.judged()

    assert verdict.credit == credit
    assert verdict.outcome == ("met" if credit == "0" else "missed")


@pytest.mark.parametrize(
    ("missing", "share", "outcome"),
    [("nobody", "100.000000", "met"), ("customer", "100.000000", "met"), ("supplier", "91.666666", "missed")],
)
def test_who_bears_the_time_that_nobody_measured_is_agreed(missing: str, share: str, outcome: str) -> None:
    log = Log()
    log.windows(0, 1320, 20)

    verdict = log.judged(missing=missing)

    assert (verdict.share, verdict.outcome, verdict.missing) == (share, outcome, 2 * HOUR)


@pytest.mark.parametrize(("uncovered", "credit"), [("missed", "10"), ("met", "0"), ("not_judged", "0")])
def test_with_too_little_known_the_terms_say_what_follows(uncovered: str, credit: str) -> None:
    log = Log()
    log.windows(0, 1200, 20)

    verdict = log.judged(uncovered=uncovered)

    assert (verdict.outcome, verdict.credit, verdict.coverage) == (uncovered, credit, "83.333333")


def test_a_window_that_was_sampled_too_thinly_is_missing() -> None:
    log = Log()
    log.windows(0, 1425, 20)
    log.windows(1425, 1440, 99, coverage=674)

    assert log.judged().missing == 15 * MINUTE
    assert log.judged(window_coverage="74").bad == 15 * MINUTE


def test_an_open_door_does_not_count_nor_the_time_the_air_needs_to_settle() -> None:
    log = Log()
    log.windows(0, 600, 20)
    log.windows(600, 690, 80)
    log.windows(690, 1440, 20)
    log.event(600, "door_open")
    log.event(660, "door_closed")
    door = {"cause": "door", "device": "door-1", "begins": "door_open", "ends": "door_closed", "settles_minutes": 30}

    verdict = log.judged(exclusions=[door])

    assert verdict.excluded == {"door": 90 * MINUTE}
    assert (verdict.bad, verdict.share, verdict.inputs) == (0, "100.000000", 98)
    assert log.judged().credit == "10"


def test_an_exclusion_that_nobody_ends_lasts_no_longer_than_agreed() -> None:
    log = Log()
    log.windows(0, 1440, 80)
    log.event(0, "off", "mains-1")
    log.event(600, "off", "mains-1")
    cut = {"cause": "power", "device": "mains-1", "begins": "off", "ends": "on", "at_most_minutes": 60}

    assert log.judged(exclusions=[cut]).excluded == {"power": 2 * HOUR}


def test_time_that_both_sides_agree_on_does_not_count() -> None:
    log = Log()
    log.windows(0, 1440, 20)
    agreed = Agreed(START + HOUR, START + 3 * HOUR, "maintenance", "both")

    verdict = log.judged((agreed,))

    assert (verdict.excluded, verdict.counted) == ({"maintenance": 2 * HOUR}, 22 * HOUR)


def test_the_guarantee_holds_in_its_hours_only() -> None:
    log = Log()
    log.windows(0, 1440, 20)

    verdict = log.judged(hours=[{"days": ["mon"], "from": "08:00", "to": "16:00"}])
    weekend = log.judged(hours=[{"days": ["sat", "sun"]}])

    assert verdict.inside == verdict.good == 8 * HOUR
    assert (weekend.inside, weekend.outcome) == (0, "met")


def test_a_day_on_which_the_clock_is_put_back_has_25_hours() -> None:
    verdict = judge(terms(), ("2026-10-25", "2026-10-26"), ZONE, [])

    assert (verdict.inside, verdict.missing) == (25 * HOUR, 25 * HOUR)


@pytest.mark.parametrize(("joined", "bad"), [("all", 24 * HOUR), ("any", 0), ("mean", 0)])
def test_several_sensors_are_joined_as_agreed(joined: str, bad: int) -> None:
    log = Log()
    log.windows(0, 1440, 20)
    log.windows(0, 1440, 40, src="air-2")

    verdict = log.judged(sensors=["air-1", "air-2"], joined=joined)

    assert (verdict.bad, verdict.good) == (bad, 24 * HOUR - bad)


def test_a_sensor_that_is_silent_leaves_a_moment_unknown_unless_the_other_decides_it() -> None:
    log = Log()
    log.windows(0, 720, 20)
    log.windows(720, 1440, 40)

    both: dict[str, Any] = {"sensors": ["air-1", "air-2"]}

    assert (log.judged(**both).missing, log.judged(**both).bad) == (12 * HOUR, 12 * HOUR)
    assert (log.judged(**both, joined="any").good, log.judged(**both, joined="any").missing) == (12 * HOUR, 12 * HOUR)


def test_order_and_repeats_of_windows_change_nothing() -> None:
    log = Log()
    log.windows(0, 720, 20)
    log.windows(720, 1440, 80)
    expected = log.judged()

    shuffled = judge(terms(), DAY, ZONE, [*reversed(log.facts), *log.facts])

    assert shuffled == expected


def test_a_window_in_another_unit_is_not_taken_for_one_in_ours() -> None:
    log = Log()
    log.windows(0, 1440, 20, unit="mg/m3")

    verdict = log.judged()

    assert (verdict.unusable, verdict.missing, verdict.outcome) == (96, 24 * HOUR, "missed")


def test_the_credit_is_a_percentage_of_the_base_and_never_above_the_cap() -> None:
    log = Log()
    log.windows(0, 1440, 80)
    verdict = log.judged()

    assert credit_amount(verdict, terms(), Fraction("300")) == 300
    assert credit_amount(verdict, terms(cap="120.50"), Fraction("300")) == Fraction("120.5")
    assert credit_amount(verdict, terms(), Fraction("-3")) == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"at_most": None}, "needs a limit"),
        ({"at_least": "40"}, "no value can be good"),
        ({"steps": [{"below": "99", "credit": "5"}]}, "above the target"),
        ({"steps": [{"below": "90", "credit": "5"}, {"below": "80", "credit": "1"}]}, "the more is credited"),
        ({"target": "101"}, "between 0 and 100"),
    ],
)
def test_terms_that_cannot_be_judged_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        terms(**wrong)
