"""The pages in a real browser: every page in every language and colour scheme, live, narrow, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.web.conftest import Served

pytestmark = pytest.mark.browser
KEPT = Path(__file__).parents[2] / "build" / "web"
TITLES = {
    ("/sign-in", "en"): "Sign in",
    ("/sign-in", "zh_CN"): "\u767b\u5f55",
    ("/", "en"): "Overview",
    ("/", "zh_CN"): "\u603b\u89c8",
    ("/statements", "en"): "Statement 1",
    ("/statements", "zh_CN"): "\u8d26\u5355 1",
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTH = "document.documentElement.scrollWidth"
CONTRAST = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest(".unseen, noscript")) continue;
    const style = getComputedStyle(element);
    const pair = [light(rgb(style.color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${node.data.trim()}: ${ratio.toFixed(2)}`);
  }
  return poor;
}
"""


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that complains about every error on the console."""
    opened = context.new_page()
    errors: list[str] = []
    opened.on("console", lambda said: errors.append(said.text) if said.type in {"error", "warning"} else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    assert errors == []


def go(page: Page, served: Served, path: str, language: str) -> None:
    """Opens a page in a language; the path of the statement is that of the shop's closed week."""
    page.goto(f"{path}/{served.statement}?lang={language}" if path == "/statements" else f"{path}?lang={language}")


def keep(page: Page, path: str, language: str, name: str) -> None:
    """Keeps a picture of the page for people to look at."""
    KEPT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=KEPT / f"{path.strip('/') or 'live'}-{language}-{name}.png", full_page=True)


def sign_in(page: Page, served: Served) -> None:
    """Comes in by a link, as from the demo."""
    page.goto(served.shop.cloud.ask("POST", "/v1/entry-codes").json()["url"])
    expect(page.get_by_role("status")).to_have_text("Connected")


@pytest.mark.parametrize(("path", "language"), TITLES)
def test_every_page_is_whole_in_both_colour_schemes(page: Page, served: Served, path: str, language: str) -> None:
    if path != "/sign-in":
        sign_in(page, served)
    go(page, served, path, language)

    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[path, language])
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        keep(page, path, language, scheme)
        assert page.evaluate(CONTRAST) == [], scheme


@pytest.mark.parametrize("language", ["en", "zh_CN"])
def test_no_page_is_wider_than_a_narrow_phone(page: Page, served: Served, language: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    widths = {}
    sign_in(page, served)

    for path in ("/", "/statements", "/sign-in"):
        if path == "/sign-in":
            page.context.clear_cookies()
        go(page, served, path, language)
        keep(page, path, language, "narrow")
        widths[path] = page.evaluate(WIDTH)

    assert widths == dict.fromkeys(widths, 360)


def test_what_happens_in_the_shop_appears_without_a_reload(page: Page, served: Served) -> None:
    sign_in(page, served)
    shop = served.shop
    tools = page.get_by_role("list", name="Cutting tools").get_by_role("listitem")
    expect(tools.nth(6)).to_contain_text("18 pc")
    page.evaluate("window.notReloaded = true")

    shop.gateway.keep(shop.draw("7", shop.cloud.clock.ms - 1000, 15), shop.reading(1_350_000, shop.cloud.clock.ms))
    shop.tell()

    expect(tools.nth(6)).to_contain_text("3 pc")
    expect(tools.nth(6)).to_contain_text("Low")
    orders = page.get_by_role("region", name="Orders")
    expect(orders.get_by_role("row", name="Needle file set")).to_contain_text("Order 17 to reach the maximum of 20.")
    expect(page.get_by_role("region", name="Running bill")).to_contain_text("to 1,350,000 Wh")
    events = page.get_by_role("region", name="Latest events")
    expect(events.get_by_role("row").nth(1)).to_contain_text("15 pc of Needle file set taken from slot 7")
    assert page.evaluate("window.notReloaded")


def test_the_focus_stays_where_it_is_when_the_page_changes(page: Page, served: Served) -> None:
    sign_in(page, served)
    shop = served.shop
    link = page.get_by_role("link", name="Statement 1")
    link.focus()

    shop.gateway.keep(shop.draw("2", shop.cloud.clock.ms))
    shop.tell()

    events = page.get_by_role("region", name="Latest events")
    expect(events.get_by_role("row").nth(1)).to_contain_text("1 pc of Twist drill HSS 6 mm taken from slot 2")
    expect(link).to_be_focused()


def test_a_page_that_hears_nothing_any_more_says_so(page: Page, served: Served, context: BrowserContext) -> None:
    sign_in(page, served)

    other = context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("status")).to_have_text("Signed out")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.goto("/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    first = page.get_by_role("region", name="What needs attention").get_by_role("link").first
    expect(first).to_be_focused()
    assert first.evaluate("(link) => getComputedStyle(link).outlineStyle") == "solid"


def test_the_page_is_built_of_landmarks_and_captioned_tables(page: Page, served: Served) -> None:
    sign_in(page, served)

    for region in ("Devices", "Slot stock", "Orders", "Running bill", "Latest events"):
        expect(page.get_by_role("region", name=region)).to_be_visible()
    for landmark in ("banner", "main"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    for table in page.get_by_role("table").all():
        assert table.get_by_role("caption").count() == 1
    expect(page.get_by_role("navigation", name="Language")).to_be_visible()


def test_the_whole_page_is_there_without_a_script(served: Served, browser: Browser) -> None:
    with browser.new_context(base_url=served.address, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(served.shop.cloud.ask("POST", "/v1/entry-codes").json()["url"])

        expect(page.get_by_role("status")).to_have_text("Not live: reload the page to see what is new")
        expect(page.get_by_role("region", name="Slot stock")).to_contain_text("Twist drill HSS 8 mm")
        page.get_by_role("link", name="Statement 1").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Statement 1")


def test_a_person_signs_in_with_a_key_and_out_again(page: Page, served: Served) -> None:
    page.goto("/")
    page.get_by_label("API key").fill(served.shop.cloud.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("status")).to_have_text("Connected")

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto("/")
    expect(page.get_by_label("API key")).to_be_visible()


def test_the_bundle_comes_as_a_file(page: Page, served: Served) -> None:
    sign_in(page, served)
    page.get_by_role("link", name="Statement 1").click()

    with page.expect_download() as coming:
        page.get_by_role("link", name="Download the bundle").click()

    assert coming.value.suggested_filename == f"{served.statement}.json"
    assert '"format":"tallystick/bundle/1"' in coming.value.path().read_text()
