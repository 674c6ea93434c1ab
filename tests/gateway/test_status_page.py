"""The installer's page: what it says of lines, sync and clock, and the bundle that leaves the site."""

from __future__ import annotations

import io
import json
import logging
import zipfile
from pathlib import Path

import httpx
import msgspec
import pytest

from gateway import log_tail, support
from gateway.config import Config
from gateway.footing import Footing
from gateway.identity import Identity
from gateway.journal.store import Stats
from gateway.ports import Badge, Desired, DeviceStatus, Quality
from gateway.redacting import GONE, redact, without_persons
from gateway.status import NO_UPLINK, ListStatus, Status
from gateway.web.languages import read_languages
from gateway.web.status_page import LIGHTS, size, spell, sync_light
from tests.gateway.test_pages import BROWSER, with_pages

NOW = Status(
    gateway="gw_1", name="Hall Nordlicht", version="1", boot="b" * 16, up_seconds=90, clock="S", wall_ms=0,
    enrolled=True, journal=Stats("ok", 0, 0, 0, 0, 0), pending=0, pending_seconds=None, uplink=NO_UPLINK,
    desired=ListStatus(1, 0, 1, 1, ""), devices=[], alarms=[],
)  # fmt: skip
STANDS = Footing(12, 4096, 1 << 30, 1 << 34, 12, "ab" * 32, None, [])
SEED = "5eed" * 16
SECRETS = {
    "a badge": "B0017-4711",
    "a person": "p-erika-17",
    "a key": SEED,
    "the gateway's name": "Hall Nordlicht",
    "a broker's user": "mqttuser-hall3",
    "a claim code": "K7QWE-RT2YU-9OPAS-DFGHJ-KLZXC",
    "a token": "tsk_live_abcdefgh12345678",
    "a bearer": "Bearer abc.def-123",
    "a person's mail": "erika@example.org",
    "a url's password": "//erika:geheim@",
}


class Known:
    """A gateway as far as its secrets are concerned."""

    config = Config.model_validate(
        {
            "gateway": {"name": "Hall Nordlicht"},
            "brokers": [{"name": "mq", "host": "10.0.0.2", "username": "mqttuser-hall3"}],
        }
    )
    identity: Identity | None = Identity(
        "gw_1", "ten_9", "o/1", SEED, "c+12345678+" + "A" * 44, "https://cloud.example"
    )


@pytest.mark.parametrize(
    ("change", "light"),
    [
        ({}, "current"),
        ({"pending": 3, "pending_seconds": 4}, "syncing"),
        ({"pending": 3, "pending_seconds": 400}, "waiting"),
        ({"uplink": msgspec.structs.replace(NO_UPLINK, trouble="no route")}, "waiting"),
        ({"pending": 3, "pending_seconds": 90_000}, "late"),
        ({"enrolled": False}, "alone"),
        ({"uplink": msgspec.structs.replace(NO_UPLINK, quarantined=2)}, "refused"),
        ({"uplink": msgspec.structs.replace(NO_UPLINK, frozen="fork")}, "frozen"),
    ],
)
def test_the_light_says_whether_a_person_is_needed(change: dict[str, object], light: str) -> None:
    assert sync_light(msgspec.structs.replace(NOW, **change)) == light
    assert LIGHTS[light][0] in ("good", "warn", "bad")


def test_nothing_that_names_a_person_or_opens_a_door_leaves_in_the_bundle() -> None:
    desired = Desired(version=1, badges={"B0017-4711": Badge("B0017-4711", "p-erika-17", ("millers",))})
    log_tail.TAIL.emit(
        logging.makeLogRecord({"msg": "; ".join(SECRETS.values()), "levelname": "WARNING", "badge": "B0017-4711"})
    )
    devices = [DeviceStatus("cab-1", "lock_8a", "l", answered=False, detail=f"said {SECRETS['a person']}")]

    made = support.bundle(
        msgspec.structs.replace(NOW, devices=devices), STANDS, Known.config, support.secrets_of(Known(), desired)
    )

    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        inside = "\n".join(archive.read(name).decode() for name in archive.namelist())
    assert [what for what, secret in SECRETS.items() if secret in inside] == []
    assert "cab-1" in inside
    assert GONE in inside


def test_a_bundle_is_the_same_for_the_same_facts() -> None:
    assert support.bundle(NOW, STANDS, Known.config, set()) == support.bundle(NOW, STANDS, Known.config, set())


def test_a_personal_key_loses_its_value_wherever_it_stands() -> None:
    said = {"badge": "B1", "lines": [{"who": "p-1", "port": "/dev/ttyUSB0", "pin": ""}]}

    assert without_persons(said) == {"badge": GONE, "lines": [{"who": GONE, "port": "/dev/ttyUSB0", "pin": ""}]}


def test_a_known_word_is_taken_out_as_a_word_only() -> None:
    assert redact("p-1 drew; map-17 stays; P-1 again", {"p-1"}) == f"{GONE} drew; map-17 stays; {GONE} again"


def test_spans_and_sizes_are_said_in_their_largest_unit() -> None:
    english = read_languages()["en"]

    assert [spell(one, english) for one in (-1, 59, 60, 7300, 200_000)] == ["0 s", "59 s", "1 min", "2 h", "2 d"]
    assert [size(one) for one in (10, 2048, 3 << 20, 5 << 30)] == ["10 B", "2.0 KiB", "3.0 MiB", "5.0 GiB"]


def test_the_page_tells_the_quality_of_each_line(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        told = (await client.get("/status")).json()
        page = (await client.get("/status", headers=BROWSER)).text

        quality = msgspec.convert(told["devices"][0]["quality"], Quality)
        assert quality.asked > 0
        assert (quality.silence, quality.noise, quality.rejected) == (0, 0, {})
        assert quality.quiet_ms is not None
        assert told["footing"]["newest"] > 0
        assert told["sync"] == "alone"
        assert "Devices and their lines" in page

    with_pages(tmp_path, ask)


def test_the_bundle_is_one_click_away(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        answer = await client.get("/status/support-bundle")

        assert answer.headers["content-disposition"] == 'attachment; filename="tallystick-support.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert json.loads(archive.read("tallystick-support/status.json"))["devices"][0]["device"] == "cab-1"

    with_pages(tmp_path, ask)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://gateway"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example"}, 421),
        ({"host": "192.168.7.20:8480"}, 200),
        ({"host": "[fe80::1]:8480"}, 200),
        ({"host": "halle3.local"}, 200),
    ],
)
def test_a_deed_comes_from_a_page_of_ours_or_is_not_done(tmp_path: Path, headers: dict[str, str], status: int) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        body = {"cabinet": "cab-1", "badge": "B1", "slot": "1"}

        assert (await client.post("/kiosk/v1/draws", json=body, headers=headers)).status_code == status

    with_pages(tmp_path, ask)


def test_the_kiosk_is_used_at_the_cabinet_and_not_from_the_network(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        app = client._transport.app  # type: ignore[attr-defined]
        far = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=("192.168.7.9", 5)), base_url="http://gateway"
        )
        async with far:
            refused = await far.post("/kiosk/v1/draws", json={"cabinet": "cab-1", "badge": "B1", "slot": "1"})
            page = await far.get("/status", headers=BROWSER)

        assert (refused.status_code, refused.json()["title"], page.status_code) == (403, "not-here", 200)

    with_pages(tmp_path, ask)


def test_pages_run_nothing_that_is_not_ours(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        page = await client.get("/status", headers=BROWSER)
        script = await client.get("/static/live.js")

        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "<style" not in page.text
        assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert (await client.get("/static/../pages.py")).status_code == 404

    with_pages(tmp_path, ask)
