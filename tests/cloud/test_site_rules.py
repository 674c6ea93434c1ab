"""Rules of a site through the API to the gateway's document and its decision; loans and returns into the books."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from gateway.rules import Rules
from tests.cloud.trade import FIRST, Trade, lines_of, refusals
from tests.cloud.twins import CloudTwin, GatewayTwin
from wire.pin import check_pin
from wire.records import Count, Draw, Loan, LoanBack, Ref, Return

RULES: dict[str, Any] = {
    "zone": "Europe/Berlin",
    "day_starts": "06:00",
    "persons": [{"person": "p-17", "groups": ["millers"], "pin": "4321", "language": "zh-CN"}],
    "items": [{"item": "drill-8", "groups": ["millers"], "essential": True}],
    "limits": [{"id": "two-a-day", "quantity": 2, "items": ["drill-8"]}],
    "cabinets": {"cab-1": {"when_old": "essentials", "max_age_hours": 24}},
}

WRONG: list[dict[str, Any]] = [
    {"zone": "Mars/Olympus"},
    {"limits": [{"id": "x"}]},
    {"limits": [{"id": "x", "quantity": 1, "value_minor": 1}]},
    {"persons": [{"person": "p"}, {"person": "p"}]},
    {"persons": [{"person": "p", "pin": "12"}]},
    {"limit": []},
]


def sent_to(gateway: GatewayTwin) -> dict[str, Any]:
    answer = gateway.signed_get(f"/v1/gateways/{gateway.gateway_id}/desired")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_rules_reach_the_gateway_with_a_version_and_no_digits_come_back(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()

    put = cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES)
    got = cloud.ask("GET", "/v1/gateways/gw-1/rules").json()

    assert (put.status_code, put.json()["version"], got["version"]) == (200, 1, 1)
    assert got["rules"]["persons"][0]["has_pin"]
    assert "4321" not in put.text + json.dumps(got)
    rules = sent_to(gateway)["rules"]
    assert (rules["version"], rules["limits"][0]["quantity"]) == (1, 2)
    assert check_pin("4321", rules["persons"][0]["pin"])
    assert not check_pin("1234", rules["persons"][0]["pin"])


def test_a_pin_that_is_not_named_stays_and_an_empty_one_goes(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES)
    first = sent_to(gateway)["rules"]["persons"][0]["pin"]

    cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES | {"persons": [{"person": "p-17"}]})
    kept = sent_to(gateway)["rules"]["persons"][0]["pin"]
    cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES | {"persons": [{"person": "p-17", "pin": ""}]})

    assert kept == first
    assert "pin" not in sent_to(gateway)["rules"]["persons"][0]


def test_a_lost_badge_is_blocked_without_touching_the_other_rules(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES)

    blocked = cloud.ask("PUT", "/v1/gateways/gw-1/blocks/badges/B0017")
    during = sent_to(gateway)["rules"]
    free = cloud.ask("DELETE", "/v1/gateways/gw-1/blocks/badges/B0017")

    assert (blocked.json()["version"], free.json()["version"]) == (2, 3)
    assert (during["blocked"]["badges"], during["limits"]) == (["B0017"], sent_to(gateway)["rules"]["limits"])
    assert sent_to(gateway)["rules"]["blocked"]["badges"] == []
    versions = cloud.ask("GET", "/v1/gateways/gw-1/rules/versions").json()["versions"]
    assert [one["version"] for one in versions] == [3, 2, 1]


def test_rules_that_contradict_themselves_are_refused_and_nothing_is_stored(cloud: CloudTwin) -> None:
    cloud.gateway()
    before = cloud.counts()

    answers = [cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES | one) for one in WRONG]

    assert {one.status_code for one in answers} == {422}
    assert cloud.ask("PUT", "/v1/gateways/gw-9/rules", RULES).status_code == 404
    assert cloud.counts() == before


def test_a_loan_is_out_until_it_is_back_and_never_on_the_bill(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    loan = Loan(**trade.said("cab-1", slot="1", item="drill-8", qty=1, due=trade.at + 86_400_000, who="p-17"))
    trade.gateway.keep(loan)
    trade.send()
    out = trade.get("/v1/loans")["items"]
    held = trade.get("/v1/stock")["items"][0]["on_hand"]["value"]
    back = LoanBack(**trade.said("cab-1", slot="1", item="drill-8", qty=1, ref=Ref(*loan.key), q=["used"]))
    trade.gateway.keep(back)
    trade.send()

    assert [(one["person"], one["out"], one["overdue"]) for one in out] == [("p-17", 1, False)]
    assert (held, trade.get("/v1/stock")["items"][0]["on_hand"]["value"]) == ("9", "10")
    assert trade.get("/v1/loans")["items"] == []
    assert trade.get("/v1/loans?out=false")["items"][0]["ended"] == "used"
    statement = trade.close(FIRST, "2026-11-08")
    assert not [line for line in lines_of(statement) if line[0] == "drill-8"]


def test_a_loan_that_is_kept_becomes_a_line_that_can_be_checked(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    loan = Loan(**trade.said("cab-1", slot="1", item="drill-8", qty=1, due=trade.at, who="p-17"))
    trade.gateway.keep(loan)
    kept = LoanBack(**trade.said("cab-1", slot="1", item="drill-8", qty=1, ref=Ref(*loan.key), q=["kept"]))
    bought = {"slot": "1", "item": "drill-8", "asked": 1, "qty": 1, "outcome": "confirmed", "actuation": "none"}
    draw = Draw(**trade.said("cab-1", **bought, confirmation="loan not back", q=["kept_loan"], who="p-17"))
    trade.gateway.keep(kept, draw)
    trade.send()

    statement = trade.close(FIRST, "2026-11-08")

    assert trade.get("/v1/stock")["items"][0]["on_hand"]["value"] == "9"
    assert [line for line in lines_of(statement) if line[0] == "drill-8"] == [("drill-8", "1", "1.20")]
    assert refusals(trade.bundle(statement)) == []
    assert trade.get("/v1/loans?out=false")["items"][0]["ended"] == "kept"


def test_a_return_is_credited_with_its_draw_and_the_statement_still_proves_itself(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    key = trade.draw(qty=3)
    back = Return(**trade.said("cab-1", slot="1", item="drill-8", qty=1, ref=Ref(*key), condition="unused", who="p-17"))
    trade.gateway.keep(back)
    trade.send()

    statement = trade.close(FIRST, "2026-11-08")

    amounts = sorted((quantity, amount) for subject, quantity, amount in lines_of(statement) if subject == "drill-8")
    assert amounts == [("-1", "-1.20"), ("3", "3.60")]
    assert refusals(trade.bundle(statement)) == []
    assert trade.get("/v1/stock")["items"][0]["on_hand"]["value"] == "8"


def test_what_comes_back_used_stays_on_the_bill_and_is_told_with_its_reason(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    key = trade.draw(qty=2)
    back = Return(**trade.said("cab-1", slot="burn", item="drill-8", qty=1, ref=Ref(*key), condition="used"))
    trade.gateway.keep(back)
    trade.send()

    statement = trade.close(FIRST, "2026-11-08")

    assert [line for line in lines_of(statement) if line[0] == "drill-8"] == [("drill-8", "2", "2.40")]
    assert [one["reason"] for one in statement["unbilled"]] == ["not_as_new"]
    assert refusals(trade.bundle(statement)) == []
    assert trade.get("/v1/stock")["items"][0]["on_hand"]["value"] == "8"


def test_what_was_spoiled_is_a_difference_with_a_reason_and_nobodys_loss(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.gateway.keep(Count(**trade.said("cab-1", slot="1", item="drill-8", qty=8, q=["manual", "spoiled"])))
    trade.send()

    moves = trade.get("/v1/stock-moves")["items"]
    assert [(one["reason"], one["quantity"]["value"]) for one in moves] == [("refill", "10"), ("spoiled", "2")]


def test_the_gateways_own_reader_understands_the_document_the_cloud_sends(cloud: CloudTwin) -> None:
    gateway = cloud.gateway()
    cloud.ask("PUT", "/v1/gateways/gw-1/rules", RULES)

    rules = msgspec.json.decode(json.dumps(sent_to(gateway)["rules"]), type=Rules)

    assert (rules.version, rules.person("p-17").groups, rules.cabinet("cab-1").when_old) == (
        1,
        ("millers",),
        "essentials",
    )
    assert [one.id for one in rules.limits_on("drill-8")] == ["two-a-day"]
