"""The installer's pages in a real browser: status and set-up, on a phone and a laptop, in both languages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.kiosk.cabinet import CABINET, CODE, Shop
from tests.kiosk.conftest import Scheme, keep, screen, violations

pytestmark = pytest.mark.browser
PHONE, LAPTOP = (360, 740), (1280, 800)
LOOKS: list[tuple[tuple[int, int], Scheme, str]] = [
    (PHONE, "light", "zh-CN"), (PHONE, "dark", "en"), (LAPTOP, "light", "en"), (LAPTOP, "dark", "zh-CN"),
]  # fmt: skip
TOO_SMALL = """
() => [...document.querySelectorAll("button, select, input:not([type=hidden])")].filter((one) => one.checkVisibility())
  .map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 24 || box.height < 24)
"""


def whole(page: Page, name: str) -> list[str]:
    """What is wrong with the page, measured; a picture is kept."""
    keep(page, name)
    found = [*violations(page), *page.evaluate(TOO_SMALL)]
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return found + (["wider than the screen"] if wide else [])


def enter(page: Page, shop: Shop, language: str) -> None:
    """Types the code."""
    page.goto(f"{shop.url}/setup?lang={language}")
    page.locator("#code").fill(CODE)
    page.locator("main button").click()
    expect(page.locator(".steps")).to_be_visible()


@pytest.mark.parametrize(("size", "scheme", "language"), LOOKS, ids=str)
def test_status_and_set_up_are_whole(
    small_shop: Shop, browser: Browser, size: tuple[int, int], scheme: Scheme, language: str
) -> None:
    found = {}
    with screen(browser, size, scheme, language) as page:
        pre = f"installer-{language}-{size[0]}-{scheme}"
        page.goto(f"{small_shop.url}/status?lang={language}")
        expect(page.locator("#live")).to_have_attribute("data-state", "connected")
        found["status"] = whole(page, f"{pre}-status")
        page.goto(f"{small_shop.url}/setup?lang={language}")
        found["enter"] = whole(page, f"{pre}-enter")
        enter(page, small_shop, language)
        page.goto(f"{small_shop.url}/setup/step/network?lang={language}")
        found["network"] = whole(page, f"{pre}-network")
        page.goto(f"{small_shop.url}/setup/devices?lang={language}")
        found["kinds"] = whole(page, f"{pre}-kinds")

    assert [fault for faults in found.values() for fault in faults] == []


def test_the_set_up_is_done_in_the_browser(shop: Shop, browser: Browser) -> None:
    with screen(browser, LAPTOP) as page:
        enter(page, shop, "en")
        found = []
        for step, button in (
            ("network", "Later: there is no network yet"),
            ("claim", "The operator sees the same"),
            ("devices", "Continue: every device answers"),
            ("planogram", "It is what lies in the cabinet"),
        ):
            expect(page.get_by_role("button", name=button)).to_be_visible()
            found += whole(page, f"installer-en-1280-light-{step}")
            page.get_by_role("button", name=button).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Slots, locks and motors")
        page.get_by_role("button", name="Continue: every slot moved").click()
        expect(page.get_by_role("alert")).to_contain_text("have not been tested and seen")
        lockers = page.get_by_role("region", name=CABINET)
        lockers.get_by_role("button", name="Test 1", exact=True).click()
        expect(lockers.get_by_role("button", name="1 moved", exact=True)).to_be_visible()
        found += whole(page, "installer-en-1280-light-slots")
        lockers.get_by_role("button", name="1 moved", exact=True).click()
        expect(lockers.get_by_role("row", name=re.compile("^1 "))).to_contain_text("seen by a person")

    assert found == []
