"""One draw and one kWh, all the way to a statement that anybody can check."""

from __future__ import annotations

from cloud.billing.bundle import Hidden, load
from cloud.calendar import midnight, parse_day
from tests.cloud.trade import FIRST, HOUR, TERMS, ZONE, Trade, lines_of, refusals
from tests.cloud.twins import CloudTwin


def test_a_draw_and_a_kilowatt_hour_become_a_statement_that_verifies(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.refill(10)
    trade.read(1000)
    trade.at += HOUR
    trade.draw(qty=2)
    trade.read(3500)
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert lines_of(statement) == [("drill-8", "2", "2.40"), ("import_wh", "2.5", "2.13"), ("", "1", "10.00")]
    assert statement["total"] == {"amount": "14.53", "currency": "EUR"}
    assert refusals(trade.bundle(statement)) == []


def test_closing_twice_gives_the_same_statement(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()

    first = trade.close(FIRST, "2026-11-02")
    trade.draw()
    trade.send()
    again = trade.close(FIRST, "2026-11-02")

    assert again == first
    assert cloud.counts()["statements"] == 1


def test_the_opening_register_is_the_closing_one_of_the_statement_before(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.read(1000)
    trade.at += HOUR
    trade.read(2000)
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 8)
    trade.read(2600)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    energy = [line for line in second["lines"] if line["kind"] == "energy"]
    assert energy[0]["opening"] == next(line for line in first["lines"] if line["kind"] == "energy")["closing"]
    assert energy[0]["quantity"] == {"value": "0.6", "unit": "kWh"}
    assert second["prev_hash"] == first["hash"]
    assert refusals(trade.bundle(second)) == []


def test_what_happens_after_a_period_but_before_its_closing_is_carried_over(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.to("2026-11-02", 9)
    trade.draw(qty=3)
    trade.send()

    first = trade.close(FIRST, "2026-11-02")
    second = trade.close("2026-11-02", "2026-11-03")

    assert lines_of(first)[0] == ("drill-8", "1", "1.20")
    assert lines_of(second)[0] == ("drill-8", "3", "3.60")
    assert refusals(trade.bundle(first)) == refusals(trade.bundle(second)) == []


def test_what_comes_after_the_closing_is_a_line_that_names_the_period_it_belongs_to(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.read(100)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.draw(qty=2)
    trade.at += HOUR
    trade.read(600)
    trade.to("2026-11-02", 9)
    trade.draw(qty=4)
    trade.read(1600)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    found = [(line["subject"], line["belongs_to"], line["quantity"]["value"]) for line in second["lines"]]
    late = "2026-11-01/2026-11-02"
    assert found == [
        ("drill-8", "", "4"), ("import_wh", "", "1"), ("", "", "1"), ("drill-8", late, "2"), ("import_wh", late, "0.5"),
    ]  # fmt: skip
    corrected = [(line["corrects"]["statement"], line["corrects"]["line"]) for line in second["lines"][3:]]
    assert corrected == [(1, 1), (1, 0)]
    assert refusals(trade.bundle(second)) == []


def test_an_unverified_draw_is_billed_once_evidence_has_come_with_both_leaves(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    doubtful = trade.draw(outcome="unverified")
    trade.draw(outcome="unverified")
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 9)
    trade.resolve(doubtful)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    assert [(one["reason"], len(one["evidence"])) for one in first["unbilled"]] == [("unverified", 2)]
    line = second["lines"][1]
    assert (line["belongs_to"], line["quantity"]["value"]) == ("2026-11-01/2026-11-02", "1")
    assert [leaf["index"] for leaf in line["evidence"]] == [0, 2]
    assert refusals(trade.bundle(first)) == refusals(trade.bundle(second)) == []


def test_a_reversal_mirrors_its_draw_at_the_price_of_the_draw(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    drawn = trade.draw("glove", qty=3, slot="2")
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    dearer = {**TERMS, "charges": [{"kind": "per_piece", "prices": {"glove": "9.00"}}]}
    dearer.pop("agreement_id")
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-02", "terms": dearer})
    trade.to("2026-11-02", 9)
    trade.reverse(drawn, qty=3)
    trade.reverse(drawn, qty=1)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    assert lines_of(first)[0] == ("glove", "3", "1.01")
    assert lines_of(second)[0] == ("glove", "-3", "-1.01")
    assert [one["reason"] for one in second["unbilled"]] == ["reversed_too_much"]
    assert refusals(trade.bundle(second)) == []


def test_a_price_that_changes_in_mid_period_makes_two_lines(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    terms = {name: value for name, value in TERMS.items() if name != "agreement_id"}
    dearer = {**terms, "charges": [*TERMS["charges"][1:], {"kind": "per_piece", "prices": {"drill-8": "2.00"}}]}
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-11", "terms": dearer})
    trade.read(0)
    trade.draw()
    trade.to("2026-11-10", 23)
    trade.read(1000)
    trade.to("2026-11-11", 1)
    trade.draw()
    trade.read(1500)
    trade.send()

    statement = trade.close(FIRST, "2026-12-01")

    found = [
        (line["kind"], line["version"], line["quantity"]["value"], line["amount"]["amount"])
        for line in statement["lines"]
    ]
    assert sorted(found) == [
        ("energy", 1, "1", "0.85"), ("energy", 2, "0.5", "0.43"),
        ("monthly_fee", 1, "10", "100.00"), ("monthly_fee", 2, "20", "200.00"),
        ("per_piece", 1, "1", "1.20"), ("per_piece", 2, "1", "2.00"),
    ]  # fmt: skip
    assert refusals(trade.bundle(statement)) == []


def test_leaves_of_other_customers_are_shown_as_hashes_only(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.draw(cabinet="cab-9")
    trade.draw()
    trade.send()

    bundle = trade.bundle(trade.close(FIRST, "2026-11-02"))

    assert bundle.count(b'\\"src\\":\\"cab-9\\"') == 0
    assert [isinstance(leaf, Hidden) for leaf in load(bundle).logs[0].leaves] == [False, True, False]
    assert refusals(bundle) == []


def test_what_has_no_price_is_listed_and_not_billed_at_nothing(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw("oddment")
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert [(one["reason"], one["subject"]) for one in statement["unbilled"]] == [("unpriced", "oddment")]
    assert lines_of(statement) == [("", "1", "10.00")]


def test_the_running_bill_is_what_the_statement_will_say(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw(qty=2)
    trade.read(0)
    trade.read(400)
    trade.send()

    running = trade.get("/v1/agreements/agr-1/running")
    statement = trade.close(FIRST, "2026-11-02")

    assert running["lines"] == statement["lines"]
    assert running["total"] == statement["total"]


def test_months_follow_one_another_and_the_first_one_is_cut_at_the_start(cloud: CloudTwin) -> None:
    trade = Trade(cloud, starts="2026-11-21")
    trade.to("2026-11-21", 9)
    trade.draw()
    trade.send()
    cloud.clock.ms = midnight(parse_day("2027-01-01"), ZONE)

    november = trade.post("/v1/agreements/agr-1/statements", {"period": "2026-11"})
    december = trade.post("/v1/agreements/agr-1/statements", {"period": "2026-12"})

    assert (november["period"]["first"], november["number"]) == ("2026-11-21", 1)
    assert (december["period"]["label"], december["number"]) == ("2026-12", 2)
    assert [line["amount"]["amount"] for line in november["lines"]] == ["1.20", "100.00"]
    assert trade.post("/v1/agreements/agr-1/statements", {"period": "2026-11"})["hash"] == november["hash"]


def test_leaves_from_before_the_agreement_stay_private(cloud: CloudTwin) -> None:
    trade = Trade(cloud, starts="2026-11-05")
    trade.draw(qty=7)
    trade.read(5)
    trade.to("2026-11-05", 9)
    trade.draw(qty=2)
    trade.read(10)
    trade.read(1010)
    trade.send()

    statement = trade.close("2026-11-05", "2026-11-06")

    assert lines_of(statement)[:2] == [("drill-8", "2", "2.40"), ("import_wh", "1", "0.85")]
    assert statement["ranges"][0]["from"] == 2
    assert refusals(trade.bundle(statement)) == []


def test_a_period_is_not_closed_before_it_is_over_and_not_out_of_turn(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    cloud.clock.ms += HOUR

    early = cloud.ask("POST", "/v1/agreements/agr-1/statements", {"from": FIRST, "to": "2026-11-02"})
    gap = cloud.ask("POST", "/v1/agreements/agr-1/statements", {"from": "2026-11-03", "to": "2026-11-04"})

    assert (early.status_code, early.json()["type"]) == (409, "/problems/period-not-over")
    assert (gap.status_code, gap.json()["type"]) == (409, "/problems/period-not-next")
    assert "2026-11-01" in gap.json()["detail"]
    assert trade.get("/v1/statements")["items"] == []
