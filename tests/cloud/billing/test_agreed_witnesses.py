"""An agreement that demands witnesses: what they have not seen is not billed, and no bundle can do without them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cloud.agreements.terms import AgreementError, parse_terms
from cloud.agreements.witness_terms import WitnessTerms
from cloud.billing.bundle import Bundle, load
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from tests.cloud.trade import DAY, FIRST, HOUR, TERMS, Trade
from tests.cloud.twins import CloudTwin
from wire.seal import Signer

WITNESSES = [Signer(f"witness.example/w{at}", bytes([at]) * 32) for at in (1, 2, 3)]
KEYS = [one.cosigner_vkey for one in WITNESSES]
TWO_OF_THREE = {"keys": KEYS, "at_least": 2}


@pytest.fixture
def trade(cloud: CloudTwin) -> Trade:
    """A cabinet under an agreement that demands two of three witnesses, all known to the cloud; one draw."""
    made = Trade(cloud, witnesses=TWO_OF_THREE)
    for key in KEYS:
        made.post("/v1/witnesses", {"vkey": key})
    made.draw()
    made.send()
    return made


def cosign(trade: Trade, *witnesses: Signer) -> None:
    """They see the log as it is now."""
    path = f"/v1/logs/{trade.gateway.log}"
    note = trade.cloud.ask("GET", f"{path}/checkpoint", key="").text
    for one in witnesses:
        line = one.cosign(note, 1_800_000_000)
        assert trade.cloud.ask("POST", f"{path}/cosignatures", key="", body=(note + line).encode()).status_code == 200


def closing(trade: Trade) -> tuple[int, dict[str, Any]]:
    """An attempt to close the first day."""
    trade.cloud.clock.ms = max(trade.cloud.clock.ms, trade.at) + 2 * DAY
    answer = trade.cloud.ask("POST", "/v1/agreements/agr-1/statements", {"from": FIRST, "to": "2026-11-02"})
    return answer.status_code, answer.json()


def test_nothing_is_closed_before_enough_witnesses_have_seen_it(trade: Trade) -> None:
    answers = [closing(trade)]
    cosign(trade, WITNESSES[0])
    answers.append(closing(trade))
    trade.draw()
    trade.send()
    cosign(trade, WITNESSES[0])
    answers.append(closing(trade))
    cosign(trade, WITNESSES[2])

    assert [(code, said["type"]) for code, said in answers] == [(409, "/problems/not-witnessed")] * 3
    assert closing(trade)[0] == 201


def test_a_closing_run_says_what_it_waits_for_and_closes_it_later(trade: Trade) -> None:
    trade.cloud.clock.ms = trade.at + 40 * DAY

    before = trade.post("/v1/closing-runs", {})["items"]
    cosign(trade, *WITNESSES[:2])
    after = trade.post("/v1/closing-runs", {})["items"]

    assert [(one["state"], "have not cosigned" in one["reason"]) for one in before] == [("held", True)]
    assert [one["state"] for one in after] == ["final"]


def test_what_came_after_the_witnesses_looked_waits_for_the_next_statement(trade: Trade) -> None:
    cosign(trade, *WITNESSES)
    trade.at += DAY + HOUR
    trade.draw()
    trade.send()

    code, statement = closing(trade)
    running = trade.get("/v1/agreements/agr-1/running")
    bundle = load(trade.bundle(statement))

    assert (code, bundle.statement.head.logs[0].to) == (201, 1)
    assert found(bundle) == []
    assert any(line["kind"] == "per_piece" for line in running["lines"])


def found(bundle: Bundle) -> list[str]:
    """What the offline check finds, without being told of any witness."""
    return [text_of(one) for one in verify(bundle, Trust()).findings]


def test_the_offline_check_counts_the_agreed_witnesses(trade: Trade) -> None:
    cosign(trade, *WITNESSES[:2])
    bundle = load(trade.bundle(closing(trade)[1]))
    log = bundle.logs[0]

    assert found(bundle) == []
    for kept in ([], log.witnessed[:1], [log.witnessed[0], log.witnessed[0]]):
        fewer = msgspec.structs.replace(bundle, logs=[msgspec.structs.replace(log, witnessed=kept)])
        assert any("2 of the agreed witnesses must have cosigned" in one for one in found(fewer))


def test_a_witness_is_its_key_and_not_its_name(cloud: CloudTwin) -> None:
    trade = Trade(cloud, witnesses={"keys": KEYS[:1], "at_least": 1})
    double = Signer(WITNESSES[0].name, bytes([9]) * 32)
    trade.post("/v1/witnesses", {"vkey": double.cosigner_vkey})
    trade.draw()
    trade.send()
    cosign(trade, double)

    assert closing(trade)[1]["type"] == "/problems/not-witnessed"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"keys": KEYS, "at_least": 4},
        {"keys": KEYS, "at_least": 0},
        {"keys": [], "at_least": 1},
        {"keys": [KEYS[0], KEYS[0]], "at_least": 2},
        {"keys": [WITNESSES[0].vkey], "at_least": 1},
        {"keys": ["rubbish"], "at_least": 1},
    ],
)
def test_demands_that_nobody_can_meet_are_not_agreed_on(spoilt: dict[str, Any]) -> None:
    terms = {key: value for key, value in TERMS.items() if key != "agreement_id"}

    with pytest.raises(AgreementError, match="witnesses"):
        parse_terms(msgspec.json.encode(terms | {"witnesses": spoilt}))


def test_the_demand_is_printed_with_the_terms_and_changes_no_older_hash() -> None:
    terms = {key: value for key, value in TERMS.items() if key != "agreement_id"}
    plain, demanding = (parse_terms(msgspec.json.encode(terms | more)) for more in ({}, {"witnesses": TWO_OF_THREE}))

    assert b"witnesses" not in plain.canonical()
    assert isinstance(demanding.witnesses, WitnessTerms)
    assert any("at least 2 of these" in one for one in demanding.options())
