"""Draws that nothing proved: known with owner and deadline, decided through the gateway, never billed before."""

from __future__ import annotations

from typing import Any

from tests.cloud.trade import FIRST, HOUR, Trade, lines_of
from tests.cloud.twins import CloudTwin
from wire.ids import RecordKey

RULES = {"zone": "Europe/Berlin", "cabinets": {"cab-1": {"resolve_hours": 2, "resolve_owner": "storekeeper"}}}


def unproven(trade: Trade, *, overdue: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = trade.get(f"/v1/unproven-draws?overdue={str(overdue).lower()}")["items"]
    return found


def a_shop(cloud: CloudTwin) -> tuple[Trade, RecordKey]:
    """One draw that nothing proved, sent."""
    trade = Trade(cloud)
    rules = f"/v1/gateways/{trade.gateway.gateway_id}/rules"
    assert cloud.ask("PUT", rules, RULES).status_code == 200
    trade.refill(10)
    key = trade.draw(outcome="unverified", who="p-17")
    trade.send()
    return trade, key


def verdicts(trade: Trade) -> Any:
    """What the gateway is told."""
    document = trade.gateway.signed_get(f"/v1/gateways/{trade.gateway.gateway_id}/desired").json()
    return document.get("verdicts", {})


def test_an_unproven_draw_has_owner_and_deadline_and_is_overdue_although_its_gateway_is_silent(
    cloud: CloudTwin,
) -> None:
    trade, _ = a_shop(cloud)
    before = unproven(trade, overdue=True)

    cloud.clock.ms = trade.at + 3 * HOUR

    (one,) = unproven(trade, overdue=True)
    assert before == []
    assert (one["slot"], one["item_id"], one["quantity"], one["owner"]) == ("1", "drill-8", 1, "storekeeper")
    assert (one["overdue"], one["evidence"]["index"]) == (True, 1)


def test_a_verdict_goes_to_the_gateway_and_counts_when_its_record_has_come(cloud: CloudTwin) -> None:
    trade, key = a_shop(cloud)
    (one,) = unproven(trade)
    said = {"record": one["record"], "outcome": "confirmed", "evidence": "slot seen empty", "who": "storekeeper"}
    trade.post("/v1/unproven-draws/verdicts", said)
    sent, still = verdicts(trade), unproven(trade)

    trade.resolve(key)
    trade.send()

    assert sent == {
        "cab-1": {f"{key.ep}/{key.n}": {"outcome": "confirmed", "evidence": "slot seen empty", "who": "storekeeper"}}
    }
    assert [one["said"] for one in still] == ["confirmed"]
    assert (unproven(trade), verdicts(trade)) == ([], {"cab-1": {}})


def test_nothing_is_billed_before_the_record_and_no_verdict_is_taken_without_reason_or_from_the_drawer(
    cloud: CloudTwin,
) -> None:
    trade, _ = a_shop(cloud)
    (one,) = unproven(trade)
    said = {"record": one["record"], "outcome": "confirmed", "evidence": "seen", "who": "storekeeper"}

    own = cloud.ask("POST", "/v1/unproven-draws/verdicts", said | {"who": "p-17"})
    bare = cloud.ask("POST", "/v1/unproven-draws/verdicts", said | {"evidence": " "})
    strange = cloud.ask("POST", "/v1/unproven-draws/verdicts", said | {"record": "cab-1/x/99"})
    trade.post("/v1/unproven-draws/verdicts", said)
    statement = trade.close(FIRST, "2026-12-01")

    assert (own.status_code, bare.status_code, strange.status_code) == (409, 422, 404)
    assert [line for line in lines_of(statement) if "drill" in str(line)] == []


def test_a_count_or_late_evidence_closes_it_and_nobody_decides_it_again(cloud: CloudTwin) -> None:
    trade, key = a_shop(cloud)
    (one,) = unproven(trade)
    trade.resolve(key, "not_dispensed", 0)
    trade.send()

    said = {"record": one["record"], "outcome": "confirmed", "evidence": "seen", "who": "storekeeper"}
    late = cloud.ask("POST", "/v1/unproven-draws/verdicts", said)

    assert unproven(trade) == []
    assert (late.status_code, "decided already" in late.text) == (409, True)
