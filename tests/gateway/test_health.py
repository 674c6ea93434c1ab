"""States in, alarms out."""

from __future__ import annotations

import pytest

from gateway.health import Alarm, Facts, alarms, changed, may_vend
from gateway.ports import DeviceStatus

SILENT = DeviceStatus("meter-1", "modbus_meter", "line-1", answered=False)


def test_all_is_well_with_nothing_to_say() -> None:
    assert alarms(Facts()) == []


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (Facts(journal="full", journal_why="quota"), "journal_full"),
        (Facts(journal="down", journal_why="I/O error"), "journal_down"),
        (Facts(damaged=2), "journal_damaged"),
        (Facts(salvaged="/var/lib/x"), "journal_recovered"),
        (Facts(free_bytes=1000), "disk_low"),
        (Facts(frozen="fork at 7"), "log_forked"),
        (Facts(enrolled=False), "not_enrolled"),
        (Facts(played_back_seconds=20), "answer_played_back"),
        (Facts(cloud_trouble="no route", cloud_silent_seconds=1000), "cloud_silent"),
        (Facts(pending=3, pending_seconds=1000), "sync_late"),
        (Facts(list_seconds=8 * 86_400), "list_old"),
        (Facts(stalled=("line-1",)), "session_stalled"),
        (Facts(clock="U"), "clock_unset"),
        (Facts(devices=(SILENT,)), "device_silent"),
    ],
)
def test_each_trouble_has_its_alarm_and_says_what_to_do(facts: Facts, code: str) -> None:
    (alarm,) = alarms(facts)

    assert alarm.code == code
    assert alarm.text.count(".") >= 1


@pytest.mark.parametrize("state", ["full", "down", "closed"])
def test_nothing_is_vended_that_cannot_be_written_down(state: str) -> None:
    assert not may_vend(Facts(journal=state))  # type: ignore[arg-type]
    assert may_vend(Facts())


def test_the_worst_comes_first() -> None:
    found = alarms(Facts(enrolled=False, journal="full", devices=(SILENT,)))

    assert [alarm.severity for alarm in found] == ["critical", "warning", "warning"]


def test_a_cloud_that_is_away_for_a_moment_is_no_alarm() -> None:
    assert alarms(Facts(cloud_trouble="no route", cloud_silent_seconds=20)) == []


def test_an_alarm_whose_words_change_is_not_a_new_one() -> None:
    before, now = Alarm("sync_late", "warning", "16 minutes"), Alarm("sync_late", "warning", "17 minutes")

    assert changed([before], [now]) == ([], [])
    assert changed([before], []) == ([], [before])
    assert changed([], [now]) == ([now], [])
