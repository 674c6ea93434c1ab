"""Frames of M-Bus, EN 13757-2, made and recognised. PURE, and without any meaning of the data.

E5                                             acknowledge
10 C A CS 16                                   short
68 L L 68 C A CI DATA CS 16                    control (L = 3) and long; CS: sum from C up to CS, mod 256
"""

from __future__ import annotations

import re

import msgspec

ACK = 0xE5
NKE, SELECT = 0x40, 0x73
REQUEST, REQUEST_TOGGLED = 0x5B, 0x7B
RESPONSE = 0x08
NETWORK, ANYBODY = 0xFD, 0xFE
SELECTION = 0x52
HELD = 6 + 255


class Frame(msgspec.Struct, frozen=True):
    """A long frame whose two lengths, starts and sum fit."""

    control: int
    address: int
    ci: int
    data: bytes
    raw: bytes


class Refused(msgspec.Struct, frozen=True):
    """What looked like a frame and is none."""

    reason: str


def short(control: int, address: int) -> bytes:
    """SND_NKE and REQ_UD2."""
    return bytes((0x10, control, address, (control + address) & 0xFF, 0x16))


def long(control: int, address: int, ci: int, data: bytes) -> bytes:
    """SND_UD and answers."""
    body = bytes((control, address, ci)) + data
    size = bytes((len(body),)) * 2
    return b"\x68" + size + b"\x68" + body + bytes((sum(body) & 0xFF, 0x16))


def select(number: str, manufacturer: str, version: str, medium: str) -> bytes:
    """Whoever has this secondary address, listen at 253; F in the number and "" elsewhere are wild cards."""
    who = bytes.fromhex(number)[::-1]
    maker = code(manufacturer) if manufacturer else b"\xff\xff"
    rest = bytes.fromhex(version or "FF") + bytes.fromhex(medium or "FF")
    return long(SELECT, NETWORK, SELECTION, who + maker + rest)


def code(letters: str) -> bytes:
    """The manufacturer's two bytes. Raises ValueError for anything but three letters."""
    if not re.fullmatch("[A-Z]{3}", letters):
        raise ValueError(f"{letters!r} is no manufacturer: three capital letters")
    number = 0
    for letter in letters:
        number = number << 5 | (ord(letter) - 64)
    return number.to_bytes(2, "little")


class Listener:
    """Finds the answer in a stream; holds at most HELD bytes."""

    def __init__(self) -> None:
        self._tail = bytearray()
        self._sent = b""
        self.received = 0

    def start(self, sent: bytes) -> None:
        """A question was sent; its echo is no answer."""
        self._tail.clear()
        self._sent = sent
        self.received = 0

    def take(self, byte: int) -> Frame | Refused | bool:
        """One byte. True: acknowledged; a frame, or Refused, when this was its last byte; else False."""
        self._tail.append(byte)
        self.received += 1
        del self._tail[:-HELD]
        if byte == ACK and not self._is_echo():
            return True
        if byte != 0x16:
            return False
        spoilt = False
        tail = self._tail
        for at in range(len(tail) - 8):
            size = tail[at + 1]
            if tail[at] != 0x68 or tail[at + 2] != size or tail[at + 3] != 0x68 or size + 6 != len(tail) - at:
                continue
            raw = bytes(tail[at:])
            if sum(raw[4:-2]) & 0xFF == raw[-2]:
                tail.clear()
                return Frame(raw[4], raw[5], raw[6], raw[7:-2], raw)
            spoilt = True
        return Refused("checksum") if spoilt else False

    def _is_echo(self) -> bool:
        """What has come is so far what was sent."""
        return self.received <= len(self._sent) and bytes(self._tail) == self._sent[: len(self._tail)]
