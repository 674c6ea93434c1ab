"""The customer's own check, in a real browser: a true bundle fits, and no change of it goes unnoticed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import Served
from tests.web.test_in_browser import page, sign_in

pytestmark = pytest.mark.browser
__all__ = ["page"]
RUN = "async ([bundle, key]) => (await import('/static/check.js')).check(bundle, key)"
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def bundle(served: Served) -> dict[str, Any]:
    """The bundle of the closed week."""
    answer = served.shop.cloud.ask("GET", f"/v1/statements/{served.statement}/bundle")
    found: dict[str, Any] = json.loads(answer.content)
    return found


def open_statement(page: Page, served: Served, language: str = "en") -> None:
    sign_in(page, served)
    page.goto(f"/statements/{served.statement}?lang={language}")


@pytest.mark.parametrize(
    ("language", "button", "said"), [("en", "Check", "fits"), ("zh_CN", "\u9a8c\u8bc1", "\u4e00\u81f4")]
)
def test_a_true_statement_fits_at_the_press_of_a_button(
    page: Page, served: Served, bundle: dict[str, Any], language: str, button: str, said: str
) -> None:
    open_statement(page, served, language)

    page.locator("input[name=key]").fill(bundle["logs"][0]["vkey"])
    page.get_by_role("button", name=button, exact=True).click()

    expect(page.locator("#verify-said")).to_contain_text(said)
    expect(page.locator("#verify-said")).to_have_attribute("data-state", "right")


def test_a_bundle_from_a_file_is_checked_and_a_changed_line_is_named(
    page: Page, served: Served, bundle: dict[str, Any], tmp_path: Path
) -> None:
    open_statement(page, served)
    bundle["statement"]["lines"][1]["amount"] = "0.01"
    given = tmp_path / "given.json"
    given.write_text(json.dumps(bundle))

    page.locator("input[name=file]").set_input_files(given)
    page.get_by_role("button", name="Check", exact=True).click()

    expect(page.locator("#verify-said")).to_have_text("This does not fit:")
    expect(page.get_by_text("line 2:")).to_be_visible()


def test_no_changed_number_text_or_record_goes_unnoticed(page: Page, served: Served, bundle: dict[str, Any]) -> None:
    open_statement(page, served)
    places = list(leaves_of(bundle))
    step = max(1, len(places) // 150)

    unnoticed = []
    for path in places[::step]:
        changed = copy.deepcopy(bundle)
        change(changed, path)
        if not page.evaluate(RUN, [changed, ""]):
            unnoticed.append(path)

    assert page.evaluate(RUN, [bundle, ""]) == []
    assert unnoticed == []


@pytest.mark.parametrize("kind", ["per_piece", "energy"])
def test_a_price_that_is_not_of_the_terms_is_named_with_its_line(
    page: Page, served: Served, bundle: dict[str, Any], kind: str
) -> None:
    open_statement(page, served)
    line = next(one for one in bundle["statement"]["lines"] if one["kind"] == kind)
    line["unit_price"] = "9.99"

    findings = page.evaluate(RUN, [bundle, ""])

    assert {"line": line["no"], "what": "9.99 is no price of the terms"} in findings


def test_another_gateways_key_is_noticed(page: Page, served: Served, bundle: dict[str, Any]) -> None:
    open_statement(page, served)

    findings = page.evaluate(RUN, [bundle, bundle["keys"]["signer"]])

    assert ["label" in one["what"] for one in findings] == [True]


# What this check does not read: single proofs (they prove again what the tree proves), the format's name.
UNREAD = {"proofs", "format"}


def leaves_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every text and number of the bundle, by its path."""
    if isinstance(value, dict):
        for key, one in value.items():
            if path or key not in UNREAD:
                yield from leaves_of(one, (*path, key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from leaves_of(one, (*path, at))
    else:
        yield path


def change(bundle: dict[str, Any], path: tuple[Any, ...]) -> None:
    """Another value of the same kind."""
    place: Any = bundle
    for key in path[:-1]:
        place = place[key]
    value = place[path[-1]]
    if isinstance(value, int):
        place[path[-1]] = value + 1
    else:
        place[path[-1]] = value[:-1] + ("1" if value[-1:] != "1" else "2") if value else "x"
