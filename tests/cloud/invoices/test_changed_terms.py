"""Terms that were concluded for later: what was supplied before is billed by the terms of its own time."""

from __future__ import annotations

from typing import Any

from tests.cloud.billing.test_closing_days import run, states
from tests.cloud.invoices.test_documents import invoice_of
from tests.cloud.trade import FIRST, TERMS, Trade
from tests.cloud.twins import CloudTwin

PIECES = [{"kind": "per_piece", "prices": {"drill-8": "10.00"}}]
OLD, NEW = {"rules": [{"percent": "16"}]}, {"rules": [{"percent": "19"}]}


def shop(cloud: CloudTwin, **terms: object) -> Trade:
    return Trade(cloud, **({"charges": PIECES, "tax": OLD} | terms))


def amend(trade: Trade, first: str, **terms: object) -> None:
    """Another version of the shop's terms from a day on."""
    said = {name: value for name, value in (TERMS | {"charges": PIECES} | terms).items() if name != "agreement_id"}
    trade.post("/v1/agreements/agr-1/versions", {"first": first, "terms": said})


def taxes(invoice: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["percent"], one["net"], one["tax"]) for one in invoice["taxes"]]


def test_a_rate_of_tax_agreed_on_for_later_does_not_tax_what_was_supplied_before(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw(qty=3)
    trade.send()
    amend(trade, "2026-12-01", tax=NEW)

    invoice = invoice_of(trade, trade.close(FIRST, "2026-12-01"))

    assert taxes(invoice) == [("16", "30.00", "4.80")]


def test_a_rate_that_changes_inside_a_period_taxes_each_line_by_its_own_days(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw()
    trade.to("2026-11-20")
    trade.draw(qty=2)
    trade.send()
    amend(trade, "2026-11-15", tax=NEW)

    invoice = invoice_of(trade, trade.close(FIRST, "2026-12-01"))

    assert taxes(invoice) == [("16", "10.00", "1.60"), ("19", "20.00", "3.80")]


def test_what_comes_late_is_taxed_at_the_rate_of_its_own_period(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    amend(trade, "2026-12-01", tax=NEW)
    trade.draw()
    trade.send()
    trade.close(FIRST, "2026-12-01")
    trade.to("2026-11-30", 9)
    trade.draw(qty=4)
    trade.to("2026-12-02", 9)
    trade.draw(qty=2)
    trade.send()

    invoice = invoice_of(trade, trade.close("2026-12-01", "2027-01-01"))

    assert taxes(invoice) == [("16", "40.00", "6.40"), ("19", "20.00", "3.80")]


def test_an_early_bill_is_taken_off_at_the_rate_it_was_asked_for_at(cloud: CloudTwin) -> None:
    early = [*PIECES, {"kind": "progressive_billing", "thresholds": ["50"]}]
    trade = shop(cloud, charges=early)
    trade.draw(qty=6)
    trade.send()
    assert states(run(trade, "2026-11-03")) == [("early", FIRST, "60.00")]
    amend(trade, "2026-11-15", charges=early, tax=NEW)
    trade.to("2026-11-20")
    trade.draw(qty=2)
    trade.send()

    invoice = invoice_of(trade, trade.close(FIRST, "2026-12-01"))

    assert taxes(invoice) == [("16", "0.00", "0.00"), ("19", "20.00", "3.80")]


def test_a_cycle_agreed_on_for_later_begins_then_and_leaves_the_months_before_as_they_were(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw()
    trade.send()
    amend(trade, "2027-01-15", cycle={"unit": "quarter", "anchor": "2027-01-15"})

    done = run(trade, "2027-04-15")

    assert states(done) == [
        ("final", "2026-11-01", "10.00"), ("final", "2026-12-01", "0"), ("final", "2027-01-01", "0"),
        ("final", "2027-01-15", "0"),
    ]  # fmt: skip


def test_rounding_over_a_period_is_that_of_its_beginning(cloud: CloudTwin) -> None:
    pieces = [{"kind": "per_piece", "prices": {"drill-8": "0.333", "glove": "0.333"}}]
    trade = shop(cloud, charges=pieces)
    trade.draw()
    trade.draw("glove", slot="2")
    trade.send()
    amend(trade, "2026-12-01", charges=pieces, rounding={"place": "total"})

    statement = trade.close(FIRST, "2026-12-01")

    assert statement["total"]["amount"] == "0.66"
    assert "each line is rounded once" in statement["rounding"]
