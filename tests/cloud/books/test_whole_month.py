"""One month of everything in one export: consigned goods, cooling billed in all three ways, air with a missed
guarantee, late data, a credit note, payments. beancount, a program of its own, agrees with our balances.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloud.books import entries as accounts
from cloud.books.entries import pair, true_up
from cloud.calendar import midnight, parse_day
from tests.cloud.books.test_books import bean_check, booked, short
from tests.cloud.guarantees.test_verdicts import GUARANTEE, windows
from tests.cloud.invoices.test_documents import TAX, invoice_of
from tests.cloud.trade import FIRST, HOUR, TERMS, ZONE, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.records import Runtime

AREA = {"kind": "area", "name": "cooling by area", "unit_price": "2", "areas": [{"subject": "hall-1", "m2": "50"}]}
HOURS = {
    "kind": "weighted_runtime", "name": "cooling by running time", "unit_price": "0.80",
    "source": {"measure": "runtime", "devices": ["cab-9"]},
    "weights": [{"speed": "high", "weight": "1"}, {"speed": "low", "weight": "0.6"}],
}  # fmt: skip


def shop(cloud: CloudTwin) -> Trade:
    trade = Trade(
        cloud, devices=["cab-1", "meter-1", "cab-9"], charges=[*TERMS["charges"], HOURS, AREA], tax=TAX,
        payment={"due_days": 14}, guarantees=[GUARANTEE], estimates={"silent_minutes": 60},
    )  # fmt: skip
    for item, cost in (("drill-8", "0.70"), ("glove", "0.10")):
        body = {"cost": cost, "currency": "EUR", "first": FIRST}
        assert cloud.ask("PUT", f"/v1/items/{item}/cost", body).status_code == 200
    return trade


def ran(trade: Trade, high: int, low: int) -> None:
    """A fan coil's hour."""
    span = {"from_": trade.at, "to": trade.at + HOUR, "speeds": {"high": high, "low": low}}
    trade.gateway.keep(Runtime(**trade.said("cab-9", **span)))


def november(cloud: CloudTwin) -> tuple[Trade, dict[str, Any], dict[str, Any]]:
    """The month's statement, and the next one that corrects and credits it."""
    trade = shop(cloud)
    trade.refill(20)
    trade.read(0)
    trade.draw(qty=3)
    ran(trade, 1800, 1200)
    windows(trade, 18, 20)
    trade.read(18_000)
    windows(trade, 700, 80)
    trade.send()
    trade.post("/v1/books/runs?accrue=true", {})
    cloud.clock.ms = midnight(parse_day("2026-12-01"), ZONE) + HOUR
    first = trade.post("/v1/agreements/agr-1/statements", {"period": "2026-11"})
    invoice = invoice_of(trade, first)
    paid = {"amount": "40.00", "currency": "EUR", "booked_on": "2026-12-03", "remittance": "INV-1"}
    trade.post("/v1/payments", paid | {"reference": "r1"})
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"
    trade.post(path, {"who": "ann", "lines": [{"line": 1, "reason": "blunt", "quantity": "1"}]})
    trade.to("2026-11-20", 9)
    trade.draw("drill-8", qty=2)
    trade.to("2026-12-02", 9)
    trade.read(30_000)
    trade.send()
    cloud.clock.ms = midnight(parse_day("2026-12-20"), ZONE)
    trade.post("/v1/verdict-runs", {})
    cloud.clock.ms = midnight(parse_day("2027-01-01"), ZONE) + HOUR
    second = trade.post("/v1/agreements/agr-1/statements", {"period": "2026-12"})
    trade.post("/v1/books/runs?accrue=true", {})
    return trade, first, second


def test_beancount_accepts_one_export_of_a_whole_month(cloud: CloudTwin, tmp_path: Path) -> None:
    trade, first, second = november(cloud)

    checked = bean_check(cloud.ask("GET", "/v1/books/beancount").text, tmp_path)

    assert (checked.returncode, checked.stderr) == (0, "")
    kinds = {line["kind"] for line in first["lines"]}
    assert kinds == {"per_piece", "energy", "monthly_fee", "weighted_runtime", "area"}
    assert {line.get("quality") for line in first["lines"]} >= {"actual", "estimated"}
    assert [line["belongs_to"] for line in second["lines"] if "corrects" in line]
    credited = [line["kind"] for line in invoice_of(trade, second)["lines"]]
    assert "guarantee_credit" in credited
    assert [refusals(trade.bundle(one)) for one in (first, second)] == [[], []]


def test_the_months_books_agree_with_its_documents_and_payments(cloud: CloudTwin) -> None:
    trade, _, _ = november(cloud)

    found = {short(account): Decimal(shown) for (account, unit), shown in booked(trade).items() if unit == "EUR"}

    documents = trade.get("/v1/documents?limit=500")["items"]
    assert found["Assets:Receivable:Cust"] == sum(Decimal(one["open"]["amount"]) for one in documents)
    assert sum(found.values()) == 0
    assert {"Income:Goods", "Income:Cooling", "Expenses:CostOfGoods", "Liabilities:OutputTax"} <= {
        ":".join(account.split(":")[:2]) for account in found
    }


MINOR = st.integers(-(10**9), 10**9)


@given(st.dictionaries(st.sampled_from(["Income:Goods", "Income:Cooling", "Income:Air"]), MINOR), st.data())
def test_whatever_income_is_brought_up_to_the_entry_sums_to_nothing(due: dict[str, int], data: st.DataObject) -> None:
    before = data.draw(st.dictionaries(st.sampled_from([*due, "Income:Other"] if due else ["Income:Other"]), MINOR))

    postings = true_up("Assets:Unbilled:X", "EUR", due, before)

    assert sum(one.units for one in postings) == 0


@given(MINOR)
def test_a_pair_takes_from_one_account_what_it_gives_to_the_other(minor: int) -> None:
    postings = pair("Assets:Bank", accounts.UNMATCHED, "EUR", minor)

    assert sum(one.units for one in postings) == 0
