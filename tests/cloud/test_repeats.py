"""Every reply can be lost: whatever is sent again gets the same answer and changes nothing."""

from __future__ import annotations

from tests.cloud.twins import CloudTwin


def test_a_repeated_batch_gets_the_same_cosignature_however_late(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(), gateway.draw(), gateway.reading())
    first = gateway.send(0, 2)
    second = gateway.send(2, 3)
    before = cloud.counts()

    cloud.clock.ms += 3_600_000
    again = [gateway.send(0, 2), gateway.send(2, 3)]

    assert [answer.content for answer in again] == [first.content, second.content]
    assert cloud.counts() == before


def test_a_repeat_after_a_restart_gets_the_same_cosignature(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(), gateway.draw())
    first = gateway.send(0)

    cloud.restart()

    assert gateway.send(0).content == first.content


def test_a_repeat_tells_again_how_many_leaves_wait_in_quarantine(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(src="stranger"))
    first = gateway.send(0)

    assert first.json()["quarantined"] == 1
    assert gateway.send(0).content == first.content


def test_a_repeat_whose_leaves_were_damaged_is_not_acknowledged(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(), gateway.draw())
    gateway.send(0)

    answer = gateway.post(gateway.body(0, 2, note=gateway.note(2), leaves=[gateway.leaves[0], b"{}"]))

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/wrong-root")
    assert gateway.head()["size"] == 2


def test_an_empty_batch_at_the_head_asks_for_the_last_receipt(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(), gateway.draw())
    first = gateway.send(0)

    answer = gateway.send(2)

    assert answer.content == first.content


def test_the_same_body_compressed_is_the_same_batch(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw())
    first = gateway.send(0)

    answer = gateway.post(gateway.body(0, 1), gzipped=True)

    assert answer.content == first.content


def test_a_gateway_learns_from_the_head_what_it_was_last_told(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    empty = gateway.head()
    gateway.keep(gateway.draw(), gateway.draw())
    receipt = gateway.send(0).json()

    head = gateway.head()

    assert (empty["size"], empty["checkpoint"]) == (0, "")
    assert head["size"] == 2
    assert head["checkpoint"] == gateway.note(2) + receipt["cosignature"]
