"""Every board of coils, motors and locks, from badge to record: on a good line, on bad ones, and cut at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.faults import LinePlan
from tests.gateway.board_site import KINDS, BoardSite, balance, intents, on_a_board

boards = pytest.mark.parametrize("kind", sorted(KINDS))
NOISY = LinePlan(noise=0.1, flip=0.03, cut=0.03, lose=0.03, late=0.03, split=0.2)


@boards
def test_a_draw_goes_from_badge_to_record(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            result = await gateway.draw()

            assert (result.outcome, result.qty) == ("confirmed", 1)
            (draw,) = await gateway.draws()
            assert result.key is not None
            assert draw.key == result.key
            assert (draw.slot, draw.who, draw.outcome, site.fell, site.turns) == ("1", "p-17", "confirmed", 1, 1)
            assert draw.intent

    on_a_board(tmp_path, kind, play)


@boards
@pytest.mark.parametrize("plan", [LinePlan(echo=True), LinePlan(split=0.7, noise=0.2), LinePlan(echo=True, split=0.5)])
def test_echo_noise_and_pieces_change_nothing_about_goods(tmp_path: Path, kind: str, plan: LinePlan) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            for _ in range(3):
                site.refill()
                await gateway.draw()
                await gateway.clock.sleep(8)

            sure, unsure = balance(await gateway.records())
            assert sure <= site.fell <= sure + unsure
            assert site.fell >= 2

    on_a_board(tmp_path, kind, play, plan=plan)


@boards
@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_on_a_bad_line_no_piece_is_lost_or_invented(tmp_path: Path, kind: str, seed: str) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            for _ in range(12):
                site.refill()
                before = site.turns
                await gateway.draw()
                assert site.turns - before <= (3 if site.kind.doors else 1)
                await gateway.clock.sleep(8)

            records = await gateway.records()
            sure, unsure = balance(records)
            assert sure <= site.fell <= sure + unsure
            assert site.fell >= 3
            assert intents(records) == sum(1 for draw in await gateway.draws() if draw.intent)

    on_a_board(tmp_path, kind, play, plan=NOISY, seed=seed)


@boards
@pytest.mark.parametrize("part", range(4))
def test_a_power_cut_at_any_moment_is_ended_by_evidence_and_never_by_a_second_turn(
    tmp_path: Path, kind: str, part: int
) -> None:
    async def play(site: BoardSite) -> None:
        for step in range(4):
            site.refill()
            await cut_and_recover(site, 0.02 + (part + 4 * step) * 0.37)

    on_a_board(tmp_path, kind, play)


async def cut_and_recover(site: BoardSite, after: float) -> None:
    """A gateway that dies so long after a badge, and the next one."""
    turns, fell = site.turns, site.fell
    async with site.gateway() as gateway:
        before = balance(await gateway.records())
        gateway.begin_draw()
        await gateway.clock.sleep(after)
        await gateway.cut_power()
    async with site.gateway() as gateway:
        await gateway.recover()
        await gateway.clock.sleep(8)

        sure, unsure = (now - then for now, then in zip(balance(await gateway.records()), before, strict=True))
        assert site.turns - turns <= 1
        assert sure <= site.fell - fell <= sure + unsure
        assert await gateway.journal.open_attempts() == []


@boards
@pytest.mark.parametrize("after", [0.05, 0.6, 1.4, 2.2])
def test_one_switch_for_cabinet_and_gateway_loses_and_invents_nothing(tmp_path: Path, kind: str, after: float) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            gateway.begin_draw()
            await gateway.clock.sleep(after)
            site.line.cut_power(site.twin)
            await gateway.cut_power()
        site.line.restore_power(site.twin)
        async with site.gateway() as gateway:
            await gateway.recover()
            await gateway.clock.sleep(20)

            sure, unsure = balance(await gateway.records())
            assert sure <= site.fell <= sure + unsure
            assert site.turns <= 1
            assert await gateway.journal.open_attempts() == []

    on_a_board(tmp_path, kind, play)


@boards
@pytest.mark.parametrize("after", [0.05, 0.6, 1.4])
def test_a_link_that_breaks_in_a_vend_loses_and_invents_nothing(tmp_path: Path, kind: str, after: float) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            running = gateway.begin_draw()
            await gateway.clock.sleep(after)
            gateway.port.unplug()
            await gateway.clock.sleep(6)
            gateway.port.plug()
            await running
            await gateway.clock.sleep(20)

            sure, unsure = balance(await gateway.records())
            assert sure <= site.fell <= sure + unsure
            assert site.turns <= 1

    on_a_board(tmp_path, kind, play)


@boards
@pytest.mark.parametrize("after", [0.05, 0.6, 1.4, 2.2])
def test_a_board_that_loses_its_power_in_the_middle_leaves_no_piece_unaccounted(
    tmp_path: Path, kind: str, after: float
) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            running = gateway.begin_draw()
            await gateway.clock.sleep(after)
            site.line.cut_power(site.twin)
            await gateway.clock.sleep(5)
            site.line.restore_power(site.twin)
            await running
            await gateway.clock.sleep(20)

            sure, unsure = balance(await gateway.records())
            assert sure <= site.fell <= sure + unsure
            assert site.turns <= 1

    on_a_board(tmp_path, kind, play)


@boards
def test_the_next_person_is_served_after_all_that(tmp_path: Path, kind: str) -> None:
    async def play(site: BoardSite) -> None:
        async with site.gateway() as gateway:
            gateway.begin_draw()
            await gateway.clock.sleep(1.0)
            await gateway.cut_power()
        async with site.gateway() as gateway:
            await gateway.recover()
            await gateway.clock.sleep(15)
            site.refill()

            result = await gateway.draw()

            assert result.outcome == "confirmed"

    on_a_board(tmp_path, kind, play)
