"""The way up, against a cloud written from the wire alone: lost answers, crashes, restores, liars."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.gateway.desk import (
    a_journal,
    an_uplink,
    cosigned,
    new_cloud,
    numbers,
    once_each,
    pass_time,
    play,
    reading,
    readings,
)
from tests.gateway.fake_cloud import FakeCloud, hang, unreachable
from wire.seal import Signer


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
