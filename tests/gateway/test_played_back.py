"""A man in the middle who kept what the cloud once said, and says it again to a card that was just restored.

An old head makes a restored gateway seal under sizes that are in use: a fork, signed with its own key. So a head counts
only as the answer to this question about this log.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.cloud_requests import Cloud, CloudError, open_client
from gateway.journal.store import Journal
from gateway.uplink import Uplink
from tests.gateway.desk import (
    BOOT,
    IDENTITY,
    a_journal,
    an_uplink,
    cosigned,
    deliver,
    new_cloud,
    once_each,
    pass_time,
    play,
    readings,
)
from tests.gateway.fake_cloud import FakeCloud
from wire.batch import Head, decode_head, encode_answer
from wire.http_signature import asked_nonce, sign_answer

OTHER_BOOT = "d" * 16
Liar = Callable[["Middle", httpx.Request], httpx.Response]


class Middle(FakeCloud):
    """The cloud behind a man in the middle, who keeps what is answered ``about`` one thing. ``liar`` answers for it."""

    liar: Liar | None = None
    about = "/head"
    heard: list[httpx.Response]

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """See ``FakeCloud``."""
        if not request.url.path.endswith(self.about):
            return await super().answer(request)
        if self.liar is not None:
            return self.liar(self, request)
        answer = await super().answer(request)
        self.heard.append(httpx.Response(200, headers=answer.headers, content=answer.content))
        return answer


def kept(middle: Middle, _: httpx.Request) -> httpx.Response:
    """What the cloud said to this gateway when its log had four entries, word for word."""
    return next(one for one in middle.heard if decode_head(one.content).size == 4)


def asked_for_himself(middle: Middle, _: httpx.Request) -> httpx.Response:
    """What the cloud says at that time to anybody who asks without a nonce."""
    content = kept(middle, _).content
    return httpx.Response(200, content=content, headers=sign_answer(middle.signer, status=200, body=content))


def about_another_log(middle: Middle, request: httpx.Request) -> httpx.Response:
    """What the cloud says now, to this very nonce, about a log that is still empty."""
    content = encode_answer(Head(0, "", 0, "nonce"))
    nonce = asked_nonce(request.headers["accept-signature"])
    path = "/v1/logs/" + "0" * 64 + "/head"
    return httpx.Response(
        200, content=content, headers=sign_answer(middle.signer, status=200, body=content, path=path, nonce=nonce)
    )


def in_the_middle(about: str = "/head") -> Middle:
    """Nobody has said anything yet."""
    made = Middle(new_cloud().vkey)
    made.heard, made.about = [], about
    return made


async def restored(folder: Path, cloud: Middle) -> Path:
    """A card that is put back to two entries while the cloud has seven; it was asked for the head at four once."""
    async with a_journal(folder) as journal:
        await journal.append(readings(2))
    await deliver(folder, cloud, 2)
    image = folder.parent / "restored"
    shutil.copytree(folder, image)
    for first, count, boot in ((2, 2, BOOT), (4, 3, "e" * 16)):
        async with a_journal(folder, boot) as journal, an_uplink(journal, cloud) as uplink:
            await cosigned(uplink, first)
            await journal.append(readings(count, first=first, boot=boot))
            await cosigned(uplink, first + count)
    return image


@asynccontextmanager
async def a_restored_gateway(folder: Path, liar: Liar) -> AsyncIterator[tuple[Middle, Journal, Uplink]]:
    """A gateway that begins on its old card while somebody in the middle answers in the cloud's place."""
    cloud = in_the_middle()
    image = await restored(folder / "card", cloud)
    cloud.liar = liar
    async with a_journal(image, OTHER_BOOT) as journal, an_uplink(journal, cloud) as uplink:
        yield cloud, journal, uplink


async def _work(journal: Journal, uplink: Uplink) -> tuple[int, int]:
    await journal.append(readings(2, first=50, boot=OTHER_BOOT))
    await pass_time(60)
    return uplink.status().sealed, uplink.status().played_back


@pytest.mark.parametrize("liar", [kept, asked_for_himself])
def test_an_old_head_is_refused_and_counted_and_no_number_is_given_again(tmp_path: Path, liar: Liar) -> None:
    async def main() -> None:
        async with a_restored_gateway(tmp_path, liar) as (cloud, journal, uplink):
            sealed, played_back = await _work(journal, uplink)

            assert (sealed, len(cloud.leaves)) == (2, 7)
            assert played_back > 0
            assert "another question" in uplink.status().trouble

    play(main())


def test_the_head_of_another_log_is_not_ours(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_restored_gateway(tmp_path, about_another_log) as (cloud, journal, uplink):
            await _work(journal, uplink)

            assert (uplink.status().sealed, len(cloud.leaves)) == (2, 7)
            assert uplink.status().reached == 0

    play(main())


def test_when_the_liar_is_gone_the_log_goes_on_without_a_fork(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_restored_gateway(tmp_path, kept) as (cloud, journal, uplink):
            await _work(journal, uplink)
            cloud.liar = None
            await cosigned(uplink, 9)

            assert once_each(cloud)
            assert not uplink.status().frozen

    play(main())


def test_an_old_list_of_badges_is_refused_too() -> None:
    async def main() -> None:
        cloud = in_the_middle("/desired")
        cloud.want(badges=[{"badge": "B1", "person": "left us"}])
        async with open_client("http://cloud.test", transport=cloud.transport) as client:
            mine = Cloud(client, IDENTITY)
            await mine.desired("", 0)
            cloud.liar = lambda middle, _: middle.heard[0]

            with pytest.raises(CloudError, match="another question"):
                await mine.desired("", 0)

            assert mine.played_back == 1

    play(main())
