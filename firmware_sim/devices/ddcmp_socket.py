"""A machine's DDCMP socket: numbered messages with two sums, audit lists, and a memory of what was said goodbye to.

    05 06 START -> 05 07 STACK          each data message is acknowledged by number, 05 01 40 rr 00 sadd
    77 E0 who are you -> 88 E0 01 ..    77 E2 read list -> 88 E2 01 list .. length, then 99 n text.. one by one
    77 E4 delete list -> 88 E4 01       77 FF finish -> acknowledged, and the session is over

The surprise is list 1: reading it makes the machine clear its interval counters at the first paid vend after FINISH was
acknowledged; list 2 is the same text and clears nothing. A message that is not acknowledged is sent again five times.
Source: EVA-DTS 6.2.2 chapter 6, application notes' trace; docs/protocols/evadts.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.evadts import Machine, arc
from firmware_sim.devices.twin import Transmit

_TURN_ROUND_S, _ACK_S, _BETWEEN_S, _LINK_S = 0.015, 0.7, 0.2, 15.0
_REPEATS = 5
_BLOCK = 235


def summed(data: bytes) -> bytes:
    """The bytes with their CRC behind them, low byte first."""
    total = arc(data)
    return data + bytes((total & 0xFF, total >> 8))


class DdcmpSocket:
    """The line side of one machine. ``codes``: security and pass code it accepts, as four digits each."""

    def __init__(self, machine: Machine, *, codes: tuple[str, str] = ("0000", "0000"), baud: int = 2400) -> None:
        self.machine = machine
        self.lists_read: list[int] = []
        self._codes = b"".join(int(code, 16).to_bytes(2, "little") for code in codes)
        self._char = 10 / baud
        self._powered = True
        self._heard = bytearray()
        self._heard_at = 0.0
        self._forget()

    def _forget(self) -> None:
        self._got = self._sent = 0
        self._waiting: list[bytes] = []
        self._on_air = b""
        self._at: float | None = None
        self._tries = 0
        self._list = 0
        self.machine.held = False

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        if self._heard and now - self._heard_at > _BETWEEN_S + len(data) * self._char:
            self._heard.clear()
        self._heard_at = now
        self._heard += data
        said: list[Transmit] = []
        while (message := self._message()) is not None:
            said += self._obey(message, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._at

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: the last data message was not acknowledged, or the link has been idle for too long."""
        if self._at is None or now < self._at:
            return []
        self._tries += 1
        if not self._on_air or self._tries >= _REPEATS:
            self._forget()
            return []
        return self._send(self._on_air, now)

    def power_off(self, now: float) -> None:  # noqa: ARG002 - as at any time
        """See ``Twin``."""
        self._powered = False
        self._heard.clear()
        self._forget()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - as at any time
        """See ``Twin``."""
        self._powered = True
        self.machine.power_cycles += 1

    # Inside

    def _message(self) -> bytes | None:
        held = self._heard
        while len(held) >= 8:
            head = bytes(held[:8])
            if head[0] not in (5, 0x81) or summed(head[:6]) != head:
                del held[0]
                continue
            length = 8 + (head[1] + ((head[2] & 0x3F) << 8) + 2 if head[0] == 0x81 else 0)
            if len(held) < length:
                return None
            whole = bytes(held[:length])
            del held[:length]
            return whole
        return None

    def _control(self, kind: int, now: float, *, low: int = 0, rr: int = 0) -> list[Transmit]:
        return [Transmit(now + _TURN_ROUND_S, summed(bytes((5, kind, 0x40 | low, rr, 0, 1))))]

    def _send(self, data: bytes, now: float) -> list[Transmit]:
        """A data message, numbered anew only when it is a new one."""
        if data is not self._on_air:
            self._sent = (self._sent + 1) % 256
            self._tries = 0
        self._on_air = data
        head = summed(bytes((0x81, len(data) % 256, 0x40 | len(data) // 256, self._got, self._sent, 1)))
        starts = now + 2 * _TURN_ROUND_S
        whole = head + summed(data)
        self._at = starts + len(whole) * self._char + _ACK_S
        return [Transmit(starts, whole)]

    def _obey(self, message: bytes, now: float) -> list[Transmit]:
        if message[0] == 5:
            return self._obey_control(message, now)
        data = message[8:-2]
        if summed(data) != message[8:]:
            return self._control(2, now, low=2, rr=self._got)
        said = self._acknowledged(message[3], now, more=False)
        if message[4] != (self._got + 1) % 256:
            return said + self._control(1, now, rr=self._got)
        self._got = message[4]
        return said + self._control(1, now, rr=self._got) + self._answer(data, now)

    def _obey_control(self, message: bytes, now: float) -> list[Transmit]:
        kind, rr = message[1], message[3]
        if kind == 6:
            self._forget()
            self.machine.held = True
            self._at = now + _LINK_S
            return self._control(7, now)
        if kind == 2 and self._on_air:
            return self._send(self._on_air, now)
        return self._acknowledged(rr, now, more=True) if kind == 1 else []

    def _acknowledged(self, rr: int, now: float, *, more: bool) -> list[Transmit]:
        if not self._on_air or rr != self._sent:
            return []
        self._on_air = b""
        self._tries = 0
        self._at = now + _LINK_S
        return self._send(self._waiting.pop(0), now) if more and self._waiting else []

    def _answer(self, data: bytes, now: float) -> list[Transmit]:
        if data[:2] == b"\x77\xe0":
            granted = data[3:7] == self._codes
            return self._send(b"\x88\xe0" + bytes((granted,)) + bytes(18), now)
        if data[:2] == b"\x77\xe2":
            return self._read(data[3], now)
        if data[:2] == b"\x77\xe4":
            return self._send(b"\x88\xe4\x01", now)
        if data == b"\x77\xff":
            self.machine.finished(clears=1 in self.lists_read[-1:])
            self._forget()
        return []

    def _read(self, number: int, now: float) -> list[Transmit]:
        if number not in (1, 2):
            return self._send(b"\x88\xe2\x00" + bytes((number,)), now)
        self.lists_read.append(number)
        report = self.machine.read_by("TSK0", *self.machine.clock)
        parts = [report[at : at + _BLOCK] for at in range(0, len(report), _BLOCK)]
        self._waiting = [bytes((0x99, n % 256)) + part for n, part in enumerate(parts)]
        length = len(report)
        return self._send(bytes((0x88, 0xE2, 1, number, 1, 0, 0, length % 256, length // 256)), now)
