"""Days of grace and what comes late; early bills and what is taken off; an agreement that cannot be closed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cloud.calendar import midnight, parse_day
from cloud.database import Tx
from cloud.invoices import repository as documents
from cloud.invoices.document import Document
from tests.cloud.trade import DAY, HOUR, TERMS, ZONE, Trade, refusals
from tests.cloud.twins import CloudTwin

TAX = {"rules": [{"category": "S", "percent": "19"}]}
PIECES = [{"kind": "per_piece", "prices": {"drill-8": "10.00"}}]
MONTH = {"from": "2026-11-01", "to": "2026-12-01"}


def run(trade: Trade, day: str, hours: int = 1) -> list[dict[str, Any]]:
    """A closing run at an hour of a local day."""
    trade.cloud.clock.ms = max(trade.cloud.clock.ms, midnight(parse_day(day), ZONE) + hours * HOUR)
    items: list[dict[str, Any]] = trade.post("/v1/closing-runs", {})["items"]
    return items


def states(done: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["state"], one["first"], one["total"]) for one in done]


def invoices(cloud: CloudTwin) -> list[Document]:
    def work(tx: Tx) -> list[Document]:
        rows = documents.page(tx, cloud.tenant, "", "", "", 100)
        found = [documents.find(tx, cloud.tenant, row.document_id) for row in rows]
        return sorted((one for one in found if one is not None), key=lambda one: (one.series, one.number))

    return cloud.run(work)


def statements(trade: Trade) -> list[dict[str, Any]]:
    items = trade.get("/v1/statements?agreement_id=agr-1")["items"]
    return [trade.get(f"/v1/statements/{one['statement_id']}") for one in items]


def test_what_comes_in_the_days_of_grace_is_in_the_draft_and_in_the_final_statement(cloud: CloudTwin) -> None:
    trade = Trade(cloud, grace_days=3, charges=PIECES)
    trade.draw()
    trade.send()
    early = run(trade, "2026-12-01")
    trade.to("2026-11-20")
    trade.draw(qty=2)
    trade.cloud.clock.ms += DAY
    trade.send()

    again = run(trade, "2026-12-03", 23)
    final = run(trade, "2026-12-04")

    assert states(early) == [("draft", "2026-11-01", "10.00")]
    assert states(again) == [("draft", "2026-11-01", "30.00")]
    assert states(final) == [("final", "2026-11-01", "30.00")]
    (statement,) = statements(trade)
    assert [line["belongs_to"] for line in statement["lines"]] == [""]
    assert trade.get("/v1/agreements/agr-1/drafts")["items"] == []
    assert refusals(trade.bundle(statement)) == []


def test_what_comes_after_the_days_of_grace_is_a_delta_line_of_the_next_statement(cloud: CloudTwin) -> None:
    trade = Trade(cloud, grace_days=3, charges=PIECES)
    trade.draw()
    trade.send()
    run(trade, "2026-12-04")
    trade.to("2026-11-20")
    trade.draw(qty=2)
    trade.cloud.clock.ms += HOUR
    trade.send()

    draft = run(trade, "2027-01-02")
    final = run(trade, "2027-01-04")

    assert states(draft) == [("draft", "2026-12-01", "20.00")]
    assert states(final) == [("final", "2026-12-01", "20.00")]
    last = statements(trade)[-1]
    assert [(line["belongs_to"], line["corrects"]["statement"]) for line in last["lines"]] == [("2026-11", 1)]
    assert refusals(trade.bundle(last)) == []


def test_a_passed_threshold_is_billed_early_and_taken_off_the_period_s_invoice(cloud: CloudTwin) -> None:
    early = {"kind": "progressive_billing", "thresholds": ["50", "100"]}
    trade = Trade(cloud, charges=[*PIECES, early], tax=TAX)
    trade.draw(qty=4)
    trade.send()
    nothing = run(trade, "2026-11-03")
    trade.to("2026-11-05", 9)
    trade.draw(qty=3)
    trade.send()
    first = run(trade, "2026-11-06")
    twice = run(trade, "2026-11-06", 2)
    trade.to("2026-11-08", 9)
    trade.draw(qty=5)
    trade.send()
    second = run(trade, "2026-11-09")
    trade.to("2026-11-20", 9)
    trade.draw(qty=1)
    trade.send()

    final = run(trade, "2026-12-02")

    assert [states(one) for one in (nothing, twice)] == [[], []]
    assert [states(one) for one in (first, second, final)] == [
        [("early", "2026-11-01", "70.00")], [("early", "2026-11-01", "50.00")], [("final", "2026-11-01", "130.00")],
    ]  # fmt: skip
    told = invoices(cloud)
    assert [(one.net, one.tax, one.gross) for one in told] == [
        ("70.00", "13.30", "83.30"), ("50.00", "9.50", "59.50"), ("10.00", "1.90", "11.90"),
    ]  # fmt: skip
    assert [line.net for line in told[2].lines] == ["130.00", "-70.00", "-50.00"]
    assert [one.number for one in told] == [1, 2, 3]


def test_a_void_statement_gives_back_what_it_took_off_for_early_bills(cloud: CloudTwin) -> None:
    early = {"kind": "progressive_billing", "thresholds": ["50"], "of": "usage"}
    trade = Trade(cloud, charges=[*PIECES, early, {"kind": "flat", "amount": "500"}])
    trade.draw(qty=6)
    trade.send()
    run(trade, "2026-11-06")
    run(trade, "2026-12-02")
    (wrong,) = statements(trade)
    trade.post(f"/v1/statements/{wrong['statement_id']}/void", {"reason": "a wrong price", "who": "ann"})

    run(trade, "2026-12-03")

    told = [one for one in invoices(cloud) if one.kind == "invoice"]
    assert [one.net for one in told] == ["60.00", "500.00", "500.00"]


def test_an_agreement_that_cannot_be_closed_does_not_stand_in_the_way_of_others(cloud: CloudTwin) -> None:
    trade = Trade(cloud, charges=PIECES)
    trade.post("/v1/devices", {"device_id": "fan-1", "kind": "fan", "gateway_id": "gw-1"})
    other = {"agreement_id": "agr-2", "supplier_id": "sup", "customer_id": "cust", "currency": "EUR", "zone": ZONE,
             "starts": "2026-11-01", "devices": ["fan-1"], "charges": [{"kind": "flat", "amount": "5"}]}  # fmt: skip
    trade.post("/v1/agreements", other)
    trade.draw()
    trade.send()
    cloud.run(lambda tx: tx.run("UPDATE agreement_versions SET terms = '{}' WHERE agreement_id = 'agr-1'"))

    done = run(trade, "2026-12-02")

    assert [(one["agreement_id"], one["state"], one["total"]) for one in done] == [
        ("agr-1", "failed", ""), ("agr-2", "final", "5.00"),
    ]  # fmt: skip
    assert "AgreementError" in done[0]["reason"]


def test_what_late_data_adds_in_several_rounds_is_what_one_rating_of_all_data_gives(cloud: CloudTwin) -> None:
    tiers = [{"up_to": "3", "unit_price": "1.111", "flat": "2"}, {"unit_price": "0.777"}]
    charge = {"kind": "graduated", "source": {"measure": "pieces", "unit": "pc"}, "tiers": tiers}
    trade = Trade(cloud, charges=[charge, {"kind": "commitment", "minimum": {"amount": "4"}}])
    rounds = [(1, 1), (1, 2), (2, 3), (1, 1), (3, 5), (2, 2), (1, 4)]
    days = ["2026-11-01", "2026-11-02", "2026-11-03"]
    made: list[dict[str, Any]] = []
    for turn, (day, qty) in enumerate(rounds):
        trade.to(days[day - 1], turn + 1)
        trade.draw(qty=qty)
        trade.send()
        if turn < len(days):
            made.append(trade.close(days[turn], f"2026-11-0{turn + 2}"))
        elif turn == 4:
            trade.cloud.clock.ms += HOUR
            trade.post(f"/v1/statements/{made[-1]['statement_id']}/void", {"reason": "a wrong day", "who": "ann"})
            made[-1] = trade.close(days[2], "2026-11-04")

    made.append(trade.close("2026-11-04", "2026-11-05"))

    due = {day: sum(qty for one, qty in rounds if one == number) for number, day in enumerate(days, 1)}
    for place, (first, quantity) in enumerate(due.items()):
        label = f"{first}/2026-11-0{place + 2}"
        lines = [one for statement in made for one in statement["lines"] if _belongs(one, statement) == label]
        low = min(quantity, 3)
        whole = (low * Decimal("1.111") + 2 + (quantity - low) * Decimal("0.777")).quantize(Decimal("0.01"))
        assert sum(Decimal(one["amount"]["amount"]) for one in lines) == max(whole, Decimal(4)), label
    assert [refusals(trade.bundle(one)) for one in made] == [[]] * len(made)


def test_a_price_that_changes_at_an_instant_splits_the_lines_there(cloud: CloudTwin) -> None:
    fee = {"kind": "flat", "amount": "240", "proration": {"count": "seconds"}}
    trade = Trade(cloud, charges=[*PIECES, fee], cycle={"unit": "day"})
    newer = TERMS | {"charges": [{"kind": "per_piece", "prices": {"drill-8": "20.00"}}, fee | {"amount": "480"}],
                     "cycle": {"unit": "day"}, "effective_at": "2026-11-02T06:00:00+01:00"}  # fmt: skip
    newer.pop("agreement_id")
    trade.post("/v1/agreements/agr-1/versions", {"first": "2026-11-02", "terms": newer})
    trade.close("2026-11-01", "2026-11-02")
    for hour in (5, 6):
        trade.to("2026-11-02", hour)
        trade.draw()
    trade.send()

    made = trade.close("2026-11-02", "2026-11-03")

    shown = [(one["version"], one["kind"], one["first"], one["end"], one["amount"]["amount"]) for one in made["lines"]]
    assert shown == [
        (1, "per_piece", "2026-11-02", "2026-11-03", "10.00"), (2, "per_piece", "2026-11-02", "2026-11-03", "20.00"),
        (1, "flat", "2026-11-02", "2026-11-02", "60.00"), (2, "flat", "2026-11-02", "2026-11-03", "360.00"),
    ]  # fmt: skip
    assert refusals(trade.bundle(made)) == []


def _belongs(line: dict[str, Any], statement: dict[str, Any]) -> str:
    found: str = line["belongs_to"] or statement["period"]["label"]
    return found
