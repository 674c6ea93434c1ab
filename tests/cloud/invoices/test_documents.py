"""Invoices, credit notes and cancellations: taxed, numbered without a gap, settled by payments."""

from __future__ import annotations

from typing import Any

from cloud.invoices import repository
from cloud.invoices.document import Document
from tests.cloud.trade import FIRST, Trade
from tests.cloud.twins import CloudTwin

TAX = {"rules": [{"percent": "19"}, {"percent": "7", "of": ["energy"]}]}
PAYMENT: dict[str, Any] = {"due_days": 14}


def shop(cloud: CloudTwin, **terms: object) -> Trade:
    return Trade(cloud, **({"tax": TAX, "payment": PAYMENT} | terms))


def invoice_of(trade: Trade, statement: dict[str, Any]) -> dict[str, Any]:
    rows = trade.get("/v1/documents?agreement_id=agr-1&kind=invoice&limit=500")["items"]
    row = next(row for row in rows if row["statement_id"] == statement["statement_id"])
    found: dict[str, Any] = trade.get(f"/v1/documents/{row['document_id']}")
    return found


def amounts(document: dict[str, Any]) -> tuple[str, str, str, str]:
    return tuple(document[name]["amount"] for name in ("net", "tax", "gross", "open"))


def closed(trade: Trade, *, qty: int = 3) -> dict[str, Any]:
    trade.read(0)
    trade.draw(qty=qty)
    trade.read(10_000)
    trade.send()
    return trade.close(FIRST, "2026-11-02")


def test_a_statement_becomes_an_invoice_with_tax_by_rate(cloud: CloudTwin) -> None:
    trade = shop(cloud)

    invoice = invoice_of(trade, closed(trade))

    # 3 x 1.20 + 10.00 at 19 %, 10 kWh x 0.85 at 7 %
    assert [(one["percent"], one["net"], one["tax"]) for one in invoice["taxes"]] == [
        ("7", "8.50", "0.60"), ("19", "13.60", "2.58"),
    ]  # fmt: skip
    assert amounts(invoice) == ("22.10", "3.18", "25.28", "25.28")
    assert (invoice["number"], invoice["due_on"]) == ("INV-000001", "2026-11-16")


def test_crediting_bit_by_bit_gives_back_exactly_what_was_asked_for(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"

    notes = [
        trade.post(path, {"who": "ann", "lines": [{"line": 1, "reason": "blunt", "quantity": "1"}]}),
        trade.post(path, {"who": "ann", "lines": [{"line": 1, "reason": "blunt", "amount": "1.17"}]}),
        trade.post(path, {"who": "ann", "lines": [{"line": no, "reason": "goodwill"} for no in (1, 2, 3)]}),
    ]

    assert notes[0]["lines"][0]["net"] == "-1.20"
    assert [note["number"] for note in notes] == ["CN-000001", "CN-000002", "CN-000003"]
    assert sum(int(note["gross"]["amount"].replace(".", "")) for note in notes) == -2528
    assert trade.get(f"/v1/documents/{invoice['document_id']}")["open"]["amount"] == "0.00"


def test_a_line_larger_than_its_invoice_is_credited_with_all_of_its_tax(cloud: CloudTwin) -> None:
    trade = shop(
        cloud, tax={"rules": [{"percent": "19"}]}, charges=[{"kind": "per_piece", "prices": {"drill-8": "10"}}]
    )
    rebate = {"item_id": "r", "kind": "agreed", "text": "rebate", "amount": "-9.00", "who": "ann", "why": "agreed"}
    trade.post("/v1/agreements/agr-1/items", rebate)
    trade.draw()
    trade.send()
    invoice = invoice_of(trade, trade.close(FIRST, "2026-11-02"))
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"

    notes = [trade.post(path, {"who": "ann", "lines": [{"line": no, "reason": "void"}]}) for no in (1, 2)]

    assert amounts(invoice)[:3] == ("1.00", "0.19", "1.19")
    assert [amounts(note)[:3] for note in notes] == [("-10.00", "-1.90", "-11.90"), ("9.00", "1.71", "10.71")]


def test_goods_that_came_back_are_credited_back_by_their_number(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.give_back(qty=3)
    trade.send()
    invoice = invoice_of(trade, trade.close(FIRST, "2026-11-02"))
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"
    line = next(one["no"] for one in invoice["lines"] if one["kind"] == "per_piece")

    note = trade.post(path, {"who": "ann", "lines": [{"line": line, "reason": "broken", "quantity": "-2"}]})

    assert [(one["quantity"]["value"], one["net"]) for one in note["lines"]] == [("2", "2.40")]


def test_more_than_was_billed_is_not_credited(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    invoice = invoice_of(trade, closed(trade))
    path = f"/v1/documents/{invoice['document_id']}/credit-notes"

    refused = [
        cloud.ask("POST", path, {"who": "ann", "lines": [line]})
        for line in (
            {"line": 1, "reason": "x", "amount": "3.61"},
            {"line": 9, "reason": "x"},
            {"line": 1, "reason": "x", "amount": "-1.00"},
            {"line": 1, "reason": "x", "quantity": "4"},
        )
    ]

    assert {answer.json()["type"] for answer in refused} == {"/problems/credit-refused"}
    assert trade.get("/v1/documents?kind=credit_note")["items"] == []


def test_a_void_statement_cancels_its_invoice_and_frees_what_was_paid(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    statement = closed(trade)
    invoice = invoice_of(trade, statement)
    paid = {"reference": "r1", "amount": "25.28", "currency": "EUR", "booked_on": "2026-11-05", "remittance": "INV-1"}
    assert trade.post("/v1/payments", paid)["outcome"] == "matched"

    void = trade.post(f"/v1/statements/{statement['statement_id']}/void", {"reason": "wrong price", "who": "ann"})
    again = trade.close(FIRST, "2026-11-02")

    states = [(one["state"], one["revision"]) for one in trade.get("/v1/statements")["items"]]
    taken_back = trade.get(f"/v1/statements/{statement['statement_id']}")["void"]
    assert states == [("void", 0), ("final", 1)]
    assert (taken_back["reason"], taken_back["who"]) == ("wrong price", "ann")
    cancellation = trade.get(f"/v1/documents/{void['cancelled_by']}")
    assert (cancellation["kind"], amounts(cancellation)) == ("cancellation", ("-22.10", "-3.18", "-25.28", "0.00"))
    old, new = trade.get(f"/v1/documents/{invoice['document_id']}"), invoice_of(trade, again)
    assert (old["state"], old["open"]["amount"]) == ("void", "0.00")
    assert (new["number"], new["open"]["amount"], again["revision"]) == ("INV-000002", "0.00", 1)


def test_what_waited_comes_on_the_next_invoice_coupons_deposits_and_agreed_amounts(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    item = {
        "item_id": "dep-1",
        "kind": "deposit",
        "text": "deposit for a fan",
        "amount": "50.00",
        "who": "ann",
        "why": "lent",
    }
    trade.post("/v1/agreements/agr-1/items", item)
    trade.post("/v1/coupons", {"code": "TEN", "percent": "10", "redemptions": 1})
    trade.post("/v1/agreements/agr-1/coupons", {"code": "TEN", "who": "bob"})
    twice = cloud.ask("POST", "/v1/agreements/agr-1/coupons", {"code": "TEN", "who": "bob"})

    invoice = invoice_of(trade, closed(trade))

    found = [(line["kind"], line["net"], line["percent"]) for line in invoice["lines"][3:]]
    assert found == [("coupon", "-1.36", "19"), ("coupon", "-0.85", "7"), ("deposit", "50.00", "0")]
    assert invoice["gross"]["amount"] == "72.76"
    assert twice.json()["type"] == "/problems/coupon-refused"
    assert {one["document_id"] for one in trade.get("/v1/agreements/agr-1/items")["items"]} == {invoice["document_id"]}


def test_a_deposit_is_given_back_in_parts_and_never_more_than_is_held(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    said = {"text": "a fan", "who": "ann", "why": "lent"}

    def item(name: str, kind: str, amount: str) -> int:
        body = {"item_id": name, "kind": kind, "amount": amount, **said}
        return cloud.ask("POST", "/v1/agreements/agr-1/items", body).status_code

    taken = [item("d1", "deposit", "50.00"), item("d2", "deposit", "-50.00"), item("d3", "deposit", "0.005")]
    given = [item(f"r{at}", "deposit_return", much) for at, much in enumerate(("-20.00", "30.00", "-30.01", "-30.00"))]

    assert (taken, given) == ([201, 422, 422], [201, 422, 422, 201])
    invoice = invoice_of(trade, closed(trade))
    assert [line["net"] for line in invoice["lines"] if line["percent"] == "0"] == ["50.00", "-20.00", "-30.00"]


def test_documents_of_a_series_chain_and_have_no_gap(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    closed(trade)
    trade.close("2026-11-02", "2026-11-03")
    trade.close("2026-11-03", "2026-11-04")

    def chain(tx: Any) -> list[Document]:
        rows = repository.page(tx, cloud.tenant, "", "invoice", "", 10)
        found = [repository.find(tx, cloud.tenant, row.document_id) for row in rows]
        return sorted((one for one in found if one is not None), key=lambda one: one.number)

    documents = cloud.run(chain)
    assert [one.number for one in documents] == [1, 2, 3]
    assert [one.prev_hash for one in documents] == ["", documents[0].hash, documents[1].hash]
    assert trade.get("/v1/number-series")["items"] == [{"series": "sup/INV", "last": 3, "documents": 3}]


def test_a_closing_run_closes_what_is_over_and_nothing_twice(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.draw()
    trade.send()
    trade.to("2026-12-01", 1)
    cloud.clock.ms = trade.at

    closing = trade.post("/v1/closing-runs", {})
    again = trade.post("/v1/closing-runs", {})

    assert [(one["first"], one["state"], one["number"]) for one in closing["items"]] == [(FIRST, "final", 1)]
    assert again["items"] == []


def test_a_coupon_for_some_invoices_is_on_each_of_them_once_however_long_its_period(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/coupons", {"code": "TEN", "percent": "10", "invoices": 3})
    trade.post("/v1/agreements/agr-1/coupons", {"code": "TEN", "who": "bob"})
    trade.read(0)
    trade.draw(qty=3)
    trade.send()
    trade.to("2027-01-16", 1)
    cloud.clock.ms = trade.at

    long = invoice_of(trade, trade.close(FIRST, "2027-01-15"))
    next_one = invoice_of(trade, trade.close("2027-01-15", "2027-01-16"))

    assert [len([line for line in one["lines"] if line["kind"] == "coupon"]) for one in (long, next_one)] == [1, 1]
    waiting = [one for one in trade.get("/v1/agreements/agr-1/items")["items"] if not one["document_id"]]
    assert len(waiting) == 1


def test_coupons_together_leave_no_rate_of_tax_below_nothing(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    for code, body in (
        ("A-FIRST", {"amount": "15.00", "currency": "EUR"}), ("B-HALF", {"percent": "60"}),
        ("C-REST", {"amount": "99.00", "currency": "EUR"}),
    ):  # fmt: skip
        trade.post("/v1/coupons", {"code": code} | body)
        trade.post("/v1/agreements/agr-1/coupons", {"code": code, "who": "bob"})

    invoice = invoice_of(trade, closed(trade))

    # Of 13.60 at 19 % and 8.50 at 7 %: 15.00 off the larger first, 60 % of what is left of the smaller, and the rest.
    assert [(line["net"], line["percent"]) for line in invoice["lines"][3:]] == [
        ("-13.60", "19"), ("-1.40", "7"), ("-5.10", "7"), ("-2.00", "7"),
    ]  # fmt: skip
    assert amounts(invoice) == ("0.00", "0.00", "0.00", "0.00")


def with_coupon(cloud: CloudTwin, **more: Any) -> Trade:
    """A shop in which a coupon of 30.00 waits."""
    trade = shop(cloud)
    trade.post("/v1/coupons", {"code": "BIG", "amount": "30.00", "currency": "EUR"} | more)
    trade.post("/v1/agreements/agr-1/coupons", {"code": "BIG", "who": "bob"})
    return trade


def waiting(trade: Trade) -> list[tuple[str, str]]:
    """What waits for the next invoice: text and amount."""
    items = trade.get("/v1/agreements/agr-1/items")["items"]
    return [(one["text"], one["amount"]) for one in items if not one["document_id"]]


def test_what_is_left_of_a_coupon_is_carried_on_and_the_document_says_how_much(cloud: CloudTwin) -> None:
    trade = with_coupon(cloud)

    invoice = invoice_of(trade, closed(trade))
    left = waiting(trade)
    trade.draw()
    trade.send()
    following = invoice_of(trade, trade.close("2026-11-02", "2026-11-03"))

    assert amounts(invoice)[0] == "0.00"
    assert {line["why"] for line in invoice["lines"][3:]} == {
        "what is left of the coupon is carried on to the next invoice (7.90 of 30.00)"
    }
    assert left == [("rest of coupon BIG", "-7.90")]
    assert sum(float(line["net"]) for line in following["lines"] if line["kind"] == "coupon") == -7.90
    assert waiting(trade) == []


def test_what_is_left_of_a_coupon_is_lost_where_that_was_agreed_on_and_said(cloud: CloudTwin) -> None:
    trade = with_coupon(cloud, rest="lost")

    invoice = invoice_of(trade, closed(trade))

    assert {line["why"] for line in invoice["lines"][3:]} == {
        "what is left of the coupon is not carried on (7.90 of 30.00)"
    }
    assert waiting(trade) == []


def test_a_coupon_that_nothing_was_billed_for_stays_whole(cloud: CloudTwin) -> None:
    trade = with_coupon(cloud, of=["flat"])

    closed(trade)

    assert waiting(trade) == [("coupon BIG", "-30.00")]


def test_a_void_invoice_gives_its_coupon_back_once(cloud: CloudTwin) -> None:
    trade = with_coupon(cloud)
    statement = closed(trade)

    trade.post(f"/v1/statements/{statement['statement_id']}/void", {"reason": "wrong price", "who": "ann"})

    assert waiting(trade) == [("coupon BIG", "-30.00")]


def test_a_percentage_leaves_no_rest(cloud: CloudTwin) -> None:
    answer = cloud.ask("POST", "/v1/coupons", {"code": "TEN", "percent": "10", "rest": "carried"})

    assert answer.status_code == 422
    assert "a percentage leaves none" in answer.text
