"""No address and no form makes a page of the cloud break."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.cloud.conftest import databases
from tests.cloud.databases import Databases
from tests.cloud.twins import CloudTwin
from tests.fuzz.cloud_pages import SCRIPT, PageAttack, faults
from tests.fuzz.shop import shop

__all__ = ["databases"]
ROUNDS = 12
HTML = {"content-type": "text/html; charset=utf-8"}


def test_no_form_and_no_address_makes_a_page_break(databases: Databases, tmp_path: Path) -> None:
    """The long run: `python -m tests.fuzz --pages 2000`."""
    with databases.fresh("sqlite") as address, CloudTwin(address, tmp_path / "state") as cloud:
        attack = PageAttack(cloud, shop(cloud))
        attack.run(ROUNDS, "ci")

        assert len(list(attack.pages())) > 20
    assert attack.wrong == []
    assert {200, 303, 403, 404, 409, 422} <= attack.statuses.keys()


def test_a_page_that_breaks_or_carries_markup_back_is_found() -> None:
    safe = {**HTML, "content-security-policy": "default-src 'none'"}

    assert faults(httpx.Response(200, text="<p>ok</p>", headers=safe)) == []
    assert faults(httpx.Response(500, text="oh")) == ["500 oh"]
    assert faults(httpx.Response(404)) == ["404 says nothing"]
    assert faults(httpx.Response(200, text=f"<p>{SCRIPT}</p>", headers=safe))
    assert faults(httpx.Response(200, text="<p>ok</p>", headers=HTML)) == ["a page without its policy"]
