"""The frames of the DEX and DDCMP links, as published."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import AuditRead, Counters, DeviceFault
from gateway.drivers.ddcmp_link import DdcmpFrames, control, message, read_list, who_are_you
from gateway.drivers.dex_link import Block, DexTokens, framed
from tests.gateway.audit_cases import FILE, ddcmp_message, dex_up_to_the_end, said

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/evadts.toml").read_text())
FRAMES: dict[str, dict[str, Any]] = {one["id"]: one for one in VECTORS["frame"]}
BLOCKS = [name for name, one in FRAMES.items() if name.startswith("dex") and len(one["hex"]) > 8]
SIGNS = {"ENQ": 5, "EOT": 4, "ACK0": b"\x10\x30", "ACK1": b"\x10\x31", "WACK": b"\x10\x3b"}


def raw(name: str) -> bytes:
    return bytes.fromhex(FRAMES[name]["hex"])


def tokens(data: bytes) -> list[Any]:
    reader = DexTokens(Counters())
    return [token for byte in data if (token := reader.feed(byte)) is not None]


def ddcmp(data: bytes) -> list[Any]:
    reader = DdcmpFrames(Counters())
    return [frame for byte in data if (frame := reader.feed(byte)) is not None]


@pytest.mark.parametrize("name", [name for name in FRAMES if name.startswith("dex") and name not in BLOCKS])
def test_control_characters_of_dex(name: str) -> None:
    assert tokens(raw(name)) == [SIGNS[FRAMES[name]["decoded"]["ctl"]]]


@pytest.mark.parametrize("name", BLOCKS)
def test_handshakes_of_dex(name: str) -> None:
    (block,) = tokens(raw(name))

    said_ = FRAMES[name]["decoded"]
    assert (block.head, block.fault) == (1, "")
    text = block.text.decode()
    assert text[:10] == said_.get("comm_id", text[:10])
    assert text[10] == said_.get("op", text[10])
    assert text[:2] == said_.get("resp", text[:2])
    assert framed(1, block.text) == raw(name)


def test_a_block_with_any_bit_turned_is_no_block() -> None:
    good = raw("dex_link.06")
    for place in range(16, (len(good) - 4) * 8):
        spoilt = bytearray(good)
        spoilt[place // 8] ^= 1 << place % 8

        assert not [one for one in tokens(bytes(spoilt)) if isinstance(one, Block) and not one.fault]


def test_fill_characters_inside_a_block_do_not_count() -> None:
    whole = framed(2, b"PA1*1*0\r\n", more=True)

    for filled in (whole[:5] + b"\x16\x16" + whole[5:], whole[:5] + b"\x10\x16" + whole[5:]):
        assert tokens(filled) == [Block(2, b"PA1*1*0\r\n", more=True)]


def test_a_block_that_never_ends_is_given_up() -> None:
    assert [one.fault for one in tokens(b"\x10\x02" + b"A" * 300)] == ["too_long"]


@pytest.mark.parametrize("name", [n for n in FRAMES if n.startswith("ddcmp.") and n[6:].isdigit()])
def test_every_given_frame_of_ddcmp(name: str) -> None:
    data, told = raw(name), FRAMES[name]["decoded"]

    if data[0] == 5:
        (frame,) = ddcmp(data)
        assert frame.type == {"STACK": 7, "ACK": 1}[told["ctl"]]
        assert frame.rr == told.get("rr", 0)
    elif data[0] == 0x81:
        body = bytes(told["len"])
        (frame,) = ddcmp(data + message(body, 0, 0)[8:])
        assert frame.data == body
        assert (frame.rr, frame.xx) == (told.get("rr", frame.rr), told.get("xx", frame.xx))
    else:
        (frame,) = ddcmp(message(data[:-2], 1, 1)[:8] + data)
        assert frame.data == data[:-2]
    assert not frame.fault


def test_swapped_sums_are_no_frame() -> None:
    assert ddcmp(raw("ddcmp.bad.1")) == []


def test_what_we_send_is_what_was_traced() -> None:
    assert control(6).hex(" ").upper() == "05 06 40 00 00 01 5C 55"
    asked = who_are_you("0000", "0000", "090198", "093303", "0000", 0x0C)
    assert message(asked, 0, 1)[8:] == raw("ddcmp.04")
    assert message(read_list(2), 1, 2).hex(" ").upper() == ("81 09 40 01 02 01 46 B0 77 E2 00 02 01 00 00 00 00 F0 41")
    assert message(b"\x77\xff", 20, 4)[:8] == raw("ddcmp.26")


def test_the_published_trace_is_followed() -> None:
    driver = drivers.create("evadts", {"socket": "ddcmp"})
    driver.set_clock("090198", "093303")
    driver.start(0.0)

    assert bytes(driver.outgoing()) == control(6)
    assert said(driver, raw("ddcmp.02"), 0.1)[8:] == raw("ddcmp.04")
    asked = said(driver, raw("ddcmp.05") + raw("ddcmp.06") + raw("ddcmp.07"), 0.2)
    assert asked.hex(" ").upper() == "81 09 40 01 02 01 46 B0 77 E2 00 02 01 00 00 00 00 F0 41"
    assert said(driver, raw("ddcmp.11") + raw("ddcmp.12") + raw("ddcmp.13"), 0.3) == control(1, rr=2)
    assert said(driver, ddcmp_message(b"\x99\x00" + FILE, 2, 3), 0.4) == message(b"\x77\xff", 3, 3)
    assert driver.feed(control(1, rr=3), 0.5) == [AuditRead(FILE)]


def test_a_message_told_twice_is_one() -> None:
    driver = drivers.create("evadts", {"socket": "ddcmp"})
    driver.start(0.0)
    for word in ("ddcmp.02", "ddcmp.05", "ddcmp.06", "ddcmp.07", "ddcmp.11", "ddcmp.12", "ddcmp.13"):
        driver.feed(raw(word), 0.1)
    driver.outgoing()
    first = ddcmp_message(b"\x99\x00" + FILE[:30], 2, 3)

    assert said(driver, first, 0.2) == said(driver, first, 0.3) == control(1, rr=3)
    driver.feed(ddcmp_message(b"\x99\x01" + FILE[30:], 2, 4), 0.4)

    assert driver.feed(control(1, rr=3), 0.5) == [AuditRead(FILE)]


def test_a_dex_block_told_twice_is_one_and_is_acknowledged_the_same_way() -> None:
    driver = drivers.create("evadts", {"comm_id": "XYZ1234567"})
    driver.start(0.0)
    driver.tick(0.02)
    words = [b"\x10\x30", b"\x10\x31", b"\x05", framed(1, b"00QRS7654321R00L06"), b"\x04", b"\x05"]
    for number, word in enumerate(words):
        said(driver, word, 0.1 * number)
    first, last = framed(2, FILE[:30], more=True), framed(2, FILE[30:])

    answers = [said(driver, block, 1.0 + at) for at, block in enumerate((first, first, b"\x05", last, last))]

    assert answers == [b"\x10\x31", b"\x10\x31", b"\x10\x31", b"\x10\x30", b"\x10\x30"]
    assert driver.feed(b"\x04", 9.0) == [AuditRead(FILE)]


def test_a_dex_file_whose_last_block_is_missing_is_no_file() -> None:
    driver = drivers.create("evadts", {"comm_id": "XYZ1234567"})
    driver.start(0.0)
    driver.tick(0.02)
    words = [b"\x10\x30", b"\x10\x31", b"\x05", framed(1, b"00QRS7654321R00L06"), b"\x04", b"\x05"]
    for number, word in enumerate([*words, framed(2, FILE[:30], more=True)]):
        said(driver, word, 0.1 * number)

    assert driver.feed(b"\x04", 1.0) == [DeviceFault("audit_failed", data={"why": "cut_short", "socket": "dex"})]


def test_a_dex_conversation_says_what_the_text_says() -> None:
    driver = drivers.create("evadts", {"comm_id": "XYZ1234567"})
    driver.start(0.0)
    driver.tick(0.02)

    assert bytes(driver.outgoing()) == raw("dex_link.01")
    assert said(driver, raw("dex_link.02"), 0.1) == raw("dex_link.06")
    assert said(driver, raw("dex_link.03"), 0.2) == raw("dex_link.05")
    assert said(driver, raw("dex_link.01"), 0.3) == raw("dex_link.02")
    assert said(driver, raw("dex_link.09"), 0.4) == raw("dex_link.03")
    assert driver.feed(raw("dex_link.05"), 0.5) == [
        DeviceFault("audit_failed", data={"why": "refused_no_data", "socket": "dex"})
    ]
    assert bytes(driver.outgoing()) == raw("dex_link.05")


def test_a_reading_gives_the_line_back_when_nobody_answers() -> None:
    driver = drivers.create("evadts", {})
    driver.start(0.0)
    now, heard = 0.0, []
    while not driver.answered:
        now = max(driver.due(now), now + 0.001)
        driver.tick(now)
        heard.append(bytes(driver.outgoing()))

    assert [word for word in heard if word] == [b"\x05"] * 4 + [b"\x04"]
    assert now < 10


def test_the_conversation_ends_with_the_whole_file() -> None:
    driver = drivers.create("evadts", {"comm_id": "XYZ1234567"})
    dex_up_to_the_end(driver)

    assert driver.feed(b"\x04", 2.0) == [AuditRead(FILE)]
