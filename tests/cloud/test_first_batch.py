"""The straight way: entries posted, cosignature answered, records with the ledgers."""

from __future__ import annotations

from tests.cloud.twins import NOON_MS, CloudTwin
from wire.seal import Verifier


def test_a_batch_is_answered_with_a_cosignature_that_the_gateway_can_check(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(), gateway.reading())

    answer = gateway.send(0)

    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert (receipt["size"], receipt["backed_up_size"], receipt["quarantined"]) == (2, 0, 0)
    cosigned = gateway.note(2) + receipt["cosignature"]
    assert Verifier(gateway.cosigner_vkey).cosigned_at(cosigned) == NOON_MS // 1000
