"""A price that counts from before the last closing: only by an explicit order, and then as delta lines."""

from __future__ import annotations

from decimal import Decimal

from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from tests.cloud.trade import FIRST, TERMS, Trade
from tests.cloud.twins import CloudTwin

CHEAPER = [{"kind": "per_piece", "prices": {"drill-8": "1.00", "glove": "0.335"}}, TERMS["charges"][1]]
ORDER = "sales, 2026-11-20: the autumn price was promised from the 4th on"


def test_terms_count_for_closed_periods_only_by_an_order_and_the_difference_is_billed(cloud: CloudTwin) -> None:
    trade = Trade(cloud, charges=TERMS["charges"][:2])
    trade.to("2026-11-02")
    trade.draw(qty=2)
    trade.to("2026-11-05")
    trade.draw(qty=3)
    trade.send()
    first = trade.close(FIRST, "2026-11-08")
    terms = {name: value for name, value in TERMS.items() if name != "agreement_id"} | {"charges": CHEAPER}
    path = "/v1/agreements/agr-1/versions"

    refused = cloud.ask("POST", path, {"first": "2026-11-04", "terms": terms})
    trade.post(path, {"first": "2026-11-04", "terms": terms | {"rerating_order": ORDER}})
    second = trade.close("2026-11-08", "2026-11-15")

    assert (refused.status_code, "rerating_order" in refused.json()["detail"]) == (409, True)
    due = sum(Decimal(one["total"]["amount"]) for one in (first, second))
    assert (first["total"]["amount"], due) == ("6.00", Decimal("5.40"))
    assert verify(load(trade.bundle(second)), Trust()).findings == []
