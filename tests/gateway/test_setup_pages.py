"""The set-up in the browser, asked over HTTP: its door, its steps, what they write, and what survives a restart."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import pytest

from gateway import site_file
from gateway.adapters import adapters
from gateway.config_file import ConfigError, parse
from gateway.installing import STEPS, Installation
from gateway.setup_code import SESSION_MS, TRIES, SetupCode
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from wire.records import DeviceEvent, GatewayEvent

SALT = "5a" * 16
HTML = {"accept": "text/html"}


def code_of(folder: Path) -> str:
    return str(json.loads((folder / "setup-code.json").read_text())["code"])


class Installer:
    """Somebody with the code and a browser."""

    def __init__(self, kiosk: Kiosk, folder: Path) -> None:
        self.kiosk, self.folder, self.client = kiosk, folder, kiosk.client

    async def enter(self) -> httpx.Response:
        """Types the code."""
        SetupCode(self.folder, lambda: SALT).code()
        answer = await self.client.post("/setup", data={"code": code_of(self.folder)})
        session = answer.headers["set-cookie"].partition(";")[0]
        self.client.headers["cookie"] = session
        return answer

    async def page(self, step: str, lang: str = "en") -> str:
        """One step."""
        return (await self.client.get(f"/setup/step/{step}?lang={lang}", headers=HTML)).text

    async def press(self, step: str, action: str, **fields: str) -> httpx.Response:
        """One button of it."""
        state = Installation(self.folder)
        shown = await self.page(step if state.state(step) != "locked" else state.current())
        found = re.search(r'name="token" value="(\w+)"', shown)
        assert found is not None, shown
        return await self.client.post(f"/setup/step/{step}", data={"token": found[1], "action": action, **fields})

    async def settle(self) -> None:
        """Until nothing is under way."""
        while (await self.client.get("/setup/job")).json()["busy"]:
            await self.kiosk.clock.sleep(0.5)


def test_nobody_comes_in_without_the_code(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        for path in ("/setup/step/devices", "/setup/step/report"):
            assert (await kiosk.client.get(path)).headers["location"] == "/setup"
        assert (await kiosk.client.post("/setup/step/network", data={"action": "later"})).status_code == 303
        assert (await kiosk.client.get("/setup/job")).status_code == 401

        wrong = await kiosk.client.post("/setup", data={"code": "0000-0000"})

        assert (wrong.status_code, "set-cookie" in wrong.headers) == (403, False)
        assert not (tmp_path / "setup.json").exists()

    at_the_kiosk(tmp_path, play)


def test_after_five_wrong_codes_the_right_one_waits_too(tmp_path: Path) -> None:
    kept = SetupCode(tmp_path, lambda: SALT)
    for _ in range(TRIES):
        assert kept.enter("1111-1111", 0, 0) == ""

    assert kept.enter(kept.code(), 0, 1000) == ""
    assert kept.enter(kept.code().replace("-", " "), 0, 400_000) != ""


def test_a_session_ends_by_itself_and_with_a_new_code(tmp_path: Path) -> None:
    salts = iter([SALT, "01" * 16, "02" * 16, "37" * 16, "03" * 16, "04" * 16])
    kept = SetupCode(tmp_path, lambda: next(salts))
    session = kept.enter(kept.code(), 1000, 0)

    assert kept.opens(session, 2000)
    assert not kept.opens(session, 2000 + SESSION_MS)
    assert not kept.opens(session[:-1] + ("0" if session[-1] != "0" else "1"), 2000)
    assert SetupCode(tmp_path, lambda: SALT).opens(session, 2000)
    kept.renew()
    assert not kept.opens(session, 2000)
    assert (tmp_path / "setup-code.json").stat().st_mode & 0o077 == 0


def test_a_form_without_its_sessions_token_does_nothing(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()

        answer = await kiosk.client.post("/setup/step/network", data={"action": "later", "token": "0" * 64})

        assert answer.status_code == 403
        assert Installation(tmp_path).state("network") == "open"

    at_the_kiosk(tmp_path, play)


def test_no_step_lets_on_before_its_test(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()

        assert (await installer.press("network", "next")).status_code == 409
        assert (await installer.press("devices", "next")).status_code == 409
        await installer.press("network", "later")
        assert (await installer.press("claim", "next")).status_code == 409
        await installer.press("claim", "later")
        assert (await installer.press("devices", "later")).status_code == 409
        await installer.press("devices", "next")
        await installer.press("planogram", "next")
        left = await installer.press("slots", "next")

        assert (left.status_code, "cab-1 1" in left.text) == (409, True)
        assert Installation(tmp_path).current() == "slots"

    at_the_kiosk(tmp_path, play)


def test_the_whole_way_ends_in_a_report_whose_hash_is_in_the_signed_log(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        for step, action in (("network", "later"), ("claim", "later"), ("devices", "next"), ("planogram", "next")):
            assert (await installer.press(step, action)).status_code == 303
        for slot in ("1", "2", "3", "4"):
            await installer.press("slots", "test", cabinet="cab-1", slot=slot)
            await installer.settle()
            await installer.press("slots", "seen", cabinet="cab-1", slot=slot, seen="yes")
        assert (await installer.press("slots", "next")).status_code == 303
        await installer.press("report", "finish", by="A. Fitter")

        page = await installer.page("report")
        (told,) = [one for one in await kiosk.kinds(GatewayEvent) if one.event == "commissioned"]
        assert (told.data["report"] in page, told.data["later"]) == (True, ["network", "claim"])
        assert kiosk.opened == [1, 2, 3, 4]
        tested = [one for one in await kiosk.kinds(DeviceEvent) if one.event.startswith("slot_test")]
        assert [(one.event, one.slot) for one in tested[:2]] == [("slot_test", "1"), ("slot_tested", "1")]
        assert "door_forced" not in {one.event for one in await kiosk.kinds(DeviceEvent)}

    at_the_kiosk(tmp_path, play)


def test_the_set_up_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    async def first(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await installer.press("network", "later")

    async def second(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()

        assert (await kiosk.client.get("/setup")).headers["location"] == "/setup/step/claim"

    at_the_kiosk(tmp_path, first)
    at_the_kiosk(tmp_path, second, boot="c")


def test_sensors_that_read_the_other_way_round_are_noticed(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        for step, action in (("network", "later"), ("claim", "later"), ("devices", "next"), ("planogram", "next")):
            await installer.press(step, action)
        await installer.press("slots", "polarity", cabinet="cab-1", slot="1", position="shut")
        kiosk.locks.on_door = lambda _: None
        kiosk.locks.door_forced(1, kiosk.clock.line())

        await installer.press("slots", "polarity", cabinet="cab-1", slot="1", position="open")

        found = Installation(tmp_path).of("slots")["polarity"]["cab-1"]
        assert found == {"shut": True, "open": False, "verdict": "right"}

    at_the_kiosk(tmp_path, play)


def test_a_device_is_added_to_a_file_of_its_own_and_the_gateway_starts_anew(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await installer.press("network", "later")
        await installer.press("claim", "later")
        new = {"port": "/dev/serial/by-id/usb-x", "line": "9600 8N1", "id": "meter-1", "kind": "modbus_meter"}
        wrong = await installer.press("devices", "add", **new, settings="unti = 1")
        double = await installer.press("devices", "add", **{**new, "id": "cab-1"}, settings="unit = 1")
        assert (wrong.status_code, double.status_code, kiosk.gateway.again) == (409, 409, False)

        await installer.press("devices", "add", **new, settings="unit = 7")

        assert kiosk.gateway.again
        config = parse(f'[gateway]\nstate = "{tmp_path}"\n')
        assert [(one.port, one.devices[0].settings) for one in config.lines] == [(new["port"], {"unit": 7})]

    at_the_kiosk(tmp_path, play)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_step_is_whole_in_both_languages(tmp_path: Path, step: str, lang: str) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()

        page = await installer.page(step, lang)

        assert f'<html lang="{lang}">' in page
        assert 'aria-current="step"' in page

    for one in STEPS[: STEPS.index(step)]:
        Installation(tmp_path).note(one, done=True)
    at_the_kiosk(tmp_path, play)


def test_what_site_toml_says_comes_back_and_doubles_are_refused(tmp_path: Path) -> None:
    line = {"name": "line-1", "port": "/dev/ttyX", "baud": 9600, "bytesize": 8, "parity": "N", "stopbits": 1}
    document = site_file.with_device({}, line, {"id": "cab-1", "kind": "lock_8a", "board": 2})
    document = site_file.with_device(document, line, {"id": "cab-2", "kind": "lock_8a", "board": 3})
    site_file.write(tmp_path, {**document, "cloud": {"url": "https://cloud.example"}})

    config = parse(f'[gateway]\nstate = "{tmp_path}"\n')

    assert [(one.id, one.settings) for _, one in config.devices()] == [("cab-1", {"board": 2}), ("cab-2", {"board": 3})]
    assert config.cloud.url == "https://cloud.example"
    assert site_file.without_device(site_file.without_device(document, "cab-1"), "cab-2")["lines"] == []
    with pytest.raises(ConfigError, match="twice"):
        parse(f'[gateway]\nstate = "{tmp_path}"\n[[lines]]\nname = "line-1"\nport = "/dev/ttyY"\n')


def test_adapters_are_known_by_the_name_that_stays(tmp_path: Path) -> None:
    folder, port = tmp_path / "by-id", tmp_path / "ttyUSB0"
    folder.mkdir()
    port.touch()
    (folder / "usb-FTDI_1234-port0").symlink_to(port)

    found = adapters({str(folder / "usb-FTDI_1234-port0"): "line-1"}, folder)

    assert [(one.about, one.stable, one.line) for one in found if one.device == str(port)] == [
        ("usb-FTDI_1234-port0", True, "line-1")
    ]


def test_a_broken_job_says_why_and_leaves_the_gateway_alone() -> None:
    from gateway.web.setup_jobs import Jobs  # noqa: PLC0415 - beside its only use

    async def broken() -> None:
        raise OSError("the adapter is gone")

    async def main() -> Jobs:
        jobs = Jobs()
        jobs.start("search", broken())
        assert jobs.task is not None
        await jobs.task
        return jobs

    assert asyncio.run(main()).trouble == "the adapter is gone"


def test_a_board_that_cannot_be_told_how_its_sensors_read_gets_no_setting_it_does_not_know(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        for step, action in (("network", "later"), ("claim", "later"), ("devices", "next"), ("planogram", "next")):
            await installer.press(step, action)
        device = {"id": "cab-1", "kind": "lock_kerong"}
        site_file.write(tmp_path, {"lines": [{"name": "line-2", "port": "/dev/ttyUSB9", "devices": [device]}]})
        await installer.press("slots", "polarity", cabinet="cab-1", slot="1", position="open")
        kiosk.locks.on_door = lambda _: None
        kiosk.locks.door_forced(1, kiosk.clock.line())

        await installer.press("slots", "polarity", cabinet="cab-1", slot="1", position="shut")

        assert Installation(tmp_path).of("slots")["polarity"]["cab-1"]["verdict"] == "swap_it"
        assert site_file.read(tmp_path)["lines"][0]["devices"] == [device]

    at_the_kiosk(tmp_path, play)
