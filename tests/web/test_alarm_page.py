"""The page of alarms: its owner decides there about a draw that nobody proved, and nobody else sees or decides it."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin
from tests.cloud.unproven.test_unproven import a_shop, unproven, verdicts
from tests.web.shop import Browsing
from tests.web.test_finance_pages import signed_in

LATER = 3 * 3_600_000
SAID = {"outcome": "confirmed", "who": "storekeeper", "evidence": "looked into slot 1"}


def overdue(cloud: CloudTwin) -> tuple[Trade, str, Browsing]:
    """A draw past its deadline, by name, with its shop and the supplier's browser."""
    trade, _ = a_shop(cloud)
    cloud.clock.ms = trade.at + LATER
    (one,) = unproven(trade, overdue=True)
    return trade, str(one["record"]), Browsing(cloud)


def test_an_owner_decides_in_the_page_and_the_gateway_is_told(cloud: CloudTwin) -> None:
    trade, record, browsing = overdue(cloud)
    before = browsing.get("/alarms")

    done = browsing.post("/alarms/verdicts", urlencode({"record": record} | SAID))

    assert f'<option value="{record}">' in before.text
    assert (done.status_code, done.headers["location"]) == (303, "/alarms")
    assert list(verdicts(trade)["cab-1"].values()) == [
        {"outcome": "confirmed", "evidence": SAID["evidence"], "who": "storekeeper"}
    ]
    assert "storekeeper says that it was taken" in browsing.get("/alarms").text
    assert "storekeeper" in browsing.get("/alarms?lang=zh_CN").text


def test_a_verdict_without_name_or_ground_or_by_the_drawer_is_refused_in_words(cloud: CloudTwin) -> None:
    _, record, browsing = overdue(cloud)

    answers = [
        browsing.post("/alarms/verdicts", urlencode({"record": record} | SAID | wrong)).status_code
        for wrong in (
            {"who": " "}, {"evidence": ""}, {"outcome": "perhaps"}, {"record": "cab-1/x"}, {"record": "a/b/\u0663"},
            {"who": "x" * 201}, {"who": "a\0b"}, {"record": "cab-1/x/99"}, {"who": "p-17"},
        )
    ]  # fmt: skip

    assert answers == [422] * 7 + [409] * 2
    assert browsing.get("/alarms").text.count("says that") == 0


def test_who_may_only_read_sees_no_form_and_decides_nothing(cloud: CloudTwin) -> None:
    _, record, _ = overdue(cloud)
    reader = signed_in(cloud, "read")

    answer = reader.post("/alarms/verdicts", urlencode({"record": record} | SAID))

    assert "/alarms/verdicts" not in reader.get("/alarms").text
    assert answer.status_code == 403


def test_a_form_of_another_site_decides_nothing(cloud: CloudTwin) -> None:
    _, record, browsing = overdue(cloud)

    answer = browsing.post("/alarms/verdicts", urlencode({"record": record} | SAID), sec_fetch_site="cross-site")

    assert answer.status_code == 403


def test_a_customers_people_do_not_see_the_suppliers_alarms(cloud: CloudTwin) -> None:
    _, record, _ = overdue(cloud)
    customer = signed_in(cloud, "customer:cust")

    answer = customer.get("/alarms")

    assert (answer.status_code, record in answer.text) == (404, False)
