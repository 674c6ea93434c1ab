"""Published examples of other billing products and worked conventions, as data: tests/vectors/pricing_cases.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud.rating.price import parse_case, price

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "vectors/pricing_cases.json").read_bytes())


@pytest.mark.parametrize("told", CASES, ids=[one["name"] for one in CASES])
def test_a_case_comes_to_what_was_published_or_worked_out_by_hand(told: dict[str, Any]) -> None:
    priced = price(parse_case(json.dumps(told["case"])))

    assert priced.total == told["total"]
    assert [line.amount for line in priced.lines] == told.get("lines", [line.amount for line in priced.lines])


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({one["name"] for one in CASES}) == len(CASES) >= 100
