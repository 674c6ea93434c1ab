"""A UHF tag reader module (R200, M100): asked for a round, it tells each tag it caught, and then that there is no more.

The surprise is how unsure it is: in a round it misses a tag it saw a moment ago, and sometimes catches one that lies
outside. ``caught`` decides that, from a stream of chance that a test owns.

    BB 00 22 00 00 22 7E -> BB 02 22 len rssi pc2 epc crc2 sum 7E ..  BB 01 FF 00 01 15 16 7E
    BB 00 27 00 03 22 n2 sum 7E: n rounds in a row, until BB 00 28 00 00 28 7E -> BB 01 28 00 01 00 2A 7E
Source: R200/M100/YRM100 manuals; EPC Gen2 CRC-16; docs/protocols/uhf_r200.md. PURE.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.devices.twin import Transmit

_ROUND_S, _BETWEEN_TAGS_S = 0.03, 0.004


def gen2_crc(data: bytes) -> bytes:
    """The tag's CRC: CCITT, all ones at first, inverted, high byte first."""
    register = 0xFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            carry = register >> 15 ^ byte >> bit & 1
            register = register << 1 & 0xFFFF ^ (0x1021 if carry else 0)
    return (register ^ 0xFFFF).to_bytes(2, "big")


def framed(kind: int, command: int, parameters: bytes) -> bytes:
    """BB, the body with its eight-bit sum, 7E."""
    body = bytes((kind, command, len(parameters) >> 8, len(parameters) & 0xFF)) + parameters
    return b"\xbb" + body + bytes((sum(body) % 256,)) + b"\x7e"


class UhfR200:
    """One reader. ``inside``: EPCs (hex) in the cabinet; ``caught(epc)``: whether this round catches it."""

    def __init__(
        self, inside: set[str], *, caught: Callable[[str], bool] = lambda _: True, baud: int = 115_200
    ) -> None:
        self.inside = inside
        self.outside: set[str] = set()
        self._caught = caught
        self._char = 10 / baud
        self._heard = bytearray()
        self._rounds = 0
        self._at: float | None = None
        self._powered = True

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said: list[Transmit] = []
        while (command := self._command()) is not None:
            said += self._obey(command, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._at

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: the next round of many."""
        if self._at is None or now < self._at:
            return []
        said, ends = self._round(now)
        self._rounds -= 1
        self._at = ends + _ROUND_S if self._rounds > 0 else None
        return said

    def power_off(self, now: float) -> None:  # noqa: ARG002 - as at any time
        """See ``Twin``."""
        self._powered, self._at, self._rounds = False, None, 0
        self._heard.clear()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - as at any time
        """See ``Twin``."""
        self._powered = True

    def _command(self) -> bytes | None:
        held = self._heard
        while held:
            if held[0] == 0xBB and len(held) < 7:
                return None
            length = 7 + (held[3] << 8 | held[4]) if held[0] == 0xBB and held[1] == 0 else 0
            if 7 <= length <= 64:
                if len(held) < length:
                    return None
                whole = bytes(held[:length])
                if framed(0, whole[2], whole[5:-2]) == whole:
                    del held[:length]
                    return whole
            del held[0]
        return None

    def _obey(self, command: bytes, now: float) -> list[Transmit]:
        kind = command[2]
        if kind == 0x22:
            return self._round(now)[0]
        if kind == 0x27:
            self._rounds, self._at = int.from_bytes(command[6:8], "big"), now + _ROUND_S
            return []
        if kind == 0x28:
            self._rounds, self._at = 0, None
            return [Transmit(now + 0.005, framed(1, 0x28, b"\x00"))]
        return [Transmit(now + 0.005, framed(1, 0xFF, b"\x17"))]

    def _round(self, now: float) -> tuple[list[Transmit], float]:
        at = now + _ROUND_S
        said = []
        for epc in sorted(self.inside | self.outside):
            if self._caught(epc):
                tag = bytes((len(epc) // 4 << 3, 0)) + bytes.fromhex(epc)
                whole = framed(2, 0x22, (b"\xc4" if epc in self.inside else b"\xb0") + tag + gen2_crc(tag))
                said.append(Transmit(at, whole))
                at += len(whole) * self._char + _BETWEEN_TAGS_S
        said.append(Transmit(at, framed(1, 0xFF, b"\x15")))
        return said, at
