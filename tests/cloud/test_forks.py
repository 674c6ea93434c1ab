"""A gateway that contradicts itself: the log is frozen, both notes are kept; nobody else can cause that."""

from __future__ import annotations

import pytest

from cloud.database import Tx
from tests.cloud.twins import CloudTwin, GatewayTwin


@pytest.fixture
def gateway(cloud: CloudTwin) -> GatewayTwin:
    """A gateway with six leaves, of which the cloud has four in two pieces."""
    made = cloud.gateway()
    made.keep(*(made.draw() for _ in range(6)))
    assert made.send(0, 2).status_code == 200
    assert made.send(2, 4).status_code == 200
    return made


def other_history(gateway: GatewayTwin, at: int) -> list[bytes]:
    """The same log with another leaf at one place: what a restored image may have sealed."""
    return [*gateway.leaves[:at], b'{"another":1}', *gateway.leaves[at + 1 :]]


@pytest.mark.parametrize(
    ("at", "old", "size", "why"),
    [
        (3, 2, 4, "another note at the head's size"),
        (1, 0, 2, "another note at an earlier piece's size"),
        (2, 2, 3, "another note at a size inside a piece"),
        (3, 2, 6, "a longer log with another past"),
        (3, 0, 6, "a longer log with another past, from the beginning"),
    ],
)
def test_a_contradiction_freezes_the_log_and_keeps_both_notes(
    gateway: GatewayTwin, at: int, old: int, size: int, why: str
) -> None:
    wrong = other_history(gateway, at)
    body = gateway.body(old, size, leaves=wrong)

    answer = gateway.post(body)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/fork"), (why, answer.text)
    kept = gateway.cloud.run(evidence)
    assert [row[0] for row in kept] == ["fork"]
    assert kept[0][1] == gateway.note(size, wrong)
    assert kept[0][2] in {gateway.note(2), gateway.note(4)}
    assert gateway.send(4).json()["type"] == "/problems/log-frozen"
    assert gateway.head()["size"] == 4


def evidence(tx: Tx) -> list[tuple[str, str, str]]:
    """Which notes are kept: kind, theirs, ours."""
    return [(row[0], row[1], row[2]) for row in tx.all("SELECT kind, note, ours FROM evidence ORDER BY kind, size")]


def test_an_operator_reads_both_notes_in_pieces(gateway: GatewayTwin) -> None:
    wrong = other_history(gateway, 3)
    gateway.post(gateway.body(4, 6, note=gateway.note(6, other_history(gateway, 5))))
    gateway.post(gateway.body(2, 4, leaves=wrong))

    first = gateway.cloud.ask("GET", "/v1/evidence?limit=1").json()
    second = gateway.cloud.ask("GET", f"/v1/evidence?limit=1&after={first['next']}").json()

    [fork], [refused] = first["items"], second["items"]
    assert (fork["kind"], fork["note"], fork["ours"]) == ("fork", gateway.note(4, wrong), gateway.note(4))
    assert (refused["kind"], refused["size"], second["next"]) == ("refused", 6, "")


def test_a_damaged_transit_freezes_nothing_however_often_it_is_repeated(gateway: GatewayTwin) -> None:
    damaged = gateway.body(4, 6, note=gateway.note(6), leaves=other_history(gateway, 5))

    answers = [gateway.post(damaged) for _ in range(3)]

    assert {answer.json()["type"] for answer in answers} == {"/problems/wrong-root"}
    assert len(gateway.cloud.run(evidence)) == 1
    assert gateway.send(4).status_code == 200


def test_two_genuine_notes_of_one_size_are_a_fork_even_when_neither_was_taken(gateway: GatewayTwin) -> None:
    gateway.post(gateway.body(4, 6, note=gateway.note(6, other_history(gateway, 5))))

    answer = gateway.post(gateway.body(4, 6))

    assert answer.json()["type"] == "/problems/fork"
    assert gateway.head()["size"] == 4


def test_a_longer_log_that_contradicts_a_refused_note_is_a_fork(gateway: GatewayTwin) -> None:
    gateway.post(gateway.body(4, 5, note=gateway.note(5, other_history(gateway, 4))))

    answer = gateway.post(gateway.body(4, 6))

    assert answer.json()["type"] == "/problems/fork"


def test_two_refused_notes_of_one_size_are_a_fork(gateway: GatewayTwin) -> None:
    gateway.post(gateway.body(4, 6, note=gateway.note(6, other_history(gateway, 5))))

    answer = gateway.post(gateway.body(4, 6, note=gateway.note(6, other_history(gateway, 4))))

    assert answer.json()["type"] == "/problems/fork"


def test_a_note_that_came_before_its_base_binds_the_gateway_too(gateway: GatewayTwin) -> None:
    wrong = other_history(gateway, 5)
    early = gateway.post(gateway.body(5, 6, leaves=wrong))

    answer = gateway.send(4)

    assert early.json()["type"] == "/problems/stale-size"
    assert answer.json()["type"] == "/problems/fork"
    assert ("fork", gateway.note(6), gateway.note(6, wrong)) in gateway.cloud.run(evidence)


def test_after_a_fork_a_person_opens_a_new_epoch_in_which_known_records_do_not_count_again(
    gateway: GatewayTwin,
) -> None:
    gateway.post(gateway.body(2, 4, leaves=other_history(gateway, 3)))
    frozen = gateway.log
    keys = gateway.cloud.counts()["record_keys"]

    gateway.enrol()
    answer = gateway.send(0)

    assert (answer.status_code, answer.json()["quarantined"]) == (200, 0)
    assert gateway.log != frozen
    assert gateway.cloud.counts()["record_keys"] == keys + 2
    assert gateway.post(b"x", log=frozen).json()["type"] == "/problems/bad-batch"


def test_a_cloud_that_lost_its_last_pieces_says_how_much_it_has_and_keeps_the_note(gateway: GatewayTwin) -> None:
    answer = gateway.send(5)

    assert (answer.status_code, answer.json()["size"]) == (409, 4)
    assert gateway.cloud.run(evidence) == [("ahead", gateway.note(6), ""), ("refused", gateway.note(6), "")]
    assert gateway.send(4).status_code == 200
