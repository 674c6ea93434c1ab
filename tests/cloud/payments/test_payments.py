"""Payments settle documents, what is too much is prepaid, what is overdue is dunned."""

from __future__ import annotations

from typing import Any

from cloud.calendar import midnight, parse_day
from tests.cloud.invoices.test_documents import closed, invoice_of, shop
from tests.cloud.payments.test_bank_files import camt, detail, entry
from tests.cloud.trade import ZONE, Trade
from tests.cloud.twins import CloudTwin

DUNNING = [
    {"name": "reminder", "after_days": 7, "fee": "5.00"},
    {"name": "final_notice", "after_days": 21, "suspends": True},
]


def imported(trade: Trade, raw: bytes, form: str = "camt.053") -> list[dict[str, Any]]:
    answer = trade.cloud.ask("POST", f"/v1/payments/imports?format={form}", body=raw)
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_bank_file_settles_the_invoice_it_names_once(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    raw = camt(entry(details=detail("thank you for INV-000001")))

    first, again = imported(trade, raw), imported(trade, raw)

    assert [(one["outcome"], one.get("by")) for one in first] == [("matched", "number")]
    assert [one["outcome"] for one in again] == ["known"]
    paid = trade.get(f"/v1/documents/{invoice['document_id']}")
    assert (paid["open"]["amount"], len(paid["settled_by"])) == ("0.00", 1)


def test_a_csv_of_another_country_settles_the_invoice_it_names(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    closed(trade)
    raw = "Tag;Betrag;Zweck\n01.12.2026;25,28;INV-1\n".encode("windows-1252")
    said = "numbers=1.234,56&days=DD.MM.YYYY&encoding=windows-1252&currency=EUR&account=DE89"

    found = imported(trade, raw, f"csv&{said}&columns=date%3DTag%3Bamount%3DBetrag%3Bremittance%3DZweck")

    assert [(one["outcome"], one["settled_minor"]) for one in found] == [("matched", 2528)]


def test_what_is_too_much_is_prepaid_and_settles_the_next_invoice(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    closed(trade)
    imported(trade, camt(entry(amount="30.00", details=detail("INV-1"))))
    trade.to("2026-11-02", 8)
    trade.draw()
    trade.send()

    second = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))

    assert second["gross"]["amount"] == "13.33"
    assert second["open"]["amount"] == "8.61"
    assert trade.get("/v1/payments")["items"][0]["free"]["amount"] == "0.00"


def test_a_payment_that_nobody_can_place_waits_until_a_person_says_whose_it_is(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    waiting = imported(trade, camt(entry(amount="5.00", details=detail("hello"))))[0]
    assert waiting["outcome"] == "unmatched"

    path = f"/v1/payments/{waiting['payment_id']}/allocations"
    too_much = cloud.ask("POST", path, {"document_id": invoice["document_id"], "amount": "5.01"})
    trade.post(path, {"document_id": invoice["document_id"]})
    learnt = imported(trade, camt(entry(amount="20.28", ref="B9", details=detail("the rest"))))[0]

    assert too_much.json()["type"] == "/problems/allocation-refused"
    assert (learnt["outcome"], learnt["by"]) == ("matched", "amount")
    assert trade.get(f"/v1/documents/{invoice['document_id']}")["open"]["amount"] == "0.00"


def test_a_payment_that_comes_back_opens_what_it_settled(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    paid = imported(trade, camt(entry(details=detail("INV-1"))))[0]

    trade.post(f"/v1/payments/{paid['payment_id']}/return", {})

    opened = trade.get(f"/v1/documents/{invoice['document_id']}")
    assert opened["open"]["amount"] == "25.28"
    assert opened["settled_by"][0]["undone_at"] != ""
    assert trade.get("/v1/payments?state=returned")["items"][0]["free"]["amount"] == "0.00"


BACK = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls>"


def test_the_bank_s_own_entry_takes_a_payment_back_by_the_payer_s_reference(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    imported(trade, camt(entry(details=detail("INV-1", end_to_end="E2E-7"))))
    back = camt(entry(side="DBIT", ref="B7", details=detail("", end_to_end="E2E-7").replace("</TxDtls>", BACK)))

    found = [one["outcome"] for raw in (back, back) for one in imported(trade, raw)]

    assert found == ["returned", "known"]
    assert trade.get(f"/v1/documents/{invoice['document_id']}")["open"]["amount"] == "25.28"
    assert {one["free"]["amount"] for one in trade.get("/v1/payments")["items"]} == {"0.00"}


def test_a_reversal_under_the_same_reference_is_another_entry(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    imported(trade, camt(entry(details=detail("INV-1"))))
    raw = camt(entry(side="DBIT", details=detail("INV-1")).replace("<Ntry>", "<Ntry><RvslInd>true</RvslInd>"))

    found = imported(trade, raw)

    assert [one["outcome"] for one in found] == ["returned"]
    assert trade.get(f"/v1/documents/{invoice['document_id']}")["open"]["amount"] == "25.28"


def test_of_two_payments_that_may_have_come_back_none_is_guessed(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    imported(trade, camt(*[entry(ref=ref, details=detail("x", end_to_end="E2E-7")) for ref in ("B1", "B2")]))
    back = camt(entry(side="DBIT", ref="B7", details=detail("", end_to_end="E2E-7").replace("</TxDtls>", BACK)))

    assert [one["outcome"] for one in imported(trade, back)] == ["unmatched"]


def test_what_a_person_returned_is_not_returned_again_by_the_bank_s_entry(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    closed(trade)
    paid = imported(trade, camt(entry(details=detail("INV-1", end_to_end="E2E-7"))))[0]
    trade.post(f"/v1/payments/{paid['payment_id']}/return", {})
    back = [
        camt(entry(side="DBIT", ref=ref, details=detail("", end_to_end="E2E-7").replace("</TxDtls>", BACK)))
        for ref in ("B7", "B8")
    ]

    assert [one["outcome"] for raw in back for one in imported(trade, raw)] == ["returned", "unmatched"]


def test_a_reference_that_a_bank_uses_again_is_no_reason_to_lose_money(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    raws = [camt(entry(amount=amount, details=detail("x"))) for amount in ("1.00", "2.00", "2.00")]
    by_hand = {"reference": "r1", "amount": "3.00", "currency": "EUR", "booked_on": "2026-12-05"}
    trade.post("/v1/payments", by_hand)

    found = [one["outcome"] for raw in raws for one in imported(trade, raw)]
    refused = cloud.ask("POST", "/v1/payments", by_hand | {"amount": "4.00"})

    assert found == ["unmatched", "unmatched", "known"]
    assert (refused.status_code, "known as 3.00 EUR" in refused.json()["detail"]) == (422, True)


def test_money_paid_in_advance_is_used_up_by_the_next_invoices(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    paid = imported(trade, camt(entry(amount="40.00", details=detail("in advance"))))[0]
    path = f"/v1/payments/{paid['payment_id']}/prepayment"

    kept = trade.post(path, {"agreement_id": "agr-1"})
    first = invoice_of(trade, closed(trade))
    second = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))
    third = invoice_of(trade, trade.close("2026-11-03", "2026-11-04"))
    again = cloud.ask("POST", path, {"agreement_id": "agr-1"})

    assert (kept["state"], kept["free"]["amount"]) == ("matched", "40.00")
    # 25.28, 11.90 and 11.90 out of 40.00
    assert [one["open"]["amount"] for one in (first, second, third)] == ["0.00", "0.00", "9.08"]
    assert again.json()["type"] == "/problems/allocation-refused"


def test_overdue_documents_are_dunned_step_by_step_and_nothing_twice(cloud: CloudTwin) -> None:
    trade = shop(cloud, payment={"due_days": 14, "dunning": DUNNING, "interest_percent": "10"})
    invoice = invoice_of(trade, closed(trade))
    steps = []

    for day in ("2026-11-16", "2026-11-22", "2026-11-23", "2026-11-24", "2026-12-08"):
        cloud.clock.ms = midnight(parse_day(day), ZONE)
        steps.append([one["step"] for one in trade.post("/v1/dunning-runs", {})["items"]])

    assert steps == [[], [], ["reminder"], [], ["final_notice"]]
    waiting = trade.get("/v1/agreements/agr-1/items")["items"]
    # 25.28 at 10 % for 22 days of 365
    assert [(one["kind"], one["amount"]) for one in waiting] == [("late_fee", "5.00"), ("interest", "0.15")]
    found = trade.get(f"/v1/documents/{invoice['document_id']}")
    assert [one["step"] for one in found["notices"]] == ["reminder", "final_notice"]


def test_a_fee_for_not_paying_a_void_invoice_is_dropped(cloud: CloudTwin) -> None:
    trade = shop(cloud, payment={"due_days": 14, "dunning": DUNNING})
    statement = closed(trade)
    cloud.clock.ms = midnight(parse_day("2026-11-24"), ZONE)
    trade.post("/v1/dunning-runs", {})
    waiting = [one["kind"] for one in trade.get("/v1/agreements/agr-1/items")["items"]]

    trade.post(f"/v1/statements/{statement['statement_id']}/void", {"reason": "wrong", "who": "ann"})

    assert waiting == ["late_fee"]
    assert trade.get("/v1/agreements/agr-1/items")["items"] == []


def test_a_disputed_document_is_not_dunned(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    path = f"/v1/documents/{invoice['document_id']}/dispute"
    assert cloud.ask("PUT", path, {"disputed": True}).json()["disputed"] is True
    cloud.clock.ms = midnight(parse_day("2027-01-01"), ZONE)

    assert trade.post("/v1/dunning-runs", {})["items"] == []


def test_a_credit_note_for_a_paid_invoice_settles_the_next_one(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    imported(trade, camt(entry(details=detail("INV-1"))))
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"
    note = trade.post(path, {"who": "ann", "lines": [{"line": 1, "reason": "blunt"}]})
    assert note["open"]["amount"] == "-4.28"

    second = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))

    assert (second["gross"]["amount"], second["open"]["amount"]) == ("11.90", "7.62")
    assert trade.get(f"/v1/documents/{note['document_id']}")["open"]["amount"] == "0.00"


def known_payer(trade: Trade) -> None:
    body = {"payer_account": "DE44500105175407324931", "customer_id": "cust"}
    assert trade.cloud.ask("PUT", "/v1/payer-accounts", body).status_code == 200


def unnamed(amount: str, reference: str) -> dict[str, str]:
    return {
        "reference": reference, "amount": amount, "currency": "EUR", "booked_on": "2026-11-03",
        "payer_account": "DE44500105175407324931", "remittance": "thanks",
    }  # fmt: skip


def test_a_payment_that_names_nothing_waits_where_the_agreement_says_by_hand(cloud: CloudTwin) -> None:
    trade = shop(cloud, payment={"due_days": 14, "allocation": "by_hand"})
    invoice = invoice_of(trade, closed(trade))
    known_payer(trade)

    told = trade.post("/v1/payments", unnamed("10.00", "r1"))

    assert told["outcome"] == "unmatched"
    assert trade.get(f"/v1/documents/{invoice['document_id']}")["open"]["amount"] == "25.28"


def test_a_payment_that_names_nothing_settles_the_oldest_where_the_agreement_says_so(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    known_payer(trade)

    told = trade.post("/v1/payments", unnamed("10.00", "r1"))

    assert (told["outcome"], told["by"]) == ("matched", "oldest")
    assert trade.get(f"/v1/documents/{invoice['document_id']}")["open"]["amount"] == "15.28"


def test_what_is_to_be_paid_back_settles_nothing_and_is_done_when_it_left_the_bank(cloud: CloudTwin) -> None:
    trade = shop(cloud, payment={"due_days": 14, "overpaid": "refund"})
    closed(trade)
    known_payer(trade)
    trade.post("/v1/payments", unnamed("30.00", "r1"))
    waiting = trade.get("/v1/payments?state=refund")["items"]
    trade.to("2026-11-02", 8)
    trade.draw()
    trade.send()
    second = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))

    back = trade.post("/v1/payments", unnamed("-4.72", "r2"))

    assert [one["free"]["amount"] for one in waiting] == ["4.72"]
    assert second["open"]["amount"] == second["gross"]["amount"]
    assert back["outcome"] == "refunded"
    assert trade.get("/v1/payments?state=refund")["items"] == []
    assert {one["free"]["amount"] for one in trade.get("/v1/payments")["items"]} == {"0.00"}
