"""Two meters of IEC 62056-21: one with an optical head that is asked (mode C), one with a P1 socket that pushes.

::

    C     300 baud  /?!CRLF or /?ADDRESS!CRLF  -> /LGZ5ZMF100 CRLF ; 06 30 5 30 CRLF -> at 9600: STX sets ! CRLF ETX BCC
    push  115200    /ISK5-2M550T CRLF CRLF sets !CRC CRLF every `period_s`

The surprise: what is sent to it at the wrong speed it does not hear, and 1.5 s after the identification it has
forgotten everything and waits at 300 baud again.

Source: IEC 62056-21:2002 5 and 6; DSMR P1 companion standard 5.0.2; telegrams in tests/vectors/iec62056.toml. PURE.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from firmware_sim.devices.load_counter import LoadCounter, milliseconds
from firmware_sim.devices.twin import Transmit

_SPEEDS = {ord("0"): 300, ord("1"): 600, ord("2"): 1200, ord("3"): 2400, ord("4"): 4800, ord("5"): 9600}
_CET = timezone(timedelta(hours=1))
_PATIENCE_S = 1.5
_HELD = 64


def exclusive_or(data: bytes) -> bytes:
    """The block check character."""
    check = 0
    for byte in data:
        check ^= byte
    return bytes((check,))


def crc_arc(data: bytes) -> int:
    """CRC-16/ARC, bit by bit."""
    crc = 0
    for byte in data:
        for bit in range(8):
            odd = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0xA001 if odd else 0)
    return crc


class ModeCMeter:
    """Asked by an optical head. ``baud``: what it speaks and hears at now; ``offer``: the Z of its identification."""

    def __init__(
        self,
        number: str = "12345678",
        *,
        start_wh: int = 0,
        offer: str = "5",
        turn_round_s: float = 0.2,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self.baud = 300
        self._number = number
        self._offer = offer
        self._energy = LoadCounter(start_wh=start_wh, now=now, world_ms=world_ms)
        self._turn_round = turn_round_s
        self._heard = bytearray()
        self._powered = True
        self._back_at: float | None = None
        self._identified = False

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        said: list[Transmit] = []
        for byte in data:
            self._heard.append(byte & 0x7F)
            del self._heard[:-_HELD]
            if self._heard.endswith(b"\r\n"):
                said += self._line(bytes(self._heard), now)
                self._heard.clear()
        return said

    def due(self) -> float | None:
        """See ``Twin``: when it goes back to 300 baud."""
        return self._back_at

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if self._back_at is not None and now >= self._back_at:
            self._forget()
        return []

    def power_off(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = False
        self._energy.set_load_w(0, now)
        self._forget()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - the same at any time
        """See ``Twin``."""
        self._powered = True

    def set_load_w(self, watts: int, now: float) -> None:
        """The load from now on."""
        self._energy.set_load_w(watts, now)

    def wh(self, now: float) -> int:
        """Its register."""
        return self._energy.wh(now)

    def _forget(self) -> None:
        self.baud = 300
        self._back_at = None
        self._identified = False
        self._heard.clear()

    def _line(self, line: bytes, now: float) -> list[Transmit]:
        start = line.rfind(b"/?")
        if start >= 0 and line.endswith(b"!\r\n"):
            asked = line[start + 2 : -3].decode("ascii", "replace")
            if asked not in ("", self._number):
                return []
            ident = f"/LGZ{self._offer}ZMF100AC\r\n".encode("ascii")
            self._identified = True
            self._back_at = now + self._turn_round + len(ident) * 10 / 300 + _PATIENCE_S
            return [Transmit(now + self._turn_round, ident)]
        ack = line.rfind(b"\x06")
        if ack >= 0 and self._identified and len(line) - ack == 6 and line[ack + 2] in _SPEEDS:
            self.baud = _SPEEDS[line[ack + 2]]
            data = self._readout(now)
            self._identified = False
            self._back_at = now + self._turn_round + len(data) * 10 / self.baud + 0.05
            return [Transmit(now + self._turn_round, data)]
        return []

    def _readout(self, now: float) -> bytes:
        wh = self._energy.wh(now)
        sets = [
            "F.F(00000000)",
            f"0.0.0({self._number})",
            f"1.8.0({wh // 1000:06d}.{wh % 1000:03d}*kWh)",
            f"1.8.0*01({wh // 2000:06d}.000*kWh)",
            "2.8.0(000000.000*kWh)",
            f"1.7.0({self._energy.load_mw // 1_000_000:02d}.{self._energy.load_mw // 1000 % 1000:03d}*kW)",
            "32.7.0(230.4*V)",
        ]
        body = "\r\n".join(sets).encode("ascii") + b"\r\n!\r\n\x03"
        return b"\x02" + body + exclusive_or(body)


class P1Meter:
    """Pushes a telegram every ``period_s``. ``gas_l``: what the gas meter behind it shows."""

    def __init__(
        self,
        number: str = "E0044006903312917",
        *,
        start_wh: int = 0,
        period_s: float = 10.0,
        now: float = 0.0,
        world_ms: Callable[[float], int] = milliseconds,
    ) -> None:
        self._number = number
        self._energy = LoadCounter(start_wh=start_wh, now=now, world_ms=world_ms)
        self._world_ms = world_ms
        self._period = period_s
        self._next: float | None = now + period_s
        self.gas_l = 212_529

    def receive(self, data: bytes, now: float) -> list[Transmit]:  # noqa: ARG002 - it has no ears
        """See ``Twin``."""
        return []

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._next

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if self._next is None or now < self._next:
            return []
        self._next += self._period
        return [Transmit(now, self._telegram(now))]

    def power_off(self, now: float) -> None:
        """See ``Twin``."""
        self._next = None
        self._energy.set_load_w(0, now)

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._next = now + self._period

    def set_load_w(self, watts: int, now: float) -> None:
        """The load from now on."""
        self._energy.set_load_w(watts, now)

    def wh(self, now: float) -> int:
        """Its register: all of it in tariff 1."""
        return self._energy.wh(now)

    def _telegram(self, now: float) -> bytes:
        wh = self._energy.wh(now)
        at = datetime.fromtimestamp(self._world_ms(now) / 1000, UTC).astimezone(_CET).strftime("%y%m%d%H%M%SW")
        sets = [
            "1-3:0.2.8(50)",
            f"0-0:1.0.0({at})",
            f"0-0:96.1.1({self._number.encode('ascii').hex().upper()})",
            f"1-0:1.8.1({wh // 1000:06d}.{wh % 1000:03d}*kWh)",
            "1-0:1.8.2(000071.546*kWh)",
            "1-0:2.8.1(000000.000*kWh)",
            "1-0:2.8.2(000000.000*kWh)",
            f"1-0:1.7.0({self._energy.load_mw // 1_000_000:02d}.{self._energy.load_mw // 1000 % 1000:03d}*kW)",
            f"0-1:24.2.1({at})({self.gas_l // 1000:05d}.{self.gas_l % 1000:03d}*m3)",
        ]
        body = "/ISK5\\2M550T-1012\r\n\r\n" + "\r\n".join(sets) + "\r\n!"
        data = body.encode("ascii")
        return data + f"{crc_arc(data):04X}\r\n".encode("ascii")
