"""An outside witness in the bundle: its cosignature is carried, tied to the range's end, and can be required."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from cloud.billing.bundle import Bundle, Witnessed, load
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin
from wire.seal import Signer

WITNESS = Signer("witness.example/w1", bytes([2]) * 32)
OTHER = Signer("witness.example/w2", bytes([3]) * 32)


def witnessed(trade: Trade) -> Bundle:
    """A statement whose log grew on before a witness cosigned it."""
    trade.cloud.ask("POST", "/v1/witnesses", {"vkey": WITNESS.cosigner_vkey})
    for _ in range(3):
        trade.at += HOUR
        trade.draw()
        trade.send()
    statement = trade.close(FIRST, "2026-11-02")
    trade.draw()
    trade.draw()
    trade.send()
    path = f"/v1/logs/{trade.gateway.log}"
    note = trade.cloud.ask("GET", f"{path}/checkpoint", key="").text
    line = WITNESS.cosign(note, 1_800_000_000)
    assert trade.cloud.ask("POST", f"{path}/cosignatures", key="", body=(note + line).encode()).status_code == 200
    return load(trade.bundle(statement))


def wrong(bundle: Bundle, *required: Signer) -> list[str]:
    """What a checker who requires these witnesses finds."""
    return [
        text_of(one) for one in verify(bundle, Trust(witnesses=tuple(one.cosigner_vkey for one in required))).findings
    ]


def test_a_witness_that_saw_a_later_checkpoint_vouches_for_the_statement(cloud: CloudTwin) -> None:
    bundle = witnessed(Trade(cloud))

    assert wrong(bundle, WITNESS) == []
    assert len(bundle.logs[0].witnessed[0].path) > 0


def test_a_required_witness_that_is_missing_is_a_finding(cloud: CloudTwin) -> None:
    bundle = witnessed(Trade(cloud))

    assert "witness.example/w2 has not cosigned it" in wrong(bundle, WITNESS, OTHER)[0]


MUTATIONS: list[Callable[[Witnessed], Witnessed]] = [
    lambda one: msgspec.structs.replace(one, path=[]),
    lambda one: msgspec.structs.replace(one, path=[*one.path, "00" * 32]),
    lambda one: msgspec.structs.replace(one, note=one.note.replace("AAA", "AAB", 1)),
    lambda one: msgspec.structs.replace(one, note=OTHER.sign_text(one.note.partition("\n\n")[0] + "\n")),
]


@pytest.mark.parametrize("change", MUTATIONS, ids=["no path", "longer path", "other time", "other signer"])
def test_a_changed_witness_note_is_refused(cloud: CloudTwin, change: Callable[[Witnessed], Witnessed]) -> None:
    bundle = witnessed(Trade(cloud))
    log = bundle.logs[0]

    forged = msgspec.structs.replace(log, witnessed=[change(log.witnessed[0])])

    assert wrong(msgspec.structs.replace(bundle, logs=[forged]), WITNESS) != []


def test_a_bundle_without_witnesses_is_written_as_before(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()

    raw = trade.bundle(trade.close(FIRST, "2026-11-02"))

    assert b"witnessed" not in raw
