"""Keys of logs and of the cloud, handed over or revoked: what was signed before stays good, nothing after it is."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from cloud import cli
from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin, GatewayTwin
from wire.hand_over import hand_over
from wire.log import Frontier, leaf_hashes
from wire.seal import Signer, verifier


def successor(gateway: GatewayTwin, seed: int = 5) -> tuple[Signer, str]:
    """A new key and the note of both, at the log's present size."""
    new = Signer(gateway.origin, bytes([seed]) * 32)
    tree = Frontier().extend(leaf_hashes(gateway.leaves))
    return new, hand_over(gateway.signer, new, size=tree.size, root=tree.root(), seconds=1_790_000_000)


def give(gateway: GatewayTwin, note: str) -> tuple[int, dict[str, Any]]:
    """Posts a hand-over."""
    answer = gateway.cloud.ask("POST", f"/v1/logs/{gateway.log}/keys", key="", body=note.encode())
    return answer.status_code, answer.json()


def rotated(trade: Trade) -> Signer:
    """The gateway signs with another key from now on."""
    new, note = successor(trade.gateway)
    assert give(trade.gateway, note)[0] == 200
    trade.gateway.signer = new
    return new


def refused(trade: Trade, statement: dict[str, Any], **trust: Any) -> list[str]:
    """What a checker finds."""
    return [text_of(one) for one in verify(load(trade.bundle(statement)), Trust(**trust)).findings]


def revoke(cloud: CloudTwin, log: str, since_ms: int) -> dict[str, Any]:
    """An operator's revocation."""
    said = {"since_ms": since_ms, "who": "A. Operator", "reason": "stolen with its van"}
    answer = cloud.ask("POST", f"/v1/logs/{log}/revocations", said)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_log_goes_on_with_the_new_key_and_the_old_one_is_refused_by_name(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    old = trade.gateway.signer
    new = rotated(trade)
    trade.draw()
    trade.gateway.signer = old
    by_the_old = trade.gateway.send(trade.sent)
    trade.gateway.signer = new

    trade.send()

    assert (by_the_old.status_code, by_the_old.json()["type"]) == (403, "/problems/retired-key")
    assert trade.gateway.head()["size"] == 2
    assert trade.gateway.signed_get(f"/v1/gateways/{trade.gateway.gateway_id}/desired").status_code == 200


def test_another_process_learns_of_the_new_key_by_itself(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    known = dict(cloud.app.state.context.intake._known)
    rotated(trade)
    cloud.app.state.context.intake._known.update(known)
    trade.draw()

    trade.send()

    assert trade.gateway.head()["size"] == 2


def test_the_same_hand_over_twice_is_one(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    _, note = successor(gateway)

    assert [give(gateway, note)[0] for _ in range(2)] == [200, 200]
    assert len(cloud.ask("GET", f"/v1/logs/{gateway.log}/keys", key="").json()["keys"]) == 2


def test_a_hand_over_below_what_is_cosigned_or_of_another_tree_is_refused(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    _, early = successor(gateway)
    gateway.keep(gateway.draw())
    gateway.send(0)
    new = Signer(gateway.origin, bytes([5]) * 32)
    other = hand_over(gateway.signer, new, size=1, root=bytes(32), seconds=1)
    stranger = hand_over(Signer(gateway.origin, bytes([9]) * 32), new, size=1, root=bytes(32), seconds=1)

    found = [give(gateway, note) for note in (early, other, stranger, other[:-9] + "AAAAAAA=\n", "rubbish")]

    assert [code for code, _ in found] == [409, 409, 409, 403, 422]


def test_a_bundle_over_a_change_of_keys_verifies_with_either_key(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    old = trade.gateway.signer
    new = rotated(trade)
    trade.at += HOUR
    trade.draw()
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert refused(trade, statement) == []
    assert refused(trade, statement, gateways=(old.vkey,)) == []
    assert refused(trade, statement, gateways=(new.vkey,)) == []
    assert refused(trade, statement, gateways=(Signer(old.name, bytes(32)).vkey,)) != []


def test_a_revoked_key_is_refused_by_name_and_what_it_signed_before_stands(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    statement = trade.close(FIRST, "2026-11-02")

    done = revoke(cloud, trade.gateway.log, cloud.clock.ms)
    trade.draw()
    answer = trade.gateway.send(trade.sent)

    assert (done["size"], done["disputed"]) == (1, 0)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/revoked-key")
    assert trade.gateway.signed_get("/v1/gateways/gw-1/desired").json()["type"] == "/problems/revoked-key"
    assert refused(trade, statement) == []


def test_records_that_came_after_the_instant_are_disputed_and_not_billed(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    stolen_ms = cloud.clock.ms + HOUR
    trade.at += 2 * HOUR
    trade.draw()
    trade.draw()
    trade.send()

    done = revoke(cloud, trade.gateway.log, stolen_ms)

    assert (done["size"], done["disputed"]) == (1, 2)
    assert [one["kind"] for one in cloud.ask("GET", "/v1/holds").json()["items"]] == ["key-revoked"]
    cloud.clock.ms += 48 * HOUR
    closing = cloud.ask("POST", "/v1/agreements/agr-1/statements", {"from": FIRST, "to": "2026-11-02"})
    assert closing.json()["type"] == "/problems/billing-held"


def test_a_statement_over_records_of_a_revoked_key_is_refused_by_the_verifier(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    before_ms = cloud.clock.ms
    trade.at += HOUR
    trade.draw()
    trade.send()
    statement = trade.close(FIRST, "2026-11-02")

    revoke(cloud, trade.gateway.log, before_ms)

    assert any("was revoked at size 1" in one for one in refused(trade, statement))


def tally_cloud(cloud: CloudTwin, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The command on this cloud, whose server is stopped meanwhile."""
    kept = dict(os.environ)
    clock = f"{cloud.clock.ms},0,0"
    os.environ.update({"TALLY_DATABASE": cloud.address, "TALLY_STATE": str(cloud.state), "TALLY_DEMO_CLOCK": clock})
    cloud.stop()
    try:
        code = cli.main([*words, "--json"])
    finally:
        os.environ.clear()
        os.environ.update(kept)
        cloud.start()
    said = capsys.readouterr()
    assert code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_the_clouds_key_changes_and_old_and_new_statements_verify(
    cloud: CloudTwin, capsys: pytest.CaptureFixture[str]
) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    old = trade.gateway.cosigner_vkey

    new = str(tally_cloud(cloud, capsys, "keys", "rotate")["cosigner"])
    trade.to("2026-11-02", 9)
    trade.draw()
    trade.send()
    second = trade.close("2026-11-02", "2026-11-03")

    for statement in (first, second):
        assert refused(trade, statement, cosigner=old) == []
        assert refused(trade, statement, cosigner=new) == []
    assert refused(trade, second, cosigner=Signer("tallystick.cloud", bytes(32)).cosigner_vkey) != []
    assert cloud.ask("GET", "/v1/keys", key="").json()["cosigner"] == new


def test_a_revoked_key_of_the_cloud_is_refused_for_what_came_later_and_honest_pieces_are_cosigned_again(
    cloud: CloudTwin, capsys: pytest.CaptureFixture[str]
) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    stolen = cloud.app.state.context.cosigner
    tally_cloud(cloud, capsys, "keys", "rotate")

    done = tally_cloud(
        cloud, capsys, "keys", "revoke-own", "--fingerprint", verifier(stolen.vkey).fingerprint,
        "--since", "2026-10-01T00:00Z", "--who", "A. Operator", "--reason", "copied",
    )  # fmt: skip
    statement = trade.close(FIRST, "2026-11-02")
    bundle = load(trade.bundle(statement))

    assert done["cosigned_again"] == 1
    assert [text_of(one) for one in verify(bundle, Trust(cosigner=stolen.cosigner_vkey)).findings] == []
    forged = stolen.cosign(bundle.logs[0].notes[0], 1_790_000_000)
    assert forged.partition(" ")[2] not in bundle.logs[0].notes[0]
