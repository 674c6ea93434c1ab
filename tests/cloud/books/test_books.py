"""The books: every event has its entry, entries sum to nothing, and beancount agrees with our own balances."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloud.books import repository
from tests.cloud.invoices.test_documents import TAX, invoice_of
from tests.cloud.payments.test_bank_files import camt, detail, entry
from tests.cloud.payments.test_payments import BACK, imported
from tests.cloud.trade import FIRST, HOUR, Trade
from tests.cloud.twins import CloudTwin


def bean_check(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs beancount's checker, a program of its own, over a file."""
    program = shutil.which("bean-check", path=f"{Path(sys.executable).parent}:/usr/bin")
    assert program, "bean-check is missing: install the development dependencies"
    file = folder / "books.beancount"
    file.write_text(text, encoding="utf-8")
    return subprocess.run([program, str(file)], capture_output=True, text=True, check=False)


def booked(trade: Trade, **query: str) -> dict[tuple[str, str], str]:
    """The trial balance after a booking run: debit, or credit with a minus, by account and commodity."""
    wanted = "&".join(f"{name}={value}" for name, value in query.items())
    trade.post(f"/v1/books/runs?{wanted}", {})
    rows = trade.get("/v1/books/trial-balance")["items"]
    return {
        (row["account"], row["commodity"]): row["debit"] if row["credit"] in ("0", "0.00") else f"-{row['credit']}"
        for row in rows
    }


def short(account: str) -> str:
    """An account without the pieces of hashes that make its parts unique."""
    return re.sub(r"-[0-9a-f]{6}(?=:|$)", "", account)


def shop(cloud: CloudTwin, **terms: Any) -> Trade:
    trade = Trade(cloud, **({"tax": TAX, "payment": {"due_days": 14}} | terms))
    for item, cost in (("drill-8", "0.70"), ("glove", "0.10")):
        body = {"cost": cost, "currency": "EUR", "first": FIRST}
        assert cloud.ask("PUT", f"/v1/items/{item}/cost", body).status_code == 200
    return trade


def test_goods_are_ours_in_the_cabinet_and_sold_when_they_are_drawn(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.refill(10)
    drawn = trade.draw(qty=3)
    trade.reverse(drawn, qty=1)
    trade.count(7)
    trade.send()

    found = {short(account): shown for (account, unit), shown in booked(trade).items() if unit == "EUR"}

    assert found == {
        "Assets:Inventory:Warehouse": "-7.00",
        "Assets:Inventory:Consigned:Cab-1": "4.90",
        "Assets:Unbilled:Cust:Agr-1": "2.40",
        "Expenses:CostOfGoods": "1.40",
        "Expenses:Shrinkage": "0.70",
        "Income:Goods": "-2.40",
    }


def test_an_invoice_moves_what_was_unbilled_to_what_is_receivable(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.read(0)
    trade.draw("glove", qty=3, slot="2")
    trade.at += HOUR
    trade.read(10_000)
    trade.send()
    trade.close(FIRST, "2026-11-02")

    found = {short(account): shown for (account, unit), shown in booked(trade).items() if unit == "EUR"}

    # 1.01 + 10.00 at 19 %, 8.50 at 7 %
    assert found["Assets:Receivable:Cust"] == "22.20"
    assert "Assets:Unbilled:Cust:Agr-1" not in found
    income = {name: shown for name, shown in found.items() if name.startswith("Income")}
    assert income == {"Income:Goods": "-1.01", "Income:Cooling": "-8.50", "Income:Services": "-10.00"}


def test_a_run_books_nothing_twice_and_chains_its_entries(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.refill(5)
    trade.draw()
    trade.send()
    trade.close(FIRST, "2026-11-02")

    first = trade.post("/v1/books/runs", {})["entries"]
    again = trade.post("/v1/books/runs", {})["entries"]

    assert (first, again) == (4, 0)
    rows = cloud.run(lambda tx: repository.entries(tx, cloud.tenant, 0, 100))
    hashes = ["", *(hashed for _, hashed, _ in rows)]
    assert [entry.hash_after(before) for before, (_, _, entry) in zip(hashes, rows, strict=False)] == hashes[1:]


def test_services_are_income_as_they_are_used(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.read(0)
    trade.at += HOUR
    trade.read(10_000)
    trade.send()
    running = {account: shown for (account, _), shown in booked(trade, accrue="true").items()}
    trade.close(FIRST, "2026-11-02")
    closed = {account: shown for (account, _), shown in booked(trade).items()}

    assert (running["Income:Cooling"], running["Income:Services"]) == ("-8.50", "-10.00")
    assert (closed["Income:Cooling"], closed["Income:Services"]) == ("-8.50", "-10.00")
    assert not [account for account in closed if account.startswith("Assets:Unbilled")]


def month(trade: Trade) -> None:
    """Goods, energy and fees, late data, a credit note, a void statement, payments, one of them returned."""
    trade.refill(20)
    trade.refill(30, item="glove", slot="2")
    trade.read(0)
    drawn = trade.draw(qty=3)
    trade.draw("glove", qty=7, slot="2")
    trade.at += HOUR
    trade.read(12_345)
    trade.send()
    first = trade.close(FIRST, "2026-11-02")
    invoice = invoice_of(trade, first)
    trade.draw("glove", qty=1, slot="2")
    trade.to("2026-11-02", 9)
    trade.reverse(drawn)
    trade.count(17)
    trade.read(20_000)
    trade.send()
    trade.post("/v1/books/runs?accrue=true", {})
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"
    trade.post(path, {"who": "ann", "lines": [{"line": 1, "reason": "blunt", "quantity": "1"}]})
    imported(trade, camt(entry(amount="40.00", details=detail("INV-1"))))
    second = trade.close("2026-11-02", "2026-11-03")
    trade.post(f"/v1/statements/{second['statement_id']}/void", {"reason": "typo", "who": "ann"})
    trade.close("2026-11-02", "2026-11-03")
    paid = imported(
        trade, camt(entry(amount="1.00", ref="B2", details=detail("INV-3")), entry(amount="5.00", ref="B3"))
    )
    trade.post(f"/v1/payments/{paid[0]['payment_id']}/return", {})
    trade.post("/v1/books/runs?accrue=true", {})


def test_a_payment_that_came_back_has_left_the_bank_once_whoever_says_so_first(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw()
    trade.send()
    trade.close(FIRST, "2026-11-02")
    paid = imported(trade, camt(entry(details=detail("INV-1", end_to_end="E2E-7"))))[0]
    there = [money_in(trade)]
    trade.post(f"/v1/payments/{paid['payment_id']}/return", {})
    there.append(money_in(trade))
    back = camt(entry(side="DBIT", ref="B7", details=detail("", end_to_end="E2E-7").replace("</TxDtls>", BACK)))

    assert imported(trade, back)[0]["outcome"] == "returned"
    assert [*there, money_in(trade)] == [("25.28", True), ("0", False), ("0", False)]


def money_in(trade: Trade) -> tuple[str, bool]:
    """What the books say lies in the bank, and whether anything of it is held for customers."""
    found = booked(trade)
    cash = next((shown for (account, _), shown in found.items() if account.startswith("Assets:Cash")), "0")
    return cash, any(account.startswith("Liabilities:Prepaid") for account, _ in found)


def test_beancount_accepts_a_month_and_sees_a_single_cent(cloud: CloudTwin, tmp_path: Path) -> None:
    trade = shop(cloud)
    month(trade)
    text = cloud.ask("GET", "/v1/books/beancount").text

    accepted = bean_check(text, tmp_path)
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if " balance Assets:Receivable" in line)
    head, _, unit = lines[at].rpartition(" ")
    forged = [*lines[:at], f"{head.rpartition(' ')[0]} 999.99 {unit}", *lines[at + 1 :]]
    refused = bean_check("\n".join(forged) + "\n", tmp_path)

    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert refused.returncode != 0
    assert "Balance failed" in refused.stderr


def test_the_books_agree_with_the_documents_and_the_shelves(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    month(trade)
    found = booked(trade)

    owed = sum(Decimal(row["open"]["amount"]) for row in trade.get("/v1/documents?limit=500")["items"])
    receivable = next(shown for (account, _), shown in found.items() if account.startswith("Assets:Receivable"))
    consigned = {unit: shown for (account, unit), shown in found.items() if account.startswith("Assets:Inventory:Cons")}
    shelves = {row["item_id"]: row["on_hand"]["value"] for row in trade.get("/v1/stock")["items"]}

    assert str(owed) == receivable
    assert sorted(shown for unit, shown in consigned.items() if unit != "EUR") == sorted(shelves.values())


def test_the_books_as_csv_have_one_row_a_posting(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.refill(10)
    trade.send()
    trade.post("/v1/books/runs", {})

    rows = cloud.ask("GET", "/v1/books/csv").text.splitlines()

    assert rows[0].startswith("day,event,kind")
    assert len(rows) == 5
