"""A single-phase prepaid meter of a Chinese maker, DL/T 645-2007: registers in BCD, a relay, a key, a clock.

::

    FE FE FE FE 68 A0..A5 68 C L DATA CS 16      all DATA bytes travel with 33H added, low byte first
    read        C 11  DI0..DI3                   -> 91 DI data | B1 DI data (more) | D1 error
    read more   C 12  DI0..DI3 SEQ               -> 92 DI data SEQ | B2 ... | D2
    address     C 13  (to AA x 6)                -> 93 A0..A5
    relay       C 1C  PA P0 P1 P2 C0..C3 N1 N2 ss mm hh DD MM YY -> 9C | DC error
    time        C 08  ss mm hh DD MM YY to 99 x 6, never answered

The surprise is the key: after "permit" (1B) the relay stays open until somebody presses it. A command whose time is
over is ignored, without a word, and the time broadcast moves the clock by at most five minutes, once a day, never
within five minutes of midnight.

Source: DL/T 645-2007; captures quoted in tests/vectors/dlt645.toml. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from firmware_sim.devices.load_counter import LoadCounter, milliseconds
from firmware_sim.devices.twin import Transmit

CHINA = timezone(timedelta(hours=8))
_NO_SUCH_DATA, _NOT_AUTHORISED = 0x02, 0x04
_FIVE_MINUTES = timedelta(minutes=5)
_RECEIVE_MOST = 260


def bcd(number: int, width: int) -> bytes:
    """A number in so many bytes of two digits, low byte first; what is too big runs over, as the register does."""
    number %= 100**width
    return bytes(int(f"{number // 100**place % 100:02d}", 16) for place in range(width))


def telegram(address: bytes, control: int, data: bytes) -> bytes:
    """A frame with its sum; ``address`` in the order of the line, ``data`` as the standard writes it."""
    out = bytearray(b"\x68" + address + b"\x68")
    out += bytes((control, len(data)))
    for one in data:
        out.append((one + 0x33) % 256)
    out.append(sum(out) % 256)
    out.append(0x16)
    return bytes(out)


class Dlt645Meter:
    """One meter. ``chunk``: data bytes of a frame before it says "more". ``gap_s``: a pause inside each answer."""

    def __init__(
        self,
        address: str = "151230011061",
        *,
        start_wh: int = 0,
        password: str = "020637",  # noqa: S107 - the one on the captured line
        turn_round_s: float = 0.1,
        gap_s: float = 0.0,
        chunk: int = 196,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self._address = bytes.fromhex(address)[::-1]
        self._password = bytes.fromhex(password)[::-1]
        self._energy = LoadCounter(start_wh=start_wh, now=now, world_ms=world_ms)
        self._world_ms = world_ms
        self._turn_round = turn_round_s
        self._gap = gap_s
        self._chunk = chunk
        self._heard = bytearray()
        self._powered = True
        self._clock_off = timedelta(0)
        self._clock_set: datetime | None = None
        self.relay_open = False
        self.command_open = False
        self.alarm = False
        self.volts_dv = 2300
        self.pulses = 0

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said: list[Transmit] = []
        while (found := self._next()) is not None:
            reply = self._obey(*found, now)
            if reply:
                said += self._speak(reply, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``: it never speaks unasked."""
        return None

    def wake(self, now: float) -> list[Transmit]:  # noqa: ARG002 - nothing is ever due
        """See ``Twin``."""
        return []

    def power_off(self, now: float) -> None:
        """See ``Twin``. Registers, relay and clock stay: there is a battery."""
        self._powered = False
        self.set_load_w(0, now)
        self._heard.clear()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """See ``Twin``."""
        self._powered = True

    # What is around it

    def set_load_w(self, watts: int, now: float) -> None:
        """The load behind the relay from now on; an open relay lets nothing through."""
        self._energy.set_load_w(0 if self.relay_open else watts, now)

    def import_wh(self, now: float) -> int:
        """What the register holds; the display shows it in 10 Wh."""
        return self._energy.wh(now)

    def press_key(self, now: float) -> None:
        """The customer presses the key: a permitted relay closes."""
        if self.relay_open and not self.command_open:
            self._move(now, opened=False)

    def set_clock_off(self, seconds: int) -> None:
        """The quartz has drifted."""
        self._clock_off = timedelta(seconds=seconds)

    def clock(self, now: float) -> datetime:
        """What the meter's display says, Beijing time."""
        at = datetime.fromtimestamp(self._world_ms(now) / 1000, UTC) + self._clock_off
        return at.astimezone(CHINA)

    # Inside

    def _next(self) -> tuple[bytes, int, bytes] | None:
        """The next whole frame for whoever; junk before it falls away."""
        while self._heard:
            if self._heard[0] != 0x68:
                del self._heard[0]
                continue
            if len(self._heard) < 12:
                return None
            length = self._heard[9]
            if self._heard[7] != 0x68 or length > 200:
                del self._heard[0]
                continue
            if len(self._heard) < 12 + length:
                if len(self._heard) > _RECEIVE_MOST:
                    self._heard.clear()
                return None
            whole = bytes(self._heard[: 12 + length])
            if whole[-1] != 0x16 or sum(whole[:-2]) % 256 != whole[-2]:
                del self._heard[0]
                continue
            del self._heard[: 12 + length]
            return whole[1:7], whole[8], bytes((one - 0x33) % 256 for one in whole[10:-2])
        return None

    def _speak(self, reply: bytes, now: float) -> list[Transmit]:
        at = now + self._turn_round
        if not self._gap:
            return [Transmit(at, b"\xfe" * 4 + reply)]
        # Half of it, a pause, the other half.
        middle = len(reply) // 2
        return [Transmit(at, b"\xfe" * 4 + reply[:middle]), Transmit(at + self._gap, reply[middle:])]

    def _obey(self, address: bytes, control: int, data: bytes, now: float) -> bytes:
        if control == 0x08 and address == b"\x99" * 6:
            self._set_clock(data, now)
            return b""
        mine = all(theirs in (0xAA, own) for theirs, own in zip(address, self._address, strict=True))
        if not mine:
            return b""
        if control == 0x13:
            return telegram(self._address, 0x93, self._address)
        if control in (0x11, 0x12):
            return self._read(control, data, now)
        if control == 0x1C:
            return self._relay(data, now)
        return telegram(self._address, 0xC0 | control & 0x1F, b"\x01") if control < 0x80 else b""

    def _read(self, control: int, data: bytes, now: float) -> bytes:
        di = int.from_bytes(data[:4], "little")
        value = self._value(di, now) if len(data) == (4 if control == 0x11 else 5) else None
        if value is None:
            return telegram(self._address, 0xC0 | control, bytes((_NO_SUCH_DATA,)))
        part = data[4] if control == 0x12 else 0
        piece = value[part * self._chunk : (part + 1) * self._chunk]
        follows = 0x20 if len(value) > (part + 1) * self._chunk else 0
        number = bytes((part,)) if control == 0x12 else b""
        return telegram(self._address, 0x80 | follows | control, data[:4] + piece + number)

    def _value(self, di: int, now: float) -> bytes | None:
        centi_kwh = self._energy.wh(now) // 10
        at = self.clock(now)
        total = bcd(centi_kwh, 4)
        # Everything is used in tariff 3; spike, peak and valley stay at zero.
        tariffs = [b"\0" * 4, b"\0" * 4, total, b"\0" * 4]
        watts = self._energy.load_mw // 1000
        volts = bcd(self.volts_dv, 2)
        milliamps = bcd(watts * 10_000 // self.volts_dv if self.volts_dv else 0, 3)
        power = bcd(watts * 10, 3)
        known = {
            0x00000000: total, 0x00010000: total, 0x00020000: bcd(0, 4), 0x0001FF00: total + b"".join(tariffs),
            **{0x00010000 | (number + 1) << 8: one for number, one in enumerate(tariffs)},
            **{0x00010000 | back: bcd(0, 4) for back in range(1, 13)},
            0x02010100: volts, 0x0201FF00: volts + b"\xff" * 4, 0x02020100: milliamps, 0x02030000: power,
            0x02030100: power, 0x02060000: bcd(1000, 2), 0x02800002: bcd(5000, 2), 0x04000401: self._address,
            0x04000402: self._address, 0x00900100: bcd(0, 4), 0x00900200: bcd(12345, 4),
            0x04000101: bytes(int(f"{one:02d}", 16) for one in (at.isoweekday() % 7, at.day, at.month, at.year % 100)),
            0x04000102: bytes(int(f"{one:02d}", 16) for one in (at.second, at.minute, at.hour)),
            0x04000503: bytes((0x10 * self.relay_open + 0x40 * self.command_open + 0x80 * self.alarm, 0)),
        }  # fmt: skip
        return known.get(di)

    def _relay(self, data: bytes, now: float) -> bytes:
        if len(data) != 16 or data[1:4] != self._password:
            return telegram(self._address, 0xDC, bytes((_NOT_AUTHORISED,)))
        try:
            parts = [int(f"{one:02x}") for one in data[10:16]]
            until = datetime(2000 + parts[5], parts[4], parts[3], parts[2], parts[1], parts[0], tzinfo=CHINA)
        except ValueError:
            return telegram(self._address, 0xDC, b"\x01")
        if self.clock(now) > until:
            return b""
        order = data[8]
        if order == 0x1A:
            self.command_open = True
            self._move(now, opened=True)
        elif order == 0x1B:
            self.command_open = False
        elif order == 0x1C:
            self.command_open = False
            self._move(now, opened=False)
        elif order in (0x2A, 0x2B):
            self.alarm = order == 0x2A
        elif order not in (0x3A, 0x3B):
            return telegram(self._address, 0xDC, b"\x01")
        return telegram(self._address, 0x9C, b"")

    def _move(self, now: float, *, opened: bool) -> None:
        if opened != self.relay_open:
            self.pulses += 1
        self.relay_open = opened
        if opened:
            self._energy.set_load_w(0, now)

    def _set_clock(self, data: bytes, now: float) -> None:
        mine = self.clock(now)
        try:
            parts = [int(f"{one:02x}") for one in data]
            told = datetime(2000 + parts[5], parts[4], parts[3], parts[2], parts[1], parts[0], tzinfo=CHINA)
        except (ValueError, IndexError):
            return
        midnight = mine.replace(hour=0, minute=0, second=0, microsecond=0)
        near = mine - midnight < _FIVE_MINUTES or midnight + timedelta(days=1) - mine < _FIVE_MINUTES
        again = self._clock_set is not None and self._clock_set.date() == mine.date()
        if abs(told - mine) <= _FIVE_MINUTES and not near and not again:
            self._clock_off += told - mine
            self._clock_set = told
