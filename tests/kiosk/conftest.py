"""The cabinets of the page tests, a browser at each size, and axe-core from its package."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.kiosk.cabinet import Shop, fill, write_setup_code
from tests.web.conftest import PATIENCE_MS, browser

__all__ = ["browser"]
KEPT = Path(__file__).parents[2] / "build" / "kiosk"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Scheme = Literal["light", "dark"]
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A cabinet with 24 slots; it is patient with those who only look."""
    yield from _opened(tmp_path_factory.mktemp("shop"), 24, 300)


@pytest.fixture(scope="module")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One with eight."""
    yield from _opened(tmp_path_factory.mktemp("small"), 8, 15)


def _opened(folder: Path, slots: int, logout_seconds: int) -> Iterator[Shop]:
    write_setup_code(folder)
    made = Shop(folder, slots, logout_seconds)
    made.start()
    fill(made)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def screen(browser: Browser, size: tuple[int, int], scheme: Scheme = "light", language: str = "en") -> Iterator[Page]:
    """A page that complains about every error on the console but for requests that found nobody."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale=language, has_touch=True
    )
    with context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if _is_ours(said) else None)
        yield page
        assert errors == []


def _is_ours(said: Any) -> bool:
    return said.type in {"error", "warning"} and "Failed to load resource" not in said.text


def keep(page: Page, name: str) -> None:
    """Keeps a picture for people to look at."""
    KEPT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=KEPT / f"{name}.png")


def violations(page: Page, tags: Sequence[str] = WCAG) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA, with where. It comes in as a debugger does, past the page's CSP."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    # What is in order is not described: that costs more than finding out.
    found = page.evaluate("(tags) => axe.run(document, { runOnly: tags, resultTypes: ['violations'] })", list(tags))
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found["violations"]]


TOO_SMALL = """
() => [...document.querySelectorAll("button, select, a[href], input")]
  .filter((one) => one.checkVisibility() && !one.closest(".unseen"))
  .map((one) => [one.textContent.trim().slice(0, 30), one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 64 || box.height < 64)
  .map(([text, box]) => `${text} ${Math.round(box.width)}x${Math.round(box.height)}`)
"""
OVERFLOWS = """
() => {
  const root = document.documentElement;
  const out = [];
  if (root.scrollHeight > root.clientHeight || root.scrollWidth > root.clientWidth) out.push("the page scrolls");
  for (const one of document.querySelectorAll("#view, #view *, #bar *, #foot p")) {
    if (!one.checkVisibility() || one.closest(".unseen")) continue;
    const box = one.getBoundingClientRect();
    if (box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.left < -1 || box.top < -1) {
      out.push(`${one.tagName}.${one.className} leaves the screen`);
    }
    const style = getComputedStyle(one);
    const meant = style.display === "inline" || style.webkitLineClamp !== "none" || one.matches(".tile");
    if (one.matches(".cut, .why, .who, .label, #foot p") && one.scrollWidth > one.clientWidth + 1) {
      out.push(`${one.className} cuts ${one.textContent.trim().slice(0, 30)}`);
    }
    const line = parseFloat(style.lineHeight);
    const rest = one.clientHeight % line;
    if (one.matches(".name") && one.scrollHeight > one.clientHeight + 3 && rest > 3 && rest < line - 3) {
      out.push(`a line is cut in two: ${one.textContent.trim().slice(0, 30)}`);
    }
    if (one.matches("button, h1, p") && one.scrollHeight > one.clientHeight + 3 && !meant) {
      out.push(`${one.tagName} cuts ${one.textContent.trim().slice(0, 30)}`);
    }
  }
  for (const row of document.querySelectorAll(".rows li, .tiles, h1")) {
    const box = row.getBoundingClientRect();
    for (const one of document.querySelectorAll("button")) {
      const other = one.getBoundingClientRect();
      const across = other.left < box.right && other.right > box.left;
      const covers = across && other.top < box.bottom && other.bottom > box.top && !row.contains(one);
      if (covers && row.checkVisibility() && one.checkVisibility()) {
        out.push(`${one.textContent.trim()} covers ${row.textContent.trim().slice(0, 30)}`);
      }
    }
  }
  return out;
}
"""


def faults(page: Page, *, axe: bool = True) -> dict[str, list[str]]:
    """Everything a designer would not sign that can be measured."""
    return {
        "axe": violations(page) if axe else [], "small": page.evaluate(TOO_SMALL), "cut": page.evaluate(OVERFLOWS),
    }  # fmt: skip


NONE: dict[str, list[str]] = {"axe": [], "small": [], "cut": []}
