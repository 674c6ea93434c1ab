"""A write with an Idempotency-Key can be repeated: one effect, one answer."""

from __future__ import annotations

import asyncio

import httpx

from tests.cloud.twins import CloudTwin

KEY = {"idempotency-key": "k-1"}


def test_a_repeated_write_gets_the_first_answer_and_has_one_effect(cloud: CloudTwin) -> None:
    first = cloud.ask("POST", "/v1/gateways", {"name": "Workshop"}, headers=KEY)
    cloud.clock.ms += 1000

    again = cloud.ask("POST", "/v1/gateways", {"name": "Workshop"}, headers=KEY)

    assert (again.status_code, again.content) == (201, first.content)
    assert cloud.counts()["gateways"] == 1


def test_the_same_key_for_another_request_is_a_conflict(cloud: CloudTwin) -> None:
    cloud.ask("POST", "/v1/gateways", {"name": "Workshop"}, headers=KEY)

    for path, body in (("/v1/gateways", {"name": "Other"}), ("/v1/gateways?x=1", {"name": "Workshop"})):
        answer = cloud.ask("POST", path, body, headers=KEY)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/idempotency-conflict")


def test_a_write_that_failed_leaves_its_key_free(cloud: CloudTwin) -> None:
    device = {"device_id": "cab-1", "kind": "cabinet", "gateway_id": "gw-1"}
    failed = cloud.ask("POST", "/v1/devices", device, headers=KEY)
    cloud.ask("POST", "/v1/gateways", {"name": "G", "gateway_id": "gw-1"})

    mended = cloud.ask("POST", "/v1/devices", device, headers=KEY)

    assert (failed.status_code, mended.status_code) == (404, 201)


def test_two_tenants_may_use_the_same_key(cloud: CloudTwin) -> None:
    other = cloud.add_tenant("rival")[1]
    mine = cloud.ask("POST", "/v1/gateways", {"name": "Workshop"}, headers=KEY)

    theirs = cloud.ask("POST", "/v1/gateways", {"name": "Workshop"}, headers=KEY, key=other)

    assert theirs.status_code == 201
    assert theirs.json()["gateway_id"] != mine.json()["gateway_id"]


def test_the_same_write_sent_twice_at_once_has_one_effect(cloud: CloudTwin) -> None:
    headers = KEY | {"authorization": f"Bearer {cloud.key}"}

    async def twice() -> list[httpx.Response]:
        posts = [cloud.http.post("/v1/gateways", json={"name": "Workshop"}, headers=headers) for _ in range(2)]
        return await asyncio.gather(*posts)

    answers = cloud.wait(twice())

    assert answers[0].content == answers[1].content
    assert cloud.counts()["gateways"] == 1


def test_a_key_with_spaces_or_without_end_is_refused(cloud: CloudTwin) -> None:
    for wrong in ("a b", "x" * 129):
        answer = cloud.ask("POST", "/v1/gateways", {"name": "W"}, headers={"idempotency-key": wrong})
        assert answer.status_code in (400, 422)
        assert answer.headers["content-type"] == "application/problem+json"


def test_an_enrolment_code_is_never_kept_for_a_repeat(cloud: CloudTwin) -> None:
    cloud.ask("POST", "/v1/gateways", {"name": "G", "gateway_id": "gw-1"})

    codes = {cloud.ask("POST", "/v1/gateways/gw-1/enrolment-codes", headers=KEY).json()["code"] for _ in range(2)}

    assert len(codes) == 2


def test_a_read_has_an_etag_and_is_not_sent_again(cloud: CloudTwin) -> None:
    first = cloud.ask("GET", "/v1/gateways")

    again = cloud.ask("GET", "/v1/gateways", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
