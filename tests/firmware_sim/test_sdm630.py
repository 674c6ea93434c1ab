"""The meter's twin: Modbus by the book, float32 by integers, energy to the watt-hour."""

from __future__ import annotations

import struct

import pytest

from firmware_sim.devices.ieee754 import float32
from firmware_sim.devices.modbus_slave import crc16
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.devices.twin import settle
from tests.firmware_sim.golden import Golden, golden

VALID = [
    frame for frame in golden("modbus_meter") if frame.valid and "echo" not in frame.id and "noise" not in frame.id
]
READ_IMPORT = bytes.fromhex("01 04 00 48 00 02")
SERIAL = bytes.fromhex("01 03 FC 00 00 02 F4 5B")


def framed(body: bytes) -> bytes:
    return body + crc16(body)


def ask(meter: Sdm630, request: bytes, now: float) -> bytes:
    told = settle(meter, now, request, until=now + 5)
    assert len(told) <= 1
    return told[0].data if told else b""


def read(meter: Sdm630, first: int, count: int, now: float, function: int = 4) -> bytes:
    reply = ask(meter, framed(bytes((1, function, *first.to_bytes(2, "big"), *count.to_bytes(2, "big")))), now)
    assert reply[2] == 2 * count
    return reply[3:-2]


@pytest.mark.parametrize("frame", VALID, ids=str)
def test_our_crc_is_the_one_of_every_golden_frame(frame: Golden) -> None:
    assert crc16(frame.data[:-2]) == frame.data[-2:]


@pytest.mark.parametrize("name", ["mb-rep-serial", "mb-rep-import", "mb-exc-2", "mb-exc-3"])
def test_the_meter_gives_the_golden_reply_byte_for_byte(name: str) -> None:
    frame = next(one for one in VALID if one.id == name)
    meter = Sdm630(serial=21_345_678, start_wh=1_234_567)

    assert ask(meter, frame.request, 1.0) == frame.data


def test_the_data_sheets_own_read_of_volts_gives_the_nearest_float() -> None:
    meter = Sdm630()
    meter.set_supply(volts_mv=230_200)

    # The data sheet prints ...34, one step above the nearest float32 of 230.2.
    assert ask(meter, bytes.fromhex("01 04 00 00 00 02 71 CB"), 1.0) == framed(bytes.fromhex("01 04 04 43 66 33 33"))


@pytest.mark.parametrize(
    "request_hex",
    ["01 04 00 00 00 02 71 CC", "01 04 00 00 00 02 71", "02 04 00 00 00 02 71 F8", "00 04 00 00 00 02 70 1A"],
    ids=["crc", "cut", "other address", "broadcast"],
)
def test_what_is_wrong_or_for_others_is_met_with_silence(request_hex: str) -> None:
    assert ask(Sdm630(), bytes.fromhex(request_hex), 1.0) == b""


def test_junk_glued_to_a_request_spoils_it_and_junk_before_a_silence_does_not() -> None:
    meter = Sdm630()
    request = framed(READ_IMPORT)

    glued = ask(meter, b"\x00" + request, 1.0)
    meter.receive(b"\x00", 2.0)
    meter.wake(2.1)
    apart = ask(meter, request, 2.2)

    assert glued == b""
    assert len(apart) == 9


def test_a_request_byte_by_byte_is_answered_once_the_line_is_silent() -> None:
    meter = Sdm630(turn_round_s=0.005)
    char = 10 / 9600
    for place, byte in enumerate(SERIAL):
        meter.receive(bytes((byte,)), 1 + place * char)
    end = 1 + 7 * char

    (reply,) = settle(meter, end)

    assert reply.at == pytest.approx(end + 3.5 * char + 0.005)


def test_a_function_the_meter_does_not_know_is_refused_with_01() -> None:
    assert ask(Sdm630(), framed(bytes.fromhex("01 06 00 14 00 02")), 1.0) == framed(bytes.fromhex("01 86 01"))


@pytest.mark.parametrize(("first", "count", "code"), [(0, 82, 3), (1, 2, 2), (0x48, 3, 2), (0x17F, 2, 2), (0, 126, 3)])
def test_reads_outside_the_map_are_refused(first: int, count: int, code: int) -> None:
    request = framed(bytes((1, 4, *first.to_bytes(2, "big"), *count.to_bytes(2, "big"))))

    assert ask(Sdm630(), request, 1.0) == framed(bytes((1, 0x84, code)))


def test_a_load_becomes_watt_hours_to_the_last_one() -> None:
    meter = Sdm630(start_wh=1_000_000)
    meter.set_load_w(7_321, 10.0)
    meter.set_load_w(0, 3610.5)

    energy = read(meter, 0x48, 2, 4000.0)

    # 7321 W for 3600.5 s are 7322.0168 Wh; the register shows whole ones.
    assert energy == struct.pack(">f", 1007.322)
    assert meter.import_wh(4001.0) == 1_007_322


def test_power_fed_back_counts_on_the_export_register_only() -> None:
    meter = Sdm630(start_wh=500)
    meter.set_load_w((1000, -600, 0), 0.0)

    registers = read(meter, 0x48, 4, 3600.0)

    assert registers == struct.pack(">ff", 1.5, 0.6)


def test_one_block_holds_voltage_current_power_and_frequency() -> None:
    meter = Sdm630()
    meter.set_load_w((2300, 0, 0), 0.0)

    block = struct.unpack(">40f", read(meter, 0, 80, 1.0))

    assert block[0] == 230.0
    assert block[3] == 10.0
    assert block[6] == 2300.0
    assert block[0x34 // 2] == 2300.0
    assert block[0x46 // 2] == 50.0


def test_a_late_answer_is_the_right_answer_too_late() -> None:
    meter = Sdm630()
    meter.answer_late(0.7)

    (late,) = settle(meter, 1.0, SERIAL)
    (soon,) = settle(meter, 3.0, SERIAL)

    assert late.data == soon.data
    assert late.at - 1.0 == pytest.approx(soon.at - 3.0 + 0.7)


def test_a_dark_meter_counts_nothing_says_nothing_and_keeps_its_register() -> None:
    meter = Sdm630()
    meter.set_load_w(3600, 0.0)

    meter.power_off(100.0)
    silent = ask(meter, SERIAL, 150.0)
    meter.power_on(200.0)

    assert silent == b""
    assert meter.import_wh(300.0) == 100


@pytest.mark.parametrize("number", [0, 1, -1, 3, 7, 10**7, 16_777_217, 16_777_219, 2**127, -(2**100) + 1])
@pytest.mark.parametrize("divisor", [1, 3, 7, 10, 1000, 2**140, 10**45])
def test_float32_from_integers_is_what_the_processor_would_round_to(number: int, divisor: int) -> None:
    # Where a double holds the quotient's 24 bits and more, rounding it once more to float32 gives the same bits.
    assert float32(number, divisor) == struct.pack(">f", number / divisor)


def test_float32_overflows_to_infinity() -> None:
    assert float32(2**128) == bytes.fromhex("7F800000")


def test_every_watt_hour_below_16384_kwh_can_be_read_back() -> None:
    for wh in (16_383_999, 16_383_998, 9_999_999, 8_388_609, 8_192_001, 4_096_001, 1):
        (shown,) = struct.unpack(">f", float32(wh, 1000))

        assert round(shown * 1000) == wh
