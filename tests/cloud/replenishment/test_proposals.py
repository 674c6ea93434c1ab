"""From a draw to an order with its reason."""

from __future__ import annotations

from typing import Any

from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin


def orders(trade: Trade, state: str = "") -> list[tuple[str, str, str]]:
    found = trade.get(f"/v1/orders?state={state}")["items"]
    return sorted((one["slot"], one["quantity"]["value"], one["state"]) for one in found)


def order(trade: Trade, state: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = trade.get(f"/v1/orders?state={state}")["items"]
    return found[0]


def test_a_draw_that_brings_the_slot_to_its_minimum_proposes_an_order_with_its_reason(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(5)
    trade.draw()
    trade.send()
    assert orders(trade) == []

    trade.draw()
    trade.send()

    proposed = order(trade, "proposed")
    assert (proposed["item_id"], proposed["quantity"]) == ("drill-8", {"value": "10", "unit": "pc"})
    assert proposed["reason"]["code"] == "position_at_or_below_min"
    assert proposed["reason"]["text"] == (
        "drill-8: 3 on hand and 0 on order are not more than the minimum of 3; 2 x 5 bring it to the maximum of 10."
    )
    assert proposed["evidence"]["index"] == 2


def test_a_proposal_follows_the_stock_and_is_never_doubled(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(5)
    trade.draw(qty=2)
    trade.send()
    trade.draw(qty=3)
    trade.send()
    first = order(trade, "proposed")
    trade.draw(qty=4)
    trade.send()

    second = order(trade, "proposed")

    assert orders(trade) == [("1", "15", "proposed")]
    assert second["order_id"] == first["order_id"]


def test_what_was_ordered_is_on_order_until_the_slot_is_refilled(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(5)
    trade.draw(qty=4)
    trade.send()
    order_id = order(trade, "proposed")["order_id"]
    trade.post(f"/v1/orders/{order_id}/confirmation", {})
    trade.draw()
    trade.send()
    assert orders(trade) == [("1", "10", "ordered")]

    trade.refill(2)
    trade.send()

    assert orders(trade) == [("1", "10", "proposed"), ("1", "10", "received")]


def test_a_piece_that_came_back_withdraws_the_proposal(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(4)
    key = trade.draw()
    trade.send()
    trade.reverse(key)
    trade.send()

    assert orders(trade) == [("1", "10", "withdrawn")]


def test_an_order_that_was_let_be_may_be_proposed_again_by_the_next_draw(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(3)
    trade.draw()
    trade.send()
    order_id = order(trade, "proposed")["order_id"]
    trade.post(f"/v1/orders/{order_id}/cancellation", {})
    trade.draw()
    trade.send()

    again = cloud.ask("POST", f"/v1/orders/{order_id}/confirmation", {})

    assert orders(trade) == [("1", "10", "cancelled"), ("1", "10", "proposed")]
    assert (again.status_code, again.json()["type"]) == (409, "/problems/conflict")
    assert cloud.ask("POST", "/v1/orders/ord_none/confirmation", {}).status_code == 404


def test_a_replay_proposes_nothing_again(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(3)
    trade.draw()
    trade.send()
    before = trade.get("/v1/orders")

    assert trade.gateway.send(0).status_code == 200

    assert trade.get("/v1/orders") == before


def document(trade: Trade) -> Any:
    """What the gateway is told."""
    return trade.gateway.signed_get(f"/v1/gateways/{trade.gateway.gateway_id}/desired").json()


def test_the_gateway_is_told_which_orders_are_open_and_not_how_many_pieces(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(5)
    trade.draw(qty=4)
    trade.send()
    order_id = order(trade, "proposed")["order_id"]
    proposed = document(trade)
    trade.draw()
    trade.send()
    larger = document(trade)
    trade.post(f"/v1/orders/{order_id}/confirmation", {})
    ordered = document(trade)
    trade.refill(15)
    trade.send()

    assert proposed["orders"] == {"cab-1": {"1": {"order": order_id, "item": "drill-8", "state": "proposed"}}}
    assert larger["version"] == proposed["version"]
    assert ordered["orders"]["cab-1"]["1"]["state"] == "ordered"
    assert document(trade)["orders"] == {"cab-1": {}}
