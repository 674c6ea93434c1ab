"""The finance pages: the supplier's people see and place everything, a customer's people their own and nothing else."""

from __future__ import annotations

import pytest

from cloud.api import keys
from cloud.entropy import Entropy
from tests.cloud.twins import CloudTwin
from tests.web.shop import Browsing, Shop

PAGES = ("/statements", "/invoices", "/payments", "/dunning", "/credit", "/books", "/agreements", "/agreements/agr-1")
CSV = "booked_on;amount;currency;reference;payer;text\n"


def a_key(cloud: CloudTwin, *scopes: str) -> str:
    tenant, now = cloud.tenant, cloud.clock.ms
    return cloud.run(lambda tx: keys.create(tx, Entropy(), tenant, name="k", scopes=scopes, now_ms=now))


def signed_in(cloud: CloudTwin, *scopes: str) -> Browsing:
    answer = cloud.ask("POST", "/sign-in", key="", body=f"api_key={a_key(cloud, *scopes)}".encode())
    assert answer.status_code == 303, answer.text
    cloud.http.cookies.clear()
    return Browsing(cloud, str(answer.cookies["tally_session"]))


def invoice_id(shop: Shop) -> str:
    rows = shop.cloud.ask("GET", "/v1/documents").json()["items"]
    return str(rows[0]["document_id"])


def paid(shop: Shop, amount: str, text: str = "thank you") -> str:
    body = {
        "reference": f"r-{amount}",
        "amount": amount,
        "currency": "CNY",
        "booked_on": "2027-01-09",
        "payer": "Harbour",
    }
    answer = shop.cloud.ask("POST", "/v1/payments", body | {"remittance": text})
    return str(answer.json()["payment_id"])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_session_sends_to_the_sign_in(shop: Shop, path: str) -> None:
    answer = shop.cloud.ask("GET", path, key="")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_in_both_languages(shop: Shop, path: str) -> None:
    browsing = Browsing(shop.cloud)

    answers = [browsing.get(f"{path}?lang={language}") for language in ("en", "zh_CN")]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert '<html lang="zh-CN">' in answers[1].text


def test_a_payment_that_waits_is_placed_by_a_person_in_the_page(shop: Shop) -> None:
    browsing = Browsing(shop.cloud)
    payment = paid(shop, "100.00")
    before = browsing.get(f"/payments/{payment}").text

    done = browsing.post(f"/payments/{payment}/allocations", f"document_id={invoice_id(shop)}&amount=60")
    too_much = browsing.post(f"/payments/{payment}/allocations", f"document_id={invoice_id(shop)}&amount=60")

    assert "waits for a person" in before
    assert "INV-000001" in before
    assert (done.status_code, done.headers["location"], too_much.status_code) == (303, f"/payments/{payment}", 409)
    after = browsing.get(f"/payments/{payment}").text
    assert "40.00" in after
    assert f">{invoice_id(shop)}" not in after


def test_money_that_was_paid_in_advance_is_kept_for_its_customer_in_the_page(shop: Shop) -> None:
    browsing = Browsing(shop.cloud)
    payment = paid(shop, "300.00")
    agreement = shop.cloud.ask("GET", "/v1/agreements").json()["items"][0]["agreement_id"]
    terms = shop.cloud.ask("GET", f"/v1/agreements/{agreement}").json()["versions"][0]["terms"]
    before = browsing.get(f"/payments/{payment}").text

    strange = browsing.post(f"/payments/{payment}/prepayment", "agreement_id=nobody")
    kept = browsing.post(f"/payments/{payment}/prepayment", f"agreement_id={agreement}")

    told = shop.cloud.ask("GET", f"/v1/payments/{payment}").json()
    assert "Paid in advance under" in before
    assert (strange.status_code, kept.status_code, kept.headers["location"]) == (409, 303, f"/payments/{payment}")
    assert (told["state"], told["customer_id"]) == ("matched", terms["customer_id"])


def test_a_banks_file_that_is_none_is_refused_in_words(shop: Shop) -> None:
    browsing = Browsing(shop.cloud)

    answer = browsing.post("/payments/import?name=a.xml", "<nothing/>")

    assert answer.status_code == 422
    assert "cannot be read" in answer.text


def test_a_key_that_may_only_read_sees_no_button_and_changes_nothing(shop: Shop) -> None:
    reader = signed_in(shop.cloud, "read")
    payment = paid(shop, "100.00")

    page = reader.get(f"/payments/{payment}").text
    tried = [
        reader.post(f"/payments/{payment}/allocations", f"document_id={invoice_id(shop)}"),
        reader.post(f"/payments/{payment}/prepayment", "agreement_id=agr-1"),
        reader.post("/payments/import?name=a.csv", CSV),
        reader.post("/dunning/runs"),
        reader.post("/credit/runs"),
    ]

    assert "<select" not in page
    assert [answer.status_code for answer in tried] == [403] * 5


def test_a_form_of_another_site_changes_nothing(shop: Shop) -> None:
    answer = Browsing(shop.cloud).post("/dunning/runs", sec_fetch_site="cross-site")

    assert answer.status_code == 403


def test_a_customers_people_see_their_own_rows_and_no_books(shop: Shop) -> None:
    paid(shop, "77.00")
    customer = signed_in(shop.cloud, "customer:cust")

    seen = {path: customer.get(path) for path in PAGES}

    assert seen["/books"].status_code == 404
    assert {path: answer.status_code for path, answer in seen.items() if path != "/books"} == dict.fromkeys(
        [path for path in PAGES if path != "/books"], 200
    )
    assert "INV-000001" in seen["/invoices"].text
    assert "77.00" not in seen["/payments"].text
    assert customer.get(f"/invoices/{invoice_id(shop)}").status_code == 200
    assert customer.get("/").headers["location"] == "/statements"


def test_another_customers_people_see_nothing_of_it(shop: Shop) -> None:
    statement = shop.cloud.ask("GET", "/v1/statements").json()["items"][0]["statement_id"]
    stranger = signed_in(shop.cloud, "customer:other")

    own = [stranger.get(path).text for path in ("/statements", "/invoices", "/agreements")]
    named = [
        stranger.get(path).status_code
        for path in (
            f"/statements/{statement}", f"/statements/{statement}/bundle", f"/statements/{statement}/lines.csv",
            f"/statements/{statement}/paper", f"/invoices/{invoice_id(shop)}", "/agreements/agr-1",
        )
    ]  # fmt: skip

    assert not any("Harbour" in page or "INV-" in page or "agr-1" in page for page in own)
    assert named == [404] * 6


def test_a_customers_key_opens_pages_and_not_the_api(shop: Shop) -> None:
    answer = shop.cloud.ask("GET", "/v1/documents", key=a_key(shop.cloud, "customer:cust"))

    assert answer.status_code == 403
