"""What a bundle has to prove when clocks, boots and old leaves are in play."""

from __future__ import annotations

from typing import Any

from cloud.billing.bundle import load
from cloud.billing.close_period import running
from tests.cloud.trade import FIRST, HOUR, MINUTE, Trade, lines_of, refusals
from tests.cloud.twins import CloudTwin


def times(statement: dict[str, Any], line: int = 0) -> list[tuple[str, str]]:
    return [(leaf["at"], leaf["quality"]) for leaf in statement["lines"][line]["evidence"]]


def test_an_unsynchronised_draw_gets_its_time_from_the_first_synchronised_record_of_its_boot(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.at += HOUR
    trade.draw(t=0, ts="U")
    trade.at += HOUR
    trade.read(5)
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert times(statement) == [("2026-11-01T00:00:00.000Z", "repaired")]
    assert refusals(trade.bundle(statement)) == []


def test_the_record_that_dates_a_leaf_is_shown_even_when_it_lies_in_an_older_range(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 9)
    trade.draw(t=0, ts="I")
    trade.send()

    statement = trade.close("2026-11-02", "2026-11-03")
    bundle = trade.bundle(statement)

    assert times(statement) == [("2026-11-02T08:00:00.000Z", "repaired")]
    assert [one.index for one in load(bundle).logs[0].outside] == [0]
    assert refusals(bundle) == []


def test_a_clock_that_was_never_synchronised_leaves_the_cosignature_and_the_line_says_so(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.at += 2 * HOUR
    trade.draw(t=0, ts="U")
    trade.at += 10 * MINUTE
    trade.draw(t=0, ts="U")
    trade.at += 50 * MINUTE
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert times(statement) == [
        ("2026-11-01T01:50:00.000Z", "received_time"), ("2026-11-01T02:00:00.000Z", "received_time"),
    ]  # fmt: skip
    assert refusals(trade.bundle(statement)) == []


def test_a_clock_that_is_synchronised_after_the_closing_moves_nothing_that_was_billed(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.to("2026-11-01", 23)
    trade.draw(t=0, ts="U")
    trade.to("2026-11-02", 1)
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 2)
    trade.draw(qty=5)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    assert lines_of(first) == [("", "1", "10.00")]
    assert lines_of(second)[:1] == [("drill-8", "6", "7.20")]
    assert times(second)[0][1] == "received_time"
    assert refusals(trade.bundle(first)) == refusals(trade.bundle(second)) == []


def test_reboots_within_a_range_leave_no_gap(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.draw()
    trade.reboot()
    trade.draw()
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert lines_of(statement)[0] == ("drill-8", "3", "3.60")
    assert refusals(trade.bundle(statement)) == []


def test_a_gateway_that_had_counted_further_than_is_shown_is_noticed(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.reboot(last=[["cab-1", 2]])
    trade.draw()
    trade.send()

    bundle = trade.bundle(trade.close(FIRST, "2026-11-02"))

    assert any("cab-1 had counted to 2" in refusal for refusal in refusals(bundle))


def test_a_record_told_again_by_its_device_is_billed_once(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw(did="boot1/77")
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    trade.reboot()
    trade.draw(did="boot1/77")
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    assert lines_of(first)[0] == ("drill-8", "1", "1.20")
    assert lines_of(second) == [("", "1", "10.00")]
    assert [one["reason"] for one in second["unbilled"]] == ["duplicate"]
    assert refusals(trade.bundle(second)) == []


def test_a_record_without_a_time_of_its_own_that_is_told_again_later_is_billed_once(
    cloud: CloudTwin,
) -> None:
    trade = Trade(cloud)
    trade.to("2026-11-01", 10)
    trade.draw(t=0, ts="U", did="boot1/77")
    trade.send()
    trade.reboot()
    trade.to("2026-11-01", 23)
    trade.draw()
    trade.to("2026-11-02", 1)
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    trade.reboot()
    trade.to("2026-11-02", 9)
    trade.draw(did="boot1/77")
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    assert lines_of(first)[0] == ("drill-8", "2", "2.40")
    assert lines_of(second) == [("", "1", "10.00")]
    assert refusals(trade.bundle(first)) == refusals(trade.bundle(second)) == []


def test_a_return_of_goods_from_a_closed_period_shows_the_draw_it_takes_back(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    drawn = trade.draw(qty=3)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 9)
    trade.give_back(qty=2, key=drawn)
    trade.send()

    statement = trade.close("2026-11-02", "2026-11-03")
    bundle = trade.bundle(statement)

    assert lines_of(statement)[0] == ("drill-8", "-2", "-2.40")
    assert [one.index for one in load(bundle).logs[0].outside] == [1]
    assert refusals(bundle) == []


def test_many_batches_and_three_periods_still_verify(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    made = []
    for day in range(1, 4):
        trade.to(f"2026-11-0{day}", 8)
        for turn in range(5):
            trade.draw()
            trade.draw(cabinet="cab-9")
            trade.read(1000 * day + turn)
            trade.at += HOUR
        trade.send(pieces=4)
        made.append(trade.close(f"2026-11-0{day}", f"2026-11-0{day + 1}"))

    bundles = [trade.bundle(statement) for statement in made]

    assert [refusals(bundle) for bundle in bundles] == [[], [], []]
    assert [statement["total"]["amount"] for statement in made] == ["16.00", "16.85", "16.85"]
    assert [one["statement_id"] for one in trade.get("/v1/statements")["items"]] == [
        one["statement_id"] for one in made
    ]


def test_a_device_that_joins_later_brings_its_counters(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.draw(cabinet="cab-9")
    trade.send()
    trade.close(FIRST, "2026-11-02")
    terms = trade.get("/v1/agreements/agr-1")["versions"][0]["terms"]
    terms["devices"].append("cab-9")
    terms = {name: value for name, value in terms.items() if value is not None}
    for charge in terms["charges"]:
        for meter in charge.get("devices", []):
            del meter["modulus"], meter["max_kw"]
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-02", "terms": terms})
    trade.to("2026-11-02", 9)
    trade.draw(cabinet="cab-9", qty=2)
    trade.send()

    statement = trade.close("2026-11-02", "2026-11-03")

    assert lines_of(statement)[0] == ("drill-8", "2", "2.40")
    assert refusals(trade.bundle(statement)) == []


def test_a_period_in_which_nothing_happened_is_closed_and_verifies(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.read(5)
    trade.draw()
    trade.send()
    made = [trade.close(f"2026-11-0{day}", f"2026-11-0{day + 1}") for day in range(1, 4)]

    bundles = [trade.bundle(statement) for statement in made]

    assert [lines_of(statement) for statement in made[1:]] == [[("", "1", "10.00")]] * 2
    assert [refusals(bundle) for bundle in bundles] == [[], [], []]


def test_an_agreement_without_a_single_leaf_has_a_statement_too(cloud: CloudTwin) -> None:
    trade = Trade(cloud)

    statement = trade.close(FIRST, "2026-11-02")

    assert lines_of(statement) == [("", "1", "10.00")]
    assert refusals(trade.bundle(statement)) == []


def test_the_last_statement_of_an_agreement_ends_with_its_last_leaf(cloud: CloudTwin) -> None:
    trade = Trade(cloud, ends="2026-11-03")
    trade.draw()
    trade.to("2026-11-02", 20)
    trade.draw(qty=2)
    trade.send()
    trade.to("2026-11-03", 8)
    trade.draw(qty=9)
    trade.send()
    cloud.clock.ms = trade.at + 40 * 24 * HOUR

    statement = trade.post("/v1/agreements/agr-1/statements", {"period": "2026-11"})
    bundle = trade.bundle(statement)

    assert statement["period"]["label"] == "2026-11-01/2026-11-03"
    assert lines_of(statement) == [("drill-8", "3", "3.60"), ("", "2", "20.00")]
    assert statement["ranges"][0]["to"] == 2
    assert refusals(bundle) == []
    assert trade.get("/v1/agreements/agr-1/running")["lines"] == []


def test_running_bills_of_an_idle_day_have_the_fee_alone(cloud: CloudTwin) -> None:
    trade = Trade(cloud)

    found = cloud.run(lambda tx: running(tx, cloud.tenant, "agr-1", trade.at))

    assert [line.kind for line in found.settlement.lines] == ["monthly_fee"]


def test_a_draw_that_only_a_cosignature_dates_is_corrected_in_the_period_it_was_billed_in(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.to("2026-11-01", 10)
    drawn = trade.draw(t=0, ts="U", outcome="unverified")
    trade.send()
    trade.reboot()
    trade.draw()
    trade.to("2026-11-01", 12)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 9)
    trade.draw()
    trade.send()
    trade.close("2026-11-02", "2026-11-03")
    trade.to("2026-11-03", 9)
    trade.resolve(drawn)
    trade.send()

    third = trade.close("2026-11-03", "2026-11-04")

    late = [line for line in third["lines"] if line["subject"] == "drill-8"]
    assert [(line["belongs_to"], line["amount"]["amount"]) for line in late] == [("2026-11-01/2026-11-02", "1.20")]
    assert ("2026-11-01T09:00:00.000Z", "received_time") in [(one["at"], one["quality"]) for one in late[0]["evidence"]]
    assert refusals(trade.bundle(third)) == []


def test_a_clock_synchronised_between_two_statements_does_not_date_a_billed_draw_anew(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.to("2026-11-01", 10)
    drawn = trade.draw(t=0, ts="U", outcome="unverified")
    trade.to("2026-11-01", 23)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 9)
    trade.draw(t=0, ts="U")
    trade.to("2026-11-02", 10)
    trade.send()
    trade.close("2026-11-02", "2026-11-03")
    trade.booted += 30 * HOUR
    trade.at += 30 * HOUR
    trade.resolve(drawn)
    trade.send()

    third = trade.close("2026-11-03", "2026-11-04")

    assert [line["belongs_to"] for line in third["lines"] if line["subject"]] == ["2026-11-01/2026-11-02"]
    assert [one.to for one in load(trade.bundle(third)).statement.head.logs[0].clocks] == [1, 2]
    assert refusals(trade.bundle(third)) == []


def test_two_boots_of_copies_of_one_card_may_be_told_one_between_the_other(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.reboot(previous=trade.boot)
    trade.draw()
    first, counted = trade.boot, trade.n
    trade.reboot(previous=first)
    trade.draw()
    second = trade.n
    trade.boot, trade.n = first, counted
    trade.read(5)
    trade.draw()
    trade.boot, trade.n = f"{int(first, 16) + 1:016x}", second
    trade.draw()
    trade.send()

    statement = trade.close(FIRST, "2026-11-02")

    assert lines_of(statement)[0] == ("drill-8", "4", "4.80")
    assert refusals(trade.bundle(statement)) == []
