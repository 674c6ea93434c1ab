"""A Modbus RTU slave: what ends a frame is silence, and what is wrong with a frame is answered by silence.

::

    request   addr fc first(2) count(2) crc(2, low byte first)       fc 03 holding, 04 input registers
    reply     addr fc bytes data(2 a register, high byte first) crc(2)
    write     addr 06 at(2) value(2) crc(2)                         the reply repeats it
    write     addr 10 first(2) count(2) bytes data crc(2)           reply: addr 10 first(2) count(2) crc(2)
    refusal   addr fc|80 code crc(2)         01 function, 02 address, 03 value, 04 device failure, 06 busy

Frames are separated by at least 3.5 characters of silence (1.750 ms above 19200 baud): only when it has passed does the
slave look at what it heard, so one byte of noise glued to a request spoils it. A frame with a wrong CRC, for another
address or to everybody (0) is never answered.

Source: Modbus over Serial Line V1.02 sections 2.4-2.5, Modbus Application Protocol V1.1b3 sections 6.3, 6.4, 7. PURE.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.devices.twin import Transmit

COILS, BITS = 1, 2
HOLDING, INPUT = 3, 4
WRITE_ONE, WRITE_MANY = 6, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3
_READ_REQUEST = 8
_WRITE_HEAD = 7
_LONGEST_FRAME = 256


class RefusedError(Exception):
    """The slave answers with an exception ``code`` instead of data."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code}")
        self.code = code


def crc16(data: bytes) -> bytes:
    """CRC-16/MODBUS in the order of the wire: polynomial A001 reflected, start FFFF, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")


class ModbusSlave:
    """The line side of one slave. ``read(function, first, count, now)`` gives 2 * count bytes or raises RefusedError;
    ``write(first, values, now)`` sets holding registers or raises it (None: a slave that cannot be written);
    ``inputs(first, count)`` gives discrete inputs (FC 2; None: it has none).

    ``turn_round_s`` counts from the moment the slave has seen the end of the request, as in T = (request + reply) *
    bits / baud + 2 * silence + turn-round. ``baud`` and ``bits`` (a character, 10 for 8N1, 11 for 8E1) set the silence.
    """

    def __init__(
        self,
        address: int,
        read: Callable[[int, int, int, float], bytes],
        *,
        baud: int = 9600,
        bits: int = 10,
        turn_round_s: float = 0.005,
        write: Callable[[int, list[int], float], None] | None = None,
        inputs: Callable[[int, int], list[bool]] | None = None,
    ) -> None:
        if not 1 <= address <= 247:
            raise ValueError("a Modbus slave's address is 1..247")
        self.address = address
        self.turn_round_s = turn_round_s
        self._read = read
        self._write = write
        self._inputs = inputs
        self._char = bits / baud
        self._silence = 3.5 * self._char if baud <= 19200 else 0.00175
        self._heard = bytearray()
        self._heard_at = 0.0
        self._late: list[float] = []
        self._powered = True

    def answer_late(self, seconds: float) -> None:
        """The next reply leaves this much later, perhaps when nobody waits for it any more."""
        self._late.append(seconds)

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``. Never answers at once: the frame may go on."""
        if not self._powered:
            return []
        begun = now - len(data) * self._char
        # A hair of tolerance: the times of neighbouring bytes are sums of floats.
        if begun - self._heard_at > self._silence + 1e-9:
            self._heard.clear()
        self._heard_at = now
        self._heard += data[: _LONGEST_FRAME + 1 - len(self._heard)]
        return []

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._heard_at + self._silence if self._heard else None

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: the line has been silent, so what was heard is a frame."""
        if not self._heard or now < self._heard_at + self._silence:
            return []
        frame = bytes(self._heard)
        self._heard.clear()
        reply = self._answer(frame, now)
        if not reply:
            return []
        late = self._late.pop(0) if self._late else 0.0
        return [Transmit(now + self.turn_round_s + late, reply)]

    def power_off(self, now: float) -> None:  # noqa: ARG002 - nothing here depends on when
        """See ``Twin``."""
        self._powered = False
        self._heard.clear()

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._powered = True
        self._heard_at = now

    def _answer(self, frame: bytes, now: float) -> bytes:
        if len(frame) < 4 or frame[0] != self.address or crc16(frame[:-2]) != frame[-2:]:
            return b""
        function = frame[1]
        if function in (COILS, BITS, HOLDING, INPUT, WRITE_ONE) and len(frame) != _READ_REQUEST:
            return b""
        if function == WRITE_MANY and (len(frame) < _WRITE_HEAD + 2 or len(frame) != _WRITE_HEAD + 2 + frame[6]):
            return b""
        try:
            if function in (WRITE_ONE, WRITE_MANY):
                self._set(frame, now)
                return frame[:6] + crc16(frame[:6])
            data = self._data(function, int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big"), now)
            body = bytes((self.address, function, len(data))) + data
        except RefusedError as refusal:
            body = bytes((self.address, function | 0x80, refusal.code))
        return body + crc16(body)

    def _set(self, frame: bytes, now: float) -> None:
        if self._write is None:
            raise RefusedError(ILLEGAL_FUNCTION)
        data = frame[4:6] if frame[1] == WRITE_ONE else frame[_WRITE_HEAD:-2]
        values = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
        if frame[1] == WRITE_MANY and (len(data) % 2 or int.from_bytes(frame[4:6], "big") != len(values)):
            raise RefusedError(ILLEGAL_VALUE)
        self._write(int.from_bytes(frame[2:4], "big"), values, now)

    def _data(self, function: int, first: int, count: int, now: float) -> bytes:
        if function == BITS and self._inputs is not None:
            bits = self._inputs(first, count)
            packed = sum(1 << place for place, bit in enumerate(bits) if bit)
            return packed.to_bytes((count + 7) // 8, "little")
        if function not in (HOLDING, INPUT):
            raise RefusedError(ILLEGAL_FUNCTION)
        if not 1 <= count <= 125:
            raise RefusedError(ILLEGAL_VALUE)
        return self._read(function, first, count, now)


class SlaveTwin:
    """The line side of a ``Twin`` that is nothing but a slave; who has more to do at one of these adds it."""

    _slave: ModbusSlave

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        return self._slave.receive(data, now)

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._slave.due()

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``."""
        return self._slave.wake(now)

    def power_off(self, now: float) -> None:
        """See ``Twin``."""
        self._slave.power_off(now)

    def power_on(self, now: float) -> None:
        """See ``Twin``."""
        self._slave.power_on(now)

    def answer_late(self, seconds: float) -> None:
        """The next reply leaves this much later."""
        self._slave.answer_late(seconds)
