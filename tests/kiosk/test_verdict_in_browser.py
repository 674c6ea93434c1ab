"""A draw that nothing proved is decided at the cabinet, by whoever looked into the slot and did not draw it himself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.kiosk.cabinet import UNPROVEN, Shop
from tests.kiosk.conftest import NONE, faults, keep, screen
from tests.kiosk.screen import NARROW, at_view, begin, log_out, press, show, tap
from wire.records import Draw, DrawResolved

pytestmark = pytest.mark.browser


def test_a_draw_that_nothing_proved_is_decided_by_who_may_count_and_not_by_who_took_it(
    shop: Shop, browser: Browser
) -> None:
    with screen(browser, NARROW) as page:
        begin(page, shop)
        show(page, "B0017")
        at_view(page, "map")
        tap(page, UNPROVEN)
        press(page, "Take 1")
        at_view(page, "result")
        draw = shop.records(Draw)[-1]
        press(page, "Take something else")
        press(page, "My items")
        expect(page.get_by_role("button", name="Decide")).to_have_count(0)
        log_out(page)
        show(page, "R0001")
        press(page, "My items")
        expect(page.locator("main")).to_contain_text("not proven since")
        press(page, "Decide")
        at_view(page, "decide")
        keep(page, "en-800-light-decide")
        found = faults(page)

        press(page, "It was taken")

        at_view(page, "result")
        (decided,) = [one for one in shop.records(DrawResolved) if one.ref.key == draw.key]
        assert (draw.slot, draw.outcome, decided.outcome, decided.qty) == (UNPROVEN, "unverified", "confirmed", 1)
        assert decided.evidence == "verdict of p-20: looked into the slot at the cabinet"
        assert found == NONE
