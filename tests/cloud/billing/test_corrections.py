"""Late data, void statements: what the original and its deltas say together is what one rating of all data says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cloud.billing.void_statement import NotVoidable, void_statement
from tests.cloud.trade import FIRST, HOUR, Trade, refusals
from tests.cloud.twins import CloudTwin


def void(trade: Trade, statement: dict[str, Any]) -> None:
    tenant, now = trade.cloud.tenant, trade.cloud.clock.ms
    trade.cloud.run(
        lambda tx: void_statement(tx, tenant, statement["statement_id"], reason="typo", who="ann", now_ms=now)
    )


def amount_of(statements: list[dict[str, Any]], period: str) -> Decimal:
    """What a period comes to on its own statement and on all later ones."""
    return sum(
        (
            Decimal(line["amount"]["amount"])
            for statement in statements
            for line in statement["lines"]
            if (line["belongs_to"] or statement["period"]["label"]) == period
        ),
        Decimal(0),
    )


def test_original_and_deltas_together_are_the_rating_of_all_data(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    statements = []
    trade.draw("glove", slot="2")
    trade.send()
    statements.append(trade.close(FIRST, "2026-11-02"))
    trade.draw("glove", slot="2")
    trade.to("2026-11-02", 9)
    trade.draw("glove", slot="2")
    trade.send()
    statements.append(trade.close("2026-11-02", "2026-11-03"))
    trade.to(FIRST, 20)
    trade.draw("glove", slot="2")
    trade.to("2026-11-02", 21)
    trade.draw("glove", slot="2")
    trade.send()

    statements.append(trade.close("2026-11-03", "2026-11-04"))

    assert [statement["lines"][0]["amount"]["amount"] for statement in statements[:1]] == ["0.34"]
    first = "2026-11-01/2026-11-02"
    # Three gloves at 0.335 on one day are 1.005, so 1.01; the fee of that day is 10.00.
    assert amount_of(statements, first) == Decimal("11.01")
    assert amount_of(statements, "2026-11-02/2026-11-03") == Decimal("10.67")
    found = [
        (line["corrects"]["statement"], line["corrects"]["line"], line["amount"]["amount"])
        for line in statements[2]["lines"]
        if "corrects" in line
    ]
    assert found == [(1, 1, "0.34"), (2, 1, "0.33")]
    assert [refusals(trade.bundle(one)) for one in statements] == [[], [], []]


def test_a_late_reading_corrects_the_register_of_its_period_and_moves_the_opening(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.read(0)
    trade.at += HOUR
    trade.read(1001)
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    trade.at += HOUR
    trade.read(2002)
    trade.to("2026-11-02", 9)
    trade.read(3000)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    delta = next(line for line in second["lines"] if "corrects" in line)
    own = next(line for line in second["lines"] if line["kind"] == "energy" and "corrects" not in line)
    assert (delta["corrects"]["line"], delta["quantity"]["value"]) == (1, "1.001")
    assert amount_of([first, second], "2026-11-01/2026-11-02") == Decimal("1.70") + Decimal("10.00")
    assert own["opening"] == delta["closing"]
    assert refusals(trade.bundle(second)) == []


def test_what_a_meter_without_a_number_says_late_of_itself_still_counts(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.read(990_000)
    trade.at += HOUR
    trade.read(995_000)
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.to(FIRST, 20)
    trade.event("meter-1", "meter_facts", registers={"import_wh": {"modulus": "1000", "max_kw": "50"}})
    trade.to("2026-11-02", 9)
    trade.read(999_000)
    trade.at += HOUR
    trade.read(4_000)
    trade.send()

    second = trade.close("2026-11-02", "2026-11-03")

    (energy,) = [line for line in second["lines"] if line["kind"] == "energy"]
    assert (energy["quantity"]["value"], energy["rollovers"]) == ("9", 1)
    assert refusals(trade.bundle(second)) == []


def test_a_void_statement_is_replaced_by_the_next_revision_of_its_period(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    trade.close(FIRST, "2026-11-02")
    trade.to("2026-11-02", 9)
    trade.draw(qty=2)
    trade.send()
    wrong = trade.close("2026-11-02", "2026-11-03")
    trade.draw(qty=4)
    trade.send()

    void(trade, wrong)
    again = trade.close("2026-11-02", "2026-11-03")
    trade.to("2026-11-03", 9)
    trade.draw(qty=8)
    trade.send()
    third = trade.close("2026-11-03", "2026-11-04")

    assert (again["number"], again["revision"], again["base"]) == (3, 1, 1)
    assert (again["replaces"], again["prev_hash"]) == (wrong["hash"], wrong["hash"])
    assert again["lines"][0]["quantity"]["value"] == "6"
    assert (third["number"], third["base"], third["revision"]) == (4, 3, 0)
    assert [refusals(trade.bundle(one)) for one in (wrong, again, third)] == [[], [], []]


def test_the_first_statement_can_be_void_too_and_two_in_a_row(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    second = trade.close("2026-11-02", "2026-11-03")

    void(trade, second)
    void(trade, first)
    trade.to("2026-11-03", 9)
    first_again = trade.close(FIRST, "2026-11-02")
    second_again = trade.close("2026-11-02", "2026-11-03")

    assert [(one["number"], one["revision"]) for one in (first_again, second_again)] == [(3, 1), (4, 1)]
    assert refusals(trade.bundle(first_again)) == refusals(trade.bundle(second_again)) == []
    assert second_again["replaces"] == second["hash"]


def test_a_statement_on_which_another_stands_is_not_taken_back(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    first = trade.close(FIRST, "2026-11-02")
    trade.close("2026-11-02", "2026-11-03")

    with pytest.raises(NotVoidable, match="statement 2 stands on it"):
        void(trade, first)


def test_late_data_after_a_revision_is_corrected_on_the_line_of_the_revision(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    void(trade, trade.close(FIRST, "2026-11-02"))
    trade.close(FIRST, "2026-11-02")
    trade.draw(qty=2)
    trade.send()

    third = trade.close("2026-11-02", "2026-11-03")

    delta = next(line for line in third["lines"] if "corrects" in line)
    assert (delta["corrects"]["statement"], delta["corrects"]["line"], delta["quantity"]["value"]) == (2, 1, "2")
    assert refusals(trade.bundle(third)) == []
