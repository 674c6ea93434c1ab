"""What a gateway may give away alone: told to it, used by it, and taken back only when it says that it knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cloud.credit.test_credit import ASK, CREDIT, DRILL, LINE, figures, shop
from tests.cloud.trade import DAY, FIRST, HOUR, TERMS, Trade
from tests.cloud.twins import CloudTwin

SHARES = "/v1/agreements/agr-1/credit-shares"
PRICE = 120


def told(trade: Trade) -> dict[str, Any]:
    """The share in the newest document that the gateway could fetch, and that document's version."""
    tenant, gateway = trade.cloud.tenant, trade.gateway.gateway_id
    rows = trade.cloud.run(
        lambda tx: tx.all(
            "SELECT p.body, v.version FROM desired_parts p JOIN desired_versions v ON v.tenant_id = p.tenant_id "
            "AND v.gateway_id = p.gateway_id WHERE p.tenant_id = ? AND p.gateway_id = ? AND p.part = 'credit'",
            (tenant, gateway),
        )
    )
    found: dict[str, Any] = json.loads(rows[0][0]) | {"version": rows[0][1]}
    return found


def applies(trade: Trade, version: int) -> None:
    """The gateway's log says which document it has taken over."""
    trade.event(trade.gateway.gateway_id, "config_applied", desired_version=version)


def shared(cloud: CloudTwin, **terms: Any) -> Trade:
    trade = shop(cloud, **terms)
    trade.post(SHARES, {})
    return trade


def test_a_share_is_told_to_its_gateway_with_prices_and_what_is_booked(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw()
    trade.send()

    trade.post(SHARES, {})

    share = told(trade)
    assert (share["limit_minor"], share["used_minor"], share["currency"], share["exponent"]) == (600, 0, "EUR", 2)
    assert share["devices"] == ["cab-1", "meter-1"]
    assert share["as_of"] == {f"cab-1/{trade.boot}": 1}
    assert (share["prices"]["drill-8"], share["when_spent"], share["until_ms"]) == (120, "deny", 0)


def test_a_share_that_is_taken_back_counts_until_the_gateways_log_says_it_knows(cloud: CloudTwin) -> None:
    trade = shared(cloud)
    applies(trade, told(trade)["version"])
    trade.send()
    cloud.ask("PUT", LINE, {"score": 600, "state": "stopped"})
    stopped = figures(trade)["reserved"]
    trade.draw(qty=2)
    trade.send()
    drawn = figures(trade)["reserved"]

    applies(trade, told(trade)["version"])
    trade.send()

    assert told(trade)["limit_minor"] == 0
    assert (stopped, drawn, figures(trade)["reserved"]) == ("6.00", "3.60", "0.00")


def test_an_older_documents_word_frees_nothing(cloud: CloudTwin) -> None:
    trade = shared(cloud)
    old = told(trade)["version"]
    cloud.ask("PUT", LINE, {"score": 600, "state": "stopped"})

    applies(trade, old)
    trade.send()

    assert figures(trade)["reserved"] == "6.00"


def test_a_limit_that_is_lowered_takes_back_what_no_longer_fits(cloud: CloudTwin) -> None:
    trade = shared(cloud)
    cloud.ask("PUT", LINE, {"score": 600, "limit": "4.00"})

    lowered = told(trade)["limit_minor"]

    assert lowered == 400
    assert figures(trade)["reserved"] == "6.00"


def test_a_lost_gateways_share_is_free_on_a_persons_word(cloud: CloudTwin) -> None:
    trade = shared(cloud)

    answer = cloud.ask("DELETE", f"{SHARES}/{trade.gateway.gateway_id}")

    assert answer.status_code == 200
    assert (figures(trade)["reserved"], told(trade)["limit_minor"]) == ("0.00", 0)
    assert cloud.ask("DELETE", f"{SHARES}/nobody").status_code == 404


def test_a_share_that_runs_low_is_filled_up_when_its_draws_come_in(cloud: CloudTwin) -> None:
    trade = shared(cloud)
    before = told(trade)["version"]

    trade.draw(qty=4)
    trade.send()

    share = told(trade)
    assert share["version"] > before
    assert (share["limit_minor"], share["as_of"]) == (600, {f"cab-1/{trade.boot}": 1})
    assert figures(trade)["reserved"] == "6.00"


def test_a_lease_is_renewed_while_the_gateway_is_heard_of(cloud: CloudTwin) -> None:
    trade = shared(cloud, credit=CREDIT | {"share_days": 4})
    first = told(trade)["until_ms"]
    trade.at += 3 * DAY
    trade.draw()
    trade.send()

    assert first == trade.at + DAY
    assert told(trade)["until_ms"] == trade.at + 4 * DAY


@pytest.mark.parametrize("story", ["ddddsdddd", "dddLdddsadd", "ddRddsLdRds", "dLRddaasdRdds", "ddddddddsRddddaddLds"])
def test_whatever_comes_when_no_more_is_given_than_the_limit(cloud: CloudTwin, story: str) -> None:
    """d: the gateway draws by the document it has, if it may; s: its log arrives; a: it fetches the newest document;
    L: the limit falls to 18.00; R: a run.
    """
    trade = shop(cloud)
    cloud.ask("PUT", LINE, {"score": 600, "limit": "7.20"})
    trade.post(SHARES, {})
    document, drawn, limit = told(trade), 0, 720
    for step in story:
        if step == "d":
            since = document["as_of"].get(f"cab-1/{trade.boot}", 0)
            behind = PRICE * (drawn - since)
            if document["limit_minor"] - behind >= PRICE:
                trade.draw()
                drawn += 1
        elif step == "s":
            trade.send()
        elif step == "a":
            document = told(trade)
            applies(trade, document["version"])
        elif step == "L":
            cloud.ask("PUT", LINE, {"score": 600, "limit": "5.00"})
        else:
            trade.post("/v1/credit-runs", {})
        assert drawn * PRICE <= limit
    trade.send()

    flags = cloud.run(lambda tx: tx.all("SELECT DISTINCT flag FROM credit_draws"))
    # What was promised before the limit fell is kept, and says so.
    assert {flag for (flag,) in flags} <= ({"", "over_limit"} if "L" in story else {""})
    assert figures(trade)["unbilled"] == f"{drawn * PRICE / 100:.2f}"


SERVICES: list[dict[str, Any]] = [TERMS["charges"][0], TERMS["charges"][1]]


def test_services_count_before_they_are_invoiced(cloud: CloudTwin) -> None:
    trade = shop(cloud, charges=SERVICES)
    trade.read(0)
    trade.at += HOUR
    trade.read(27_000)
    trade.send()
    cloud.clock.ms = trade.at + 2 * HOUR

    refused = cloud.ask("POST", ASK, DRILL | {"quantity": 2})
    cloud.ask("PUT", LINE, {"score": 600, "limit": "24.15"})
    granted = cloud.ask("POST", ASK, DRILL)

    assert (refused.status_code, refused.json()["available"]) == (409, "1.05")
    assert granted.status_code == 201
    assert figures(trade)["unbilled"] == "22.95"


def test_an_invoice_takes_over_what_had_run_up(cloud: CloudTwin) -> None:
    trade = shop(cloud, charges=SERVICES)
    trade.read(0)
    trade.at += HOUR
    trade.read(10_000)
    trade.send()
    trade.post("/v1/credit-runs", {})
    before = figures(trade)

    trade.close(FIRST, "2026-11-02")

    assert (before["unbilled"], before["receivable"]) == ("8.50", "0.00")
    assert (figures(trade)["unbilled"], figures(trade)["receivable"]) == ("0.00", "8.50")
