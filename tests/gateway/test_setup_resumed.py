"""The set-up that is forged, pressed twice, cut off or gone back to: it lets on what was tested, and signs once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway import site_file
from gateway.installing import STEPS, Installation
from tests.gateway.kiosk_site import Kiosk, at_the_kiosk
from tests.gateway.test_setup_pages import Installer
from wire.records import GatewayEvent


async def to_the_slots(installer: Installer) -> None:
    for step, action in (("network", "later"), ("claim", "later"), ("devices", "next"), ("planogram", "next")):
        assert (await installer.press(step, action)).status_code == 303


def test_a_slot_that_was_not_tested_or_did_not_move_is_not_passed_by_a_forged_word(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await to_the_slots(installer)
        kiosk.locks.jam(1)
        await installer.press("slots", "test", cabinet="cab-1", slot="1")
        await installer.settle()

        stuck = await installer.press("slots", "seen", cabinet="cab-1", slot="1", seen="yes")
        untested = [
            await installer.press("slots", "seen", cabinet="cab-1", slot=slot, seen="yes") for slot in ("2", "3", "4")
        ]
        left = await installer.press("slots", "next")

        assert (stuck.status_code, {one.status_code for one in untested}, left.status_code) == (303, {409}, 409)
        assert "cab-1 1" in left.text

    at_the_kiosk(tmp_path, play)


def test_wires_that_change_later_are_compared_moved_and_signed_for_again(tmp_path: Path) -> None:
    for one in STEPS:
        Installation(tmp_path).note(one, done=True)

    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        new = {"port": "/dev/serial/by-id/usb-x", "id": "lock-9", "kind": "lock_8a", "settings": "board = 3"}

        await installer.press("devices", "add", **new)

        found = Installation(tmp_path)
        assert [found.state(one) for one in STEPS] == ["done", "done", "open", "locked", "locked", "locked"]

    at_the_kiosk(tmp_path, play)


def test_a_device_with_which_the_gateway_would_not_start_again_is_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await installer.press("network", "later")
        await installer.press("claim", "later")

        # gateway.toml has a line at this port: both together could not be opened.
        same_port = {"port": "memory", "id": "lock-9", "kind": "lock_8a", "settings": "board = 3"}
        refused = await installer.press("devices", "add", **same_port)

        assert (refused.status_code, "is used twice" in refused.text, kiosk.gateway.again) == (409, True, False)
        assert not (tmp_path / site_file.FILE).exists()

    at_the_kiosk(tmp_path, play)


def test_a_report_that_is_finished_twice_is_signed_once(tmp_path: Path) -> None:
    for one in STEPS[:-1]:
        Installation(tmp_path).note(one, done=True)

    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await asyncio.gather(*(installer.press("report", "finish", by="A. Fitter") for _ in range(2)))
        await installer.press("report", "finish", by="A. Fitter")

        assert len([one for one in await kiosk.kinds(GatewayEvent) if one.event == "commissioned"]) == 1

    async def cut_before_it_was_noted(kiosk: Kiosk) -> None:
        Installation(tmp_path).note("report", done=False)
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await installer.press("report", "finish", by="A. Fitter")

        assert len([one for one in await kiosk.kinds(GatewayEvent) if one.event == "commissioned"]) == 1

    at_the_kiosk(tmp_path, play)
    at_the_kiosk(tmp_path, cut_before_it_was_noted, boot="c")


def test_who_leaves_by_a_page_of_another_session_is_led_to_the_door(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()

        answer = await kiosk.client.post("/setup/leave", data={"token": "0" * 64})

        assert (answer.status_code, answer.headers["location"]) == (303, "/setup")

    at_the_kiosk(tmp_path, play)


def test_the_gateway_is_not_built_anew_in_the_middle_of_a_draw(tmp_path: Path) -> None:
    async def play(kiosk: Kiosk) -> None:
        installer = Installer(kiosk, tmp_path)
        await installer.enter()
        await installer.press("network", "later")
        await installer.press("claim", "later")
        session = await kiosk.badge()
        drawing = asyncio.create_task(kiosk.post("draws", session=session, slot="2"))
        await kiosk.clock.sleep(1)
        new = {"port": "/dev/serial/by-id/usb-x", "id": "lock-9", "kind": "lock_8a", "settings": "board = 3"}

        answers = [await installer.press("devices", "add", **new), await installer.press("claim", "redeem", code="x")]

        assert [(one.status_code, "still under way" in one.text) for one in answers] == [(409, True)] * 2
        assert (kiosk.gateway.again, (await drawing)["outcome"]) == (False, "confirmed")

    at_the_kiosk(tmp_path, play)
