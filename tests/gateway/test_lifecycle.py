"""The life of a draw played from words: the published cases exactly, their neighbours, and laws over any story."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli import main
from gateway.lifecycle import Played, play
from gateway.lifecycle_words import KNOWN

VECTORS = Path(__file__).parents[1] / "vectors" / "draw_lifecycle.json"
LIFE = json.loads(VECTORS.read_text())["cases"]
TO_COMMAND = ["badge", "authorised", "intent", "command"]
RAN = [*TO_COMMAND, "motor_ok"]
CUT = ["badge", "authorised", "intent", "command_sent", "power_cut", "boot"]
DOOR = ["badge", "authorised", "intent", "unlock", "door_open"]


@pytest.mark.parametrize("case", LIFE, ids=lambda case: f"{case['id']} {case['name']}")
def test_a_published_case_ends_exactly_as_it_says(case: dict[str, Any]) -> None:
    found = msgspec.to_builtins(play(case))

    assert {key: found[key] for key in case["expect"]} == case["expect"]
    assert found["not_understood"] == []


NEIGHBOURS: list[tuple[list[str], tuple[Any, ...]]] = [
    ([*RAN, "sensor_off"], ("unverified", 1, False, 0, None)),
    ([*TO_COMMAND, "motor_none"], ("not_dispensed", 0, False, 0, "no_motor")),
    ([*TO_COMMAND, "motor_jam", "drop_seen"], ("confirmed", 1, True, -1, None)),
    ([*RAN, "drop_seen", "duplicate_event"], ("confirmed", 1, True, -1, None)),
    ([*CUT, "counter_same"], ("not_dispensed", 0, False, 0, "interrupted")),
    ([*CUT, "scale_minus_1"], ("confirmed", 1, True, -1, "recovered")),
    ([*CUT, "tags_same"], ("not_dispensed", 0, False, 0, "interrupted")),
    ([*CUT, "item_gone"], ("confirmed", 1, True, -1, "recovered")),
    ([*CUT, "door_open", "door_close", "item_gone"], ("unverified", 1, False, 0, "interrupted")),
    ([*CUT, "counter_plus_1", "scale_same"], ("confirmed", 1, True, -1, "recovered")),
    ([*CUT, "no_evidence", "count_minus_1"], ("confirmed", 1, True, -1, "recovered")),
    ([*TO_COMMAND, "timeout", "same_packno", "status_ok"], ("confirmed", 1, True, -1, None)),
    ([*TO_COMMAND, "timeout", "status_no_drop"], ("not_dispensed", 0, False, 0, "no_drop")),
    ([*TO_COMMAND, "timeout", "no_evidence"], ("unverified", 1, False, 0, "comms")),
    (["badge", "badge", *TO_COMMAND[1:], "motor_ok", "drop_seen"], ("confirmed", 1, True, -1, None)),
    ([*DOOR, "door_close"], ("unverified", 1, False, 0, None)),
    ([*DOOR, "door_close", "scale_same"], ("not_taken", 0, False, 0, None)),
    ([*DOOR, "door_open_timeout", "door_close", "scale_minus_2"], ("confirmed", 2, True, -2, "over_take")),
    (["restock_open", "restock_close", *RAN, "drop_seen"], ("confirmed", 1, True, -1, None)),
    (["badge", "authorised", "power_cut", "boot"], ("cancelled", 0, False, 0, "interrupted")),
    (["badge", "denied", "power_cut", "boot"], ("denied", 0, False, 0, None)),
    ([*TO_COMMAND, "motor_jam", "power_cut", "boot"], ("jammed", 0, False, 0, "jam")),
    ([*CUT, "counter_plus_2"], ("confirmed", 2, True, -2, "recovered")),
    ([*CUT, "counter_minus_5"], ("unverified", 1, False, 0, "interrupted")),
    ([*CUT, "power_cut", "boot", "status_ok"], ("confirmed", 1, True, -1, "recovered")),
    ([*CUT, "scale_unstable"], ("unverified", 1, False, 0, "interrupted")),
    (["badge", "scale_minus_3", *TO_COMMAND[1:], "motor_ok", "no_drop"], ("not_dispensed", 0, False, 0, "no_drop")),
    (["badge", "authorised", "intent_2", "command", "drop_seen_1", "motor_jam"], ("confirmed", 1, True, -1, None)),
    (["badge", "authorised", "intent", "command", "motor_ok", "drop_seen_2"], ("confirmed", 2, True, -2, "over_take")),
    (["badge", "authorised", "journal_full"], ("denied", 0, False, 0, None)),
    (["badge", "authorised", "walk_away"], ("cancelled", 0, False, 0, None)),
    ([*RAN, "logout", "drop_seen"], ("confirmed", 1, True, -1, None)),
    ([*TO_COMMAND, "reply_lost", "board_restarted", "counter_plus_1"], ("confirmed", 1, True, -1, None)),
    (["badge", "authorised", "restock_open"], ("refused (service mode)", 0, False, 0, None)),
    ([*RAN, "restock_open", "drop_seen"], ("confirmed", 1, True, -1, None)),
    (
        [*DOOR, "tail_gating", "door_close", "scale_minus_2"],
        (
            "A confirmed, B refused (door open)",
            2,
            True,
            -2,
            "over_take",
        ),
    ),
    ([*RAN, "badge_B", "drop_seen"], ("A confirmed, B refused (busy)", 1, True, -1, None)),
    (
        ["badge_A", "authorised_A", "intent_A", "command_A", "drop_seen", "badge_B", "denied_B"],
        (
            "A confirmed, B denied",
            1,
            True,
            -1,
            None,
        ),
    ),
    (
        ["badge_A", "denied_A", "badge_B", "authorised_B", "intent_B", "command_B", "drop_seen"],
        (
            "A denied, B confirmed",
            1,
            True,
            -1,
            None,
        ),
    ),
    (["confirmed_draw", "return_late"], ("confirmed", 1, True, -1, None)),
]


@pytest.mark.parametrize(("events", "end"), NEIGHBOURS, ids=lambda one: "-".join(map(str, one))[-60:])
def test_a_neighbouring_case_ends_as_the_table_says(events: list[str], end: tuple[Any, ...]) -> None:
    found = play({"events": events})

    assert (found.state, found.qty, found.billable, found.stock_delta, found.incident) == end


def test_what_is_not_proven_has_an_owner_a_deadline_and_a_provisional_piece() -> None:
    found = play({"events": [*CUT, "no_evidence"], "policy": {"owner": "storekeeper", "resolve_hours": 48}})

    assert (found.owner, found.deadline_hours, found.provisional) == ("storekeeper", 48, -1)


def test_a_contract_may_choose_the_rule_of_payment() -> None:
    found = play({"events": [*CUT, "no_evidence"], "policy": {"mdb_strict": True}})

    assert (found.state, found.qty, found.billable, found.stock_delta) == ("confirmed", 1, True, -1)


@pytest.mark.parametrize(
    ("policy", "events", "state"),
    [
        ({"confirm": "door"}, [*DOOR, "door_close"], "confirmed"),
        ({"unseen": "confirmed"}, [*RAN, "sensor_off"], "confirmed"),
        ({"confirm": "door"}, [*CUT, "door_close"], "unverified"),
    ],
)
def test_a_slots_policy_decides_where_nothing_sees(policy: dict[str, Any], events: list[str], state: str) -> None:
    assert play({"events": events, "policy": policy}).state == state


PROOFS = {"drop_seen", "drop_extra_turn", "status_ok", "counter_plus_1", "scale_minus_3", "tags_minus_1", "item_gone",
          "count_minus_1"}  # fmt: skip
WORDS = st.sampled_from(
    [
        *sorted(KNOWN - {"quiet", "moved", "stood", "mdb_strict", "other", "confirmed_draw"}),
        *PROOFS,
        "scale_same",
        "counter_same",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(WORDS, max_size=12))
def test_no_story_bills_without_proof_or_drives_a_motor_twice(events: list[str]) -> None:
    found = play({"events": events})

    assert found.billable is not True or PROOFS & set(events)
    assert isinstance(found, Played)
    # A second command word is one the table refuses: the intent is at one place only.
    assert found.state in {
        "requested", "authorised", "intended", "commanded", "denied", "cancelled", "void", "confirmed", "not_dispensed",
        "jammed", "not_taken", "unverified", "none", "refused (service mode)",
        "confirmed + reversed by a return record",
    }  # fmt: skip
    if found.state in ("confirmed", "unverified") and isinstance(found.qty, int):
        booked, provisional = found.stock_delta, found.provisional
        assert (booked, provisional) == ((-found.qty, 0) if found.state == "confirmed" else (0, -found.qty))
    elif found.state != "commanded":
        assert found.stock_delta == 0


def test_the_command_plays_a_file_and_says_where_it_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "case.json"
    file.write_text(json.dumps({"id": "x", "events": [*RAN, "drop_seen"], "expect": {"state": "jammed", "qty": 1}}))

    assert main(["lifecycle", str(file), "--json"]) == 3

    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["matches"], told["differs"]) == ("confirmed", False, ["state"])
    assert main(["lifecycle", str(VECTORS), "--json"]) == 0
