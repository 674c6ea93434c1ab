"""The pages that the gateway serves itself, asked as a browser and as a script."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from firmware_sim.bench import Line, MemoryPort
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.app import create_gateway
from gateway.clock import virtual_clock
from gateway.config import Config
from gateway.ports import LinkDown, Ports
from gateway.web.languages import choose, read_languages
from gateway.web.pages import create_pages
from gateway.web.sentences import ALARMS, OUTCOMES, REASONS
from tests.gateway.site import MORNING, no_broker

BROWSER = {"accept": "text/html"}


def with_pages(folder: Path, ask: Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]) -> None:
    """A whole gateway with one lock board on a line in memory, and a client of its pages."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        line = Line()
        line.attach(Lock8A())
        salts = itertools.count(1)
        clock = virtual_clock("b" * 16, loop, origin_ms=MORNING)
        ports = Ports(clock, lambda: f"{next(salts):032x}", lambda _: MemoryPort(line, down=LinkDown), no_broker)
        config = Config.model_validate(
            {
                "gateway": {"name": "Halle 3", "state": folder},
                "journal": {"demo": True, "ballast_mb": 0},
                "web": {"enabled": False},
                "lines": [{"name": "line-1", "port": "memory", "devices": [{"id": "cab-1", "kind": "lock_8a"}]}],
            }
        )
        gateway = create_gateway(config, ports)
        unwatch = loop.watch(lambda: gateway.busy)
        running = asyncio.create_task(gateway.run())
        await gateway.ready.wait()
        await clock.sleep(5)
        transport = httpx.ASGITransport(app=create_pages(gateway))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            await ask(client)
        gateway.stop()
        await running
        unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


def test_a_refused_draw_says_why_in_the_browsers_language(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        body = {"cabinet": "cab-1", "badge": "B1", "slot": "1"}

        english = (await client.post("/kiosk/v1/draws", json=body)).json()
        chinese = (await client.post("/kiosk/v1/draws?lang=zh-CN", json=body)).json()

        assert (english["outcome"], english["reason"]) == ("refused", "no_list")
        assert english["sentence"] == REASONS["no_list"]
        assert chinese["sentence"] == read_languages()["zh_CN"].gettext(REASONS["no_list"])

    with_pages(tmp_path, ask)


@pytest.mark.parametrize("what", ["refills", "counts"])
def test_refills_and_counts_want_a_badge_that_is_known(tmp_path: Path, what: str) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        body = {"cabinet": "cab-1", "badge": "B1", "slot": "1", "quantity": 5}

        answer = (await client.post(f"/kiosk/v1/{what}", json=body)).json()

        assert (answer["outcome"], answer["qty"], answer["record"]) == ("refused", 0, "")

    with_pages(tmp_path, ask)


def test_an_unknown_cabinet_and_a_wrong_body_are_problems(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        unknown = await client.post("/kiosk/v1/draws", json={"cabinet": "cab-9", "badge": "B1", "slot": "1"})
        wrong = await client.post(
            "/kiosk/v1/draws", json={"cabinet": "cab-1", "badge": "B1", "slot": "1", "quantity": 0}
        )

        assert (unknown.status_code, wrong.status_code) == (404, 422)
        assert "cab-1" in unknown.json()["detail"]
        assert "quantity" in wrong.json()["detail"]
        assert wrong.headers["content-type"].startswith("application/problem+json")

    with_pages(tmp_path, ask)


def test_the_status_is_a_page_for_people_and_json_for_programs(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        page = (await client.get("/status?lang=zh-CN", headers=BROWSER)).text
        told = (await client.get("/status")).json()

        assert '<html lang="zh-CN">' in page
        assert read_languages()["zh_CN"].gettext("Devices and their lines") in page
        assert [(one["device"], one["answered"]) for one in told["devices"]] == [("cab-1", True)]
        assert told["doubtful"] == []

    with_pages(tmp_path, ask)


def test_health_and_metrics_answer(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        health = await client.get("/healthz")
        metrics = await client.get("/metrics")

        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert "tally_device_answers" in metrics.text

    with_pages(tmp_path, ask)


def test_every_sentence_has_a_translation() -> None:
    chinese = read_languages()["zh_CN"]

    untranslated = [
        text for table in (OUTCOMES, REASONS, ALARMS) for text in table.values() if chinese.gettext(text) == text
    ]

    assert untranslated == []


@pytest.mark.parametrize(
    ("asked", "header", "code"),
    [("", "", "en"), ("", "zh-TW,zh;q=0.9", "zh_CN"), ("en", "zh", "en"), ("", "fr, en-GB", "en"), ("xx", "de", "en")],
)
def test_the_language_is_the_one_asked_for_else_the_browsers(asked: str, header: str, code: str) -> None:
    assert choose(asked, header) == code


def test_every_family_of_devices_stands_on_the_set_up_page_in_both_languages(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        english = (await client.get("/setup/devices", headers=BROWSER)).text
        chinese = (await client.get("/setup/devices?lang=zh-CN", headers=BROWSER)).text
        schemas = (await client.get("/setup/devices")).json()

        assert [kind for kind in drivers.discover() if f'id="{kind}"' not in english] == []
        assert "DL/T 645-2007 \u591a\u529f\u80fd\u7535\u80fd\u8868" in chinese
        assert schemas["lock_8a"]["schema"]["properties"]["board"]["maximum"] == 32

    with_pages(tmp_path, ask)
