"""A heat and cooling meter of a Chinese maker, CJ/T 188-2004, with a valve; or a water meter.

::

    FE FE FE FE 68 T A0..A6 C L DI DI SER DATA CS 16             sum of everything from 68 on
    read    C 01 DI 901F  -> 81: energy, energy, power, flow, volume (4 decimals + unit each), two temperatures (3),
                             hours (3), time YYYYMMDDhhmmss low byte first (7), status (2)
    valve   C 04 DI A017 55 open | 99 close -> 84 DI DI SER status(2)
    address C 03 DI 810A -> 83 DI DI SER

The surprise: it answers with its own T and in its own layout, whatever the question looked like; the valve's motor
takes half a minute, and until then the status says neither open nor closed.

Source: CJ/T 188-2004; captures quoted in tests/vectors/cjt188.toml. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from firmware_sim.devices.load_counter import LoadCounter, milliseconds
from firmware_sim.devices.twin import Transmit

_CHINA = timezone(timedelta(hours=8))
_KWH, _KW, _M3H, _M3 = 0x05, 0x17, 0x35, 0x2C
_OPEN, _CLOSED, _MOVING = 0, 1, 3


def digits(number: int, width: int) -> bytes:
    """Decimals, low byte first; a register that is full starts again."""
    text = f"{number % 100**width:0{2 * width}d}"
    return bytes(int(text[at : at + 2], 16) for at in range(len(text) - 2, -2, -2))


class Cjt188Meter:
    """One meter. ``layout``: "last" or "first"; ``combined``: the first energy is cooling, else that of settlement day.

    ``medium`` is T. A water meter (10H..19H) answers with two volumes only.
    """

    def __init__(
        self,
        address: str = "00740012064713",
        *,
        medium: int = 0x25,
        layout: str = "last",
        combined: bool = True,
        start_heat_wh: int = 0,
        start_cool_wh: int = 0,
        turn_round_s: float = 0.15,
        valve_s: float = 30.0,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self._address = bytes.fromhex(address)[::-1]
        self._medium = medium
        self._layout = layout
        self._combined = combined
        self._heat = LoadCounter(start_wh=start_heat_wh, now=now, world_ms=world_ms)
        self._cool = LoadCounter(start_wh=start_cool_wh, now=now, world_ms=world_ms)
        self._world_ms = world_ms
        self._turn_round = turn_round_s
        self._valve_s = valve_s
        self._valve = _OPEN
        self._valve_until = now
        self._heard = bytearray()
        self._powered = True
        self.battery_low = False
        self.volume_l = 190
        self.supply_cc, self.return_cc = 2302, 2311

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        self._heard += data
        said = []
        while (frame := self._next()) is not None:
            answer = self._obey(frame, now)
            if answer:
                said.append(Transmit(now + self._turn_round, b"\xfe\xfe" + answer))
        return said

    def due(self) -> float | None:
        """See ``Twin``: it never speaks unasked."""
        return None

    def wake(self, now: float) -> list[Transmit]:  # noqa: ARG002 - nothing is ever due
        """See ``Twin``."""
        return []

    def power_off(self, now: float) -> None:  # noqa: ARG002 - a battery meter only loses its bus
        """See ``Twin``."""
        self._powered = False
        self._heard.clear()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """See ``Twin``."""
        self._powered = True

    def set_load_w(self, watts: int, now: float) -> None:
        """What is taken from the water: positive heats the room, negative cools it."""
        self._heat.set_load_w(max(watts, 0), now)
        self._cool.set_load_w(max(-watts, 0), now)

    def heat_wh(self, now: float) -> int:
        """The heat register."""
        return self._heat.wh(now)

    def cool_wh(self, now: float) -> int:
        """The cooling register."""
        return self._cool.wh(now)

    def valve_open(self, now: float) -> bool | None:
        """How the valve stands; None while its motor runs."""
        return None if now < self._valve_until else self._valve == _OPEN

    def _next(self) -> bytes | None:
        while True:
            start = self._heard.find(0x68)
            if start < 0:
                self._heard.clear()
                return None
            del self._heard[:start]
            if len(self._heard) < 11:
                return None
            size = self._heard[10] + 13
            if len(self._heard) < size:
                return None
            whole = bytes(self._heard[:size])
            if whole[-1] == 0x16 and sum(whole[:-2]) % 256 == whole[-2]:
                del self._heard[:size]
                return whole
            del self._heard[0]

    def _obey(self, frame: bytes, now: float) -> bytes:
        if not all(theirs in (0xAA, own) for theirs, own in zip(frame[2:9], self._address, strict=True)):
            return b""
        control, data = frame[9], frame[11:-2]
        if control & 0x80 or len(data) < 3:
            return b""
        name = {bytes.fromhex("901f"), bytes.fromhex("1f90")}
        if control == 0x01 and data[:2] in name:
            return self._framed(0x81, data[:3] + self._measurements(now) + self._status(now))
        if control == 0x03 and data[:2] in (bytes.fromhex("810a"), bytes.fromhex("0a81")):
            return self._framed(0x83, data[:3])
        if control == 0x04 and data[:2] in (bytes.fromhex("a017"), bytes.fromhex("17a0")) and len(data) == 4:
            self._drive(data[3], now)
            return self._framed(0x84, data[:3] + self._status(now))
        return self._framed(0xC0 | control, data[2:3] + b"\x01\x00")

    def _framed(self, control: int, data: bytes) -> bytes:
        body = bytes((0x68, self._medium)) + self._address + bytes((control, len(data))) + data
        return body + bytes((sum(body) % 256, 0x16))

    def _drive(self, order: int, now: float) -> None:
        wanted = {0x55: _OPEN, 0x99: _CLOSED}.get(order)
        if wanted is not None and wanted != self._valve:
            self._valve = wanted
            self._valve_until = now + self._valve_s

    def _status(self, now: float) -> bytes:
        valve = _MOVING if now < self._valve_until else self._valve
        return bytes((valve | 4 * self.battery_low, 0))

    def _measurements(self, now: float) -> bytes:
        at = datetime.fromtimestamp(self._world_ms(now) / 1000, UTC).astimezone(_CHINA)
        clock = digits(int(at.strftime("%Y%m%d%H%M%S")), 7)
        volume = self._with_unit(self.volume_l // 10, _M3)
        if self._medium < 0x20:
            return volume + self._with_unit(0, _M3) + clock
        heat, cool = self._heat.wh(now) // 10, self._cool.wh(now) // 10
        energies = self._with_unit(cool if self._combined else 0, _KWH) + self._with_unit(heat, _KWH)
        watts = (self._heat.load_mw + self._cool.load_mw) // 1000
        flow = 8600 if watts else 0
        rest = self._with_unit(watts // 10, _KW) + self._with_unit(flow, _M3H) + volume
        return energies + rest + digits(self.supply_cc, 3) + digits(self.return_cc, 3) + digits(5834, 3) + clock

    def _with_unit(self, number: int, unit: int) -> bytes:
        value, name = digits(number, 4), bytes((unit,))
        return name + value if self._layout == "first" else value + name
