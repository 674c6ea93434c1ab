"""Enrolment: one code, one key, fifteen minutes, five tries; a lost reply costs nothing."""

from __future__ import annotations

import httpx
import pytest

from tests.cloud.twins import CloudTwin
from wire import enrolment
from wire.seal import Signer, Verifier

MINUTE_MS = 60_000
SIGNER = Signer("new", bytes(range(32)))


@pytest.fixture
def code(cloud: CloudTwin) -> str:
    """A fresh code."""
    cloud.ask("POST", "/v1/gateways", {"name": "Workshop", "gateway_id": "gw-1"})
    return fresh(cloud)


def fresh(cloud: CloudTwin) -> str:
    """Another code for the same gateway."""
    made: str = cloud.ask("POST", "/v1/gateways/gw-1/enrolment-codes").json()["code"]
    return made


def send(cloud: CloudTwin, code: str, signer: Signer = SIGNER, **changed: str) -> httpx.Response:
    """An enrolment request."""
    sent = enrolment.request(signer, code)
    body = {"code": sent.code, "vkey": sent.vkey, "proof": sent.proof} | changed
    return cloud.ask("POST", "/v1/enrolments", body, key="")


def refused(answer: httpx.Response) -> bool:
    """Was it refused by name?"""
    return answer.status_code == 403 and answer.json()["type"] == "/problems/enrolment-refused"


def wrong(code: str) -> str:
    """A code with the right public part and another secret."""
    return code[:-1] + ("0" if code[-1] != "0" else "1")


def test_a_gateway_with_a_code_learns_its_names_and_the_clouds_key(cloud: CloudTwin, code: str) -> None:
    answer = send(cloud, code)

    assert answer.status_code == 201
    told = answer.json()
    origin = f"tallystick/{cloud.tenant}/gw-1/1"
    assert (told["gateway_id"], told["tenant_id"], told["origin"]) == ("gw-1", cloud.tenant, origin)
    assert told["fingerprint"] == Verifier(Signer(origin, bytes(range(32))).vkey).fingerprint
    shown = cloud.ask("GET", "/v1/gateways/gw-1").json()
    assert (shown["fingerprint"], shown["state"]) == (told["fingerprint"], "open")


def test_a_code_is_shown_once_and_has_more_than_eighty_bits(cloud: CloudTwin, code: str) -> None:
    secret_bits = 5 * enrolment.SECRET_LETTERS

    assert secret_bits >= 80
    assert enrolment.normal(code) not in str(cloud.run(lambda tx: tx.all("SELECT * FROM enrolment_codes")))


def test_a_lost_reply_is_given_again(cloud: CloudTwin, code: str) -> None:
    first = send(cloud, code)

    assert send(cloud, code).content == first.content
    assert cloud.counts()["logs"] == 1


def test_a_used_code_opens_nothing_for_another_key(cloud: CloudTwin, code: str) -> None:
    send(cloud, code)

    assert refused(send(cloud, code, Signer("new", bytes(32))))


def test_a_code_ends_after_fifteen_minutes(cloud: CloudTwin, code: str) -> None:
    cloud.clock.ms += 15 * MINUTE_MS

    assert refused(send(cloud, code))


def test_a_code_lives_almost_fifteen_minutes(cloud: CloudTwin, code: str) -> None:
    cloud.clock.ms += 15 * MINUTE_MS - 1

    assert send(cloud, code).status_code == 201


def test_after_five_wrong_tries_the_right_code_is_worth_nothing(cloud: CloudTwin, code: str) -> None:
    assert all(refused(send(cloud, wrong(code))) for _ in range(5))

    assert refused(send(cloud, code))


def test_after_four_wrong_tries_the_right_code_still_works(cloud: CloudTwin, code: str) -> None:
    assert all(refused(send(cloud, wrong(code))) for _ in range(4))

    assert send(cloud, code).status_code == 201


def test_who_does_not_hold_the_key_is_refused_and_costs_a_try(cloud: CloudTwin, code: str) -> None:
    other = Signer("new", bytes(32))

    assert all(refused(send(cloud, code, vkey=other.vkey)) for _ in range(5))
    assert refused(send(cloud, code))


@pytest.mark.parametrize("code_sent", ["", "AAAAA", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA", "ü" * 25])
def test_a_code_nobody_made_is_refused(cloud: CloudTwin, code: str, code_sent: str) -> None:
    assert code
    assert refused(send(cloud, code_sent))


def test_enrolling_anew_opens_the_next_epoch_and_closes_the_old_log(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw())
    gateway.send(0)
    old_log, old_body = gateway.log, gateway.body(0, 1)

    gateway.seed = bytes(32)
    gateway.enrol()

    assert gateway.origin == f"tallystick/{cloud.tenant}/gw-1/2"
    closed = gateway.post(old_body, log=old_log)
    assert (closed.status_code, closed.json()["type"]) == (423, "/problems/log-frozen")
    assert gateway.send(0).status_code == 200
    assert cloud.counts()["record_keys"] == 1


def test_a_code_for_a_gateway_that_does_not_exist_is_not_made(cloud: CloudTwin) -> None:
    assert cloud.ask("POST", "/v1/gateways/nobody/enrolment-codes").status_code == 404
