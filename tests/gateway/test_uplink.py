"""The way up, against a cloud written from the wire alone: lost answers, crashes, restores, liars."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway.journal import sealing
from gateway.journal.store import Journal
from gateway.uplink import Uplink
from tests.gateway.desk import (
    BOOT,
    ORIGIN,
    SEED,
    a_journal,
    an_uplink,
    cosigned,
    new_cloud,
    pass_time,
    play,
    reading,
    readings,
)
from tests.gateway.fake_cloud import FakeCloud, hang, unreachable
from wire.seal import Signer

OTHER_BOOT = "d" * 16
THIRD_BOOT = "f" * 16


def numbers(cloud: FakeCloud) -> list[tuple[str, int]]:
    """(epoch's first letter, n) of what the cloud holds."""
    return [(record.ep[0], record.n) for record in cloud.records()]


def once_each(cloud: FakeCloud) -> bool:
    """Nothing doubled, and never two notes of one size."""
    keys = [record.key for record in cloud.records()]
    return len(keys) == len(set(keys)) and all(len(notes) == 1 for notes in cloud.notes.values())


async def deliver(folder: Path, cloud: FakeCloud, size: int, boot: str = BOOT) -> None:
    """A gateway at work until so much is cosigned."""
    async with a_journal(folder, boot) as journal, an_uplink(journal, cloud) as uplink:
        await cosigned(uplink, size)


def test_what_was_recorded_is_cosigned(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(3))

            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 3)

        assert numbers(cloud) == [("b", 1), ("b", 2), ("b", 3)]

    play(main())


def test_a_gateway_that_starts_offline_records_and_delivers_later(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.before = unreachable
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(20))
            await pass_time(3600)
            assert uplink.status().trouble.startswith("the cloud cannot be reached")

            cloud.before = None
            await cosigned(uplink, 20, within=60)

        assert once_each(cloud)

    play(main())


def test_nothing_is_sealed_before_the_head_was_asked_for(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.before = unreachable
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(20))
            await pass_time(600)

            assert uplink.status().sealed == 0

    play(main())


def test_a_hung_link_holds_up_nothing_but_itself(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(5))
            await cosigned(uplink, 5)
            cloud.before = hang
            for number in range(30):
                await journal.append([reading(number)])
                await pass_time(1)

            cloud.before = None
            await cosigned(uplink, 35, within=60)

        assert once_each(cloud)

    play(main())


def test_an_answer_that_is_lost_is_found_at_the_head(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            for number in range(10):
                await cosigned(uplink, number)
                cloud.lose = number % 3
                await journal.append([reading(number)])
                await cosigned(uplink, number + 1)

        assert numbers(cloud) == [("b", number) for number in range(1, 11)]
        assert once_each(cloud)

    play(main())


async def far_away(_: httpx.Request) -> None:
    """300 ms of mobile network."""
    await pass_time(0.3)


async def _nothing_yet(_: Journal, __: FakeCloud) -> None:
    """Crash before the seal."""


async def _sealed(journal: Journal, _: FakeCloud) -> None:
    """Crash between the stored note and the request."""
    state = await journal.change(sealing.open_log, ORIGIN)
    await journal.change(sealing.seal, state, 4, Signer(ORIGIN, SEED).sign)


async def _sent(journal: Journal, cloud: FakeCloud) -> None:
    """Crash between the request and its answer."""
    cloud.before, cloud.lose = None, 10
    async with an_uplink(journal, cloud):
        while not cloud.leaves:
            cloud.lose = 1 if cloud.answers else 0
            await pass_time(0.01)


async def _settled(journal: Journal, cloud: FakeCloud) -> None:
    """Crash after the cosignature was stored."""
    async with an_uplink(journal, cloud) as uplink:
        await cosigned(uplink, 4)


@pytest.mark.parametrize("until", [_nothing_yet, _sealed, _sent, _settled])
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(
    tmp_path: Path, until: Callable[[Journal, FakeCloud], asyncio.Future[None]]
) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(7))
            await until(journal, cloud)
            await journal.abandon()
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            await journal.append([reading(8, boot=OTHER_BOOT)])
            async with an_uplink(journal, cloud) as uplink:
                cloud.lose = 0
                await cosigned(uplink, 8)

        assert numbers(cloud) == [*(("b", number) for number in range(1, 8)), ("d", 1)]
        assert once_each(cloud)

    play(main())


def test_the_same_bytes_go_again_after_a_crash(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(3))
            state = await journal.change(sealing.open_log, ORIGIN)
            _, note = await journal.change(sealing.seal, state, 100, Signer(ORIGIN, SEED).sign)
            await journal.append(readings(3, first=3))
            await journal.abandon()

        await deliver(tmp_path, cloud, 6, OTHER_BOOT)

        assert cloud.notes[3] == {note}

    play(main())


def test_a_restored_gateway_adopts_what_it_had_sent_and_seals_the_rest(tmp_path: Path) -> None:
    folder, image = tmp_path / "gateway", tmp_path / "image"

    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(folder) as journal:
            await journal.append(readings(5))
        await deliver(folder, cloud, 5)
        async with a_journal(folder, OTHER_BOOT) as journal:
            await journal.append(readings(2, boot=OTHER_BOOT))
        shutil.copytree(folder, image)
        async with a_journal(folder, OTHER_BOOT) as journal:
            await journal.append(readings(4, first=2, boot=OTHER_BOOT))
        await deliver(folder, cloud, 11, OTHER_BOOT)
        shutil.rmtree(folder)
        shutil.copytree(image, folder)

        async with a_journal(folder, THIRD_BOOT) as journal:
            await journal.append(readings(3, boot=THIRD_BOOT))
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 14)
            rows = await journal.read(lambda db: db.execute("SELECT count(*) FROM records").fetchone())

        assert rows == (14,)
        assert numbers(cloud)[-3:] == [("f", 1), ("f", 2), ("f", 3)]
        assert once_each(cloud)

    play(main())


def test_a_mirror_that_lies_is_not_adopted_and_stops_the_sync(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path / "first") as journal:
            await journal.append(readings(5))
        await deliver(tmp_path / "first", cloud, 5)
        cloud.leaves[2] = cloud.leaves[3]
        async with a_journal(tmp_path / "second", OTHER_BOOT) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(2, boot=OTHER_BOOT))
            await pass_time(600)

            assert uplink.status().frozen
            assert len(await journal.append(readings(2, boot=OTHER_BOOT))) == 2
            rows = await journal.read(lambda db: db.execute("SELECT count(*) FROM records").fetchone())

        assert rows == (4,)
        assert cloud.posts == 1

    play(main())


def test_a_restored_cloud_gets_everything_again(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            for number in range(8):
                await journal.append(readings(3, first=3 * number))
                await cosigned(uplink, 3 * number + 3)
            before = list(cloud.leaves)
            cloud.restore(9)
            await journal.append([reading(99)])
            await cosigned(uplink, 25)

            assert cloud.leaves[:24] == before
            assert once_each(cloud)

    play(main())


def test_a_cloud_that_lost_all_gets_all(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(10))
            await cosigned(uplink, 10)
            cloud.restore(0)
            await journal.append([reading(99)])
            await cosigned(uplink, 11)

        assert once_each(cloud)

    play(main())


def test_a_fork_stops_the_sync_and_keeps_both_notes(tmp_path: Path) -> None:
    folder, image = tmp_path / "gateway", tmp_path / "image"

    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(folder) as journal:
            await journal.append(readings(4))
            await _sealed(journal, cloud)
            await journal.abandon()
        shutil.copytree(folder, image)
        shutil.rmtree(folder)
        async with a_journal(folder, OTHER_BOOT) as journal:
            await journal.append(readings(6, boot=OTHER_BOOT))
        await deliver(folder, cloud, 6, OTHER_BOOT)
        cloud.restore(6)
        async with a_journal(image, THIRD_BOOT) as journal:
            await journal.append(readings(3, boot=THIRD_BOOT))
            state = await journal.change(sealing.open_log, ORIGIN)
            await journal.change(sealing.seal, state, 100, Signer(ORIGIN, SEED).sign)
            async with an_uplink(journal, cloud) as uplink:
                await pass_time(60)
                assert uplink.status().frozen
            evidence = await journal.read(lambda db: db.execute("SELECT theirs FROM evidence").fetchall())
            assert evidence == [(cloud.checkpoint,)]
            assert len(await journal.append([reading(7, boot=THIRD_BOOT)])) == 1
        async with a_journal(image, BOOT) as journal, an_uplink(journal, cloud) as uplink:
            await pass_time(60)
            assert uplink.status().frozen

        assert len(cloud.leaves) == 6

    play(main())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 423, 429, 500, 502, 503])
def test_no_refusal_loses_a_record_or_becomes_a_flood(tmp_path: Path, status: int) -> None:
    async def refuse(request: httpx.Request) -> None:
        if request.method == "POST":
            raise Refused

    class Refused(Exception):
        pass

    class Refusing(FakeCloud):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            try:
                return await super().answer(request)
            except Refused:
                self.posts += 1
                return httpx.Response(status, headers={"retry-after": "7"}, content=b"<html>a proxy said no</html>")

    async def main() -> None:
        cloud = Refusing(new_cloud().vkey)
        cloud.before = refuse
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(10))
            await pass_time(600)
            assert 2 <= cloud.posts <= 90

            cloud.before = None
            await cosigned(uplink, 10, within=400)

        assert once_each(cloud)

    play(main())


def test_a_cosignature_of_somebody_else_is_no_receipt(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        honest, cloud.signer = cloud.signer, Signer("cloud.test", b"x" * 32)
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(3))
            await pass_time(60)
            assert uplink.status().cosigned == 0

            cloud.signer = honest
            await cosigned(uplink, 3)

    play(main())


def test_a_backlog_goes_in_pieces_larger_ones_where_the_way_is_long(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.before = far_away
        async with a_journal(tmp_path) as journal:
            for start in range(0, 9000, 1000):
                await journal.append(readings(1000, first=start))
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 9000)

        assert cloud.posts <= 6
        assert [record.n for record in cloud.records()] == list(range(1, 9001))

    play(main())


def test_a_piece_that_is_too_large_is_cut_smaller(tmp_path: Path) -> None:
    class Narrow(FakeCloud):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and len(await request.aread()) > 20_000:
                return httpx.Response(413)
            return await super().answer(request)

    async def main() -> None:
        cloud = Narrow(new_cloud().vkey)
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(1000))
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 1000)

        assert once_each(cloud)

    play(main())


def test_the_first_record_goes_up_at_once_and_a_stream_goes_in_batches(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append([reading(0)])
            await cosigned(uplink, 1, within=0.5)
            for number in range(1, 100):
                await journal.append([reading(number)])
                await pass_time(0.01)
            await cosigned(uplink, 100, within=0.2)

        assert cloud.posts <= 40

    play(main())


def test_sync_now_does_not_wait_for_the_back_off(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.before = unreachable
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(2))
            await pass_time(3600)
            cloud.before = None
            uplink.sync_now()
            await cosigned(uplink, 2, within=1)

    play(main())


def test_only_what_is_cosigned_backed_up_and_old_is_pruned(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            for number in range(4):
                await journal.append(readings(10, first=10 * number))
                await cosigned(uplink, 10 * number + 10)
                cloud.seconds += 40 * 86_400
            assert await uplink.prune(90) == 0

            cloud.backed_up = 20
            await journal.append([reading(99)])
            await cosigned(uplink, 41)
            assert await uplink.prune(90) == 20

            await journal.append([reading(100)])
            await cosigned(uplink, 42)
            rows = await journal.read(lambda db: db.execute("SELECT min(idx), count(*) FROM entries").fetchone())

        assert rows == (20, 22)

    play(main())


def test_a_pruned_log_still_answers_a_restored_cloud(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await fill(journal, uplink, cloud)
            cloud.restore(30)
            await journal.append([reading(100)])
            await cosigned(uplink, 42)

        assert once_each(cloud)

    async def fill(journal: Journal, uplink: Uplink, cloud: FakeCloud) -> None:
        for number in range(4):
            await journal.append(readings(10, first=10 * number))
            await cosigned(uplink, 10 * number + 10)
            cloud.seconds += 40 * 86_400
        cloud.backed_up = 20
        await journal.append([reading(99)])
        await cosigned(uplink, 41)
        assert await uplink.prune(90) == 20

    play(main())
