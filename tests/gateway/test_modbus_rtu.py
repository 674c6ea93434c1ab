"""Modbus framing on its own: where a frame is in a stream, and what is only dressed as one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.device_events import Counters
from gateway.drivers import modbus_rtu
from gateway.drivers.modbus_rtu import Answer, Refusal, RtuMaster, crc
from tests.firmware_sim.golden import golden

VOLTS = bytes.fromhex("01 04 00 00 00 02 71 CB")
REPLY = bytes.fromhex("01 04 04 43 66 33 34 1B 38")


def framed(text: str) -> bytes:
    return bytes.fromhex(text) + crc(bytes.fromhex(text))


def asked(request: bytes = VOLTS, *, echoes: bool | None = None) -> RtuMaster:
    master = RtuMaster(Counters(), echoes=echoes)
    master.ask(request)
    return master


def outcome(master: RtuMaster, pieces: Sequence[bytes]) -> Answer | Refusal | None:
    for piece in pieces:
        found = master.feed(piece)
        if found is not None:
            return found
    return master.expired()


def test_requests_are_the_bytes_of_the_standard() -> None:
    assert modbus_rtu.read(1, 4, 0, 2) == VOLTS
    assert modbus_rtu.read(0xFE, 4, 3, 1) == bytes.fromhex("FE 04 00 03 00 01 D5 C5")
    assert modbus_rtu.write_register(0xFE, 0x1F, 180) == bytes.fromhex("FE 06 00 1F 00 B4 AC 74")
    assert modbus_rtu.write_coil(17, 0xAC, on=True) == framed("11 05 00 AC FF 00")
    assert modbus_rtu.write_registers(17, 1, [10, 258]) == framed("11 10 00 01 00 02 04 00 0A 01 02")


@pytest.mark.parametrize(
    ("request_", "reply", "data"),
    [
        (modbus_rtu.read(17, 1, 0x13, 0x25), framed("11 01 05 CD 6B B2 0E 1B"), "CD 6B B2 0E 1B"),
        (modbus_rtu.read(17, 2, 0xC4, 0x16), framed("11 02 03 AC DB 35"), "AC DB 35"),
        (modbus_rtu.read(17, 3, 0x6B, 3), framed("11 03 06 02 2B 00 00 00 64"), "02 2B 00 00 00 64"),
        (modbus_rtu.write_registers(17, 1, [10, 258]), framed("11 10 00 01 00 02"), "00 01 00 02"),
        (modbus_rtu.write_register(17, 1, 3), framed("11 06 00 01 00 03"), "00 01 00 03"),
    ],
)
def test_the_standards_examples_are_answers(request_: bytes, reply: bytes, data: str) -> None:
    found = asked(request_, echoes=False).feed(reply)

    assert isinstance(found, Answer)
    assert found.data == bytes.fromhex(data)


def test_every_golden_answer_with_its_question_is_understood_and_every_bad_one_is_not() -> None:
    for frame in golden("modbus_meter", direction="device>host"):
        if frame.request:
            found = outcome(asked(frame.request), [frame.data])

            assert (found is not None) == frame.valid, frame.id


def test_a_frame_inside_anothers_data_is_data() -> None:
    inner = framed("01 84 04")
    master = asked(modbus_rtu.read(1, 4, 0, 3))
    reply = framed("01 04 06 " + inner.hex() + "00")

    found = master.feed(reply)

    assert isinstance(found, Answer)
    assert found.data == inner + b"\0"


def test_a_refusal_behind_what_only_looked_like_an_answer_is_heard_at_the_end() -> None:
    found = outcome(asked(), [bytes.fromhex("01 04 04"), framed("01 84 06")])

    assert isinstance(found, Refusal)
    assert (found.code, found.meaning) == (6, "busy")


def test_a_writes_echo_is_no_answer_where_reads_have_shown_that_the_line_echoes() -> None:
    master = asked()
    master.feed(VOLTS + REPLY)
    write = master.ask(modbus_rtu.write_register(1, 7, 1))

    first, second = master.feed(write), master.feed(write)

    assert master.echoes is True
    assert first is None
    assert isinstance(second, Answer)


def test_a_line_that_does_not_echo_is_learnt_too() -> None:
    master = asked()
    master.feed(REPLY)
    write = master.ask(modbus_rtu.write_coil(1, 7, on=True))

    assert master.echoes is False
    assert isinstance(master.feed(write), Answer)


def test_nothing_is_kept_beyond_the_longest_frame() -> None:
    master = asked(modbus_rtu.read(1, 4, 0, 125))

    for _ in range(50):
        master.feed(bytes.fromhex("01 04 FA 01 84 FF") * 40)

    assert len(master._heard) <= 2 * modbus_rtu.LONGEST


@settings(max_examples=200, deadline=None)
@given(
    noise=st.lists(st.sampled_from([b"\x01", b"\x04", b"\x01\x04", b"\x01\x84", REPLY[:-1], b"\xff", VOLTS, REPLY])),
    cuts=st.lists(st.integers(0, 60)),
)
def test_any_split_gives_the_same_answer(noise: list[bytes], cuts: list[int]) -> None:
    data = b"".join(noise) + REPLY
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]

    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]

    assert outcome(asked(), pieces) == outcome(asked(), [data])
