"""Enrolment: the key never leaves, and a lost answer costs nothing."""

from __future__ import annotations

import itertools
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway.cloud_requests import CloudError, greet, open_client
from gateway.enrol import EnrolmentError, enrol
from gateway.identity import FILE, Identity, NotEnrolledError, load
from tests.gateway.desk import play
from wire.enrolment import Enrolled, Request, check, rename, shown
from wire.seal import Signer, Verifier

CODE = shown("7h2k9" + "x" * 20)
CLOUD = Signer("cloud.test", b"c" * 32)


class Registrar(httpx.AsyncBaseTransport):
    """The cloud's side of an enrolment."""

    def __init__(self, *, lose: int = 0, forged: bool = False) -> None:
        self.lose = lose
        self.forged = forged
        self.keys: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404, json={"type": "/problems/not-found", "title": "There is nothing here"})
        sent = msgspec.json.decode(await request.aread(), type=Request)
        self.keys.append(check(sent).vkey)
        if self.lose:
            self.lose -= 1
            raise httpx.ReadError("reset")
        origin = "tallystick/acme/gw-1/1"
        mine = Verifier(rename(sent.vkey, origin)).fingerprint
        fingerprint = "0000-0000" if self.forged else mine
        answer = Enrolled("gw-1", "acme", origin, CLOUD.cosigner_vkey, fingerprint)
        return httpx.Response(201, content=msgspec.json.encode(answer))


def attempt(folder: Path, registrar: Registrar, code: str = CODE) -> Identity:
    seeds = (bytes([number]) * 32 for number in itertools.count(1))

    async def main() -> Identity:
        async with open_client("http://cloud.test", transport=registrar) as client:
            return await enrol(client, folder, code, lambda: next(seeds))

    return play(main())


def test_the_key_is_made_here_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    who = attempt(tmp_path, Registrar())

    assert load(tmp_path) == who
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert who.signer().vkey.startswith("tallystick/acme/gw-1/1+")
    assert not (tmp_path / "identity.pending").exists()


def test_after_a_lost_answer_the_same_key_is_shown_again(tmp_path: Path) -> None:
    registrar = Registrar(lose=1)
    with pytest.raises(CloudError):
        attempt(tmp_path, registrar)

    attempt(tmp_path, registrar)

    assert len(registrar.keys) == 2
    assert len(set(registrar.keys)) == 1


def test_a_second_enrolment_never_overwrites_the_key(tmp_path: Path) -> None:
    attempt(tmp_path, Registrar())

    with pytest.raises(FileExistsError):
        attempt(tmp_path, Registrar())


def test_an_answer_for_another_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="between us"):
        attempt(tmp_path, Registrar(forged=True))

    with pytest.raises(NotEnrolledError):
        load(tmp_path)


def test_a_mistyped_code_is_not_sent(tmp_path: Path) -> None:
    registrar = Registrar()

    with pytest.raises(EnrolmentError, match="25 letters"):
        attempt(tmp_path, registrar, CODE[:-1])

    assert registrar.keys == []


def test_a_key_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    attempt(tmp_path, Registrar())
    (tmp_path / FILE).chmod(0o640)

    with pytest.raises(ValueError, match="chmod 600"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, "<html>Sign in to this hotel's network</html>", "no Tallystick cloud"),
        (200, '{"cosigner": "", "hand_overs": []}', "no Tallystick cloud"),
        (404, "{}", "answered 404"),
    ],
)
def test_whoever_answers_at_an_address_need_not_be_a_cloud(status: int, body: str, why: str) -> None:
    async def main() -> None:
        portal = httpx.MockTransport(lambda _: httpx.Response(status, text=body))
        async with open_client("http://cloud.test", transport=portal) as client:
            with pytest.raises(CloudError, match=why):
                await greet(client)

    play(main())


def test_a_cloud_is_greeted_by_its_key() -> None:
    async def main() -> None:
        cloud = httpx.MockTransport(lambda _: httpx.Response(200, json={"cosigner": CLOUD.cosigner_vkey}))
        async with open_client("http://cloud.test", transport=cloud) as client:
            assert await greet(client) == Verifier(CLOUD.vkey).fingerprint

    play(main())
