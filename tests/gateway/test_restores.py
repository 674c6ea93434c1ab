"""Crashes between any two steps, restored images on either side, forks: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway import boot
from gateway.journal import sealing
from gateway.journal.store import Journal
from tests.gateway.desk import (
    BOOT,
    IDENTITY,
    ORIGIN,
    SEED,
    a_clock,
    a_journal,
    an_uplink,
    cosigned,
    deliver,
    draw,
    intent,
    new_cloud,
    numbers,
    once_each,
    pass_time,
    play,
    reading,
    readings,
)
from tests.gateway.fake_cloud import FakeCloud
from wire.ids import RecordKey
from wire.records import GatewayEvent
from wire.seal import Signer

OTHER_BOOT = "d" * 16
THIRD_BOOT = "f" * 16


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


def test_a_new_epoch_names_the_log_before_and_seals_again_what_was_not_cosigned(tmp_path: Path) -> None:
    renewed = msgspec.structs.replace(
        IDENTITY, origin="tallystick/acme/gw-1/2", seed=(b"n" * 32).hex(), reason="fork", approver="op-1"
    )

    async def main() -> None:
        old, new = new_cloud(), FakeCloud(renewed.signer().vkey)
        async with a_journal(tmp_path) as journal:
            await journal.append(readings(5))
        await deliver(tmp_path, old, 5)
        async with a_journal(tmp_path, OTHER_BOOT) as journal:
            await journal.append(readings(4, boot=OTHER_BOOT))
            await _sealed(journal, old)
            await journal.append(readings(2, first=4, boot=OTHER_BOOT))
        for _ in range(2):
            async with a_journal(tmp_path, THIRD_BOOT) as journal:
                await boot.begin_epoch(journal, a_clock(THIRD_BOOT), renewed)
                async with an_uplink(journal, new, renewed) as uplink:
                    await cosigned(uplink, 7)

        first = new.records()[0]
        assert isinstance(first, GatewayEvent)
        assert (first.event, first.data["old_origin"], first.data["size"]) == ("epoch_begun", ORIGIN, 5)
        assert first.data["root"] == old.frontier().root().hex()
        assert numbers(new)[1:] == [("d", number) for number in range(1, 7)]
        assert once_each(new)

    play(main())


async def an_image_from_before_an_attempt(folder: Path, image: Path, cloud: FakeCloud) -> RecordKey:
    """Two readings on the image; the attempt after them is in the cloud. The attempt's key."""
    async with a_journal(folder) as journal:
        await journal.append(readings(2))
    await deliver(folder, cloud, 2)
    shutil.copytree(folder, image)
    async with a_journal(folder, OTHER_BOOT) as journal:
        (key,) = await journal.append([intent(OTHER_BOOT)])
        await journal.mark_commanded(key)
    await deliver(folder, cloud, 3, OTHER_BOOT)
    return key


def test_a_command_that_the_lost_card_knew_of_may_have_left(tmp_path: Path) -> None:
    async def main() -> None:
        cloud, image = new_cloud(), tmp_path / "image"
        key = await an_image_from_before_an_attempt(tmp_path / "gateway", image, cloud)

        async with a_journal(image, THIRD_BOOT) as journal, an_uplink(journal, cloud) as uplink:
            await cosigned(uplink, 3)
            (attempt,) = await journal.open_attempts()

        assert (attempt.key, attempt.commanded) == (key, True)

    play(main())


def test_an_attempt_whose_end_was_told_again_before_the_mirror_came_is_not_open(tmp_path: Path) -> None:
    async def main() -> None:
        cloud, image = new_cloud(), tmp_path / "image"
        key = await an_image_from_before_an_attempt(tmp_path / "gateway", image, cloud)

        async with a_journal(image, THIRD_BOOT) as journal:
            await journal.append([draw(f"{key.ep}/{key.n}", THIRD_BOOT, did="17/4/m")])
            async with an_uplink(journal, cloud) as uplink:
                await cosigned(uplink, 4)
            attempts = await journal.open_attempts()

        assert attempts == []

    play(main())
