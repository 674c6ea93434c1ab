"""What is refused, by which name, and that nothing is stored for it."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.cloud.twins import CloudTwin, GatewayTwin
from wire.seal import Checkpoint, Signer


@pytest.fixture
def gateway(cloud: CloudTwin) -> GatewayTwin:
    """A gateway with four leaves, the first two of which the cloud has."""
    made = cloud.gateway()
    made.keep(made.draw(), made.reading(), made.draw(), made.draw())
    assert made.send(0, 2).status_code == 200
    return made


def bit_flipped(gateway: GatewayTwin) -> bytes:
    """One bit of a leaf changed on the way."""
    body = bytearray(gateway.body(2, 4))
    body[-30] ^= 1
    return bytes(body)


REFUSED: list[tuple[str, int, str, Callable[[GatewayTwin], bytes]]] = [
    ("stale: an old base", 409, "stale-size", lambda g: g.body(1, 4)),
    ("stale: another cut of what we have", 409, "stale-size", lambda g: g.body(0, 1)),
    ("ahead: a piece is missing before it", 409, "stale-size", lambda g: g.body(3, 4)),
    ("forged: another key's note", 403, "bad-signature", lambda g: g.body(2, 4, note=forged(g))),
    ("forged: a note of another log", 403, "bad-signature", lambda g: g.body(2, 4, note=foreign(g))),
    ("re-ordered leaves", 422, "wrong-root", lambda g: g.body(2, 4, note=g.note(4), leaves=swapped(g))),
    ("a leaf replaced", 422, "wrong-root", lambda g: g.body(2, 4, note=g.note(4), leaves=[*g.leaves[:3], b"{}"])),
    ("a bit flipped", 422, "wrong-root", bit_flipped),
    ("truncated inside a leaf", 400, "bad-batch", lambda g: g.body(2, 4)[:-10]),
    ("truncated behind a leaf", 400, "bad-batch", lambda g: g.body(2, 4).rsplit(b"\n", 2)[0] + b"\n"),
    ("one leaf too many", 400, "bad-batch", lambda g: g.body(2, 4) + b"{}\n"),
    ("the old size above the new", 400, "bad-batch", lambda g: g.body(2, 4).replace(b"old 2", b"old 5")),
    ("the old size no number", 400, "bad-batch", lambda g: g.body(2, 4).replace(b"old 2", b"old x")),
    ("no batch at all", 400, "bad-batch", lambda g: b"hello"),
    ("nothing at all", 400, "bad-batch", lambda g: b""),
    ("a note that is not UTF-8", 400, "bad-batch", lambda g: g.body(2, 4).replace(b"tallystick", b"\xfftallystic")),
]


def forged(gateway: GatewayTwin) -> str:
    """The right checkpoint under a stranger's signature."""
    return Signer(gateway.origin, bytes(32)).sign(Checkpoint.parse(gateway.note(4).split("\n\n")[0] + "\n"))


def foreign(gateway: GatewayTwin) -> str:
    """A checkpoint of another log, under the right key's name."""
    checkpoint = Checkpoint("tallystick/other/gw/1", 4, bytes(32))
    return gateway.signer.sign(checkpoint)


def swapped(gateway: GatewayTwin) -> list[bytes]:
    """The log with its last two leaves exchanged."""
    return [*gateway.leaves[:2], gateway.leaves[3], gateway.leaves[2]]


@pytest.mark.parametrize(("status", "problem", "body"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_wrong_batch_is_refused_by_name_nothing_is_stored_and_the_honest_one_is_taken_afterwards(
    gateway: GatewayTwin, status: int, problem: str, body: Callable[[GatewayTwin], bytes]
) -> None:
    before = gateway.cloud.counts()

    answer = gateway.post(body(gateway))

    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert without_evidence(gateway.cloud.counts()) == without_evidence(before)
    assert (gateway.send(2).status_code, gateway.head()["size"]) == (200, 4)


def without_evidence(counts: dict[str, int]) -> dict[str, int]:
    """Refused but genuine notes are kept on purpose; nothing else may change."""
    return {table: count for table, count in counts.items() if table != "evidence"}


def test_a_stale_batch_is_told_the_size_to_go_on_from(gateway: GatewayTwin) -> None:
    answer = gateway.send(3)

    assert answer.json()["size"] == 2


def test_a_log_that_nobody_opened_is_unknown(gateway: GatewayTwin) -> None:
    answer = gateway.post(gateway.body(2, 4), log="0" * 64)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-log")


def test_a_body_that_inflates_without_end_is_cut_off(gateway: GatewayTwin) -> None:
    bomb = gzip.compress(b"old 2\n\n" + bytes(64 * 1024 * 1024))

    answer = gateway.cloud.ask(
        "POST", f"/v1/logs/{gateway.log}/entries", key="", body=bomb, headers={"content-encoding": "gzip"}
    )

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_a_body_that_is_too_long_as_it_travels_is_cut_off(gateway: GatewayTwin) -> None:
    answer = gateway.post(b"x" * (21 * 1024 * 1024))

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_more_leaves_than_a_batch_may_have_are_refused(gateway: GatewayTwin) -> None:
    gateway.leaves += [b"{}"] * 4100

    answer = gateway.send(2)

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_rubbish_that_claims_to_be_gzip_is_refused(gateway: GatewayTwin) -> None:
    answer = gateway.cloud.ask(
        "POST", f"/v1/logs/{gateway.log}/entries", key="", body=b"no gzip", headers={"content-encoding": "gzip"}
    )

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-batch")


def test_an_unknown_content_encoding_is_refused(gateway: GatewayTwin) -> None:
    answer = gateway.cloud.ask(
        "POST", f"/v1/logs/{gateway.log}/entries", key="", body=b"x", headers={"content-encoding": "br"}
    )

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-batch")


def test_an_empty_batch_of_an_empty_log_is_refused(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()

    answer = gateway.post(gateway.body(0, 0))

    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-batch")


@pytest.mark.parametrize("log", ["%00", "%ff", "x", "A" * 64, "0" * 63, "0" * 64 + "%0a"])
def test_what_is_no_name_of_a_log_is_an_unknown_log(gateway: GatewayTwin, log: str) -> None:
    answer = gateway.post(gateway.body(2, 4), log=log)

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-log")
