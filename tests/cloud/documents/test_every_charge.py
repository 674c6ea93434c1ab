"""Statements with every kind of charge can be printed and looked at, in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.web.figures import price
from cloud.web.languages import read_languages
from cloud.web.views.line_words import charge_words, step_words
from tests.cloud.trade import FIRST, HOUR, Trade, refusals
from tests.cloud.twins import CloudTwin
from wire.records import Runtime

TIERS = [{"up_to": "3", "unit_price": "1.1", "flat": "2"}, {"unit_price": "0.7"}]
PIECES = {"source": {"measure": "pieces", "unit": "pc"}}
ORDERS = {"source": {"measure": "events", "types": ["order"]}}
ENERGY = {"source": {"measure": "energy", "devices": ["meter-1"], "unit": "kWh"}}
CHARGES: list[dict[str, Any]] = [
    {"kind": "per_piece", "prices": {"drill-8": "1.20"}},
    {"kind": "graduated", "tiers": TIERS, "minimum": {"amount": "90"}, "discounts": [{"percent": "12.5"}]} | PIECES,
    {"kind": "standard", "unit_price": "1", "maximum": {"amount": "3"}, "round_quantity": {}} | PIECES,
    {"kind": "volume", "tiers": TIERS, "discounts": [{"amount": "1"}]} | PIECES,
    {"kind": "package", "size": "3", "price": "2"} | PIECES,
    {"kind": "percentage", "percent": "2.5", "fixed": "0.1", "least_per_event": "1"} | ORDERS,
    {"kind": "graduated_percentage", "tiers": TIERS} | ORDERS,
    {"kind": "bucketed_maximum", "tiers": TIERS, "bucket": "hour"} | ORDERS,
    {"kind": "energy", "unit_price": "0.85", "devices": ["meter-1"]},
    {
        "kind": "time_of_use", "prices": {"day": "1", "night": "0.5"},
        "windows": {"rules": [{"window": "day", "from": "07:00", "to": "19:00"}], "otherwise": "night"},
    } | ENERGY,
    {
        "kind": "weighted_runtime", "unit_price": "0.5", "weights": [{"speed": "low", "weight": "0.6"}],
        "free_units": {"quantity": "0.1"}, "source": {"measure": "runtime", "unit": "h"},
    },
    {"kind": "area", "areas": [{"subject": "hall", "m2": "7"}], "plant_cost": "100", "total_m2": "30"},
    {"kind": "flat", "amount": "5"},
    {"kind": "monthly_fee", "amount": "300.00"},
    {"kind": "commitment", "minimum": {"amount": "5000"}},
]  # fmt: skip


def statement_of(cloud: CloudTwin) -> tuple[Trade, dict[str, Any]]:
    trade = Trade(cloud, charges=CHARGES, event_sources=["shop"], estimates={"silent_minutes": 60})
    trade.read(1000)
    trade.draw(qty=5)
    trade.at += 10 * HOUR
    trade.read(9000)
    begin = trade.at
    trade.at += HOUR
    said = trade.said("meter-1", speeds={"low": 1800}, unknown=60)
    trade.gateway.keep(Runtime(**said, from_=begin, to=trade.at))
    trade.send()
    event = {"specversion": "1.0", "id": "e1", "source": "shop", "type": "order", "time": "2026-11-01T09:00:00Z",
             "data": {"quantity": "120"}}  # fmt: skip
    trade.post("/v1/events", event)
    return trade, trade.close(FIRST, "2026-11-02")


def test_a_statement_with_every_kind_of_charge_is_printed_in_both_languages(cloud: CloudTwin) -> None:
    trade, statement = statement_of(cloud)

    kinds = {line["kind"] for line in statement["lines"]}
    assert kinds >= {charge["kind"] for charge in CHARGES} - {"commitment"}
    for language in ("en", "zh-CN"):
        answer = cloud.ask("GET", f"/v1/statements/{statement['statement_id']}/paper?lang={language}")
        assert (answer.status_code, answer.content[:5]) == (200, b"%PDF-"), answer.text[:300]
    assert refusals(trade.bundle(statement)) == []


def test_every_row_and_kind_has_its_words_in_chinese(cloud: CloudTwin) -> None:
    _, statement = statement_of(cloud)
    words = read_languages()["zh_CN"]

    said = {one["what"] for line in statement["lines"] for one in line.get("steps", [])}
    plain = sorted(one for one in said if step_words(words, one) == one and not one.startswith("2026-"))
    assert plain == []
    assert [charge["kind"] for charge in CHARGES if charge_words(words, charge["kind"]) == charge["kind"]] == []


@pytest.mark.parametrize(
    ("stated", "shown"),
    [("1.2", "€1.20"), ("2.5 %", "2.5 %"), ("0.6 x 0.5 / 3600", "0.6 \N{MULTIPLICATION SIGN} €0.50 / 3,600")],
)
def test_a_price_is_shown_as_what_it_is(stated: str, shown: str) -> None:
    assert price(read_languages()["en"], stated, "EUR") == shown
