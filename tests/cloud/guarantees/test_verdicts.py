"""A guarantee on its way: judged with the statement, accepted, disputed or left alone, credited on the next invoice."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from cloud.calendar import midnight, parse_day
from tests.cloud.books.test_books import bean_check, booked, short
from tests.cloud.invoices.test_documents import TAX, invoice_of
from tests.cloud.trade import FIRST, HOUR, MINUTE, TERMS, ZONE, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.records import DeviceEvent, Window

GUARANTEE: dict[str, Any] = {
    "name": "clean-air",
    "metric": "pm2_5",
    "unit": "ug/m3",
    "at_most": "35",
    "sensors": ["cab-9"],
    "target": "95",
    "steps": [{"below": "95", "credit": "20"}, {"below": "50", "credit": "100"}],
    "exclusions": [{"cause": "door", "device": "cab-9", "begins": "door_open", "ends": "door_closed"}],
    "of": ["monthly_fee"],
    "objection_days": 5,
}


def shop(cloud: CloudTwin, **guarantee: Any) -> Trade:
    return Trade(
        cloud, devices=["cab-1", "meter-1", "cab-9"], charges=[TERMS["charges"][0], TERMS["charges"][2]], tax=TAX,
        guarantees=[GUARANTEE | guarantee],
    )  # fmt: skip


def windows(trade: Trade, hours: int, value: int) -> None:
    """So many hours of one value, told hour by hour."""
    for _ in range(hours):
        start = trade.at
        trade.at += HOUR
        body = {"metric": "pm2_5", "from_": start, "to": trade.at, "mean": value, "min": value, "max": value}
        said = trade.said("cab-9", **body, scale=0, unit="ug/m3", samples=3600, coverage=3600)
        trade.gateway.keep(Window(**said))


def verdicts(trade: Trade) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = trade.get("/v1/verdicts")["items"]
    return found


def refunds_owed(trade: Trade) -> str:
    """What the books say is to be credited to customers."""
    return next((amount for (account, _), amount in booked(trade).items() if "Refund" in account), "0")


def missed_day(cloud: CloudTwin, **guarantee: Any) -> tuple[Trade, dict[str, Any]]:
    """A day of which 18 of 24 hours were good."""
    trade = shop(cloud, **guarantee)
    windows(trade, 18, 20)
    windows(trade, 6, 80)
    trade.send()
    return trade, trade.close(FIRST, "2026-11-02")


def test_a_missed_day_is_proposed_verified_settled_by_silence_and_credited_with_tax(cloud: CloudTwin) -> None:
    trade, statement = missed_day(cloud)
    proposed = verdicts(trade)[0]
    early = trade.post("/v1/verdict-runs", {})["items"]
    cloud.clock.ms = midnight(parse_day("2026-11-08"), ZONE)
    settled = trade.post("/v1/verdict-runs", {})["items"]
    trade.to("2026-11-02", 1)

    invoice = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))

    assert (proposed["state"], proposed["proposed"]["share"]) == ("proposed", "75.000000")
    assert (proposed["proposed_credit"]["amount"], proposed["objections_until"]) == ("2.00", "2026-11-07")
    assert refusals(trade.bundle(statement)) == []
    assert (early, [one["state"] for one in settled]) == ([], ["settled"])
    assert [(line["kind"], line["net"], line["percent"]) for line in invoice["lines"][1:]] == [
        ("guarantee_credit", "-2.00", "19")
    ]
    assert invoice["gross"]["amount"] == "9.52"


def test_a_verdict_that_was_changed_is_noticed_by_the_offline_check(cloud: CloudTwin) -> None:
    trade, statement = missed_day(cloud)
    document = json.loads(trade.bundle(statement))
    document["statement"]["verdicts"][0] |= {"share": "96.000000", "outcome": "met", "credit": "0"}

    said = refusals(json.dumps(document).encode())

    assert any("the windows give 75.000000 % (missed), not 96.000000 % (met)" in one for one in said)


def test_a_dispute_in_time_is_settled_at_what_both_agree_on(cloud: CloudTwin) -> None:
    trade, _ = missed_day(cloud)
    path = f"/v1/verdicts/{verdicts(trade)[0]['verdict_id']}"
    trade.post(f"{path}/dispute", {"who": "cust", "reason": "the sensor was in the draught"})
    cloud.clock.ms = midnight(parse_day("2026-11-20"), ZONE)

    by_run = trade.post("/v1/verdict-runs", {})["items"]
    alone = cloud.ask("POST", f"{path}/settle", {"who": "ann"})
    agreed = trade.post(f"{path}/settle", {"who": "ann and cust", "credit_percent": "50"})
    again = cloud.ask("POST", f"{path}/dispute", {"who": "cust", "reason": "still"})

    assert by_run == []
    assert alone.json()["type"] == again.json()["type"] == "/problems/verdict-state"
    assert (agreed["state"], agreed["credit"]["amount"]) == ("settled", "5.00")
    assert trade.get("/v1/agreements/agr-1/items")["items"][0]["amount"] == "-5.00"


def test_windows_that_come_late_still_decide_it(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    windows(trade, 6, 20)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    windows(trade, 18, 20)
    trade.send()
    proposed = verdicts(trade)[0]
    path = f"/v1/verdicts/{proposed['verdict_id']}/settle"
    too_early = cloud.ask("POST", path, {"who": "ann"})
    cloud.clock.ms = midnight(parse_day("2026-11-08"), ZONE)
    reduced = cloud.ask("POST", path, {"who": "ann", "credit_percent": "0"})

    settled = trade.post(path, {"who": "ann"})

    assert "may object until 2026-11-07" in too_early.json()["detail"]
    assert reduced.json()["type"] == "/problems/verdict-state"

    assert (proposed["proposed"]["outcome"], proposed["proposed_credit"]["amount"]) == ("missed", "2.00")
    assert (settled["final"]["outcome"], settled["credit"]["amount"]) == ("met", "0.00")
    assert trade.get("/v1/agreements/agr-1/items")["items"] == []


def test_what_was_accepted_is_what_is_credited(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    windows(trade, 6, 20)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.post(f"/v1/verdicts/{verdicts(trade)[0]['verdict_id']}/accept", {"who": "cust"})
    windows(trade, 18, 20)
    trade.send()

    settled = trade.post("/v1/verdict-runs", {})["items"][0]

    assert (settled["state"], settled["credit"]["amount"]) == ("settled", "2.00")


def test_open_doors_and_agreed_maintenance_do_not_count(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    windows(trade, 18, 20)
    trade.gateway.keep(DeviceEvent(**trade.said("cab-9", event="door_open")))
    windows(trade, 3, 80)
    trade.gateway.keep(DeviceEvent(**trade.said("cab-9", event="door_closed")))
    start = trade.at
    windows(trade, 3, 80)
    trade.send()
    body = {"from_ms": start, "to_ms": start + 3 * 60 * MINUTE, "cause": "filter", "who": "both"}
    trade.post("/v1/agreements/agr-1/guarantees/clean-air/exclusions", body)

    statement = trade.close(FIRST, "2026-11-02")

    verdict = verdicts(trade)[0]["proposed"]
    assert (verdict["outcome"], verdict["excluded"]) == ("met", {"door": 3 * HOUR, "filter": 3 * HOUR})
    assert refusals(trade.bundle(statement)) == []


def test_a_door_that_is_open_over_the_end_of_a_period_excludes_the_time_on_both_sides(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    windows(trade, 23, 20)
    trade.gateway.keep(DeviceEvent(**trade.said("cab-9", event="door_open")))
    windows(trade, 7, 80)
    trade.gateway.keep(DeviceEvent(**trade.said("cab-9", event="door_closed")))
    windows(trade, 42, 20)
    trade.send()

    bills = [trade.close(first, end) for first, end in pairwise((FIRST, "2026-11-02", "2026-11-03", "2026-11-04"))]

    excluded = [(one["proposed"]["outcome"], one["proposed"]["excluded"]) for one in verdicts(trade)]
    assert excluded == [("met", {"door": HOUR}), ("met", {"door": 6 * HOUR}), ("met", {})]
    assert [refusals(trade.bundle(bill)) for bill in bills] == [[], [], []]


def test_a_void_statement_withdraws_its_verdict_and_the_next_revision_proposes_anew(cloud: CloudTwin) -> None:
    trade, statement = missed_day(cloud)
    trade.post(f"/v1/statements/{statement['statement_id']}/void", {"reason": "typo", "who": "ann"})

    again = trade.close(FIRST, "2026-11-02")

    assert sorted(one["state"] for one in verdicts(trade)) == ["proposed", "withdrawn"]
    assert refusals(trade.bundle(again)) == []


def test_a_credit_of_a_void_statement_is_not_given_twice(cloud: CloudTwin) -> None:
    trade, statement = missed_day(cloud)
    cloud.clock.ms = midnight(parse_day("2026-11-08"), ZONE)
    trade.post("/v1/verdict-runs", {})
    owed = [refunds_owed(trade)]
    trade.post(f"/v1/statements/{statement['statement_id']}/void", {"reason": "typo", "who": "ann"})
    owed.append(refunds_owed(trade))
    trade.close(FIRST, "2026-11-02")
    cloud.clock.ms = midnight(parse_day("2026-11-20"), ZONE)

    trade.post("/v1/verdict-runs", {})

    assert [one["amount"] for one in trade.get("/v1/agreements/agr-1/items")["items"]] == ["-2.00"]
    assert [*owed, refunds_owed(trade)] == ["-2.00", "0", "-2.00"]


def test_terms_without_the_guarantee_from_tomorrow_owe_its_credit_for_today(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    windows(trade, 18, 20)
    windows(trade, 6, 80)
    trade.send()
    terms = TERMS | {"devices": ["cab-1", "meter-1", "cab-9"], "charges": [TERMS["charges"][2]]}
    del terms["agreement_id"]
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-02", "terms": terms})

    trade.close(FIRST, "2026-11-02")

    assert verdicts(trade)[0]["proposed_credit"]["amount"] == "2.00"
    assert verdicts(trade)[0]["objections_until"] == "2026-11-07"


def test_a_credit_has_the_rate_of_tax_of_what_it_is_a_credit_for(cloud: CloudTwin) -> None:
    trade, _ = missed_day(cloud)
    terms = trade.get("/v1/agreements/agr-1")["versions"][0]["terms"] | {"tax": {"rules": [{"percent": "21"}]}}
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-02", "terms": terms})
    cloud.clock.ms = midnight(parse_day("2026-11-08"), ZONE)
    trade.post("/v1/verdict-runs", {})

    invoice = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))

    rates = [(line["kind"], line["net"], line["percent"]) for line in invoice["lines"]]
    assert rates == [("monthly_fee", "10.00", "21"), ("guarantee_credit", "-2.00", "19")]


def test_terms_that_begin_within_a_period_share_its_cap(cloud: CloudTwin) -> None:
    trade = shop(cloud, cap="3")
    terms = trade.get("/v1/agreements/agr-1")["versions"][0]["terms"]
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-02", "terms": terms})
    for _ in range(2):
        windows(trade, 18, 20)
        windows(trade, 6, 80)
    trade.send()

    trade.close(FIRST, "2026-11-03")
    proposed = [one["proposed_credit"]["amount"] for one in verdicts(trade)]
    cloud.clock.ms = midnight(parse_day("2026-11-20"), ZONE)
    settled = trade.post("/v1/verdict-runs", {})["items"]

    assert sorted(proposed) == ["1.00", "2.00"]
    assert sorted(one["amount"] for one in trade.get("/v1/agreements/agr-1/items")["items"]) == ["-1.00", "-2.00"]
    assert [one["state"] for one in settled] == ["settled"] * 2


def test_what_will_be_credited_is_no_income_and_beancount_agrees(cloud: CloudTwin, tmp_path: Path) -> None:
    trade, _ = missed_day(cloud)
    before = {short(account): shown for (account, _), shown in booked(trade).items()}
    cloud.clock.ms = midnight(parse_day("2026-11-08"), ZONE)
    trade.post("/v1/verdict-runs", {})
    trade.close("2026-11-02", "2026-11-03")
    after = {short(account): shown for (account, _), shown in booked(trade).items()}

    assert (before["Income:Air"], before["Liabilities:Refund:Cust"]) == ("-8.00", "-2.00")
    # The first day's credit is paid out; the second day, on which nobody measured, waits with its own.
    assert (after["Income:Air"], after["Liabilities:Refund:Cust"]) == ("-16.00", "-2.00")
    checked = bean_check(cloud.ask("GET", "/v1/books/beancount").text, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_credit_note_for_the_same_period_when_the_terms_say_so(cloud: CloudTwin, tmp_path: Path) -> None:
    trade, statement = missed_day(cloud, credited_on="credit_note")
    cloud.clock.ms = midnight(parse_day("2026-11-08"), ZONE)

    (settled,) = trade.post("/v1/verdict-runs", {})["items"]

    invoice = invoice_of(trade, statement)
    (row,) = trade.get("/v1/documents?agreement_id=agr-1&kind=credit_note")["items"]
    note = trade.get(f"/v1/documents/{row['document_id']}")
    assert settled["credit"]["amount"] == "2.00"
    assert (note["about"], note["period"], note["lines"][0]["why"][:9]) == (
        invoice["document_id"], invoice["period"], "guarantee",
    )  # fmt: skip
    assert [note[name]["amount"] for name in ("net", "tax", "gross")] == ["-2.00", "-0.38", "-2.38"]
    assert invoice["open"]["amount"] == "9.52"
    assert trade.get("/v1/agreements/agr-1/items")["items"] == []
    balances = {short(account): shown for (account, _), shown in booked(trade).items()}
    assert (balances["Income:Air"], balances.get("Liabilities:Refund:Cust", "0")) == ("-8.00", "0")
    checked = bean_check(cloud.ask("GET", "/v1/books/beancount").text, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
