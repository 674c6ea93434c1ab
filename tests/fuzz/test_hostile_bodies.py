"""What foreign bytes may do to the cloud: be refused by name, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from cloud.payments import camt053
from cloud.payments.bank_entry import BankFileError
from tests.cloud.conftest import databases
from tests.cloud.databases import Databases
from tests.cloud.twins import CloudTwin
from tests.fuzz.hostile import routes, unanswered
from tests.fuzz.requests import Attack
from tests.fuzz.shop import shop

__all__ = ["databases"]
ROUNDS = 12
ENTITIES = b"".join(b'<!ENTITY l%d "%s">' % (i, b"&l%d;" % (i - 1) * 10) for i in range(1, 10))
XML = {
    "entities in entities": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">' + ENTITIES + b"]><x>&l9;</x>",
    "a file from outside": b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><Document>&f;</Document>',
    "an address from outside": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Document/>',
    "deep": b"<a>" * 100_000,
    "deep and closed": b"<a>" * 100_000 + b"</a>" * 100_000,
    "an encoding in which no <! is seen": b'<?xml version="1.0" encoding="cp037"?>'
    + '<!DOCTYPE x [<!ENTITY b "ha">]><x>&b;</x>'.encode("cp037"),
    "UTF-16": '<?xml version="1.0" encoding="utf-16"?><Document/>'.encode("utf-16"),
}


@pytest.mark.parametrize("name", XML)
def test_a_bank_file_that_is_a_trap_is_refused(name: str) -> None:
    with pytest.raises(BankFileError):
        camt053.read(XML[name])


@pytest.fixture(scope="module")
def cloud(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One cloud for all of it."""
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.mark.slow
def test_every_route_answers_a_hostile_body_with_a_problem_of_the_callers(cloud: CloudTwin) -> None:
    assert len(list(routes(cloud))) > 30
    assert unanswered(cloud) == []


def test_a_body_beyond_the_limit_is_refused_as_too_large(cloud: CloudTwin) -> None:
    body = b'{"name":"' + b"x" * 5_000_000 + b'"}'

    answer = cloud.ask("POST", "/v1/parties", body=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_no_request_makes_the_cloud_break_its_own_description(databases: Databases, tmp_path: Path) -> None:
    """The long run: `python -m tests.fuzz --requests 500`."""
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path / "state") as cloud:
        attack = Attack(cloud, shop(cloud))
        attack.run(ROUNDS, "ci")

    assert attack.wrong == []
    assert {200, 201, 404, 409, 422} <= attack.statuses.keys()
    assert sum(attack.statuses.values()) >= ROUNDS * 120


def test_an_answer_that_is_not_as_described_is_found(cloud: CloudTwin) -> None:
    attack = Attack(cloud, {})
    (one,) = [one for one in attack.operations() if (one.method, one.path) == ("GET", "/healthz")]
    answer = cloud.ask("GET", "/healthz")

    assert attack.faults(one, answer) == []
    assert attack.faults(one, httpx.Response(500, text="oh")) == ["500 oh"]
    assert attack.faults(one, httpx.Response(200, json={"status": 7}))
    assert attack.faults(one, httpx.Response(404, json={"detail": "Not Found"}))
    assert attack.faults(one, httpx.Response(201, json={"status": "ok"})) == ["201 is not declared"]
