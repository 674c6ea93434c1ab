"""Batches of several logs in one transaction: the same answers as alone, and nobody fails for another's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from cloud.database import DatabaseAwayError, Tx
from cloud.ingest.group_commit import GroupCommit
from cloud.ingest.incoming import Incoming, Letter, Refusal, admit, open_letters
from cloud.ingest.posted import Posted, Unusable
from cloud.ingest.receive_batch import Answer, Desk, receive
from cloud.metrics import Metrics
from cloud.open_store import open_store
from tests.cloud.twins import CloudTwin, GatewayTwin
from wire.batch import Receipt


@pytest.fixture
def gateways(cloud: CloudTwin) -> list[GatewayTwin]:
    """Three gateways with two records each."""
    made = [cloud.gateway(f"gw-{number}", devices=[f"cab-{number}"]) for number in range(3)]
    for number, gateway in enumerate(made):
        gateway.keep(gateway.draw(src=f"cab-{number}"), gateway.draw(src=f"cab-{number}"))
    return made


def coming(gateway: GatewayTwin, body: bytes) -> Incoming:
    """A batch past the door."""
    log = gateway.cloud.wait(gateway.cloud.app.state.context.intake.log(gateway.log))
    assert log is not None
    admitted = admit(log, body, gzipped=False)
    assert isinstance(admitted, Incoming)
    return admitted


async def shared(queue: GroupCommit, incoming: Incoming) -> Answer:
    """What becomes of a batch that may share its transaction."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    queue.share(incoming, answer)
    return await answer


def desk(cloud: CloudTwin) -> Desk:
    """The running cloud's own."""
    found: Desk = cloud.app.state.context.intake.desk
    return found


def test_letters_that_are_opened_together_are_judged_one_by_one(cloud: CloudTwin, gateways: list[GatewayTwin]) -> None:
    gateways[2].keep(b'{"not": "canonical"}')
    bodies = [gateway.body(0, len(gateway.leaves)) for gateway in gateways]
    bodies[1] = gateways[1].body(0, 2, note=gateways[0].note(2))
    letters = [Letter(coming(one, one.body(0, 1)).log, body, False) for one, body in zip(gateways, bodies, strict=True)]

    first, forged, odd = open_letters(letters)

    assert isinstance(first, Incoming)
    assert isinstance(odd, Incoming)
    assert isinstance(forged, Refusal)
    assert first.records is not None
    assert (forged.problem, odd.records, len(odd.hashes or [])) == ("bad-signature", None, 3)


def test_a_group_gets_the_answers_that_each_would_get_alone(cloud: CloudTwin, gateways: list[GatewayTwin]) -> None:
    wrong = gateways[1].body(0, 2, note=gateways[1].note(2), leaves=[b"{}", b"{}"])
    batches = [coming(gateway, gateway.body(0, 2)) for gateway in gateways]
    batches[1] = coming(gateways[1], wrong)

    answers = cloud.run(partial(receive, batches=batches, desk=desk(cloud)))

    assert isinstance(answers[0], Receipt)
    assert isinstance(answers[1], Refusal)
    assert answers[1].problem == "wrong-root"
    assert [gateway.head()["size"] for gateway in gateways] == [2, 0, 2]
    assert gateways[2].send(0).json()["cosignature"] == msgcosignature(answers[2])


def msgcosignature(answer: Answer) -> str:
    """The cosignature in a receipt."""
    assert isinstance(answer, Receipt)
    return answer.cosignature


def test_many_small_batches_at_once_are_all_answered(cloud: CloudTwin, gateways: list[GatewayTwin]) -> None:
    async def all_at_once() -> list[int]:
        posts = [
            cloud.http.post(f"/v1/logs/{gateway.log}/entries", content=gateway.body(0, size))
            for gateway in gateways
            for size in (1, 2)
        ]
        return [answer.status_code for answer in await asyncio.gather(*posts)]

    statuses = cloud.wait(all_at_once())

    assert sorted(set(statuses)) in ([200], [200, 409])
    assert {gateway.head()["size"] for gateway in gateways} <= {1, 2}


def test_two_batches_of_one_log_build_on_each_other_in_order(cloud: CloudTwin, gateways: list[GatewayTwin]) -> None:
    gateway = gateways[0]
    queue = GroupCommit(cloud.store, desk(cloud), Metrics(), max_waiting=10)
    batches = [coming(gateway, gateway.body(old, old + 1)) for old in (0, 1)]

    async def both() -> list[Answer]:
        return await asyncio.gather(*(shared(queue, batch) for batch in batches))

    answers = cloud.wait(both())

    assert [isinstance(answer, Receipt) for answer in answers] == [True, True]
    assert gateway.head()["size"] == 2


def breaking(tx: Tx, posted: Sequence[Posted]) -> list[Unusable]:
    """A ledger that breaks at the records of one device."""
    tx.run("INSERT INTO directory (kind, public_id, tenant_id) VALUES ('test', ?, '')", (str(posted[0].key),))
    if any(one.record.src == "cab-1" for one in posted):
        raise ValueError("broken ledger")
    return []


def test_a_group_with_a_member_that_breaks_a_ledger_is_taken_one_by_one(
    cloud: CloudTwin, gateways: list[GatewayTwin]
) -> None:
    fragile = Desk(desk(cloud).cosigner, cloud.clock, (breaking,))
    batches = [coming(gateway, gateway.body(0, 2)) for gateway in gateways]

    async def share() -> list[Answer]:
        queue = GroupCommit(cloud.store, fragile, Metrics(), max_waiting=10)
        return await asyncio.gather(*(shared(queue, one) for one in batches))

    answers = cloud.wait(share())

    assert [answer.quarantined if isinstance(answer, Receipt) else -1 for answer in answers] == [0, 2, 0]
    items = cloud.ask("GET", "/v1/quarantine").json()["items"]
    assert [(item["reason"], item["gateway_id"]) for item in items] == [("posting-failed", "gw-1")] * 2
    assert "broken ledger" in items[0]["detail"]


def particular(_: Tx, posted: Sequence[Posted]) -> list[Unusable]:
    """A ledger that cannot use the records of one device yet."""
    return [Unusable(one, "unknown-item", "Add the item.") for one in posted if one.record.src == "cab-1"]


def test_what_a_ledger_cannot_use_yet_waits_and_is_posted_on_a_retry(
    cloud: CloudTwin, gateways: list[GatewayTwin]
) -> None:
    choosy = Desk(desk(cloud).cosigner, cloud.clock, (particular,))
    batches = [coming(gateway, gateway.body(0, 2)) for gateway in gateways]

    answers = cloud.run(partial(receive, batches=batches, desk=choosy))
    items = cloud.ask("GET", "/v1/quarantine").json()["items"]
    mended = [cloud.ask("POST", f"/v1/quarantine/{item['id']}/retry").json()["state"] for item in items]

    assert [answer.quarantined if isinstance(answer, Receipt) else -1 for answer in answers] == [0, 2, 0]
    assert {item["reason"] for item in items} == {"unknown-item"}
    assert mended == ["resolved", "resolved"]


def test_a_group_whose_database_is_away_is_told_so_at_once(cloud: CloudTwin, gateways: list[GatewayTwin]) -> None:
    batches = [coming(gateway, gateway.body(0, 2)) for gateway in gateways]
    away = open_store("sqlite:////proc/nowhere/x.db")

    async def share() -> list[Answer | BaseException]:
        queue = GroupCommit(away, desk(cloud), Metrics(), max_waiting=10)
        return await asyncio.gather(*(shared(queue, one) for one in batches), return_exceptions=True)

    answers = cloud.wait(share())

    assert [type(answer) for answer in answers] == [DatabaseAwayError] * 3


def test_a_queue_that_is_full_says_so(cloud: CloudTwin, gateways: list[GatewayTwin]) -> None:
    batches = [coming(gateway, gateway.body(0, 2)) for gateway in gateways]

    async def share() -> list[Answer]:
        queue = GroupCommit(cloud.store, desk(cloud), Metrics(), max_waiting=1)
        return await asyncio.gather(*(shared(queue, one) for one in batches))

    answers = cloud.wait(share())

    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert {answer.problem for answer in refused} == {"busy"}
    assert len(refused) == 2
