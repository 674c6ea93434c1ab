"""The MQTT cabinet's twin: whatever broker and power do, a command turns the motor once and nothing is forgotten."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from firmware_sim.devices.coil_motors import Dropped
from firmware_sim.devices.mqtt_cabinet import MqttCabinet, Publication
from tests.firmware_sim.golden import FOLDER

MESSAGES = tomllib.loads((FOLDER / "mqtt_cabinet.toml").read_text())["frame"]
# 2026-01-06T08:15:00Z, the hour of the golden messages.
HOUR_MS = 1_767_687_300_000
CMD = "vend/v1/cab-7/cmd"


def told(publications: list[Publication], leaf: str = "evt") -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in publications if one.topic.endswith(leaf)]


class Played:
    """A cabinet at a broker that is there, with a hand on its clock."""

    def __init__(self, *, autonomous: bool = False, keep: int = 1000) -> None:
        self.fell: list[Dropped] = []
        self.cabinet = MqttCabinet(
            "cab-7",
            {"1-03": 5, "1-04": 1},
            autonomous=autonomous,
            world_ms=lambda now: HOUR_MS + round(now * 1000),
            on_drop=self.fell.append,
            keep=keep,
        )
        self.now = 0.0
        self.greeting = self.cabinet.connected(0.0)
        self.take(self.greeting)

    def take(self, publications: list[Publication]) -> None:
        for one in publications:
            self.cabinet.acked(one)

    def command(self, cmd: str, cmd_id: str, **fields: Any) -> list[Publication]:
        envelope = {"v": 1, "mid": f"M{cmd_id}", "cmd": cmd, "cmd_id": cmd_id, "expires": "2026-01-06T09:15:00Z"}
        return self.cabinet.receive(CMD, json.dumps({**envelope, **fields}).encode(), self.now)

    def dispense(self, cmd_id: str, slot: str = "1-03", qty: int = 1, **fields: Any) -> list[Publication]:
        return self.command("dispense", cmd_id, slot=slot, qty=qty, **fields)

    def wait(self) -> list[Publication]:
        published = []
        while (due := self.cabinet.due()) is not None:
            self.now = due
            published += self.cabinet.wake(due)
        return published


def test_a_badge_asks_a_command_turns_and_the_result_says_what_fell() -> None:
    played = Played()

    (request,) = told(played.cabinet.badge("04A1B2C3", "1-03", 1.0))
    played.dispense("d-1", req=request["mid"])
    published = played.wait()

    (result,) = told(published)
    assert (request["type"], request["badge"], request["slot"], request["qty"]) == (
        "vend.request",
        "04A1B2C3",
        "1-03",
        1,
    )
    assert (result["cmd_id"], result["qty"], result["motor"], result["drop"]) == ("d-1", 1, "ok", "seen")
    assert (result["boot"], result["seq"], result["ctr"]) == (1, 3, 1)
    assert told(published, "state")[-1]["slots"]["1-03"] == {"level": 4, "ctr": 1, "st": "ok"}
    assert [(one.slot, one.badge, one.seen) for one in played.fell] == [("1-03", "04A1B2C3", True)]


def test_a_command_told_again_is_answered_with_the_old_event_and_no_turn() -> None:
    played = Played()
    played.dispense("d-1")
    (first,) = told(played.wait())

    (again,) = told(played.dispense("d-1"))

    assert again == first
    assert len(played.fell) == 1
    assert played.cabinet.due() is None


def test_a_command_told_again_while_it_turns_is_not_answered_twice() -> None:
    played = Played()

    repeated = [*played.dispense("d-1"), *played.dispense("d-1")]

    assert repeated == []
    assert len(told(played.wait())) == 1
    assert len(played.fell) == 1


def test_a_command_told_again_after_a_power_cut_never_turns_the_motor() -> None:
    played = Played()
    played.dispense("d-1")
    played.cabinet.power_off(1.0)
    played.cabinet.power_on(2.0)

    boot, result = told(played.cabinet.connected(3.0))
    (again,) = told(played.dispense("d-1"))

    assert (boot["type"], boot["boot"], boot["seq"], boot["prev_boot"], boot["prev_seq"]) == ("boot", 2, 1, 1, 1)
    assert (result["motor"], result["drop"], result["qty"], result["ctr"]) == ("unknown", "unknown", 0, 0)
    assert again == result
    assert played.fell == []


def test_what_the_broker_did_not_take_comes_again_unchanged_after_reconnecting() -> None:
    played = Played()
    asked = played.cabinet.badge("04A1B2C3", "1-03", 1.0)
    played.cabinet.disconnected(2.0)

    again = played.cabinet.connected(3.0)

    assert told(again) == told(asked)
    assert told(again, "state")[0]["seq"] == 2


def test_events_without_a_broker_are_written_down_and_told_later_in_order() -> None:
    played = Played(autonomous=True)
    played.cabinet.badges = frozenset({"04A1B2C3"})
    played.cabinet.disconnected(0.5)
    for at in (1.0, 10.0):
        played.now = at
        assert played.cabinet.badge("04A1B2C3", "1-03", at) == []
        assert played.wait() == []

    events = told(played.cabinet.connected(20.0))

    assert [event["seq"] for event in events] == [2, 3]
    assert [event["ctr"] for event in events] == [1, 2]


def test_an_autonomous_cabinet_serves_its_own_badges_and_says_whose() -> None:
    played = Played(autonomous=True)
    played.cabinet.badges = frozenset({"04A1B2C3"})

    stranger = played.cabinet.badge("FFFFFFFF", "1-03", 1.0)
    known = played.cabinet.badge("04A1B2C3", "1-03", 2.0)
    (result,) = told(played.wait())

    assert (stranger, known) == ([], [])
    assert (result["cmd_id"], result["badge"], result["auth"], result["qty"]) == ("", "04A1B2C3", "local", 1)


def test_an_expired_command_is_answered_and_not_obeyed() -> None:
    played = Played()
    played.now = 60.0

    (result,) = told(played.dispense("d-1", expires="2026-01-06T08:15:17Z"))

    assert (result["motor"], result["reason"], result["qty"]) == ("none", "expired", 0)
    assert played.fell == []


def test_a_cabinet_that_does_not_know_the_time_obeys() -> None:
    played = Played()
    played.cabinet.synced = False
    played.dispense("d-1", expires="2020-01-01T00:00:00Z")

    (result,) = told(played.wait())

    assert (result["qty"], result["clk"]) == (1, "unsynced")


@pytest.mark.parametrize(
    ("slot", "qty", "reason"), [("9-99", 1, "unknown_slot"), ("1-03", 0, "bad_qty"), ("1-03", 10, "bad_qty")]
)
def test_what_cannot_be_dispensed_is_refused_by_name(slot: str, qty: int, reason: str) -> None:
    (result,) = told(Played().dispense("d-1", slot, qty))

    assert (result["motor"], result["reason"]) == ("none", reason)


def test_a_second_motor_does_not_start_while_one_turns() -> None:
    played = Played()
    played.dispense("d-1")

    (result,) = told(played.dispense("d-2", "1-04"))

    assert result["reason"] == "busy"


def test_several_pieces_are_one_result_and_end_where_the_goods_end() -> None:
    played = Played()
    played.dispense("d-1", "1-03", 3)
    (three,) = told(played.wait())
    played.dispense("d-2", "1-04", 2)
    (one,) = told(played.wait())

    assert (three["qty"], three["ctr"]) == (3, 3)
    assert (one["qty"], one["drop"]) == (1, "seen")
    assert len(played.fell) == 4


def test_jam_empty_blind_and_slow_slots_say_what_the_firmware_can_know() -> None:
    played = Played()
    results = []
    for cmd_id, trouble in (("d-1", "jam"), ("d-2", "slow"), ("d-3", "blind")):
        getattr(played.cabinet.coils, trouble)("1-03")
        played.dispense(cmd_id)
        results += told(played.wait())
        played.cabinet.coils.mend("1-03")

    facts = [(one["motor"], one["drop"], one["qty"]) for one in results]
    assert facts == [("jam", "none", 0), ("ok", "extra", 1), ("ok", "none", 0)]
    # The blind one fell all the same: that is what counts are for.
    assert [one.seen for one in played.fell] == [True, False]


def test_a_denied_person_reads_why_and_nothing_else_happens() -> None:
    played = Played()
    (request,) = told(played.cabinet.badge("04A1B2C3", "1-03", 1.0))

    assert played.command("deny", "n-1", req=request["mid"], reason="badge unknown") == []
    assert played.cabinet.display == "sorry: badge unknown"


def test_a_person_nobody_answers_is_sent_away() -> None:
    played = Played()
    played.cabinet.badge("04A1B2C3", "1-03", 1.0)

    assert played.wait() == []
    assert played.now == 16.0
    assert "try again" in played.cabinet.display


def test_a_gap_is_filled_on_demand_and_what_is_gone_is_named() -> None:
    played = Played(keep=3)
    for number in range(5):
        played.take(played.dispense(f"d-{number}", "9-99"))

    events = told(played.command("resend", "r-1", **{"boot": 1, "from": 2, "to": 6}))

    assert [(one["type"], one["seq"]) for one in events] == [
        ("dispense.result", 4),
        ("dispense.result", 5),
        ("dispense.result", 6),
        ("lost", 7),
    ]
    assert (events[-1]["lost_boot"], events[-1]["from"], events[-1]["to"]) == (1, 2, 3)


def test_the_mode_survives_the_power() -> None:
    played = Played()
    played.command("mode", "m-1", autonomous=True)
    played.cabinet.power_off(1.0)
    played.cabinet.power_on(2.0)

    assert told(played.cabinet.connected(3.0), "state")[0]["mode"] == "autonomous"


@pytest.mark.parametrize(
    "message", [one for one in MESSAGES if one["topic"].endswith("/cmd")], ids=lambda one: one["id"]
)
def test_every_golden_command_is_understood(message: dict[str, Any]) -> None:
    played = Played()

    published = played.cabinet.receive(CMD, message["json"].encode(), 0.0) + played.wait()

    answered = {"dispense": "dispense.result", "resend": "lost", "mode": "state", "state": "state", "deny": ""}
    kinds = [one.get("type", "state") for one in told(published, "")]
    assert kinds[:1] == [answered[message["decoded"]["cmd"]]][: len(kinds)]


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[1]", b'{"v":2,"cmd":"state","cmd_id":"s"}', b'{"v":1,"cmd":"state"}']
)
def test_what_is_no_command_does_nothing(payload: bytes) -> None:
    played = Played()

    assert played.cabinet.receive(CMD, payload, 1.0) == []
    assert played.cabinet.receive("vend/v1/other/cmd", payload, 1.0) == []


def test_a_retained_command_is_ignored() -> None:
    played = Played()
    payload = b'{"v":1,"cmd":"state","cmd_id":"s","expires":"2027-01-01T00:00:00Z"}'

    assert played.cabinet.receive(CMD, payload, 1.0, retained=True) == []


def test_our_events_have_exactly_the_fields_of_the_golden_ones() -> None:
    golden = {
        one["decoded"]["type"]: json.loads(one["json"]) for one in MESSAGES if one["id"] in ("mqtt.05", "mqtt.06")
    }
    golden["dispense.result"] = next(json.loads(one["json"]) for one in MESSAGES if one["id"] == "mqtt.09")
    played = Played()

    events = [*told(played.greeting), *told(played.cabinet.badge("04A1B2C3", "1-03", 1.0))]
    played.dispense("d-1", req=events[-1]["mid"])
    events += told(played.wait())

    assert {one["type"]: set(one) for one in events} == {kind: set(one) for kind, one in golden.items()}


def test_the_will_and_the_first_state_are_the_golden_ones_in_form() -> None:
    golden = {one["id"]: json.loads(one["json"]) for one in MESSAGES if one["topic"].endswith("/state")}
    played = Played()

    assert json.loads(played.cabinet.will.payload) == golden["mqtt.04"]
    assert set(told(played.greeting, "state")[0]) == set(golden["mqtt.22"])
