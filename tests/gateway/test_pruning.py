"""What may leave a gateway's disk, and what its shelves still know then, also after a restore."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway import boot
from gateway.journal.store import Journal
from gateway.shelf import Shelf
from gateway.uplink import Uplink
from tests.gateway.desk import (
    BOOT,
    START,
    a_journal,
    an_uplink,
    cosigned,
    deliver,
    draw,
    new_cloud,
    once_each,
    pass_time,
    play,
    reading,
    readings,
    refill,
)
from tests.gateway.fake_cloud import FakeCloud
from wire.records import Count

OTHER_BOOT = "d" * 16
THIRD_BOOT = "f" * 16


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


def test_what_comes_after_everything_was_pruned_is_sent_too(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append(readings(5))
            await cosigned(uplink, 5)
            cloud.backed_up = 5
            uplink.ask_again()
            await pass_time(60)
            await uplink.prune(0)
            await journal.append(readings(2, first=5))
            await cosigned(uplink, 7)

        assert once_each(cloud)

    play(main())


def test_a_shelf_keeps_its_stock_when_its_records_are_pruned(tmp_path: Path) -> None:
    async def stock(journal: Journal) -> int | None:
        shelf = Shelf()
        await boot.remember(journal, ["cab-1"], shelf.apply)
        return shelf.look("cab-1", "7").on_hand

    async def main() -> None:
        cloud = new_cloud()
        async with a_journal(tmp_path) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append([refill(10), draw(), *readings(5)])
            await cosigned(uplink, 7)
            cloud.seconds, cloud.backed_up = cloud.seconds + 100 * 86_400, 7
            await journal.append([draw()])
            await cosigned(uplink, 8)
            before = await stock(journal)
            assert await uplink.prune(90) == 7

            assert (before, await stock(journal)) == (8, 8)

    play(main())


@pytest.mark.parametrize("pruned", [False, True])
def test_a_shelf_hears_the_mirror_s_records_before_what_came_after_them(tmp_path: Path, *, pruned: bool) -> None:
    async def main() -> None:
        cloud, image = new_cloud(), tmp_path / "image"
        (tmp_path / "gateway").mkdir()
        async with a_journal(tmp_path / "gateway") as journal:
            await journal.append([refill(10)])
        await deliver(tmp_path / "gateway", cloud, 1, OTHER_BOOT)
        shutil.copytree(tmp_path / "gateway", image)
        async with a_journal(tmp_path / "gateway", OTHER_BOOT) as journal:
            await journal.append([draw(boot=OTHER_BOOT), refill(20, OTHER_BOOT)])
        await deliver(tmp_path / "gateway", cloud, 3, OTHER_BOOT)
        shelf = Shelf()
        async with a_journal(image, THIRD_BOOT) as journal, an_uplink(journal, cloud) as uplink:
            await journal.append([counted(29, f"{BOOT}/1", THIRD_BOOT), draw(boot=THIRD_BOOT)])
            await cosigned(uplink, 5)
            if pruned:
                cloud.seconds, cloud.backed_up = cloud.seconds + 100 * 86_400, 5
                await journal.append([reading(1, boot=THIRD_BOOT)])
                await cosigned(uplink, 6)
                assert await uplink.prune(90) == 5
            await boot.remember(journal, ["cab-1"], shelf.apply)

        place = shelf.look("cab-1", "7")
        assert (place.on_hand, place.last, place.doubtful) == (28, f"{THIRD_BOOT}/2", True)

    play(main())


def counted(qty: int, position: str, boot: str) -> Count:
    """Somebody counted, behind this record."""
    return Count(
        v=1, z="", src="cab-1", ep=boot, n=0, t=START, ts="S", b=boot, m=0, slot="7", item="gloves", qty=qty,
        position=position,
    )  # fmt: skip


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
