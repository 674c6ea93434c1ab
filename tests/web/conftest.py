"""The shop of the page tests: inside the test for HTTP, in a process of its own for the browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.cloud.conftest import address, databases
from tests.cloud.twins import CloudTwin
from tests.conftest import BROWSERS
from tests.web.server import RemoteCloud, serving
from tests.web.shop import Shop

__all__ = ["address", "databases"]
PATIENCE_MS = 20_000
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Served(NamedTuple):
    """A shop behind an address, and the id of its closed week's statement."""

    shop: Shop
    address: str
    statement: str


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[CloudTwin]:
    """A whole cloud with one tenant, without a shop yet."""
    with CloudTwin(f"sqlite:///{tmp_path}/cloud.db", tmp_path / "state") as made:
        yield made


@pytest.fixture
def shop(cloud: CloudTwin) -> Shop:
    """The shop with a closed week and one under way."""
    made = Shop(cloud)
    made.first_week()
    made.second_week()
    return made


@pytest.fixture
def shop_on_either(address: str, tmp_path: Path) -> Iterator[Shop]:
    """The same shop, once on each kind of database."""
    with CloudTwin(address, tmp_path / "state") as cloud:
        made = Shop(cloud)
        made.first_week()
        made.second_week()
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. While it is open, its loop runs in this thread: nothing else may start one here."""
    path = next(found for found in map(shutil.which, BROWSERS) if found)
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The shop in a process of its own, with its own port and database."""
    folder = tmp_path_factory.mktemp("served")
    database, state = f"sqlite:///{folder}/cloud.db", folder / "state"
    with CloudTwin(database, state) as cloud:
        shop = Shop(cloud)
        statement = shop.first_week()
        shop.second_week()
    with serving(database, state, cloud.clock.ms) as at:
        remote = RemoteCloud(at, cloud.key, cloud.clock)
        shop.cloud = shop.gateway.cloud = remote  # type: ignore[assignment]  # asks the same way
        yield Served(shop, at, statement)
        remote.http.close()


@pytest.fixture
def context(served: Served, browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile that opens pages of the shop."""
    with browser.new_context(base_url=served.address, viewport={"width": 1440, "height": 900}) as made:
        made.set_default_timeout(PATIENCE_MS)
        yield made
