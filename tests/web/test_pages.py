"""The pages as HTML: what stands on them without any script, what protects them, what hostile names do to them."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest

from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from cloud.database import Tx
from tests.cloud.twins import CloudTwin
from tests.web.shop import Browsing, Shop

HOSTILE = "</bdi><script>alert(1)</script><img src=x onerror=alert(1)>\" ' & {{ 7 * 7 }}"

TIMES, DASH = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"


def text_of(html: str) -> str:
    """The page's words, white space made single."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_live_page_says_everything_without_a_script(shop_on_either: Shop) -> None:
    page = text_of(Browsing(shop_on_either.cloud).get("/").text)

    for said in (
        "1 slot is empty",
        "2 orders are proposed",
        "It does not answer its gateway.",
        "Slot 1 Low Twist drill HSS 8 mm 3 pc min 4, max 20",
        "3 on hand: not more than the minimum of 4. Order 17 to reach the maximum of 20.",
        f"24.555 kWh {TIMES} CN¥0.853",
        "CN¥469.03 so far",
        "1 record is kept aside and not billed.",
        "Slot 2 did not give Twist drill HSS 6 mm out",
        f"Jan 8, 2027 00:00 {DASH} Jan 9, 2027 00:00 Asia/Shanghai",
    ):
        assert said in page


def test_a_tenant_sees_nothing_of_another(shop: Shop) -> None:
    _, key = shop.cloud.add_tenant("other")
    person = Browsing(shop.cloud)
    statement = re.search(r"/statements/\w+", person.get("/").text)
    assert statement is not None
    shop.cloud.key = key
    stranger = Browsing(shop.cloud)

    page = stranger.get("/").text

    assert "Twist drill" not in page
    assert stranger.get(statement[0]).status_code == 404
    assert stranger.get(f"{statement[0]}/bundle").status_code == 404


def test_an_empty_cloud_tells_the_next_step(cloud: CloudTwin) -> None:
    page = text_of(Browsing(cloud).get("/").text)

    assert "There is no device yet. Add a gateway with POST /v1/gateways" in page
    assert "No cabinet has a planogram yet." in page
    assert "There is no agreement yet." in page
    assert "Nothing is to be ordered." in page
    assert "Nothing has happened yet." in page
    assert "Nothing needs attention now." in page


def test_a_statement_shows_quantity_times_price_and_the_records_behind(shop: Shop) -> None:
    person = Browsing(shop.cloud)
    link = re.search(r"/statements/\w+", person.get("/").text)
    assert link is not None

    page = text_of(person.get(link[0]).text)

    assert f"9 pc {TIMES} CN¥18.90" in page
    assert "B signed by the gateway log 1, records 14-22" in page
    assert "register 1,204,310 to 1,286,847 Wh" in page
    assert "Energy: 82.537 kWh at CN¥0.853 is 70.404061 before rounding and CN¥70.40 after it." in page
    assert f"tally-verify {link[0].rpartition('/')[2]}.json" in page


def test_the_bundle_behind_the_download_link_verifies(shop: Shop) -> None:
    person = Browsing(shop.cloud)
    link = re.search(r"/statements/\w+", person.get("/").text)
    assert link is not None

    answer = person.get(f"{link[0]}/bundle")

    assert answer.headers["content-disposition"] == f'attachment; filename="{link[0].rpartition("/")[2]}.json"'
    assert verify(load(answer.content), Trust((shop.gateway.signer.vkey,), "")).verified


@pytest.mark.parametrize("path", ["/", "/statements/any", "/statements/any/bundle"])
def test_a_page_without_a_session_leads_to_the_sign_in(cloud: CloudTwin, path: str) -> None:
    answer = cloud.ask("GET", path, key="")

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/statements/none", "/enter?code=x", "/static/page.css"])
def test_every_answer_forbids_what_a_page_does_not_need(shop: Shop, path: str) -> None:
    headers = Browsing(shop.cloud).get(path).headers

    policy = dict(rule.partition(" ")[::2] for rule in headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_pages_with_business_on_them_are_not_kept_by_the_browser(shop: Shop) -> None:
    assert Browsing(shop.cloud).get("/").headers["cache-control"] == "no-store"


def test_nothing_on_a_page_is_run_or_styled_in_place(shop: Shop) -> None:
    page = Browsing(shop.cloud).get("/").text

    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page) == []


def test_hostile_names_stay_names(cloud: CloudTwin) -> None:
    made = Shop(cloud)
    for table in ("items", "devices", "sites", "parties"):
        cloud.run(partial(_rename_all, table=table))
    made.gateway.keep(made.draw("1", cloud.clock.ms, who=HOSTILE))
    made.tell()

    page = Browsing(cloud).get("/").text

    assert "<script>alert" not in page
    assert "<img" not in page
    assert "49" not in text_of(page)
    assert page.count("&lt;/bdi&gt;&lt;script&gt;alert(1)&lt;/script&gt;") > 5


def test_our_files_are_kept_by_their_version(shop: Shop) -> None:
    person = Browsing(shop.cloud)
    address = re.search(r"/static/page\.css\?v=\w+", person.get("/").text)
    assert address is not None

    known, unknown = person.get(address[0]), person.get("/static/page.css")

    assert known.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert unknown.headers["cache-control"] == "no-cache"
    assert person.get("/static/page.css", if_none_match=known.headers["etag"]).status_code == 304
    assert person.get("/static/..%2Fpages.py").status_code == 404


def test_only_the_entry_code_is_part_of_the_described_api(cloud: CloudTwin) -> None:
    paths = json.loads(cloud.ask("GET", "/openapi.json", key="").text)["paths"]

    assert "/v1/entry-codes" in paths
    assert not {"/", "/live", "/sign-in", "/enter", "/static/{name}"} & paths.keys()


def _rename_all(tx: Tx, table: str) -> None:
    tx.run(f"UPDATE {table} SET name = ?", (HOSTILE,))
