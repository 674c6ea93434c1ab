"""An agreement is signed by both sides over the hash of its whole terms, and a bill can be checked against that
hash.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin
from wire.seal import Signer

SUPPLIER, CUSTOMER = Signer("supplier.example", b"s" * 32), Signer("customer.example", b"c" * 32)
EQUIPMENT = [{"serial": "FAN-7", "name": "fan coil", "owner": "sup", "minimum_months": 24, "deposit": "200.00"}]
METERS = [{"device": "meter-1", "serial": "SDM-123", "key": "abcd", "modulus": "999999.9", "max_kw": "80"}]


def agreed(cloud: CloudTwin) -> tuple[Trade, dict[str, Any]]:
    trade = Trade(cloud, equipment=EQUIPMENT, meters=METERS, cycle={"anchor_day": 15}, grace_days=3)
    return trade, trade.get("/v1/agreements/agr-1")["versions"][0]


def signature(signer: Signer, party: str, text: str) -> dict[str, str]:
    return {"party_id": party, "vkey": signer.vkey, "note": signer.sign_text(text)}


def test_both_sides_sign_the_hash_of_the_whole_terms(cloud: CloudTwin) -> None:
    trade, version = agreed(cloud)
    path = "/v1/agreements/agr-1/versions/1/signatures"

    trade.post(path, signature(SUPPLIER, "sup", version["sign_this"]))
    half = trade.get("/v1/agreements/agr-1/signatures")["countersigned"]
    trade.post(path, signature(CUSTOMER, "cust", version["sign_this"]))

    assert (half, trade.get("/v1/agreements/agr-1/signatures")["countersigned"]) == ([], [1])
    assert version["sign_this"] == f"tallystick/agreement/1\nagr-1 1\n{version['terms_hash']}\n"
    assert version["terms"]["equipment"][0]["serial"] == "FAN-7"
    assert any("every month from day 15" in one for one in version["options"])


def test_a_signature_over_another_text_or_by_another_party_does_not_count(cloud: CloudTwin) -> None:
    trade, version = agreed(cloud)
    path, text = "/v1/agreements/agr-1/versions/1/signatures", version["sign_this"]
    trade.post(path, signature(SUPPLIER, "sup", text))
    wrong = [
        signature(CUSTOMER, "cust", text.replace(version["terms_hash"], "0" * 64)),
        signature(CUSTOMER, "nobody", text),
        signature(SUPPLIER, "cust", text),
        signature(CUSTOMER, "sup", text),
        signature(CUSTOMER, "cust", text) | {"vkey": SUPPLIER.vkey},
    ]

    answers = [cloud.ask("POST", path, body) for body in wrong]

    assert [(one.status_code, one.json()["type"]) for one in answers] == [
        (422, "/problems/bad-agreement-signature")
    ] * 5
    assert len(trade.get("/v1/agreements/agr-1/signatures")["items"]) == 1


def test_a_bill_is_checked_against_the_hash_that_was_signed(cloud: CloudTwin) -> None:
    trade, version = agreed(cloud)
    for signer, party in ((SUPPLIER, "sup"), (CUSTOMER, "cust")):
        trade.post("/v1/agreements/agr-1/versions/1/signatures", signature(signer, party, version["sign_this"]))
    trade.draw()
    trade.send()
    raw = trade.bundle(trade.close("2026-11-01", "2026-11-15"))
    forged = json.loads(raw)
    forged["signatures"][0]["note"] = CUSTOMER.sign_text("something else\n")

    assert verify(load(raw), Trust(terms=(version["terms_hash"],))).findings == []
    assert not verify(load(raw), Trust(terms=("0" * 64,))).verified
    assert not verify(load(json.dumps(forged).encode()), Trust()).verified


def test_a_signature_that_is_left_out_of_a_bundle_is_noticed_without_anything_from_elsewhere(cloud: CloudTwin) -> None:
    trade, version = agreed(cloud)
    path = "/v1/agreements/agr-1/versions/1/signatures"
    for signer, party in ((SUPPLIER, "sup"), (CUSTOMER, "cust")):
        trade.post(path, signature(signer, party, version["sign_this"]))
    statement = trade.close("2026-11-01", "2026-11-15")
    bundle = load(trade.bundle(statement))

    dropped = msgspec.structs.replace(bundle, signatures=bundle.signatures[:1])

    assert verify(bundle, Trust()).verified
    assert bundle.statement.head.versions[0].signed_by == ["cust", "sup"]
    found = [one.wrong for one in verify(dropped, Trust()).findings]
    assert found == ["the signature of sup under version 1 was left out"]
