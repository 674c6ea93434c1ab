"""A question put again and again: its answers say what they would say to who looks at each of them on its own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import block_reads, drivers, recording
from gateway.device_events import DeviceFault, Measured
from gateway.drivers import modbus_rtu
from gateway.drivers.modbus_strays import Strays
from gateway.recording import Stamp

PROFILES = sorted(path.stem for path in Path(drivers.__file__).parent.glob("**/*.toml"))
# Bytes that mean something to somebody: zero, one, not a number, no value, negative, 230.0 as a float.
WORDS = (b"\0\0", b"\0\1", b"\x7f\xc0", b"\xff\xff", b"\x80\0", b"\x43\x66", b"\x7f\xff", b"\x12\x34")


def started(profile: str, **own: Any) -> Any:
    """A meter that has been read before, and every register of its map."""
    registers = [register.name for register in drivers.create("modbus_meter", {"profile": profile}).profile.register]
    driver = drivers.create("modbus_meter", {"profile": profile, "registers": dict.fromkeys(registers, 60), **own})
    driver._steps.clear()
    driver._master.echoes = False
    return driver


def asked(driver: Any, block: int) -> tuple[Any, bytes]:
    blocks = block_reads.blocks(driver.wants, driver.limits)
    return blocks[block % len(blocks)], driver.request(blocks[block % len(blocks)]).data


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("own", [{}, {"ct": 40, "pt": 3}])
def test_whatever_the_answers_they_say_the_same_looked_at_one_by_one(profile: str, own: dict[str, int]) -> None:
    chance = random.Random(profile)
    for block in range(3):
        each, together = started(profile, **own), started(profile, **own)
        for at in range(12):
            wants, sent = asked(each, block)
            asked(together, block)
            together._master.answered = True
            together._parts.clear()
            together._lost = Strays()
            # First anything at all, faults among it; then what a sound meter says.
            wild = [chance.choice(WORDS) if chance.random() < 0.7 else chance.randbytes(2) for _ in range(sent[5])]
            words = wild if at < 4 else [bytes((0, chance.randrange(3))) for _ in wild]
            body = bytes((*sent[:2], 2 * sent[5])) + b"".join(words)
            answer = body + modbus_rtu.crc(body)
            # Every second answer is the one before: nothing has moved.
            for _ in range(1 + at % 2):
                each._parts.clear()
                alone = each.feed(answer, float(at))

                found = together.again(wants, sent, answer, float(at))

                assert found == alone
                each.request(wants)


def test_a_ratio_that_changes_is_no_ratio_of_before() -> None:
    driver = started("dtsu666")
    for block in range(len(block_reads.blocks(driver.wants, driver.limits))):
        wants, sent = asked(driver, block)
        driver._master.answered = True
        driver._parts.clear()
        body = bytes((*sent[:2], 2 * sent[5])) + b"\x43\x66" * sent[5]
        answer = body + modbus_rtu.crc(body)
        before = driver.again(wants, sent, answer, 1.0)

        driver._ratio("#ct", bytes((0, block + 2)), b"")

        told = [(one.register, one.value) for one in driver.again(wants, sent, answer, 2.0)]
        moved = {name for name, value in told if (name, value) not in [(one.register, one.value) for one in before]}
        assert moved == {
            want.name
            for want in wants
            if "ct" in driver._known[want.name].ratio and not driver._known[want.name].energy
        }


@settings(deadline=None, max_examples=300)
@given(body=st.binary(min_size=0, max_size=260), flips=st.lists(st.integers(0, 2**12), max_size=4))
def test_the_quick_look_at_a_check_finds_what_the_long_one_does(body: bytes, flips: list[int]) -> None:
    frame = bytearray(body + modbus_rtu.crc(body))
    assert modbus_rtu.checks(frame)
    for flip in flips:
        frame[flip // 8 % len(frame)] ^= 1 << flip % 8

    assert modbus_rtu.checks(frame) == (modbus_rtu.crc(frame) == b"\0\0")


def test_many_events_are_the_same_records_as_each_on_its_own() -> None:
    at = Stamp(1_700_000_000_000, "S", "b" * 16, 5_000)
    events = [
        Measured("import_wh", 5, 0, "Wh", b"one"),
        Measured("import_wh", 6, 0, "Wh", b"two", ("secondary",)),
        Measured("volume", 7, -3, "m3", b"two", (), at.t - 60_000, "gas-7"),
        DeviceFault("exception", data={"code": 2}, raw=b"three"),
        object(),
    ]

    found = recording.records(events, at, "m", "c" * 64)

    assert found == [one for event in events if (one := recording.record(event, at, "m", "c" * 64)) is not None]
    assert len(found) == 4
