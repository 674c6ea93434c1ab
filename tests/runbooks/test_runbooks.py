"""Each runbook is played as it is written, with real programs, after the trouble it is for."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.runbooks.site import RUNBOOKS, Site, commands
from wire import batch
from wire.batch import Batch
from wire.log import leaf_hash
from wire.records import GatewayEvent, decode
from wire.seal import Checkpoint, Signer, verifier

pytestmark = pytest.mark.slow
PLAYED = {
    "restored-gateway", "cloned-card", "dead-card", "replaced-gateway", "rotated-key", "revoked-key", "cloud-key",
    "restored-cloud", "broken-invariant",
}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A cloud and a gateway that has run once."""
    made = Site(tmp_path)
    try:
        made.run()
        yield made
    finally:
        made.close()


def states(site: Site) -> dict[str, str]:
    """How each log stands, by origin."""
    said = site.told("tally-cloud logs list --tenant TENANT")
    return {one["origin"]: one["state"] for one in said["logs"]}


def entry_zero(site: Site) -> GatewayEvent:
    """What the gateway's present log begins with."""
    with closing(sqlite3.connect(site.state / "journal.db")) as db:
        asked = "SELECT r.leaf FROM entries e JOIN records r ON r.id = e.record ORDER BY e.log DESC, e.idx LIMIT 1"
        found = decode(db.execute(asked).fetchone()[0])
    assert isinstance(found, GatewayEvent)
    return found


def test_every_runbook_is_played_here() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"} == PLAYED
    assert all(commands(runbook) for runbook in PLAYED)


def test_restored_gateway(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.state, tmp_path / "image")
    site.run()
    site.run()
    had = site.size()
    shutil.rmtree(site.state)
    shutil.copytree(tmp_path / "image", site.state)

    said = site.play("restored-gateway")

    assert said[0]["findings"] == []
    assert said[1] > had
    assert set(states(site).values()) == {"open"}
    assert site.told("tally-gateway journal verify --config GATEWAY.toml")["entries"] == site.size()


def test_cloned_card(site: Site) -> None:
    clone, old, size = Signer(site.identity["origin"], bytes.fromhex(site.identity["seed"])), site.log, site.size()
    note = clone.sign(Checkpoint(clone.name, size, leaf_hash(b"what only the clone saw")))
    answer = site.http.post(f"/v1/logs/{old}/entries", content=batch.encode(Batch(size, note, [])))
    assert answer.json()["type"] == "/problems/fork"

    said = site.play("cloned-card", CODE=site.code())

    forks = [one for one in said[1]["evidence"] if one["kind"] == "fork"]
    assert [verifier(clone.vkey).open(one[half]).size for one in forks for half in ("note", "ours")] == [size, size]
    assert states(site) == {"tallystick/acme/gw-1/1": "frozen", "tallystick/acme/gw-1/2": "open"}


def test_dead_card(site: Site) -> None:
    old, size = site.identity["origin"], site.size()
    shutil.rmtree(site.state)
    site.state.mkdir()

    site.play("dead-card", CODE=site.code())

    first = entry_zero(site)
    assert (first.event, first.data["old_origin"], first.data["size"]) == ("epoch_begun", old, size)
    assert (first.data["reason"], first.data["approver"]) == ("the card died", "A. Operator")
    assert states(site) == {"tallystick/acme/gw-1/1": "closed", "tallystick/acme/gw-1/2": "open"}


def test_replaced_gateway(site: Site) -> None:
    device = {"device_id": "cab-1", "kind": "cabinet", "gateway_id": "gw-1"}
    assert site.http.post("/v1/devices", json=device).status_code == 201
    shutil.rmtree(site.state)
    site.state.mkdir()
    assert site.http.post("/v1/gateways", json={"name": "H", "gateway_id": "gw-2"}).status_code == 201
    moved = site.http.patch("/v1/devices/cab-1", json={"gateway_id": "gw-2"})

    site.play("replaced-gateway", CODE=site.code("gw-2"))

    assert moved.status_code == 200
    assert states(site) == {"tallystick/acme/gw-1/1": "open", "tallystick/acme/gw-2/1": "open"}


def test_rotated_key(site: Site) -> None:
    old = Signer(site.identity["origin"], bytes.fromhex(site.identity["seed"]))

    said = site.play("rotated-key")

    assert [key["state"] for key in said[2]["keys"]] == ["followed by another", "in use"]
    # What the old key had signed and the cloud not yet seen goes up first; the next run is the new key's alone.
    site.run()
    assert site.size() > said[2]["keys"][0]["size"]
    size = site.size() + 1
    late = old.sign(Checkpoint(old.name, size, bytes(32)))
    answer = site.http.post(f"/v1/logs/{site.log}/entries", content=batch.encode(Batch(size - 1, late, [b"{}"])))
    assert answer.json()["type"] == "/problems/retired-key"
    assert site.told("tally-gateway journal verify --config GATEWAY.toml")["findings"] == []


def test_revoked_key(site: Site) -> None:
    said = site.play(
        "revoked-key", LOG=site.log, INSTANT="2020-01-01T00:00Z",
    )  # fmt: skip

    assert (said[0]["size"], said[0]["disputed"]) == (0, site.size())
    key = Signer(site.identity["origin"], bytes.fromhex(site.identity["seed"]))
    note = key.sign(Checkpoint(key.name, site.size() + 1, bytes(32)))
    late = batch.encode(Batch(site.size(), note, [b"{}"]))
    assert site.http.post(f"/v1/logs/{site.log}/entries", content=late).json()["type"] == "/problems/revoked-key"


def test_cloud_key(site: Site) -> None:
    site.cloud.end(signal.SIGTERM)
    old = site.told("tally-cloud keys show")["fingerprint"]

    said = site.play("cloud-key", OLD=old, INSTANT="2020-01-01T00:00Z")
    site.cloud.start()
    site.run()

    assert said[0]["fingerprint"] != said[2]["fingerprint"]
    assert said[3]["cosigned_again"] > 0
    assert len(site.identity["cloud_hand_overs"]) == 1


def test_restored_cloud(site: Site, tmp_path: Path) -> None:
    site.cloud.end(signal.SIGTERM)
    shutil.copytree(tmp_path / "cloud", tmp_path / "backup")
    site.cloud.start()
    site.run()
    had, leaves = site.size(), stored(tmp_path)
    site.cloud.end(signal.SIGTERM)
    shutil.rmtree(tmp_path / "cloud")
    shutil.copytree(tmp_path / "backup", tmp_path / "cloud")

    said = site.play("restored-cloud")
    site.run()

    assert said[1]["fine"]
    assert site.size() >= had
    assert stored(tmp_path)[: len(leaves)] == leaves
    assert states(site) == {"tallystick/acme/gw-1/1": "open"}


def stored(folder: Path) -> list[bytes]:
    """The leaves in the cloud's database."""
    with sqlite3.connect(folder / "cloud" / "cloud.db") as database:
        return [row[0] for row in database.execute("SELECT leaf FROM leaves ORDER BY log_no, idx")]


def test_broken_invariant(site: Site, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "cloud" / "cloud.db") as database:
        database.execute("UPDATE leaves SET leaf = ? WHERE idx = 0", (json.dumps({"k": "note"}).encode(),))

    said = site.play("broken-invariant", {"check": 1}, LOG=site.log, KIND="leaf-changed")

    assert "leaf-changed" in [one["kind"] for one in said[0]["broken"]]
    assert said[1]["by"] == "A. Operator"
