"""Frames of DL/T 645-2007, made and recognised. PURE, and without any meaning of the data.

    68 A0..A5 68 C L DATA CS 16         C: D7 reply, D6 refused, D5 more follows, D4..D0 function
    DI on the line is low byte first and, like all data, +33H: 00010000 goes out as 33 33 34 33

Source: DL/T 645-2007 sections 5 to 7.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from gateway.drivers.bcd import packed

START, END = 0x68, 0x16
TIME, READ, MORE, READ_ADDRESS, ORDER = 0x08, 0x11, 0x12, 0x13, 0x1C
ANYBODY, EVERYBODY = "AA" * 6, "99" * 6
LONGEST_DATA = 200
# The longest frame and its head; what is older cannot begin a frame that ends now.
HELD = 12 + LONGEST_DATA
ERRORS = (
    "other", "no such data", "password wrong or not authorised", "baud rate cannot be changed", "too many year zones",
    "too many day slots", "too many tariffs",
)  # fmt: skip


class Frame(msgspec.Struct, frozen=True):
    """One frame whose length and sum fit; `data` with 33H taken off."""

    address: bytes
    control: int
    data: bytes
    raw: bytes

    @property
    def reply(self) -> bool:
        """From a meter."""
        return bool(self.control & 0x80)

    @property
    def refused(self) -> bool:
        """The meter says no."""
        return bool(self.control & 0x40)

    @property
    def more(self) -> bool:
        """There is more to ask for."""
        return bool(self.control & 0x20)

    @property
    def function(self) -> int:
        """READ and so on."""
        return self.control & 0x1F


class Refused(msgspec.Struct, frozen=True):
    """What looked like a frame and is none. `reason`: checksum or length."""

    reason: str
    raw: bytes


class Question(msgspec.Struct, frozen=True):
    """What was asked: the answer must fit it."""

    function: int
    di: int
    what: str


def frame(address: str, control: int, data: bytes = b"") -> bytes:
    """`address`: 12 digits (or AA pairs) as printed; `data` without 33H."""
    body = bytes((START,)) + bytes.fromhex(address)[::-1] + bytes((START, control, len(data)))
    body += bytes((byte + 0x33) & 0xFF for byte in data)
    return body + bytes((sum(body) & 0xFF, END))


def woken(wake: int, body: bytes) -> bytes:
    """With FE bytes in front: an infrared head or a sleeping modem eats the first."""
    return b"\xfe" * wake + body


def read(address: str, di: int) -> bytes:
    """Read data."""
    return frame(address, READ, di.to_bytes(4, "little"))


def more(address: str, di: int, number: int) -> bytes:
    """Read what follows: `number` is 1 for the second frame of an answer."""
    return frame(address, MORE, di.to_bytes(4, "little") + bytes((number,)))


def read_address() -> bytes:
    """Whoever is alone here, say your address."""
    return frame(ANYBODY, READ_ADDRESS)


def time_broadcast(at: datetime) -> bytes:
    """To everybody: ss mm hh DD MM YY."""
    return frame(EVERYBODY, TIME, _moment(at))


def order(level: int, password: str, operator: str, code: int, until: datetime) -> bytes:
    """The data of a relay command: PA P0 P1 P2, C0..C3, N1, N2, valid until ss mm hh DD MM YY."""
    who = packed(level, 1) + packed(int(password), 3) + packed(int(operator), 4)
    return who + bytes((code, 0)) + _moment(until)


def printed(address: bytes) -> str:
    """As on the meter's face: high byte first."""
    return address[::-1].hex().upper()


def error_words(word: int) -> str:
    """The refusal in words."""
    return ", ".join(meaning for bit, meaning in enumerate(ERRORS) if word >> bit & 1) or f"error {word:02X}"


def fits(heard: Frame, asked: Question, address: str, number: int = 0) -> bool:
    """Whether a reply answers this question: function, address (AA is a wild card) and identifier.

    `number`: which following frame was asked for; 0: the first.
    """
    wanted = MORE if number else asked.function
    theirs = printed(heard.address)
    same = all(mine in ("AA", his) for mine, his in zip(_pairs(address), _pairs(theirs), strict=True))
    if heard.function != wanted or not (same or asked.function == READ_ADDRESS):
        return False
    if heard.refused or asked.function != READ:
        return True
    if number and heard.data[4:][-1:] != bytes((number,)):
        return False
    return heard.data[:4] == asked.di.to_bytes(4, "little")


class Listener:
    """Finds frames in a stream, whatever is around them; holds at most HELD bytes."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self.received = 0

    def start(self) -> None:
        """A question was sent: what came before is of no interest."""
        self._tail.clear()
        self.received = 0

    def take(self, byte: int) -> Frame | Refused | None:
        """One byte; a frame when this was its last one, Refused when only its sum does not fit."""
        self._tail.append(byte)
        self.received += 1
        del self._tail[:-HELD]
        if byte != END:
            return None
        spoilt: Refused | None = None
        for at, first in enumerate(self._tail[:-11]):
            size = len(self._tail) - at
            if first != START or self._tail[at + 7] != START or self._tail[at + 9] + 12 != size:
                continue
            raw = bytes(self._tail[at:])
            if sum(raw[:-2]) & 0xFF == raw[-2]:
                self._tail.clear()
                return Frame(raw[1:7], raw[8], bytes((one - 0x33) & 0xFF for one in raw[10:-2]), raw)
            spoilt = spoilt or Refused("checksum", raw)
        return spoilt


def _moment(at: datetime) -> bytes:
    return b"".join(packed(part, 1) for part in (at.second, at.minute, at.hour, at.day, at.month, at.year % 100))


def _pairs(address: str) -> list[str]:
    return [address[at : at + 2] for at in range(0, 12, 2)]
