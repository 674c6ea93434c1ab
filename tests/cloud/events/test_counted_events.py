"""Counted events from outside: once for ever, in order or not, on the bill with their root, refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloud.billing import event_proof
from cloud.billing.bundle import load
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_cli import main
from tests.cloud.billing.forgeries import forgeries
from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin

SHOP = "shop.example/orders"
CHARGES = [
    {"kind": "percentage", "percent": "10", "name": "commission", "source": {"measure": "events", "types": ["order"]},
     "valid": {"refused_by": ["refund"]}},
    {"kind": "graduated", "name": "clicks", "source": {"measure": "events", "types": ["click"]},
     "aggregation": {"function": "count"},
     "valid": {"repeats": {"seconds": 60}, "robots": {"marks": {"agent": ["bot"]}}},
     "tiers": [{"up_to": "2", "unit_price": "0.50"}, {"unit_price": "0.10"}]},
]  # fmt: skip


def event(key: str, kind: str, time: str, subject: str = "v1", **data: str) -> dict[str, Any]:
    return {"specversion": "1.0", "id": key, "source": SHOP, "type": kind, "time": f"2026-11-{time}:00Z",
            "subject": subject, "data": data}  # fmt: skip


def shop(cloud: CloudTwin) -> Trade:
    return Trade(cloud, charges=CHARGES, event_sources=[SHOP], devices=["cab-1"])


STORY = [
    event("o1", "order", "02T10:00", quantity="100.50"),
    event("o2", "order", "03T10:00", quantity="40"),
    event("r2", "refund", "09T10:00", of="o2"),
    event("c1", "click", "04T10:00"),
    event("c2", "click", "04T10:00", subject="v2"),
    event("c3", "click", "05T10:00"),
    event("c4", "click", "05T10:00", agent="bot"),
]


def closed(trade: Trade, period: str = "2026-11") -> dict[str, Any]:
    month = {"2026-11": 35, "2026-12": 70}[period]
    trade.cloud.clock.ms = trade.at + month * 86_400_000
    return trade.post("/v1/agreements/agr-1/statements", {"period": period})


def checked(trade: Trade, statement: dict[str, Any]) -> list[str]:
    raw = trade.cloud.ask("GET", f"/v1/statements/{statement['statement_id']}/bundle").content
    return [f"{one.text}: {one.wrong}" for one in verify(load(raw), Trust()).findings]


def test_events_are_counted_once_whatever_is_repeated_and_in_whatever_order(cloud: CloudTwin) -> None:
    trade = shop(cloud)

    single = trade.post("/v1/events", STORY[0])
    batch = trade.post("/v1/events", STORY[::-1])
    clash = trade.post("/v1/events", [event("o1", "order", "02T10:00", quantity="999")])

    assert (single["accepted"], batch["accepted"], batch["repeated"]) == (1, 6, 1)
    assert (clash["conflicts"], clash["results"][0]["status"]) == (1, "conflict")
    assert [one["id"] for one in trade.get("/v1/events/conflicts")["items"]] == ["o1"]
    assert [one["serial"] for one in trade.get("/v1/events?limit=200")["items"]] == list(range(1, 8))


def test_a_statement_bills_events_with_their_root_and_names_why_others_do_not_count(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", STORY)

    statement = closed(trade)

    assert {line["text"].split(":")[0]: line["amount"]["amount"] for line in statement["lines"]} == {
        "commission": "10.05", "clicks": "1.10",
    }  # fmt: skip
    assert sorted(one["reason"] for one in statement["unbilled"]) == ["refused", "robot"]
    assert checked(trade, statement) == []


def test_an_event_that_comes_after_the_closing_is_a_delta_line_of_the_next_statement(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", STORY)
    closed(trade)
    trade.post("/v1/events", [event("c9", "click", "20T10:00"), event("o9", "order", "20T10:00", quantity="10")])

    december = closed(trade, "2026-12")

    late = [line for line in december["lines"] if line["belongs_to"] == "2026-11"]
    assert sorted(line["amount"]["amount"] for line in late) == ["0.10", "1.00"]
    assert checked(trade, december) == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"specversion": "0.3"}, "specversion"), ({"id": ""}, "id"), ({"time": "2026-11-05T10:00:00"}, "time"),
    ({"time": "soon"}, "time"), ({"data": {"quantity": 1.5}}, "quantity"),
    ({"data": {"quantity": "1e3"}}, "quantity"), ({"data": {"price": "-"}}, "price"), ({"data": {"label": 7}}, "label"),
]  # fmt: skip
CHANGES: list[Callable[[list[dict[str, Any]]], object]] = [
    lambda told: told.pop(),
    lambda told: told.append(told[-1]),
    lambda told: told[0].update(value=1),
    lambda told: told[0].update(at=told[0]["at"] + 1),
    lambda told: told.reverse(),
    lambda told: told[3].update(labels={"agent": "bot"}),
    lambda told: told[0].update(source="elsewhere"),
]


def test_an_event_that_is_none_is_refused_with_its_whole_batch(cloud: CloudTwin) -> None:
    trade = shop(cloud)

    for body, where in REFUSED:
        answer = cloud.ask("POST", "/v1/events", [STORY[0], STORY[1] | body])

        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/malformed")
        assert where in answer.json()["detail"]
    assert trade.get("/v1/events")["items"] == []


def test_a_changed_event_is_noticed_by_the_offline_check(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", STORY)
    statement = closed(trade)
    raw = cloud.ask("GET", f"/v1/statements/{statement['statement_id']}/bundle").content

    for change in CHANGES:
        document = json.loads(raw)
        change(document["events"])

        assert not verify(load(json_of(document)), Trust()).verified


def json_of(document: dict[str, Any]) -> bytes:
    return msgspec.json.encode(document)


def test_terms_name_the_sources_they_count(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", [STORY[0] | {"source": "another.example"}])

    statement = closed(trade)

    assert statement["total"]["amount"] == "0.00"


BINARY = {
    "ce-specversion": "1.0", "ce-id": "o%2F1", "ce-source": SHOP, "ce-type": "order", "ce-time": "2026-11-02T10:00:00Z",
    "ce-subject": "%E5%BC%A0", "ce-anything": "else", "content-type": "application/json; charset=utf-8",
}  # fmt: skip


def test_an_event_in_binary_mode_is_the_same_as_one_in_structured_mode(cloud: CloudTwin) -> None:
    trade = shop(cloud)

    told = cloud.ask("POST", "/v1/events", headers=BINARY, body=b'{"quantity":"100.50","campaign":"autumn"}')
    again = trade.post(
        "/v1/events", event("o/1", "order", "02T10:00", subject="\u5f20", quantity="100.50", campaign="autumn")
    )

    assert (told.status_code, told.json()["results"][0]) == (
        200, {"source": SHOP, "id": "o/1", "status": "accepted", "serial": 1},
    )  # fmt: skip
    assert again["repeated"] == 1


def test_a_binary_event_without_data_is_one_use_and_a_wrong_one_is_refused(cloud: CloudTwin) -> None:
    shop(cloud)
    bare = {name: value for name, value in BINARY.items() if name != "content-type"}

    answers = [
        cloud.ask("POST", "/v1/events", headers=bare),
        cloud.ask("POST", "/v1/events", headers=bare | {"ce-time": "soon", "ce-id": "x"}),
        cloud.ask("POST", "/v1/events", headers={n: v for n, v in bare.items() if n != "ce-id"}),
        cloud.ask("POST", "/v1/events", headers=bare | {"ce-id": "%ff"}),
        cloud.ask("POST", "/v1/events", headers=BINARY | {"content-type": "text/plain"}, body=b"1"),
        cloud.ask("POST", "/v1/events", headers=BINARY, body=b"{"),
    ]

    assert [answer.status_code for answer in answers] == [200, 422, 422, 422, 422, 422]


def proof_of(trade: Trade, statement: dict[str, Any], key: str) -> bytes:
    path = f"/v1/statements/{statement['statement_id']}/event-proof?source={SHOP}&id={key}"
    answer = trade.cloud.ask("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_single_event_is_proven_under_its_statement_and_says_whether_it_counts(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", STORY)
    statement = closed(trade)

    found = {key: event_proof.check(event_proof.load(proof_of(trade, statement, key))) for key in ("o1", "o2", "c4")}

    assert found == {"o1": ([], ""), "o2": ([], "refused"), "c4": ([], "robot")}
    absent = cloud.ask("GET", f"/v1/statements/{statement['statement_id']}/event-proof?source={SHOP}&id=none")
    assert absent.status_code == 404


def test_no_change_of_an_events_proof_goes_unnoticed(cloud: CloudTwin) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", STORY)
    raw = proof_of(trade, closed(trade), "c3")

    unnoticed = []
    for what, forged in forgeries(json.loads(raw)):
        try:
            wrong, _ = event_proof.check(event_proof.load(json.dumps(forged).encode()))
        except ValueError:
            continue
        if not wrong:
            unnoticed.append(what)

    assert unnoticed == []


def test_the_command_says_what_became_of_an_event(
    cloud: CloudTwin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trade = shop(cloud)
    trade.post("/v1/events", STORY)
    given = tmp_path / "event.json"
    given.write_bytes(proof_of(trade, closed(trade), "c4"))
    keys = cloud.app.state.context.cosigner

    codes = [main([str(given), "--cosigner", keys.cosigner_vkey]), main([str(given), "--json"])]
    codes.append(main([str(given), "--cosigner", trade.gateway.signer.vkey]))

    said = capsys.readouterr().out
    assert codes == [0, 0, 1]
    assert "not billed (robot)" in said
    assert "the cloud's key is not the one you gave" in said
