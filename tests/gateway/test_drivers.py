"""One file over every driver: golden frames whole and in pieces, noise, cuts, echoes, lost replies, limits.

A driver is here because it is in `gateway/drivers`; what is special about it is one `Case`.
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import drivers
from gateway.device_events import (
    AirSample,
    CommandTaken,
    DeviceFault,
    Dispensed,
    DoorState,
    Event,
    LevelState,
    LockReply,
    Measured,
    Want,
)
from tests.fuzz.held import held
from tests.gateway.audit_cases import AUDITS, SCALES
from tests.gateway.badge_cases import BADGES
from tests.gateway.board_cases import BOARDS
from tests.gateway.meter_cases import AIR, FANS, METERS, UNASKED
from tests.gateway.telegram_cases import TELEGRAMS

VECTORS = Path(__file__).parents[1] / "vectors"
TALKERS = AUDITS


@cache
def frames(kind: str) -> dict[str, dict[str, Any]]:
    """The golden frames of one driver, by id."""
    return {one["id"]: one for one in tomllib.loads((VECTORS / f"{kind}.toml").read_text())["frame"]}


def hexed(kind: str, name: str) -> bytes:
    return bytes.fromhex(frames(kind)[name]["hex"])


@dataclass(frozen=True)
class Case:
    """A question put to a driver, the golden frames of its answer, and what the driver must say."""

    kind: str
    name: str
    settings: dict[str, Any]
    ask: Callable[[Any], object]
    expected: Callable[[Sequence[Event]], bool]
    echo: bool = True

    @property
    def answer(self) -> bytes:
        return hexed(self.kind, self.name)

    def start(self) -> Any:
        """A driver that has just asked."""
        driver = drivers.create(self.kind, self.settings)
        self.ask(driver)
        return driver

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def voltage(driver: Any) -> object:
    return driver.request([Want("voltage_l1", 900, 4, 0, 2)])


def volts(value: int) -> Callable[[Sequence[Event]], bool]:
    return lambda events: (
        [(e.register, e.value, e.unit) for e in events if isinstance(e, Measured)] == [("voltage_l1", value, "V")]
    )


def opened(*, right: bool) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [(e.slot, e.opened) for e in events if isinstance(e, LockReply)] == [("1", right)]


def door(*, closed: bool) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [(e.slot, e.closed) for e in events if isinstance(e, DoorState)] == [("1", closed)]


def dust(pm25: int) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [e.values["pm25"] for e in events if isinstance(e, AirSample)] == [pm25]


def level(at: int | None) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [e.level for e in events if isinstance(e, LevelState)] == [at]


def heard(*, taken: bool) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [e.taken for e in events if isinstance(e, CommandTaken)] == [taken]


QUIET = {"echo": "no"}
UNIT = {"echo": "no", "at": 1, "read_at": 0, "read_table": 4}
METER = {"registers": {"voltage_l1": 0}}
CASES = [
    Case("lock_8a", "lock_8a.05", QUIET, lambda d: d.open("1"), opened(right=True)),
    Case("lock_8a", "lock_8a.06", QUIET, lambda d: d.open("1"), opened(right=False), echo=False),
    Case("lock_8a", "lock_8a.08", QUIET, lambda d: d.status("1"), door(closed=False)),
    Case("lock_8a", "lock_8a.09", QUIET, lambda d: d.status("1"), door(closed=True)),
    Case("lock_8a", "lock_8a.09", {"open_is": "11"}, lambda d: d.status("1"), door(closed=False)),
    Case("modbus_meter", "mb-sdm-1", METER, voltage, volts(2302)),
    Case("modbus_meter", "mb-sdm-2", METER, voltage, volts(2304)),
    Case("modbus_meter", "mb-sdm-3", METER, voltage, volts(2299)),
    *(Case(*one) for one in (*TELEGRAMS, *BOARDS)),
    *(Case(*one, echo=False) for one in (*TALKERS, *BADGES)),
    *(Case(*one) for one in SCALES),
    Case("modbus_unit", "modbus_unit.02", UNIT, lambda d: d.set_level(3), heard(taken=True)),
    Case("modbus_unit", "modbus_unit.04", UNIT, lambda d: d.look(), level(3)),
    Case("modbus_unit", "modbus_unit.06", UNIT, lambda d: d.look(), level(None)),
    Case("modbus_unit", "modbus_unit.07", UNIT, lambda d: d.set_level(3), heard(taken=False)),
    Case("pms5003", "pms-1", {"warm_up": 0}, lambda d: d, dust(8), echo=False),
    Case("pms5003", "pms-2", {"warm_up": 0}, lambda d: d, dust(7), echo=False),
    *(Case(*one) for one in (*METERS, *AIR, *FANS)),
    *(Case(*one, echo=False) for one in UNASKED),
]


def says(wanted: list[dict[str, Any]]) -> Callable[[Sequence[Event]], bool]:
    """True for exactly these registers."""
    return lambda events: (
        [{"register": e.register, "value": e.value, "scale": e.scale} for e in events if isinstance(e, Measured)]
        == wanted
    )


def asks(name: str) -> Callable[[Any], object]:
    return lambda driver: driver.request([want for want in driver.wants if want.name == name])


def told_by_vectors() -> list[Case]:
    """Cases that stand beside their frames, as `tally-gateway devices new` writes them."""
    return [
        Case(path.stem, one["answer"], one["settings"], asks(one["ask"]), says(one["says"]))
        for path in sorted(VECTORS.glob("*.toml"))
        for one in tomllib.loads(path.read_text("utf-8")).get("case", [])
    ]


CASES += told_by_vectors()
SERIAL = sorted({case.kind for case in CASES})
cases = pytest.mark.parametrize("case", CASES, ids=str)


def in_pieces(driver: Any, data: bytes, cuts: Sequence[int]) -> list[Event]:
    events: list[Event] = []
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        events += driver.feed(data[start:end], 1.0)
    return events


def believed(events: Sequence[Event]) -> list[Event]:
    """What says more than "nobody knows how the motor stopped" or "this message has no layout I know"."""
    return [
        event
        for event in events
        if not (isinstance(event, Dispensed) and event.motor == "unknown")
        and not (isinstance(event, DeviceFault) and event.event == "malformed")
    ]


def test_every_driver_has_cases() -> None:
    serial = {kind for kind, driver in drivers.discover().items() if driver.link == "serial"}
    assert {case.kind for case in CASES} == serial


@cases
def test_a_golden_frame_is_understood_whole(case: Case) -> None:
    driver = case.start()

    events = driver.feed(case.answer, 1.0)

    assert case.expected(events)
    assert driver.answered


@cases
def test_a_golden_frame_is_understood_byte_by_byte(case: Case) -> None:
    driver = case.start()

    events = [event for byte in case.answer for event in driver.feed(bytes((byte,)), 1.0)]

    assert case.expected(events)


@cases
@pytest.mark.parametrize("noise", ["00", "FF", "00 FF 00", "42", "8A 01", "01 04 04 43"])
def test_noise_before_a_frame_does_not_hide_it(case: Case, noise: str) -> None:
    driver = case.start()

    events = driver.feed(bytes.fromhex(noise) + case.answer, 1.0)

    assert case.expected(events)


@cases
def test_a_frame_that_is_cut_anywhere_says_nothing(case: Case) -> None:
    for length in range(len(case.answer)):
        driver = case.start()

        events = driver.feed(case.answer[:length], 1.0) + driver.expired(2.0)

        assert believed(events) == []
        assert driver.answered


@cases
def test_a_frame_with_any_bit_turned_is_not_believed(case: Case) -> None:
    for place in range(len(case.answer) * 8):
        driver = case.start()
        spoilt = bytearray(case.answer)
        spoilt[place // 8] ^= 1 << place % 8

        events = driver.feed(bytes(spoilt), 1.0) + driver.expired(2.0)

        assert not case.expected(events)


@cases
def test_our_own_echo_is_no_answer(case: Case) -> None:
    driver = drivers.create(case.kind, {**case.settings, **({"echo": "yes"} if "echo" in case.settings else {})})
    request = case.ask(driver)
    sent = getattr(request, "data", b"")

    assert driver.feed(sent, 1.0) == []
    assert case.expected(driver.feed(case.answer, 1.0))


@cases
def test_after_a_lost_reply_the_next_one_is_understood(case: Case) -> None:
    driver = case.start()
    driver.feed(case.answer[:3], 1.0)
    driver.expired(2.0)

    case.ask(driver)

    assert case.expected(driver.feed(case.answer, 3.0))


@cases
def test_what_comes_unasked_is_not_believed(case: Case) -> None:
    driver = drivers.create(case.kind, case.settings)
    listener = getattr(driver, "listens", False)

    events = driver.feed(case.answer, 1.0)

    assert listener or events == []


@pytest.mark.parametrize("kind", SERIAL)
def test_nothing_that_comes_makes_a_driver_keep_more_than_it_says(kind: str) -> None:
    case = next(case for case in CASES if case.kind == kind)
    known = [bytes.fromhex(frame["hex"]) for frame in frames(kind).values() if frame.get("hex")]
    begun = [frame[: len(frame) * 2 // 3] for frame in known]
    most = drivers.holds(drivers.discover()[kind])

    for data in (b"\x42\x4d\x01\x04\x80" * 1000, b"".join(known) * 3, b"".join(begun), *(one * 9 for one in begun[:4])):
        driver = case.start()
        empty = held(drivers.create(kind, case.settings))
        for at in range(0, len(data), 251):
            driver.feed(data[at : at + 251], 1.0)
            assert held(driver) - empty <= most, f"after {data[: at + 251].hex()}"


@cases
@settings(max_examples=30, deadline=None)
@given(noise=st.binary(max_size=40), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_any_split_of_any_bytes_gives_the_same_events(case: Case, noise: bytes, cuts: list[int]) -> None:
    data = noise + case.answer + noise[::-1]

    whole = case.start().feed(data, 1.0)

    assert in_pieces(case.start(), data, cuts) == whole


@pytest.mark.parametrize("kind", SERIAL)
@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=300))
def test_no_bytes_make_a_driver_raise(kind: str, data: bytes) -> None:
    case = next(case for case in CASES if case.kind == kind)
    driver = case.start()

    driver.feed(data, 1.0)
    driver.expired(2.0)

    assert driver.answered


@pytest.mark.parametrize("kind", SERIAL)
def test_what_golden_files_call_invalid_is_refused(kind: str) -> None:
    for frame in frames(kind).values():
        if not frame["valid"] and frame["direction"] == "device>host":
            # A frame that is wrong for one model's question may be right for another's.
            for case in (case for case in CASES if case.kind == kind and "profile" not in case.settings):
                driver = case.start()

                events = driver.feed(bytes.fromhex(frame["hex"]), 1.0) + driver.expired(2.0)

                assert believed(events) == [], frame["id"]


@pytest.mark.parametrize("kind", sorted(drivers.discover()))
def test_the_settings_of_a_driver_describe_themselves(kind: str) -> None:
    schema = drivers.discover()[kind].Settings.model_json_schema()

    assert all(field.get("description") for field in schema["properties"].values())
    assert drivers.discover()[kind].__doc__


def test_an_unknown_kind_names_those_that_exist() -> None:
    with pytest.raises(drivers.UnknownKindError, match="lock_8a"):
        drivers.create("lock_9z", {})
