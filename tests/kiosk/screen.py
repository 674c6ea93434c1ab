"""What hands do at the kiosk's screen: show a badge, tap a slot, press a button; by what a person sees."""

from __future__ import annotations

import re
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

from tests.kiosk.cabinet import CABINET, Shop

WIDE, NARROW = (1024, 600), (800, 480)


# A real key has the time at which it was pressed, however late the page hears of it.
KEYS = """([keys, pauses]) => {
    let at = performance.now();
    keys.forEach((key, n) => {
        const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
        at += pauses.includes(n) ? 100 : 3;
        Object.defineProperty(event, "timeStamp", { value: at });
        document.activeElement.dispatchEvent(event);
    });
}"""


def show(page: Page, badge: str, pauses: Sequence[int] = ()) -> None:
    """A reader that acts as a keyboard, as quick as one however busy this machine is; before these keys it pauses."""
    page.evaluate(KEYS, [[*badge, "Enter"], [*pauses]])


def begin(page: Page, shop: Shop, cabinet: str = CABINET, language: str = "") -> None:
    """The attract page, live."""
    page.goto(f"{shop.url}/kiosk/{cabinet}{f'?lang={language}' if language else ''}")
    expect(page.locator("#link-word")).not_to_have_text("…")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def tile(page: Page, slot: str) -> Locator:
    """A slot on the map."""
    return page.locator(".tile").filter(has=page.locator(".no", has_text=re.compile(f"^{slot}$")))


def tap(page: Page, slot: str) -> None:
    """A finger on a slot."""
    tile(page, slot).tap()


def press(page: Page, name: str) -> None:
    """A finger on a button."""
    page.get_by_role("button", name=name, exact=True).tap()


def typed(page: Page, text: str) -> None:
    """Fingers on the pad."""
    for key in text:
        page.locator(f'[data-key="{key}"]').tap()


def at_view(page: Page, view: str) -> None:
    """Waits for a view."""
    expect(page.locator("body")).to_have_attribute("data-view", view)


def log_out(page: Page) -> None:
    """The button in the bar."""
    page.locator("#bar .leave").tap()
    at_view(page, "idle")
