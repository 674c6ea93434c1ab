"""Mirror and desired document: the gateway signs what it asks, with a nonce of the server; the cloud signs too."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from cloud.fleet import desired
from tests.cloud.twins import CloudTwin, GatewayTwin
from wire import http_signature
from wire.log import Frontier, leaf_hash
from wire.seal import Checkpoint, Signer, Verifier


@pytest.fixture
def gateway(cloud: CloudTwin) -> GatewayTwin:
    """A gateway whose three leaves the cloud has."""
    made = cloud.gateway()
    made.keep(made.draw(), made.reading(), made.draw())
    assert made.send(0).status_code == 200
    return made


def entries(gateway: GatewayTwin, start: int, end: int, nonce: str = "") -> httpx.Response:
    """A request to the mirror."""
    return gateway.signed_get(f"/v1/logs/{gateway.log}/entries", f"from={start}&to={end}", nonce=nonce)


def test_a_restored_gateway_gets_its_leaves_back_and_can_check_them(gateway: GatewayTwin) -> None:
    leaves = entries(gateway, 0, 99).content.split(b"\n")[:-1]

    assert leaves == gateway.leaves
    checkpoint = Checkpoint.parse(gateway.head()["checkpoint"].split("\n\n")[0] + "\n")
    assert Frontier().extend([leaf_hash(leaf) for leaf in leaves]).root() == checkpoint.root


def test_a_part_of_the_mirror_is_that_part(gateway: GatewayTwin) -> None:
    assert entries(gateway, 1, 2).content == gateway.leaves[1] + b"\n"


def test_the_checkpoint_is_a_note_with_both_signatures(gateway: GatewayTwin) -> None:
    note = gateway.cloud.ask("GET", f"/v1/logs/{gateway.log}/checkpoint", key="").text

    assert Verifier(gateway.signer.vkey).open(note).size == 3
    assert Verifier(gateway.cosigner_vkey).cosigned_at(note) == gateway.cloud.clock.ms // 1000


def test_a_nonce_works_once_and_the_refusal_brings_a_new_one(gateway: GatewayTwin) -> None:
    nonce = gateway.head()["nonce"]
    first = entries(gateway, 0, 3, nonce)

    second = entries(gateway, 0, 3, nonce)
    third = entries(gateway, 0, 3, second.headers["tally-nonce"])

    assert (first.status_code, third.status_code) == (200, 200)
    assert (second.status_code, second.json()["type"]) == (401, "/problems/stale-nonce")


def test_each_signed_answer_brings_the_nonce_for_the_next_request(gateway: GatewayTwin) -> None:
    first = entries(gateway, 0, 3)

    assert entries(gateway, 0, 3, first.headers["tally-nonce"]).status_code == 200


def test_a_nonce_is_good_for_five_minutes_and_one_log(gateway: GatewayTwin) -> None:
    nonce, other = gateway.head()["nonce"], gateway.cloud.gateway("gw-2", devices=[]).head()["nonce"]

    gateway.cloud.clock.ms += 5 * 60_000 + 1

    for spoilt in (nonce, other, "x", "AAAA"):
        assert entries(gateway, 0, 3, spoilt).json()["type"] == "/problems/stale-nonce"


def test_a_request_signed_by_another_key_is_refused(gateway: GatewayTwin) -> None:
    gateway.signer = Signer(gateway.origin, bytes(32))

    assert entries(gateway, 0, 3).json()["type"] == "/problems/bad-signature"


def test_a_request_without_signature_is_refused(gateway: GatewayTwin) -> None:
    answer = gateway.cloud.ask("GET", f"/v1/logs/{gateway.log}/entries?from=0&to=3")

    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/bad-signature")


def test_a_gateway_reads_its_own_log_and_document_only(cloud: CloudTwin, gateway: GatewayTwin) -> None:
    other = cloud.gateway("gw-2", devices=[])

    mirror = other.signed_get(f"/v1/logs/{gateway.log}/entries", "from=0&to=3")
    desired = other.signed_get(f"/v1/gateways/{gateway.gateway_id}/desired")

    assert {mirror.json()["type"], desired.json()["type"]} == {"/problems/bad-signature"}


def test_a_replaced_key_reads_nothing_any_more(gateway: GatewayTwin) -> None:
    old, old_log = gateway.signer, gateway.log
    gateway.seed = bytes(32)
    gateway.enrol()
    gateway.signer, gateway.log = old, old_log

    assert entries(gateway, 0, 3).json()["type"] == "/problems/log-frozen"


def test_the_desired_document_is_versioned_and_signed_by_the_cloud(gateway: GatewayTwin) -> None:
    cloud = gateway.cloud
    badges = [{"badge": "B0017", "person": "p-17", "groups": ["assembly"]}]

    cloud.ask("PUT", "/v1/gateways/gw-1/badges", {"badges": badges})
    answer = gateway.signed_get("/v1/gateways/gw-1/desired")

    document = answer.json()
    assert (document["version"], document["gateway_id"], document["tenant_id"]) == (1, "gw-1", cloud.tenant)
    assert (document["badges"], document["planograms"]) == (badges, {})
    assert answer.headers["etag"] == '"1"'
    key = Verifier(gateway.cosigner_vkey)
    http_signature.verify_answer(key, dict(answer.headers), status=200, body=answer.content)


def test_a_device_that_is_moved_takes_its_planogram_along(gateway: GatewayTwin) -> None:
    cloud, other = gateway.cloud, gateway.cloud.gateway("gw-2", devices=[])
    cloud.run(lambda tx: desired.publish(tx, cloud.tenant, "gw-1", part="planograms", key="cab-1", body={"slots": []}))

    cloud.ask("PATCH", "/v1/devices/cab-1", {"gateway_id": "gw-2"})

    documents = [one.signed_get(f"/v1/gateways/{one.gateway_id}/desired").json() for one in (gateway, other)]
    assert [(one["version"], one["planograms"]) for one in documents] == [(2, {}), (1, {"cab-1": {"slots": []}})]


def test_who_has_the_latest_version_waits_in_vain_and_hears_so(gateway: GatewayTwin) -> None:
    answer = gateway.cloud.wait(waited(gateway, change=False))

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["tally-nonce"]


def test_who_waits_hears_of_a_change_at_once(gateway: GatewayTwin) -> None:
    before = gateway.cloud.clock.ms

    answer = gateway.cloud.wait(waited(gateway, change=True))

    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    assert gateway.cloud.clock.ms - before < 60_000


async def waited(gateway: GatewayTwin, *, change: bool) -> httpx.Response:
    """The answer to a long poll of a minute, in which something is changed or not while time passes."""
    cloud, path, query = gateway.cloud, "/v1/gateways/gw-1/desired", "wait=60"
    nonce = (await cloud.http.get(f"/v1/logs/{gateway.log}/head")).json()["nonce"]
    signed = http_signature.sign_request(gateway.signer, method="GET", path=path, query=query, body=b"", nonce=nonce)
    headers = {**signed, "if-none-match": '"0"'}
    poll = asyncio.create_task(cloud.http.get(f"{path}?{query}", headers=headers))
    if change:
        bearer = {"authorization": f"Bearer {cloud.key}"}
        await cloud.http.put("/v1/gateways/gw-1/badges", json={"badges": []}, headers=bearer)
    while not poll.done():
        cloud.clock.move(1)
        await cloud.http.get("/readyz")
    return await poll


def test_the_head_is_signed_by_the_cloud(gateway: GatewayTwin) -> None:
    answer = gateway.cloud.ask("GET", f"/v1/logs/{gateway.log}/head", key="")

    key = Verifier(gateway.cosigner_vkey)
    http_signature.verify_answer(key, dict(answer.headers), status=200, body=answer.content)


def test_who_would_wait_longer_than_the_cloud_does_is_answered_all_the_same(gateway: GatewayTwin) -> None:
    etag = gateway.signed_get("/v1/gateways/gw-1/desired").headers["etag"]
    gateway.cloud.ask("PUT", "/v1/gateways/gw-1/badges", {"badges": []})

    answer = gateway.signed_get("/v1/gateways/gw-1/desired", "wait=300", headers={"if-none-match": etag})

    assert answer.status_code == 200


def test_the_head_is_signed_for_the_question_that_was_asked(gateway: GatewayTwin) -> None:
    path, nonce = f"/v1/logs/{gateway.log}/head", "0123456789abcdef"

    answer = gateway.cloud.ask("GET", path, key="", headers=http_signature.ask_bound(nonce))

    key, told = Verifier(gateway.cosigner_vkey), dict(answer.headers)
    http_signature.verify_answer(key, told, status=200, body=answer.content, path=path, nonce=nonce)
    with pytest.raises(http_signature.NotFreshError):
        http_signature.verify_answer(key, told, status=200, body=answer.content, path=path, nonce="another-one")
    assert answer.headers["cache-control"] == "no-store"
