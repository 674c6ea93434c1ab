"""Sensirion SPS30 on SHDLC: measures once it was told to start, and has a new value every second.

::

    asked    7E adr cmd len data chk 7E            answer   7E adr cmd state len data chk 7E
    00 start (01 03 floats)   01 stop   03 read   D0 03 serial number (text with a zero behind it)
    chk is the inverse of the sum's low byte; 7E 7D 11 13 between the flags travel as 7D 5E, 7D 5D, 7D 31, 7D 33

    D2 00 status register: 4 bytes and a zero (4 fan, 5 laser, 21 speed); a bit of it sets bit 7 of every state

State 43H: a read or stop while idle, a start while measuring. A read with nothing new since the last has no data.

Source: Sensirion SPS30 data sheet sections 5.1 to 5.3; docs/protocols/sps30.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.ieee754 import float32
from firmware_sim.devices.twin import Transmit

_SPECIAL = {0x7E: 0x5E, 0x7D: 0x5D, 0x11: 0x31, 0x13: 0x33}
_ANSWER_S = 0.004
_LONGEST = 600


def on_the_wire(content: bytes) -> bytes:
    """Content with its check, stuffed, between flags."""
    whole = content + bytes((0xFF - (sum(content) & 0xFF),))
    inside = bytearray()
    for byte in whole:
        inside += bytes((0x7D, _SPECIAL[byte])) if byte in _SPECIAL else bytes((byte,))
    return b"\x7e" + bytes(inside) + b"\x7e"


class Sps30:
    """One sensor; ``micrograms`` are PM1, 2.5, 4 and 10 in hundredths of a ug/m3, ``failing`` its status register."""

    def __init__(self, *, now: float = 0.0, micrograms: tuple[int, int, int, int] = (520, 945, 1264, 1328)) -> None:
        self.micrograms = micrograms
        self.number = "85D6C5A1F0B7E2A3"
        self.measuring = False
        self.failing = 0
        self._powered = True
        self._heard: bytearray | None = None
        self._read_second = -1
        self._started = now

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        said: list[Transmit] = []
        for byte in data:
            if byte == 0x7E:
                content = self._content()
                self._heard = bytearray()
                if content:
                    answer = self._answer(content, now)
                    said += [Transmit(now + _ANSWER_S, on_the_wire(answer))] if answer else []
            elif self._heard is not None and len(self._heard) < _LONGEST:
                self._heard.append(byte)
        return said

    def due(self) -> float | None:
        """See ``Twin``: it never speaks unasked."""
        return None

    def wake(self, now: float) -> list[Transmit]:  # noqa: ARG002 - see ``due``
        """See ``Twin``."""
        return []

    def power_off(self, now: float) -> None:  # noqa: ARG002 - it forgets the same at any time
        """See ``Twin``."""
        self._powered = False
        self.measuring = False
        self._heard = None

    def power_on(self, now: float) -> None:  # noqa: ARG002 - idle until it is told to start
        """See ``Twin``."""
        self._powered = True

    def _content(self) -> bytes:
        """What stands between the flags, or nothing when it is no frame."""
        plain = bytearray()
        stuffing = False
        for byte in self._heard or b"":
            if stuffing:
                plain.append(byte ^ 0x20)
            elif byte != 0x7D:
                plain.append(byte)
            stuffing = byte == 0x7D and not stuffing
        good = len(plain) >= 4 and sum(plain) & 0xFF == 0xFF and len(plain) == 4 + plain[2]
        return bytes(plain[:-1]) if good else b""

    def _answer(self, content: bytes, now: float) -> bytes:
        address, command, data = content[0], content[1], content[3:]
        if address != 0:
            return b""
        state, told = self._do(command, data, now)
        return bytes((0, command, state | (0x80 if self.failing else 0), len(told))) + told

    def _do(self, command: int, data: bytes, now: float) -> tuple[int, bytes]:
        if command == 0xD0:
            return (0, self.number.encode() + b"\0") if data == b"\x03" else (0x04, b"")
        if command == 0xD2:
            return (0, self.failing.to_bytes(4, "big") + b"\0") if data in (b"\0", b"\1") else (0x04, b"")
        if command not in (0x00, 0x01, 0x03):
            return 0x02, b""
        if self.measuring is (command == 0x00):
            return 0x43, b""
        if command == 0x03:
            second = int(now - self._started)
            new, self._read_second = second != self._read_second, second
            return 0, self._values() if new else b""
        self.measuring = command == 0x00
        self._started, self._read_second = now, 0
        return 0, b""

    def _values(self) -> bytes:
        one, two, four, ten = self.micrograms
        counts = [7 * one, 7 * two, 7 * two + one, 7 * four, 7 * ten]
        hundredths = [one, two, four, ten, *counts, 83]
        return b"".join(float32(value, 100) for value in hundredths)
