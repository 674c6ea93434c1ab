"""What the drivers of boards send, against the frames that data sheets and captures print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import Identified, Want
from tests.gateway.test_drivers import hexed


def sent(ask: Callable[[Any], Any]) -> Callable[[Any], bytes]:
    """The bytes of a request."""
    return lambda driver: bytes(ask(driver).data)


def polled(number: int, ask: Callable[[Any], object]) -> Callable[[Any], bytes]:
    """The bytes in the answer to the next poll, under this number."""

    def answer(driver: Any) -> bytes:
        driver._number = (number - 2) % 255 + 1
        ask(driver)
        driver.feed(bytes.fromhex("FA FB 41 00 40"), 1.0)
        return bytes(driver.outgoing())

    return answer


def zdm(name: str, address: int, width: int = 1) -> Callable[[Any], bytes]:
    """One message number."""
    return sent(lambda driver: driver.request([Want(name, 10, address, address, width)]))


@pytest.mark.parametrize(
    ("kind", "name", "settings", "ask"),
    [
        ("coil_tcn", "vmc_tcn.02", {}, sent(lambda d: d.drive("24"))),
        ("coil_tcn", "coil_tcn.c1", {}, sent(lambda d: d.drive("1"))),
        ("coil_tcn", "coil_tcn.c2", {}, sent(lambda d: d.drive("58"))),
        ("coil_vmc", "coil_vmc.c01", {}, polled(9, lambda _: None)),
        ("coil_vmc", "coil_vmc.c03", {}, polled(166, lambda d: d.drive("60"))),
        ("coil_vmc", "vmc_fafb.04", {"elevator": True}, polled(1, lambda d: d.drive("13"))),
        ("coil_vmc", "vmc_fafb.06", {}, polled(4, lambda d: d.drive("1"))),
        ("coil_vmc", "coil_vmc.c10", {}, polled(1, lambda d: d.sync())),
        ("coil_vmc", "coil_vmc.c11", {}, polled(2, lambda d: d.check("60"))),
        ("coil_vmc", "coil_vmc.c12", {"buy": True}, polled(3, lambda d: d.drive("60"))),
        ("lock_kerong", "lock_kerong_cu16.01", {}, sent(lambda d: d.pending())),
        ("lock_kerong", "lock_kerong_cu16.03", {}, sent(lambda d: d.open("5"))),
        ("lock_kerong", "lock_kerong.c1", {}, sent(lambda d: d.open("1"))),
        ("lock_kerong", "lock_kerong_cu48.01", {"model": "cu48"}, sent(lambda d: d.pending())),
        ("lock_kerong", "lock_kerong_cu48.02", {"model": "cu48"}, sent(lambda d: d.open("1"))),
        ("lock_wkly", "board_wkly.01", {}, sent(lambda d: d.open("1"))),
        ("lock_wkly", "lock_wkly.c1", {}, sent(lambda d: d.status("1"))),
        ("lock_wkly", "lock_wkly.c6", {"motors": [5]}, sent(lambda d: d.drive("5"))),
        ("lock_wkly", "lock_wkly.c7", {"whole": True}, sent(lambda d: d.request(()))),
        ("lock_wkly", "lock_wkly.c8", {"board": 1}, sent(lambda d: d.open("4"))),
        ("lock_8a", "lock_8a.01", {}, sent(lambda d: d.open("1"))),
        ("lock_8a", "lock_8a.04", {}, sent(lambda d: d.open("2"))),
        ("lock_8a", "lock_8a.07", {}, sent(lambda d: d.status("1"))),
        ("lock_8a", "lock_8a.10", {}, sent(lambda d: d.pending())),
        ("lock_8a", "lock_8a.c1", {"board": 32}, sent(lambda d: d.open("24"))),
        ("lock_8a", "lock_8a.c2", {"board": 32}, sent(lambda d: d.status("24"))),
        ("motor_zdm8", "board_zdm8.01", {}, sent(lambda d: d.pending())),
        ("motor_zdm8", "board_zdm8.05", {}, sent(lambda d: d.state())),
        ("motor_zdm8", "board_zdm8.09", {}, zdm("lock", 5)),
        ("motor_zdm8", "board_zdm8.13", {}, zdm("drop_sensor", 8)),
        ("motor_zdm8", "board_zdm8.14", {}, zdm("inputs", 10)),
        ("motor_zdm8", "motor_zdm8.c1", {}, sent(lambda d: d.drive("0"))),
    ],
)
def test_the_golden_request_is_what_is_sent(
    kind: str, name: str, settings: dict[str, Any], ask: Callable[[Any], bytes]
) -> None:
    assert ask(drivers.create(kind, settings)) == hexed(kind, name)


def test_a_zdm8_says_who_it_is_after_each_start() -> None:
    driver: Any = drivers.create("motor_zdm8", {})
    driver.pending()
    first = driver.feed(hexed("motor_zdm8", "board_zdm8.02"), 1.0)
    second = driver.pending()

    events = driver.feed(bytes.fromhex("01 03 04 20 20 02 20 F0 81"), 1.1)

    assert first == []
    assert second.data == bytes.fromhex("01 03 00 02 00 02 65 CB")
    assert [event.number for event in events if isinstance(event, Identified)] == [
        "hardware 20020a0a software 20200220"
    ]
    assert driver.pending() is None
