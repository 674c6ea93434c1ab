"""A heat meter on M-Bus, EN 13757-2/-3: primary and secondary address, one or several telegrams, frame count bit.

::

    10 40 A CS 16                 SND_NKE   -> E5          forgets the bit and the selection
    10 5B|7B A CS 16              REQ_UD2   -> RSP_UD      the same bit as last time: the last telegram once more
    68 0B 0B 68 73 FD 52 ...      select    -> E5          by number, maker, version, medium; F and FF are wild cards
    68 L L 68 08 A 72 id man ver med acc st 00 00 records CS 16

The surprise: it answers to 254 as to its own address, and to 253 only while it is selected; a selection that names
another meter ends its own.

Source: EN 13757-2:2018 5 and 6, EN 13757-3:2018 6; telegrams quoted in tests/vectors/mbus.toml. PURE.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.devices.load_counter import LoadCounter, milliseconds
from firmware_sim.devices.twin import Transmit


def bcd8(number: int) -> bytes:
    """Eight digits, low byte first."""
    text = f"{number % 10**8:08d}"
    return bytes(int(text[at : at + 2], 16) for at in (6, 4, 2, 0))


class MbusMeter:
    """One meter. ``telegrams``: over how many its values are spread. ``status``: what it says about itself."""

    def __init__(
        self,
        number: int = 6_855_817,
        *,
        address: int = 1,
        manufacturer: bytes = b"\x2d\x2c",
        version: int = 8,
        medium: int = 4,
        start_wh: int = 0,
        telegrams: int = 1,
        turn_round_s: float = 0.05,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self._number = bcd8(number)
        self._address = address
        self._rest = manufacturer + bytes((version, medium))
        self._energy = LoadCounter(start_wh=start_wh, now=now, world_ms=world_ms)
        self._spread = telegrams
        self._turn_round = turn_round_s
        self._heard = bytearray()
        self._powered = True
        self._selected = False
        self._bit: int | None = None
        self._part = 0
        self._access = 0
        self._said = b""
        self.status = 0
        self.volume_l = 561_080

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said = []
        while (frame := self._next()) is not None:
            answer = self._obey(frame, now)
            if answer:
                said.append(Transmit(now + self._turn_round, answer))
        return said

    def due(self) -> float | None:
        """See ``Twin``: it never speaks unasked."""
        return None

    def wake(self, now: float) -> list[Transmit]:  # noqa: ARG002 - nothing is ever due
        """See ``Twin``."""
        return []

    def power_off(self, now: float) -> None:  # noqa: ARG002 - the bus is dark, the meter counts on its battery
        """See ``Twin``."""
        self._powered = False
        self._selected = False
        self._heard.clear()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """See ``Twin``."""
        self._powered = True

    def set_load_w(self, watts: int, now: float) -> None:
        """The heat taken from now on."""
        self._energy.set_load_w(watts, now)

    def wh(self, now: float) -> int:
        """Its register."""
        return self._energy.wh(now)

    def _next(self) -> bytes | None:
        """A frame from the master; junk falls away."""
        while self._heard:
            if self._heard[0] == 0x10:
                if len(self._heard) < 5:
                    return None
                frame = bytes(self._heard[:5])
                if frame[4] == 0x16 and (frame[1] + frame[2]) % 256 == frame[3]:
                    del self._heard[:5]
                    return frame
            elif self._heard[0] == 0x68:
                if len(self._heard) < 4:
                    return None
                size = self._heard[1]
                if self._heard[2] == size and self._heard[3] == 0x68:
                    if len(self._heard) < size + 6:
                        return None
                    frame = bytes(self._heard[: size + 6])
                    if frame[-1] == 0x16 and sum(frame[4:-2]) % 256 == frame[-2]:
                        del self._heard[: size + 6]
                        return frame
            del self._heard[0]
        return None

    def _obey(self, frame: bytes, now: float) -> bytes:
        if frame[0] == 0x68:
            return self._select(frame[7:-2]) if frame[5] == 0xFD and frame[6] == 0x52 else b""
        control, address = frame[1], frame[2]
        if address not in (self._address, 0xFE) and not (address == 0xFD and self._selected):
            return b""
        if control == 0x40:
            self._bit, self._part = 0, 0
            self._selected = self._selected and address != 0xFD
            return b"\xe5"
        if control not in (0x5B, 0x7B):
            return b""
        bit = control >> 5 & 1
        if bit == self._bit and self._said:
            return self._said
        self._bit = bit
        self._said = self._telegram(now)
        return self._said

    def _select(self, wanted: bytes) -> bytes:
        if len(wanted) != 8:
            return b""
        number = zip(wanted[:4].hex(), self._number.hex(), strict=True)
        rest = zip(wanted[4:6], self._rest[:2], strict=True)
        whole_maker = wanted[4:6] == b"\xff\xff" or all(theirs == own for theirs, own in rest)
        tail = zip(wanted[6:], self._rest[2:], strict=True)
        self._selected = (
            all(theirs in ("f", own) for theirs, own in number)
            and whole_maker
            and all(theirs in (0xFF, own) for theirs, own in tail)
        )
        self._bit, self._part = None, 0
        return b"\xe5" if self._selected else b""

    def _telegram(self, now: float) -> bytes:
        wh = self._energy.wh(now)
        watts = self._energy.load_mw // 1000
        records = [
            b"\x0c\x78" + self._number,
            b"\x04\x05" + (wh // 100).to_bytes(4, "little"),
            b"\x44\x05" + (wh // 200).to_bytes(4, "little"),
            b"\x84\x10\x05" + (wh // 300).to_bytes(4, "little"),
            b"\x04\x13" + self.volume_l.to_bytes(4, "little"),
            b"\x04\x2b" + watts.to_bytes(4, "little"),
            b"\x14\x2b" + (2 * watts).to_bytes(4, "little"),
            b"\x02\x59" + (10169).to_bytes(2, "little") + b"\x02\x5d" + (4616).to_bytes(2, "little"),
        ]
        share = -(-len(records) // self._spread)
        mine = records[self._part * share : (self._part + 1) * share]
        last = self._part + 1 >= self._spread
        self._part = 0 if last else self._part + 1
        self._access = (self._access + 1) % 256
        head = self._number + self._rest + bytes((self._access, self.status, 0, 0))
        body = bytes((0x08, self._address, 0x72)) + head + b"".join(mine) + (b"" if last else b"\x1f")
        return b"\x68" + bytes((len(body),)) * 2 + b"\x68" + body + bytes((sum(body) % 256, 0x16))
