"""Frames made anew from the reference documents by encoders of this file alone, with random contents, on a bad line.

Golden frames prove single points and twins may share a mistake with whoever wrote both; these encoders are a third
hand: plain arithmetic of vending.md 1.3 to 1.5 and devices.md 2, 4 and 6, and nothing of ours but the driver.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pytest

from firmware_sim.faults import stream
from gateway import drivers
from gateway.device_events import AirSample, Dispensed, DoorState, LockReply, Measured, SelectionInfo

ROUNDS = 12


class Play(NamedTuple):
    """A driver's settings, its question, the answer's bytes (made for the question), and what it must say.

    ``shy``: bytes that noise may not contain, because a frame begins with them.
    """

    settings: dict[str, Any]
    ask: Callable[[Any], Any]
    answer: Callable[[bytes], bytes]
    said: set[tuple[Any, ...]]
    shy: bytes = b""
    begin: Callable[[Any], object] = lambda driver: driver


def summed(body: bytes) -> bytes:
    return body + bytes((sum(body) & 0xFF,))


def xored(body: bytes) -> bytes:
    check = 0
    for byte in body:
        check ^= byte
    return body + bytes((check,))


def digits(value: int, width: int) -> bytes:
    """Decimal digits, two a byte, the lowest byte first."""
    return bytes.fromhex(f"{value:0{2 * width}d}")[::-1]


def number(value: Decimal | int) -> str:
    return f"{Decimal(value).normalize():f}"


def believed(events: list[Any]) -> set[tuple[Any, ...]]:
    """What of the events is a value or a fact about goods, in plain words."""
    found: set[tuple[Any, ...]] = set()
    for one in events:
        if isinstance(one, Measured):
            found.add((one.register, number(Decimal(one.value).scaleb(one.scale))))
        elif isinstance(one, AirSample):
            found |= {(name, number(Decimal(value).scaleb(one.scale))) for name, value in one.values.items()}
        elif isinstance(one, LockReply):
            found.add((one.slot, one.opened))
        elif isinstance(one, DoorState):
            found.add((one.slot, one.closed, one.item))
        elif isinstance(one, Dispensed):
            found.add((one.slot, one.qty, one.motor, one.drop))
        elif isinstance(one, SelectionInfo):
            found.add((one.slot, one.status, one.stock, one.capacity))
    return found


# Name, identifier, bytes, worth of one step, signed.
DLT_ITEMS = (
    ("import_wh", 0x00010000, 4, Decimal(10), False), ("combined_wh", 0, 4, Decimal(10), True),
    ("voltage_l1", 0x02010100, 2, Decimal("0.1"), False), ("power", 0x02030000, 3, Decimal("0.1"), True),
)  # fmt: skip


def dlt645(chance: Random) -> Iterator[Play]:
    address = f"{chance.randrange(10**12):012d}"
    for name, item, width, step, signed in DLT_ITEMS:
        value, minus = chance.randrange(8 * 10 ** (2 * width - 1)), signed and chance.random() < 0.5
        data = bytearray(struct.pack("<I", item) + digits(value, width))
        data[-1] |= 0x80 * minus
        head = b"\x68" + bytes.fromhex(address)[::-1] + b"\x68\x91" + bytes((len(data),))
        frame = b"\xfe" * chance.randrange(8) + summed(head + bytes(byte + 0x33 & 0xFF for byte in data)) + b"\x16"
        shown = (name, number(step * (-value if minus else value)))
        settings = {"address": address, "registers": {name: 0}}
        yield Play(settings, lambda d: d.request(d.wants), lambda _, frame=frame: frame, {shown})  # type: ignore[misc]


HEAT_UNITS = (
    ("settled", {0x05: 1, 0x08: 4, 0x02: -2}), ("heating", {0x05: 1, 0x08: 4}), ("power", {0x14: -2, 0x17: 1}),
    ("flow", {0x32: -7, 0x35: -4}), ("volume", {0x29: -5, 0x2C: -2}),
)  # fmt: skip


def cjt188(chance: Random) -> Iterator[Play]:
    unit_first, address = chance.random() < 0.5, f"{chance.randrange(10**14):014d}"
    data, said = b"", set()
    for name, units in HEAT_UNITS:
        value, (unit, power) = chance.randrange(10**8), chance.choice(list(units.items()))
        data += bytes((unit,)) + digits(value, 4) if unit_first else digits(value, 4) + bytes((unit,))
        said.add((name, number(Decimal(value).scaleb(power))))
    for name in ("supply_temperature", "return_temperature"):
        value = chance.randrange(10**5)
        data += digits(value, 3)
        said.add((name, number(Decimal(value) / 100)))
    data += digits(4711, 3) + bytes.fromhex("59 23 11 30 12 26 20 00 00")
    said.add(("hours", "4711"))

    def answer(asked: bytes) -> bytes:
        serial = asked[asked.index(0x68) + 13 :][:1]
        head = b"\x68\x25" + bytes.fromhex(address)[::-1] + bytes((0x81, len(data) + 3))
        return b"\xfe\xfe" + summed(head + (b"\x90\x1f" if unit_first else b"\x1f\x90") + serial + data) + b"\x16"

    settings = {"address": address, "registers": {name: 0 for name, _ in sorted(said)}}
    yield Play(settings, lambda d: d.request(d.wants), answer, said)


MBUS_VIFS = {
    "energy": (0x00, -3, 8),
    "volume": (0x10, -6, 8),
    "power": (0x28, -3, 8),
    "flow_temperature": (0x58, -3, 4),
}
WHOLE, DECIMAL = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}, {0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}


def mbus(chance: Random) -> Iterator[Play]:
    address, records, said = chance.randrange(1, 251), b"", set()
    for name, (first, lowest, count) in MBUS_VIFS.items():
        step, code = chance.randrange(count), chance.choice([*WHOLE, *DECIMAL])
        width = WHOLE.get(code) or DECIMAL[code]
        most = 1 << 8 * width - 1 if code in WHOLE else 10 ** (2 * width - 1)
        value = chance.randrange(-most + 1, most)
        coded = value.to_bytes(width, "little", signed=True) if code in WHOLE else digits(abs(value), width)
        if code in DECIMAL and value < 0:
            coded = coded[:-1] + bytes((coded[-1] | 0xF0,))
        # Last month's, a maximum, one in error, one tariff: these are not the value of now.
        others = (b"\x44", b"\x14", b"\x34", b"\x84\x10")
        around = [head + bytes((first + step,)) + chance.randbytes(4) for head in others if chance.random() < 0.3]
        records += b"".join(around) + bytes((code, first + step)) + coded
        said.add((name, number(Decimal(value).scaleb(lowest + step))))
    fixed = digits(chance.randrange(10**8), 4) + bytes.fromhex("2D 2C 08 04") + bytes((chance.randrange(256), 0, 0, 0))
    body = bytes((8, address, 0x72)) + fixed + records
    frame = b"\x68" + bytes((len(body),)) * 2 + b"\x68" + summed(body) + b"\x16"

    def begin(driver: Any) -> None:
        driver.pending()
        driver.feed(b"\xe5", 0.5)

    settings = {"address": address, "registers": dict.fromkeys(MBUS_VIFS, 0)}
    yield Play(settings, lambda d: d.request(d.wants), lambda _: frame, said, b"\x68\xe5", begin)


def air(chance: Random) -> Iterator[tuple[str, Play]]:
    words = [chance.randrange(1, 1000) for _ in range(13)]
    frame = b"\x42\x4d\x00\x1c" + struct.pack(">13H", *words)
    whole = frame + struct.pack(">H", sum(frame) & 0xFFFF)
    shown = {(name, number(value)) for name, value in zip(("pm1", "pm25", "pm10"), words[3:6], strict=True)}
    awake = {"warm_up": 0}
    yield "pms5003", Play(awake, lambda d: d, lambda _: whole, shown, b"\x42")
    fine, coarse = chance.randrange(1, 9999), chance.randrange(1, 9999)
    body = struct.pack("<HH", fine, coarse) + chance.randbytes(2)
    shown = {("pm25", number(Decimal(fine) / 10)), ("pm10", number(Decimal(coarse) / 10))}
    yield "sds011", Play(awake, lambda d: d, lambda _: b"\xaa\xc0" + summed(body) + b"\xab", shown, b"\xaa")
    gas = chance.randrange(400, 5000)
    told = b"\x86" + struct.pack(">H", gas) + bytes((65, 0, 0, 0))
    answer = b"\xff" + told + bytes((-sum(told) & 0xFF,))
    shown = {("co2", number(gas)), ("case_temperature", "25")}
    yield "mhz19b", Play(awake, lambda d: d.request(d.wants), lambda _: answer, shown, b"\xff")


def boards(chance: Random) -> Iterator[tuple[str, Play]]:
    board, lock, right = chance.randrange(1, 16), chance.randrange(1, 25), chance.random() < 0.5
    settings: dict[str, Any] = {"board": board, "locks": 24, "echo": "no"}
    state = 0x00 if right else 0x11
    reply = xored(bytes((0x8A, board, lock, state)))
    yield "lock_8a", Play(settings, lambda d: d.open(str(lock)), lambda _: reply, {(str(lock), right)}, b"\x8a\x80")
    look = xored(bytes((0x80, board, lock, state)))
    door = {(str(lock), not right, None)}
    yield "lock_8a", Play(settings, lambda d: d.status(str(lock)), lambda _: look, door, b"\x8a\x80")
    hooks, goods = chance.randrange(65536), chance.randrange(65536)
    whole = summed(b"\x02" + bytes(((board - 1) << 4, 0x35)) + struct.pack("<HH", hooks, goods) + b"\x03")
    doors = {(str(at + 1), bool(hooks >> at & 1), bool(goods >> at & 1)) for at in range(16)}
    kerong = {"board": board - 1, "locks": 16}
    yield "lock_kerong", Play(kerong, lambda d: d.pending(), lambda _: whole, doors, b"\x02")
    opened = xored(b"\x57\x4b\x4c\x59\x0b" + bytes((board, 0x82, 0, lock, 0)))
    wkly = {"board": board, "locks": 24}
    yield "lock_wkly", Play(wkly, lambda d: d.open(str(lock)), lambda _: opened, {(str(lock), True)}, b"\x57")
    drop, seen = chance.choice(((0xAA, "seen"), (0xCC, "extra"), (0x00, "off")))
    turned = summed(bytes((0, 0x5D, 0, drop)))
    yield "coil_tcn", Play({}, lambda d: d.drive("24"), lambda _: turned, {("24", 1, "ok", seen)}, b"\x00")
    selection, left = chance.randrange(1, 600), chance.randrange(200)
    told = bytes((chance.randrange(1, 256),)) + struct.pack(">HI", selection, 100) + bytes((left, 200, 0, 7, 0))
    info = xored(b"\xfa\xfb\x11" + bytes((len(told),)) + told)
    yield "coil_vmc", Play({}, lambda d: d, lambda _: info, {(str(selection), "normal", left, 200)}, b"\xfa")


def plays(seed: str) -> Iterator[tuple[str, Play]]:
    chance = stream(seed)
    yield from (("dlt645", play) for play in dlt645(chance))
    yield from (("cjt188", play) for play in cjt188(chance))
    yield from (("mbus", play) for play in mbus(chance))
    yield from air(chance)
    yield from boards(chance)


def ways(chance: Random, asked: bytes, answer: bytes, shy: bytes) -> Iterator[list[bytes]]:
    """The answer whole, byte by byte, cut in two, behind noise, before noise, behind the echo of the question."""
    noise = bytes(byte for byte in chance.randbytes(9) if byte not in shy)
    at = chance.randrange(1, len(answer))
    whole = (answer, noise + answer, answer + noise)
    yield from ([one] for one in whole)
    yield from ([bytes((byte,)) for byte in one] for one in whole)
    yield [answer[:at], answer[at:]]
    # A question whose answer begins alike cannot be told from it without having learnt that the adapter echoes.
    if asked and not answer.startswith(asked[:1]):
        yield [asked + answer]


def asked_anew(kind: str, play: Play) -> tuple[Any, bytes]:
    driver = drivers.create(kind, play.settings)
    play.begin(driver)
    return driver, getattr(play.ask(driver), "data", b"")


@pytest.mark.parametrize("number_", range(ROUNDS))
def test_a_frame_by_the_book_is_understood_however_it_comes(number_: int) -> None:
    chance = stream(f"ways {number_}")
    for kind, play in plays(f"book {number_}"):
        answer = play.answer(asked_anew(kind, play)[1])
        for pieces in ways(chance, asked_anew(kind, play)[1], answer, play.shy):
            driver, _ = asked_anew(kind, play)
            events = [event for piece in pieces for event in driver.feed(piece, 1.0)]
            events += [] if driver.answered else driver.expired(3.0)

            assert believed(events) == play.said, (kind, [piece.hex() for piece in pieces])


@pytest.mark.parametrize("number_", range(ROUNDS))
def test_a_frame_by_the_book_that_is_cut_or_damaged_says_nothing_untrue(number_: int) -> None:
    chance = stream(f"damage {number_}")
    for kind, play in plays(f"book {number_}"):
        answer = play.answer(asked_anew(kind, play)[1])
        damaged = [answer[:at] for at in {1, len(answer) // 2, len(answer) - 1}]
        for _ in range(8):
            at = chance.randrange(len(answer))
            damaged.append(answer[:at] + bytes((answer[at] ^ 1 << chance.randrange(8),)) + answer[at + 1 :])
        for data in damaged:
            driver, _ = asked_anew(kind, play)

            assert believed(driver.feed(data, 1.0)) in (set(), play.said), (kind, data.hex())
