"""The API of parties, goods, agreements and statements as its callers meet it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cloud.agreements.terms import parse_terms
from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from tests.cloud.trade import FIRST, TERMS, Trade
from tests.cloud.twins import CloudTwin

REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"currency": "EURO"}, 422, "malformed"),
    ({"starts": "soon"}, 422, "malformed"),
    ({"devices": ["cab-1", "meter-1", "cab-7"]}, 422, "bad-terms"),
    ({"supplier_id": "nobody"}, 422, "bad-terms"),
    ({"charges": [{"kind": "per_piece", "prices": {"nothing": "1"}}]}, 422, "bad-terms"),
    ({"charges": [{"kind": "per_piece", "prices": {"glove": 1.5}}]}, 422, "malformed"),
    ({"agreement_id": "agr-2"}, 409, "conflict"),
    ({"agreement_id": "agr-1"}, 409, "conflict"),
]


def test_terms_that_cannot_be_agreed_on_are_refused_and_nothing_is_stored(cloud: CloudTwin) -> None:
    Trade(cloud)
    before = cloud.counts()

    answers = [cloud.ask("POST", "/v1/agreements", TERMS | {"agreement_id": "agr-3"} | one[0]) for one in REFUSED]

    assert [(answer.status_code, answer.json()["type"]) for answer in answers] == [
        (status, f"/problems/{problem}") for _, status, problem in REFUSED
    ]
    assert cloud.counts() == before


def test_a_new_version_cannot_reach_back_into_a_closed_period(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.close(FIRST, "2026-11-08")
    terms = {name: value for name, value in TERMS.items() if name != "agreement_id"}
    dollars = terms | {"currency": "USD"}

    late = cloud.ask("POST", "/v1/agreements/agr-1/versions", {"first": "2026-11-07", "terms": terms})
    refused = cloud.ask("POST", "/v1/agreements/agr-1/versions", {"first": "2026-11-08", "terms": dollars})
    fits = cloud.ask("POST", "/v1/agreements/agr-1/versions", {"first": "2026-11-08", "terms": terms})

    assert (late.status_code, late.json()["type"]) == (409, "/problems/conflict")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bad-terms")
    assert [version["version"] for version in fits.json()["versions"]] == [1, 2]


def test_a_write_that_is_repeated_with_its_key_answers_the_same(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    cloud.clock.ms += 40 * 86_400_000
    body, headers = {"period": "2026-11"}, {"idempotency-key": "close-november"}

    first = cloud.ask("POST", "/v1/agreements/agr-1/statements", body, headers=headers)
    again = cloud.ask("POST", "/v1/agreements/agr-1/statements", body, headers=headers)
    other = cloud.ask("POST", "/v1/agreements/agr-1/statements", {"period": "2026-12"}, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-conflict")


def test_two_who_close_at_once_get_one_statement(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    cloud.clock.ms += 2 * 86_400_000
    headers = {"authorization": f"Bearer {cloud.key}"}

    async def close() -> list[str]:
        body = {"from": FIRST, "to": "2026-11-02"}
        asked = [cloud.http.post("/v1/agreements/agr-1/statements", json=body, headers=headers) for _ in range(4)]
        return [answer.json()["hash"] for answer in await asyncio.gather(*asked)]

    hashes = cloud.wait(close())

    assert len(set(hashes)) == 1
    assert cloud.counts()["statements"] == 1


def test_a_period_is_named_one_way(cloud: CloudTwin) -> None:
    Trade(cloud)
    both = {"period": "2026-11", "from": FIRST, "to": "2026-11-02"}

    bodies = [{}, {"from": FIRST}, both, {"period": "11/2026"}, {"period": "2026-13"}, {"from": "x", "to": "y"}]
    answers = [cloud.ask("POST", "/v1/agreements/agr-1/statements", body) for body in bodies]

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(422, "/problems/malformed")}


def test_what_is_not_there_is_a_problem_document(cloud: CloudTwin) -> None:
    paths = ["agreements/agr-9", "agreements/agr-9/running", "statements/stm_9", "statements/stm_9/bundle", "sites/s-9"]
    paths += ["parties/p-9", "items/i-9", "cabinets/cab-1/planogram", "gateways/gw-9/badges"]

    answers = [cloud.ask("GET", f"/v1/{path}") for path in paths]

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(404, "/problems/not-found")}
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


def test_another_tenant_sees_nothing_of_all_this(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    trade.draw()
    trade.send()
    statement = trade.close(FIRST, "2026-11-02")
    _, stranger = cloud.add_tenant("other")

    paths = [
        "/v1/agreements/agr-1",
        "/v1/agreements/agr-1/running",
        f"/v1/statements/{statement['statement_id']}/bundle",
    ]
    lists = [
        "/v1/agreements",
        "/v1/statements",
        "/v1/stock",
        "/v1/stock-moves",
        "/v1/orders",
        "/v1/items",
        "/v1/parties",
    ]

    assert [cloud.ask("GET", path, key=stranger).status_code for path in paths] == [404, 404, 404]
    assert all(cloud.ask("GET", path, key=stranger).json()["items"] == [] for path in lists)


def test_planograms_and_badges_reach_the_gateway(cloud: CloudTwin) -> None:
    trade = Trade(cloud)
    badges = [{"badge": "B0017", "person": "p-17", "groups": ["restocker"]}]
    assert cloud.ask("PUT", "/v1/gateways/gw-1/badges", {"badges": badges}).status_code == 200

    desired = trade.gateway.signed_get("/v1/gateways/gw-1/desired").json()

    assert desired["badges"] == trade.get("/v1/gateways/gw-1/badges")["badges"] == badges
    assert desired["planograms"]["cab-1"]["version"] == 1
    assert desired["planograms"]["cab-1"]["slots"][0] == {
        "slot": "1", "item_id": "drill-8", "capacity": 20, "min": 3, "max": 10, "confirm": "door",
    }  # fmt: skip


def test_a_planogram_that_cannot_be_is_refused(cloud: CloudTwin) -> None:
    Trade(cloud)
    plain: dict[str, object] = {"slot": "1", "item_id": "drill-8", "capacity": 20, "min": 3, "max": 10}
    wrong: list[dict[str, object]] = [
        {"min": 10},
        {"max": 30},
        {"capacity": -1},
        {"confirm": "hope"},
        {"surprise": 1},
        {"slot": ""},
    ]

    answers = [cloud.ask("PUT", "/v1/cabinets/cab-1/planogram", {"slots": [plain | one]}) for one in wrong]
    double = cloud.ask("PUT", "/v1/cabinets/cab-1/planogram", {"slots": [plain, plain]})

    assert {(answer.status_code, answer.json()["type"]) for answer in (*answers, double)} == {
        (422, "/problems/malformed")
    }


def test_every_body_of_these_routes_has_an_example(cloud: CloudTwin) -> None:
    document = cloud.ask("GET", "/openapi.json").json()

    schemas = document["components"]["schemas"]
    for name in ("AgreementIn", "PartyIn", "SiteIn", "ItemIn", "PlanogramIn", "BadgesIn", "PeriodIn"):
        assert schemas[name].get("examples"), name


def test_terms_stored_before_their_contradiction_was_known_are_shown_billed_printed_and_verified(
    cloud: CloudTwin,
) -> None:
    trade = Trade(cloud)
    events = {"measure": "events", "types": ["click"]}
    crossed = {"minimum": {"amount": "9"}, "maximum": {"amount": "5"}}
    told = {name: value for name, value in TERMS.items() if name != "agreement_id"} | {"charges": [
        {"kind": "dynamic", "source": events, "convert": {"unit": "k"}},
        {"kind": "standard", "unit_price": "1", "source": events} | crossed,
    ]}  # fmt: skip
    stored = parse_terms(json.dumps(told))
    cloud.run(
        lambda tx: tx.run(
            "UPDATE agreement_versions SET terms = ?, terms_hash = ? WHERE tenant_id = ?",
            (stored.canonical().decode(), stored.hash, cloud.tenant),
        )
    )

    (shown,) = trade.get("/v1/agreements")["items"]
    closed = trade.close(FIRST, "2026-11-02")
    bundle = cloud.ask("GET", f"/v1/statements/{closed['statement_id']}/bundle").content
    paper = cloud.ask("GET", f"/v1/statements/{closed['statement_id']}/paper?lang=zh-CN")

    assert (shown["versions"][0]["terms_hash"], paper.status_code) == (stored.hash, 200)
    assert [line["amount"]["amount"] for line in closed["lines"]] == ["0.00", "0.00", "9.00"]
    assert verify(load(bundle), Trust()).verified
    assert cloud.ask("POST", "/v1/agreements", TERMS | {"agreement_id": "new"} | told).status_code == 422
