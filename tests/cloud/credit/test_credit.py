"""Use first, pay later: the limit holds whatever happens at once, and what is paid or given back is free again."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloud.calendar import midnight, parse_day
from tests.cloud.trade import FIRST, MINUTE, TERMS, ZONE, Trade
from tests.cloud.twins import CloudTwin

CREDIT: dict[str, Any] = {
    "grades": [
        {"score": 300, "limit": "10.00", "at_order": "50", "due_days": 7},
        {"score": 600, "limit": "24.00"},
    ],
    "delegated": [{"gateway": "gw-1", "limit": "6.00"}],
    "reserved_minutes": 30,
}
CHARGES = [TERMS["charges"][0]]
LINE = "/v1/agreements/agr-1/credit-line"
ASK = "/v1/agreements/agr-1/credit-decisions"
DRILL = {"device_id": "cab-1", "item_id": "drill-8", "quantity": 1}


def shop(cloud: CloudTwin, *, score: int = 600, **terms: object) -> Trade:
    trade = Trade(cloud, **({"credit": CREDIT, "charges": CHARGES} | terms))
    assert cloud.ask("PUT", LINE, {"score": score}).status_code == 200
    return trade


def figures(trade: Trade) -> dict[str, str]:
    line = trade.get(LINE)
    return {name: line[name]["amount"] for name in ("limit", "receivable", "unbilled", "reserved", "available")}


def test_fifty_draws_at_once_never_exceed_the_limit(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    headers = {"authorization": f"Bearer {cloud.key}"}

    async def ask_all() -> list[int]:
        asked = (cloud.http.post(ASK, json=DRILL, headers=headers) for _ in range(50))
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    answers = cloud.wait(ask_all())

    assert (answers.count(201), answers.count(409)) == (20, 30)
    assert figures(trade)["reserved"] == "24.00"
    assert figures(trade)["available"] == "0.00"


def test_a_draw_uses_its_decision_and_owes_until_it_is_billed_and_paid(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    assert trade.post(ASK, DRILL | {"intent": f"{trade.boot}/1"})["amount"]["amount"] == "1.20"
    seen = [figures(trade)]

    trade.draw(intent=f"{trade.boot}/1")
    trade.send()
    seen.append(figures(trade))
    trade.close(FIRST, "2026-11-02")
    seen.append(figures(trade))
    paid = {"reference": "r", "amount": "1.20", "currency": "EUR", "booked_on": "2026-11-03", "remittance": "INV-1"}
    trade.post("/v1/payments", paid)
    seen.append(figures(trade))

    owed = [(one["reserved"], one["unbilled"], one["receivable"], one["available"]) for one in seen]
    assert owed == [
        ("1.20", "0.00", "0.00", "22.80"),
        ("0.00", "1.20", "0.00", "22.80"),
        ("0.00", "0.00", "1.20", "22.80"),
        ("0.00", "0.00", "0.00", "24.00"),
    ]


def test_goods_that_come_back_owe_nothing(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    drawn = trade.draw(qty=3)
    trade.reverse(drawn, qty=2)
    trade.give_back(qty=1, key=drawn)
    trade.send()

    assert figures(trade)["unbilled"] == "0.00"


def test_a_draw_that_gave_nothing_frees_its_money_and_so_does_time(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post(ASK, DRILL | {"intent": f"{trade.boot}/1"})
    trade.post(ASK, DRILL | {"intent": f"{trade.boot}/2"})
    trade.draw(intent=f"{trade.boot}/1", outcome="jammed", qty=0)
    trade.send()
    after_the_jam = figures(trade)["reserved"]
    cloud.clock.ms += 31 * MINUTE

    assert (after_the_jam, figures(trade)["reserved"]) == ("1.20", "0.00")


def test_below_the_lowest_grade_a_draw_is_paid_before_it_happens(cloud: CloudTwin) -> None:
    trade = shop(cloud, score=100)
    refused = cloud.ask("POST", ASK, DRILL).json()
    paid = {"reference": "r", "amount": "2.00", "currency": "EUR", "booked_on": FIRST}
    payment = trade.post("/v1/payments", paid)
    trade.post(f"/v1/payments/{payment['payment_id']}/prepayment", {"agreement_id": "agr-1"})

    granted = trade.post(ASK, DRILL)
    used_up = cloud.ask("POST", ASK, DRILL).json()

    assert (refused["reason"], refused["available"]) == ("score_too_low", "0.00")
    assert granted["paid_at_order"]["amount"] == granted["amount"]["amount"] == "1.20"
    assert (used_up["reason"], used_up["available"]) == ("score_too_low", "0.80")


def test_a_decision_that_ran_out_is_no_yes(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post(ASK, DRILL | {"intent": "b/7"})
    cloud.clock.ms += 31 * MINUTE

    late = cloud.ask("POST", ASK, DRILL | {"intent": "b/7"})

    assert (late.status_code, late.json()["reason"]) == (409, "decision_ended")


def test_the_same_intent_is_decided_once(cloud: CloudTwin) -> None:
    trade = shop(cloud)

    answers = [trade.post(ASK, DRILL | {"intent": "b/7"})["decision_id"] for _ in range(3)]

    assert len(set(answers)) == 1
    assert figures(trade)["reserved"] == "1.20"


@pytest.mark.parametrize(
    ("score", "limit", "at_order"), [(299, "0.00", None), (300, "10.00", "0.60"), (600, "24.00", "0.00")]
)
def test_the_score_earns_the_terms(cloud: CloudTwin, score: int, limit: str, at_order: str | None) -> None:
    trade = shop(cloud, score=score)

    answer = cloud.ask("POST", ASK, DRILL)

    assert figures(trade)["limit"] == limit
    if at_order is None:
        assert answer.json()["reason"] == "score_too_low"
    else:
        assert answer.json()["paid_at_order"]["amount"] == at_order


def test_a_gateways_share_counts_as_used_and_is_drawn_down_offline(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/agreements/agr-1/credit-shares", {})
    before = figures(trade)
    trade.draw(qty=2)
    trade.send()
    after, left = figures(trade), trade.get(LINE)["delegated"][0]["left"]["amount"]
    trade.post("/v1/agreements/agr-1/credit-shares", {})

    assert (before["reserved"], before["available"]) == ("6.00", "18.00")
    assert (after["reserved"], after["unbilled"], after["available"], left) == ("3.60", "2.40", "18.00", "3.60")
    assert (figures(trade)["reserved"], figures(trade)["available"]) == ("6.00", "15.60")


def test_a_draw_beyond_the_limit_happened_all_the_same_and_is_flagged(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw(qty=30)
    trade.send()

    flags = cloud.run(lambda tx: tx.all("SELECT minor, flag FROM credit_draws"))

    assert flags == [(3600, "undecided")]
    assert (figures(trade)["unbilled"], figures(trade)["available"]) == ("36.00", "0.00")
    assert cloud.ask("POST", ASK, DRILL).json()["reason"] == "limit"


def test_what_is_overdue_suspends_and_its_payment_ends_the_suspension(cloud: CloudTwin) -> None:
    trade = shop(cloud, payment={"due_days": 14})
    trade.draw()
    trade.send()
    trade.close(FIRST, "2026-11-02")
    cloud.clock.ms = midnight(parse_day("2027-01-05"), ZONE)
    trade.post("/v1/dunning-runs", {})
    refused = cloud.ask("POST", ASK, DRILL).json()
    paid = {"reference": "r", "amount": "1.20", "currency": "EUR", "booked_on": "2027-01-05", "remittance": "INV-1"}
    trade.post("/v1/payments", paid)

    assert refused["reason"] == "suspended"
    assert (trade.get(LINE)["state"], cloud.ask("POST", ASK, DRILL).status_code) == ("active", 201)


def test_a_tenant_without_credit_posts_with_no_statement_more(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()

    assert cloud.counts()["credit_draws"] == 0


EARLY = {"kind": "progressive_billing", "thresholds": ["4"], "then_every": "4"}
STEPS = st.lists(
    st.tuples(st.sampled_from(["draw", "read", "run", "void"]), st.integers(1, 4)), min_size=8, max_size=16
)
LONG = [("draw", 4), ("run", 1), ("draw", 2), ("read", 4), ("run", 1), ("read", 3), ("draw", 1), ("run", 1)]


@settings(max_examples=6, deadline=None)
@example([*LONG, ("void", 1), ("read", 1), ("run", 1)])
@example([*[("draw", 1)] * 10, ("read", 1), ("run", 1), ("void", 1)])
@given(STEPS)
def test_each_unit_is_owed_once_by_an_early_bill_or_by_having_been_used(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder, CloudTwin(f"sqlite:///{folder}/cloud.db", Path(folder)) as cloud:
        trade = shop(cloud, charges=[*TERMS["charges"][:2], EARLY], cycle={"unit": "week"})
        cloud.ask("PUT", LINE, {"score": 600, "limit": "9000"})
        trade.read(0)
        used, wh = Fraction(0), 0
        for day, (kind, much) in enumerate(steps, 2):
            trade.to(f"2026-11-{day:02}", 12)
            if kind == "draw":
                trade.draw(qty=much)
                used += much * Fraction("1.20")
            if kind == "read":
                wh += much * 1000
                trade.read(wh)
                used += much * Fraction("0.85")
            trade.send()
            if kind == "run":
                trade.post("/v1/closing-runs", {})
            for one in trade.get("/v1/statements?agreement_id=agr-1")["items"] if kind == "void" else ():
                # Those that are void already, or that another stands on, are refused.
                cloud.ask("POST", f"/v1/statements/{one['statement_id']}/void", {"reason": "wrong", "who": "ann"})
            trade.post("/v1/credit-runs", {})

            owed = figures(trade)

            assert Fraction(owed["receivable"]) + Fraction(owed["unbilled"]) == used, (kind, day, owed)
