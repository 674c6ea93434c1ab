"""A tag reader: its frames, rounds that are unsure, and what a set difference becomes in the journal."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.uhf_r200 import UhfR200 as ReaderTwin
from firmware_sim.devices.uhf_r200 import framed, gen2_crc
from firmware_sim.faults import LinePlan, stream
from gateway import drivers
from gateway.device_events import Counters, TagsSeen
from gateway.drivers.r200_frames import POLL, STOP, Frame, R200Frames, Tag, failure, genibus, poll_many
from gateway.recover_draws import recover_draws
from gateway.take_draw import take_draw
from gateway.take_refill import take_refill
from tests.gateway.site import MORNING
from tests.gateway.talking import Talking, talk, talk_on_a_pty
from wire.records import Count, Draw

FRAMES: dict[str, dict[str, Any]] = {
    one["id"]: one for one in tomllib.loads((Path(__file__).parents[1] / "vectors/uhf_r200.toml").read_text())["frame"]
}
LINE = LineSpec(baud=115_200, half_duplex=False)
A = [f"E28011600000020000000A{n:02X}" for n in range(6)]
B = [f"E28011600000020000000B{n:02X}" for n in range(4)]
KNOWN = {"E28011600000020000000A": "1", "E28011600000020000000B": "2"}
CHOSEN: dict[str, Any] = {"tags": KNOWN, "watch": 30, "rounds": 8, "needed": 3, "patience": 20}


def raw(name: str) -> bytes:
    return bytes.fromhex(FRAMES[name]["hex"])


def heard(data: bytes) -> list[Any]:
    reader = R200Frames(Counters())
    return [frame for byte in data if (frame := reader.feed(byte)) is not None]


def unsure(seed: str, caught: int = 70) -> Callable[[str], bool]:
    chance = stream(seed)
    return lambda _: chance.randrange(100) < caught


def test_the_check_value_of_the_tags_own_sum() -> None:
    assert genibus(b"123456789") == 0xD64E


def test_the_given_commands() -> None:
    assert raw("uhf_r200.02") == poll_many(10_000)
    assert raw("uhf_r200.03") == STOP
    assert bytes.fromhex("BB 00 22 00 00 22 7E") == POLL


@pytest.mark.parametrize("name", ["uhf_r200.06", "uhf_r200.07", "uhf_r200.08"])
def test_the_given_tags(name: str) -> None:
    told = FRAMES[name]["decoded"]

    for before in (b"", b"\xbb", b"\xbb\x02\x22\x00\x11", b"\x7e\xbb\x00"):
        assert heard(before + raw(name) + bytes(20))[:1] == [Tag(told["rssi"], told["pc"], told["epc"])]


def test_no_tag_and_other_refusals_have_names() -> None:
    assert heard(raw("uhf_r200.04")) == [Frame(1, 0xFF, b"\x15")]
    assert heard(raw("uhf_r200.bad.1")) == []
    assert [failure(bytes((code,))) for code in (0x15, 0x17, 0x99)] == ["no_tag", "unknown_command", "code_99"]


def test_a_tag_whose_own_sum_is_wrong_does_not_exist() -> None:
    good = bytes((0xC4, 0x30, 0x00)) + bytes.fromhex(A[0]) + b"\x00\x00"

    assert heard(framed(2, 0x22, good)) == []
    assert heard(framed(2, 0x22, good[:1] + b"\x28" + good[2:-2] + gen2_crc(b"\x28\x00" + bytes.fromhex(A[0])))) == []


def test_present_is_what_answers_often_enough() -> None:
    driver = drivers.create("uhf_r200", {**CHOSEN, "rounds": 4, "needed": 2})
    driver.inventory(0.0)
    notice = {epc: framed(2, 0x22, b"\xc4\x30\x00" + bytes.fromhex(epc) + gen2_crc(b"\x30\x00" + bytes.fromhex(epc)))
              for epc in A[:3]}  # fmt: skip
    events: list[Any] = []
    now = 0.0
    for here in ([A[0], A[1]], [A[0]], [A[0], A[2], A[2]], [A[0], A[1]]):
        events += driver.feed(b"".join(notice[epc] for epc in here) + raw("uhf_r200.04"), now + 0.01)
        now += 0.1
        driver.tick(now)

    assert [dict(event.seen) for event in events] == [{A[0]: 4, A[1]: 2, A[2]: 1}]


def test_a_round_without_any_answer_is_no_round() -> None:
    driver = drivers.create("uhf_r200", {**CHOSEN, "watch": 0})
    driver.inventory(0.0)
    events, now = [], 0.0
    while not driver.answered:
        now = driver.due(now)
        events += driver.tick(now)

    assert [event.event for event in events] == ["reader_silent"]
    assert not [event for event in events if isinstance(event, TagsSeen)]


def notice(epc: str) -> bytes:
    tag = b"\x30\x00" + bytes.fromhex(epc)
    return framed(2, 0x22, b"\xc4" + tag + gen2_crc(tag))


def rounds_of(driver: Any, rounds: list[bytes]) -> list[Any]:
    """What comes of rounds that bring these bytes; afterwards nothing more comes."""
    events: list[Any] = []
    driver.inventory(0.0)
    now, number = 0.0, 0
    while not driver.answered:
        if driver.outgoing():
            events += driver.feed(rounds[number % len(rounds)], now + 0.01)
            number += 1
        now = driver.due(now)
        events += driver.tick(now)
    return events


def test_a_round_whose_end_was_lost_speaks_against_nobody() -> None:
    driver = drivers.create("uhf_r200", {**CHOSEN, "rounds": 4, "needed": 2, "watch": 0})
    whole, cut = notice(A[0]) + notice(A[1]) + raw("uhf_r200.04"), notice(A[0])

    (event,) = rounds_of(driver, [whole, cut, cut, whole, cut, whole])

    assert event.rounds == 4
    assert event.seen[A[1]] == 4


def test_too_few_whole_rounds_say_nothing_about_any_tag() -> None:
    driver = drivers.create("uhf_r200", {**CHOSEN, "rounds": 4, "needed": 2, "watch": 0})
    whole, cut = notice(A[0]) + raw("uhf_r200.04"), notice(A[0])

    events = rounds_of(driver, [whole, *[cut] * 99])

    assert [event.event for event in events] == ["reader_unsure"]


def test_a_reader_that_never_says_the_end_of_a_round_is_believed_when_it_is_silent() -> None:
    driver = drivers.create("uhf_r200", {**CHOSEN, "rounds": 4, "needed": 2, "watch": 0})

    (event,) = rounds_of(driver, [notice(A[0])])

    assert (event.rounds, dict(event.seen)) == (4, {A[0]: 4})


def test_more_needed_than_asked_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at most rounds"):
        drivers.create("uhf_r200", {"rounds": 2, "needed": 3})
    with pytest.raises(ValueError, match="no EPC"):
        drivers.create("uhf_r200", {"tags": {"e280": "1"}})


def test_what_a_badge_took_is_the_difference_of_two_sets(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B}, caught=unsure("draw"))

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        await take_refill(site.premises, site.desk, "1", 6, "B0017")
        asyncio.get_running_loop().call_later(6, lambda: twin.inside.difference_update({A[0], A[3], B[1]}))

        result = await take_draw(site.premises, site.desk, "B0017", "1")

        assert (result.outcome, result.qty) == ("confirmed", 2)
        draws = await site.kinds(Draw)
        assert [(one.slot, one.who, one.qty, one.q) for one in draws] == [
            ("2", "p-17", 1, ["unasked"]), ("1", "p-17", 2, ["over_take"]),
        ]  # fmt: skip
        (gone,) = await site.told("tags_gone")
        assert gone.data["tags"] == [A[0], A[3], B[1]]

    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE)


def test_nothing_taken_is_nothing_charged(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B}, caught=unsure("nothing"))

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        result = await take_draw(site.premises, site.desk, "B0017", "1")
        assert (result.outcome, result.qty) == ("not_taken", 0)

    talk(tmp_path, "uhf_r200", {**CHOSEN, "patience": 8}, twin, play, spec=LINE)


def test_a_tag_caught_from_outside_now_and_then_is_not_there(tmp_path: Path) -> None:
    chance = stream("outside")
    twin = ReaderTwin(set(A), caught=lambda epc: chance.randrange(100) < (80 if epc in A else 8))
    twin.outside = set(B)

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        await site.clock.sleep(600)
        assert await site.kinds(Draw) == []
        assert "tags_gone" not in await site.events()

    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE)


def test_tags_that_go_unasked_are_draws_without_a_person_and_new_ones_are_counted(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B})

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        assert [(one.slot, one.qty) for one in await site.has(Count, 2)] == [("1", 6), ("2", 4)]
        twin.inside -= {A[5]}
        (draw,) = await site.has(Draw)
        assert (draw.who, draw.slot, draw.qty, draw.q) == ("", "1", 1, ["unasked"])
        twin.inside |= {A[5], "E28011600000020000000AFF"}
        await site.told("tags_came")
        counts = await site.has(Count, 3)
        assert (counts[2].slot, counts[2].qty, counts[2].q) == ("1", 7, ["tags"])

    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE)


def test_tags_that_went_while_the_gateway_was_away_are_in_doubt(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B})

    async def before(site: Talking) -> None:
        await site.told("tags_known")
        await site.journal.abandon()

    async def after(site: Talking) -> None:
        (draw,) = await site.has(Draw)
        assert (draw.slot, draw.qty, draw.outcome, draw.q) == ("2", 2, "unverified", ["gap"])

    talk(tmp_path, "uhf_r200", CHOSEN, twin, before, spec=LINE, boot="a" * 16)
    twin.inside -= {B[0], B[1]}
    talk(tmp_path, "uhf_r200", CHOSEN, twin, after, spec=LINE, boot="b" * 16, at=MORNING + 3_600_000)


@pytest.mark.parametrize("taken", [0, 1])
def test_a_draw_cut_by_a_power_failure_is_ended_by_the_tags(tmp_path: Path, taken: int) -> None:
    twin = ReaderTwin({*A, *B})

    async def before(site: Talking) -> None:
        await site.told("tags_known")
        task = asyncio.create_task(take_draw(site.premises, site.desk, "B0017", "1"))
        await site.clock.sleep(4)
        await site.journal.abandon()
        task.cancel()

    async def after(site: Talking) -> None:
        await recover_draws(site.premises, {"cab-1": site.desk})
        await site.clock.sleep(100)
        draws = await site.kinds(Draw)
        assert [(one.who, one.qty, one.outcome) for one in draws] == [
            ("p-17", taken, "confirmed" if taken else "not_dispensed")
        ]

    talk(tmp_path, "uhf_r200", CHOSEN, twin, before, spec=LINE, boot="a" * 16)
    twin.inside -= set(A[:taken])
    talk(tmp_path, "uhf_r200", CHOSEN, twin, after, spec=LINE, boot="b" * 16, at=MORNING + 3_600_000)


def test_a_silent_reader_empties_no_cabinet(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B})

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        site.line.cut_power(twin)
        await site.told("reader_silent")
        assert (await take_draw(site.premises, site.desk, "B0017", "1")).reason == "unreachable"
        await site.clock.sleep(200)
        twin.inside -= {A[0]}
        site.line.restore_power(twin)
        (draw,) = await site.has(Draw)
        assert (draw.qty, draw.outcome, draw.q) == (1, "unverified", ["gap"])

    talk(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE)


BAD = LinePlan(noise=0.05, flip=0.03, cut=0.03, lose=0.05, split=0.1)


def test_on_a_bad_line_every_tag_is_drawn_once(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B}, caught=unsure("bad line", 80))
    chance = stream("hands")

    async def play(site: Talking) -> None:
        await site.told("tags_known")
        left = 0
        for _ in range(6):
            taken = chance.choice(sorted(twin.inside))
            twin.inside -= {taken}
            left += 1
            await site.clock.sleep(75)
        draws = await site.kinds(Draw)
        assert sum(one.qty for one in draws) == left
        assert {one.outcome for one in draws} == {"confirmed"}

    talk(tmp_path, "uhf_r200", {**CHOSEN, "rounds": 12}, twin, play, spec=LINE, plan=BAD)


def test_over_a_pseudo_terminal_too(tmp_path: Path) -> None:
    twin = ReaderTwin({*A, *B}, caught=unsure("pty", 85))

    async def play(site: Talking) -> None:
        async def known() -> bool:
            return "tags_known" in await site.events()

        await site.until(known, 30)
        (event,) = await site.told("tags_known")
        assert event.data["tags"] == [*A, *B]

    plan = LinePlan(noise=0.03, flip=0.02, lose=0.02, split=0.1)
    talk_on_a_pty(tmp_path, "uhf_r200", CHOSEN, twin, play, spec=LINE, plan=plan)
