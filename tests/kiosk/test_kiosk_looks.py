"""Every view of the kiosk in both languages, both sizes, light and dark: whole, measured, and kept as a picture.

What a designer would not sign and can be measured: anything that leaves the screen or is cut, targets under 64 px,
scrolling, and what axe-core finds against WCAG 2.2 AA. The pictures are for people: `build/kiosk`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.kiosk.cabinet import CABINET, CODED, COILS, FAST, NUMBERED, SPENT, Shop, wanted
from tests.kiosk.conftest import NONE, Scheme, faults, keep, screen
from tests.kiosk.screen import NARROW, WIDE, at_view, begin, log_out, show, tap, typed
from wire.records import Draw

pytestmark = pytest.mark.browser
PERSONS = {"en": "B0017", "zh-CN": "B0018"}
LOOKS: list[tuple[str, tuple[int, int], Scheme]] = [
    (language, size, scheme) for language in PERSONS for size in (WIDE, NARROW) for scheme in ("light", "dark")
]
# Half of them are put before axe: each language, size and scheme with every other.
AXED = {("en", WIDE, "light"), ("en", NARROW, "dark"), ("zh-CN", WIDE, "dark"), ("zh-CN", NARROW, "light")}
looks = pytest.mark.parametrize(("language", "size", "scheme"), LOOKS, ids=str)
Look = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def tidy(shop: Shop) -> Iterator[None]:
    """Whatever a test has left open is shut."""
    yield
    shop.locks.mend(10)
    shop.tidy()


@looks
def test_every_view_is_signed_by_a_designer(
    shop: Shop, browser: Browser, language: str, size: tuple[int, int], scheme: Scheme
) -> None:
    found: dict[str, dict[str, list[str]]] = {}
    with screen(browser, size, scheme, language) as page:

        def look(name: str, view: str) -> None:
            at_view(page, view)
            keep(page, f"{language}-{size[0]}-{scheme}-{name}")
            found[name] = faults(page, axe=(language, size, scheme) in AXED)

        before_a_session(page, shop, look)
        a_session(page, shop, look, PERSONS[language])
        a_refill(page, look)
        without_the_cloud(page, shop, look, PERSONS[language])
        at_the_coils(page, shop, look, PERSONS[language])

    assert found == dict.fromkeys(found, NONE)


def done(page: Page) -> None:
    """The button of a result; where nobody is logged in the page may have gone back by itself already."""
    page.evaluate("document.querySelector('main [data-part=done]')?.click()")
    at_view(page, "idle")


def before_a_session(page: Page, shop: Shop, look: Look) -> None:
    """Nobody is known yet."""
    begin(page, shop)
    look("idle", "idle")
    show(page, "X9999")
    look("unknown-badge", "result")
    done(page)
    show(page, "B0019")
    look("pin", "pad")
    page.locator("main [data-go=back]").tap()
    page.locator("main [data-go=pickup]").tap()
    typed(page, "777002")
    look("pick-up-code", "pad")
    page.locator("[data-key=ok]").tap()
    look("pick-up-refused", "result")
    done(page)


def a_session(page: Page, shop: Shop, look: Look, badge: str) -> None:
    """One person: the map, one slot, what may not be had, taking with a door, a lock that sticks, giving back."""
    show(page, badge)
    look("map-24", "map")
    tap(page, "2")
    look("item", "item")
    page.locator("main [data-go=map]").tap()
    tap(page, SPENT)
    look("limit", "item")
    page.locator("main [data-go=map]").tap()
    shop.shuts_after = None
    tap(page, FAST)
    page.locator(".deed").tap()
    expect(page.locator("[data-part=sign]")).to_have_text("↗")
    look("door-open", "working")
    shop.shuts_after = 0.2
    shop.shut(int(FAST))
    look("taken", "result")
    page.locator("main [data-part=report]").tap()
    look("report", "report")
    page.locator("main [data-go=map]").tap()
    shop.locks.jam(10)
    tap(page, "10")
    page.locator(".deed").tap()
    look("stuck", "result")
    page.locator("main [data-part=again]").tap()
    page.locator("#bar [data-go=mine]").tap()
    look("mine", "mine")
    page.locator(".rows [data-part=deed]").last.tap()
    look("return", "return")
    page.locator("main [data-condition=unused]").tap()
    look("returned", "result")
    page.locator("main [data-part=again]").tap()
    expect(page.locator(".tile")).to_have_count(24)
    log_out(page)


def a_refill(page: Page, look: Look) -> None:
    """Whoever refills: the map, a slot with an order, what a package says, letters."""
    show(page, "R0001")
    page.locator("#bar [data-go=refill]").tap()
    look("refill", "refill")
    tap(page, "3")
    look("fill-order", "fill")
    page.locator("main [data-go=refill]").tap()
    tap(page, NUMBERED)
    look("fill-numbered", "fill")
    page.locator("main [data-part=label]").tap()
    page.locator("[data-label=serial]").tap()
    page.locator("[data-key=letters]").tap()
    typed(page, "DG-")
    look("letters", "pad")
    page.locator("[data-key=digits]").tap()
    typed(page, "0042")
    page.locator("[data-key=ok]").tap()
    look("label", "label")
    page.locator("main [data-back]").tap()
    page.locator("main [data-go=refill]").tap()
    page.locator("#bar [data-go=close-visit]").tap()
    look("visit-closed", "closed")
    page.locator("main [data-go=leave]").tap()
    at_view(page, "idle")


def without_the_cloud(page: Page, shop: Shop, look: Look, badge: str) -> None:
    """The line of status says that it is away, and how much is kept."""
    shop.network(there=False)
    expect(page.locator("#link")).to_have_attribute("data-tone", "warn")
    show(page, badge)
    tap(page, "9")
    page.locator(".deed").tap()
    at_view(page, "result")
    expect(page.locator("#link-word")).to_have_text(re.compile(r"[1-9]"))
    look("offline", "result")
    done(page)
    look("offline-idle", "idle")
    shop.network(there=True)


def at_the_coils(page: Page, shop: Shop, look: Look, badge: str) -> None:
    """A machine with coils: a jam, and goods that hang."""
    begin(page, shop, COILS)
    show(page, badge)
    look("map-4", "map")
    shop.coils.coils.jam("1")
    tap(page, "1")
    page.locator(".deed").tap()
    expect(page.locator(".sign[data-tone=bad]")).to_be_visible()
    look("jammed", "result")
    shop.coils.coils.mend("1")
    done(page)


def test_more_than_24_slots_have_pages(shop: Shop, browser: Browser) -> None:
    found = {}
    with screen(browser, NARROW) as page:
        begin(page, shop)
        shop.cloud.want(**wanted(40))
        show(page, "B0017")
        expect(page.get_by_role("navigation", name="Slots").get_by_role("button")).to_have_count(3)
        expect(page.locator(".tile")).to_have_count(18)
        keep(page, "en-800-light-page-1")
        found["1"] = faults(page)
        second = page.get_by_role("button", name=re.compile("^19.36$"))
        second.tap()
        expect(page.locator(".tile").first.locator(".no")).to_have_text("19")
        expect(page.locator(".tile")).to_have_count(18)
        expect(page.locator(".tile").first.locator(".no")).to_have_text("19")
        expect(second).to_have_attribute("aria-current", "page")
        keep(page, "en-800-light-page-2")
        found["2"] = faults(page)
        tap(page, "33")
        at_view(page, "item")
        expect(page.locator(".slot-no")).to_have_text("Slot 33")
        page.locator("main [data-go=map]").tap()
        expect(page.locator(".tile").first.locator(".no")).to_have_text("19")
        log_out(page)
    shop.cloud.want(**wanted(24))

    assert found == {"1": NONE, "2": NONE}


def test_goods_put_by_are_picked_up_by_a_code_and_a_wrong_code_is_refused(shop: Shop, browser: Browser) -> None:
    with screen(browser, NARROW) as page:
        begin(page, shop, CABINET)
        page.get_by_role("button", name="Pick up with a code").tap()
        typed(page, "777002")
        page.get_by_role("button", name="Continue").tap()
        expect(page.get_by_role("heading", level=1)).to_have_text("This number is not known here.")
        page.get_by_role("button", name="Done").tap()
        page.get_by_role("button", name="Pick up with a code").tap()
        typed(page, "777001")
        page.get_by_role("button", name="Continue").tap()

        expect(page.get_by_role("heading", level=1)).to_have_text("Picked up. Thank you.")
        keep(page, "en-800-light-picked-up")
        assert faults(page) == NONE
        at_view(page, "idle")
    draw = shop.records(Draw)[-1]
    assert (draw.slot, draw.who, draw.outcome) == (CODED, "pickup-wc-2", "confirmed")
