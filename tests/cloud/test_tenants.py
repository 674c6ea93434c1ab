"""Two tenants with the same names for everything: neither sees, changes or blocks the other."""

from __future__ import annotations

import pytest

from cloud.database import Tx
from tests.cloud.twins import CloudTwin, tables

GLOBAL = {"tenants", "directory", "schema_lock", "schema_migrations"}


@pytest.fixture
def other(cloud: CloudTwin) -> str:
    """The API key of a second tenant."""
    return cloud.add_tenant("rival")[1]


def test_both_may_use_the_same_ids(cloud: CloudTwin, other: str) -> None:
    mine, theirs = cloud.gateway(), cloud.gateway(key=other)
    for gateway in (mine, theirs):
        gateway.keep(gateway.draw())

    answers = [mine.send(0), theirs.send(0)]

    assert [answer.json()["quarantined"] for answer in answers] == [0, 0]
    assert cloud.counts()["record_keys"] == 2


def test_what_one_has_is_not_there_for_the_other(cloud: CloudTwin, other: str) -> None:
    gateway = cloud.gateway()
    gateway.keep(b"rubbish")
    gateway.send(0)
    [item] = cloud.ask("GET", "/v1/quarantine").json()["items"]

    for path in ("/v1/gateways", "/v1/devices", "/v1/quarantine"):
        assert cloud.ask("GET", path, key=other).json()["items"] == []
    for path in ("/v1/gateways/gw-1", "/v1/devices/cab-1", f"/v1/quarantine/{item['id']}"):
        assert cloud.ask("GET", path, key=other).status_code == 404
    for path in ("/v1/gateways/gw-1/enrolment-codes", f"/v1/quarantine/{item['id']}/retry"):
        assert cloud.ask("POST", path, key=other).status_code == 404
    assert cloud.ask("PUT", "/v1/gateways/gw-1/badges", {"badges": []}, key=other).status_code == 404


def test_a_device_of_another_tenant_is_no_device_of_ours(cloud: CloudTwin, other: str) -> None:
    cloud.gateway(key=other)
    gateway = cloud.gateway(devices=[])
    gateway.keep(gateway.draw())

    assert gateway.send(0).json()["quarantined"] == 1


def test_a_key_lost_or_changed_opens_nothing(cloud: CloudTwin, other: str) -> None:
    public, _, secret = cloud.key.removeprefix("tsk_").partition("_")
    rival = other.removeprefix("tsk_").partition("_")

    for wrong in (f"tsk_{public}_{rival[2]}", f"tsk_{rival[0]}_{secret}", cloud.key[:-1], "x", ""):
        assert cloud.ask("GET", "/v1/gateways", key=wrong).status_code == 401


def test_every_key_and_index_of_tenant_data_begins_with_the_tenant(cloud: CloudTwin) -> None:
    wrong: list[str] = []

    def look(tx: Tx) -> None:
        for table in tables(tx):
            if table in GLOBAL:
                continue
            indexes = keys_of(tx, table)
            assert indexes, f"{table} has no key"
            wrong.extend(f"{table}.{name}: {columns}" for name, columns in indexes if columns[0] != "tenant_id")

    cloud.run(look)

    assert wrong == []


def keys_of(tx: Tx, table: str) -> list[tuple[str, list[str]]]:
    """The name and columns of each primary key, unique key and index of a table."""
    if tx.dialect == "sqlite":
        names = [row[1] for row in tx.all(f"PRAGMA index_list({table})")]
        return [(name, [row[2] for row in tx.all(f"PRAGMA index_info({name})")]) for name in names]
    rows = tx.all(
        "SELECT i.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid "
        "CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(attnum, place) "
        "JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum "
        "WHERE x.indrelid = to_regclass(?) ORDER BY i.relname, k.place",
        (table,),
    )
    found: dict[str, list[str]] = {}
    for name, column in rows:
        found.setdefault(str(name), []).append(str(column))
    return list(found.items())
