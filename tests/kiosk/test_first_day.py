"""From the box to the signed report in a real browser: every step tests, a failing one blocks and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.kiosk.cabinet import CODE
from tests.kiosk.conftest import keep, screen
from tests.kiosk.whole_site import COILS, LOCKS, Site

pytestmark = pytest.mark.browser
LAPTOP = (1280, 800)
PATIENCE_MS = 60_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The first day."""
    made = Site(tmp_path)
    try:
        yield made
    finally:
        made.close()


def press(page: Page | Locator, name: str) -> None:
    """A button."""
    page.get_by_role("button", name=name, exact=True).click()


def at_step(page: Page, name: str) -> None:
    """Waits for a step; the page comes back by itself after a restart of the gateway."""
    expect(page.get_by_role("heading", level=1)).to_have_text(name, timeout=PATIENCE_MS)


def blocked(page: Page, words: str) -> None:
    """The step does not let on, and says what to do."""
    expect(page.get_by_role("alert")).to_contain_text(words)


def enter(page: Page, site: Site) -> None:
    """The gateway's own code."""
    page.goto(f"{site.url}/setup?lang=en")
    page.get_by_role("textbox", name="Set-up code").fill(CODE)
    press(page, "Begin the set-up")


def network_and_claim(page: Page, site: Site) -> None:
    """A wrong address and a wrong code first."""
    at_step(page, "Network")
    page.get_by_role("textbox", name="Address of the cloud").fill("http://127.0.0.1:9")
    press(page, "Test the network")
    expect(page.get_by_text("The cloud does not answer. Check the cable, the Wi-Fi and the address.")).to_be_visible()
    expect(page.get_by_role("button", name="Continue", exact=True)).to_be_disabled()
    page.get_by_role("textbox", name="Address of the cloud").fill(site.cloud_url)
    press(page, "Test the network")
    expect(page.get_by_text("The cloud answers.")).to_be_visible()
    keep(page, "first-day-network")
    press(page, "Continue")
    at_step(page, "Claim code")
    code = site.claim_code()
    page.get_by_role("textbox", name="Claim code").fill("WRONG-CODE-1234")
    press(page, "Redeem")
    expect(page.get_by_role("alert")).not_to_be_empty()
    page.get_by_role("textbox", name="Claim code").fill(code)
    press(page, "Redeem")
    known = page.get_by_role("region", name="This gateway is known to its cloud")
    expect(known).to_be_visible(timeout=PATIENCE_MS)
    shown = site.operator.get("/v1/gateways/gw-1").json()["fingerprint"]
    expect(known).to_contain_text(shown)
    press(page, "The operator sees the same")


def add(page: Page, adapter: str, kind: str, name: str) -> None:
    """A board behind an adapter, found by the name that stays."""
    page.get_by_role("radio", name=adapter).check()
    page.get_by_role("combobox", name="What to look for").select_option(kind)
    press(page, "Search")
    page.locator("form.found").get_by_role("textbox").fill(name, timeout=PATIENCE_MS)
    page.locator("form.found").get_by_role("button", name="Add").click()
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    for _ in range(400):
        if "does not answer" not in row.inner_text() and "answers" in row.inner_text():
            return
        page.reload()
    raise AssertionError(f"{name} never answered: {row.inner_text()}")


def doors_and_motors(page: Page, site: Site) -> None:
    """Polarity learnt, a lock that sticks, a motor that gives a piece away."""
    lockers, coils = (page.get_by_role("region", name=name) for name in ("locker-1", "coil-1"))
    press(lockers, "Doors are shut: read")
    expect(lockers).to_contain_text("Read once; now the other position.")
    site.boards.by_hand(1, opened=True)
    press(lockers, "The first door is open: read")
    expect(lockers).to_contain_text("the setting was changed", timeout=PATIENCE_MS)
    site.boards.by_hand(1, opened=False)
    keep(page, "first-day-polarity")
    press(page, "Continue: every slot moved")
    blocked(page, "These slots have not been tested and seen: locker-1 1, locker-1 2, coil-1 1")
    site.boards.locks.jam(2)
    try_slot(page, lockers, "2", "It did not move", "Nothing")
    press(page, "Continue: every slot moved")
    blocked(page, "locker-1 2")
    site.boards.locks.mend(2)
    try_slot(page, lockers, "1", "It moved", "1 moved")
    try_slot(page, lockers, "2", "It moved", "2 moved")
    try_slot(page, coils, "1", "It moved", "1 moved")
    keep(page, "first-day-slots")
    press(page, "Continue: every slot moved")


def try_slot(page: Page, cabinet: Locator, slot: str, says: str, saw: str) -> None:
    """One slot: what the board says, what the person saw."""
    row = cabinet.get_by_role("row").filter(has=page.get_by_role("rowheader", name=slot, exact=True))
    for _ in range(20):
        press(row, f"Test {slot}")
        expect(page.locator("#job[data-busy]")).to_have_count(0, timeout=PATIENCE_MS)
        if says in row.inner_text():
            break
    expect(row).to_contain_text(says)
    press(row, saw)


def test_from_the_box_to_the_signed_report_left_in_the_middle_and_taken_up_again(site: Site, browser: Browser) -> None:
    with screen(browser, LAPTOP) as page:
        enter(page, site)
        network_and_claim(page, site)
        at_step(page, "Adapters and devices")
        press(page, "Continue: every device answers")
        blocked(page, "There is no device yet.")
        add(page, LOCKS, "lock_8a", "locker-1")

    # He goes home; the power goes too.
    site.gateway.kill()
    site.gateway.start()
    with screen(browser, LAPTOP) as page:
        enter(page, site)
        at_step(page, "Adapters and devices")
        add(page, COILS, "coil_vmc", "coil-1")
        keep(page, "first-day-devices")
        press(page, "Continue: every device answers")
        at_step(page, "Planogram")
        press(page, "It is what lies in the cabinet")
        blocked(page, "These cabinets have no planogram yet")
        site.plan()
        for _ in range(400):
            page.goto(f"{site.url}/setup/step/planogram?lang=en")
            if "No planogram yet" not in page.locator("main").inner_text():
                break
        press(page, "It is what lies in the cabinet")
        at_step(page, "Slots, locks and motors")
        doors_and_motors(page, site)
        at_step(page, "Report")
        page.get_by_role("textbox", name="Set up by").fill("Jo")
        press(page, "Sign the report")
        expect(page.get_by_text("Record in the signed log")).to_be_visible()
        keep(page, "first-day-report")
        report = page.locator("section.report").inner_text()

    assert "locker-1 (lock_8a), coil-1 (coil_vmc)" in report.replace("\n", " ")
    assert site.boards.coils.coils.goods("1") == 4
