"""Modbus RTU framing, for every driver that speaks it: questions as bytes, answers out of a stream. PURE.

    read      addr fc first(2) count(2) crc          fc 01 coils, 02 inputs, 03 holding, 04 input registers
    answer    addr fc bytes data.. crc               bits: 8 a byte, lowest first; registers: high byte first
    write     addr 05|06 at(2) value(2) crc          the answer is the same eight bytes
    write     addr 10 first(2) count(2) bytes data.. crc     answer: addr 10 first(2) count(2) crc
    refusal   addr fc|80 code crc                    01 function, 02 address, 03 value, 04 device failure, 06 busy

The surprise: a late answer of the slave asked before is a perfectly valid frame, and the bytes of a whole frame may
stand inside another one's data. So a stream is read from the left: what could still become the awaited answer is
waited for before anything behind its first byte is looked at, and only address, function and length that all fit the
question count. Our own echo is dropped; a write's answer looks like its echo, so the echo is learnt at reads.
Source: Modbus Application Protocol V1.1b3; Modbus over serial line V1.02; devices.md 1.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.device_events import Counters

READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS = 5, 6, 16
EXCEPTION = 0x80
REFUSAL_BYTES, WRITTEN_BYTES = 5, 8
# A frame is at most 256 bytes; no more than the longest that is awaited is ever kept.
LONGEST = 256
MEANINGS = {
    1: "illegal_function", 2: "illegal_address", 3: "illegal_value", 4: "device_failure", 5: "acknowledge", 6: "busy",
    8: "memory_parity", 10: "gateway_path", 11: "gateway_target",
}  # fmt: skip


class Answer(msgspec.Struct, frozen=True):
    """What was asked for: `data` without address, function, byte count and check; `raw` the whole frame."""

    data: bytes
    raw: bytes


class Refusal(msgspec.Struct, frozen=True):
    """The slave answered with an exception `code`; `meaning` is its name, "unknown" where the standard has none."""

    code: int
    raw: bytes

    @property
    def meaning(self) -> str:
        """The standard's name of the code."""
        return MEANINGS.get(self.code, "unknown")


def read(unit: int, function: int, first: int, count: int) -> bytes:
    """Ask for `count` coils, inputs or registers from `first`."""
    return _framed(bytes((unit, function)) + first.to_bytes(2, "big") + count.to_bytes(2, "big"))


def write_coil(unit: int, at: int, *, on: bool) -> bytes:
    """Switch one coil."""
    return _framed(bytes((unit, WRITE_COIL)) + at.to_bytes(2, "big") + (b"\xff\x00" if on else b"\x00\x00"))


def write_register(unit: int, at: int, value: int) -> bytes:
    """Set one holding register, 0..65535."""
    return _framed(bytes((unit, WRITE_REGISTER)) + at.to_bytes(2, "big") + value.to_bytes(2, "big"))


def write_registers(unit: int, first: int, values: Sequence[int]) -> bytes:
    """Set neighbouring holding registers, at most 123."""
    data = b"".join(value.to_bytes(2, "big") for value in values)
    head = bytes((unit, WRITE_REGISTERS)) + first.to_bytes(2, "big") + len(values).to_bytes(2, "big")
    return _framed(head + bytes((len(data),)) + data)


def answer_bytes(request: bytes) -> int:
    """Length of the answer to this request, in bytes."""
    function, count = request[1], int.from_bytes(request[4:6], "big")
    if function in (READ_COILS, READ_INPUTS):
        return 5 + (count + 7) // 8
    return 5 + 2 * count if function in (READ_HOLDING, READ_INPUT_REGISTERS) else WRITTEN_BYTES


class RtuMaster:
    """One question at a time: `ask` it, `feed` what the line brings until `answered`, or say `expired`.

    `echoes`: whether the adapter repeats what we send; None: not known, learnt at the first read that is answered.
    """

    def __init__(self, counters: Counters, *, echoes: bool | None = None) -> None:
        self.counters = counters
        self.echoes = echoes
        self.answered = True
        self.sent = b""
        self._heard = bytearray()
        self._echo_due = False
        self._head = b""
        self._length = 0

    def ask(self, request: bytes) -> bytes:
        """The bytes to send, and from now on only their answer counts."""
        self.sent = request
        self._length = answer_bytes(request)
        # A read's answer begins with its byte count, a write's with what was written.
        read_only = request[1] <= READ_INPUT_REGISTERS
        self._head = request[:2] + bytes((self._length - 5,)) if read_only else request[:6]
        self._echo_due = self.echoes is True or (self.echoes is None and request[1] not in (WRITE_COIL, WRITE_REGISTER))
        self._heard.clear()
        self.answered = False
        return request

    @property
    def expect(self) -> int:
        """Bytes that come at most: the answer, and our own where the line may echo."""
        return self._length + (len(self.sent) if self.echoes is not False and self._echo_due else 0)

    @property
    def heard(self) -> int:
        """Bytes that came and are no answer yet."""
        return len(self._heard)

    def feed(self, data: bytes) -> Answer | Refusal | None:
        """Bytes from the line; the answer once it is whole. What comes unasked is noise."""
        if self.answered:
            self.counters.noise_bytes += len(data)
            return None
        for at in range(0, len(data), LONGEST):
            self._heard += data[at : at + LONGEST]
            found = self._look(over=False)
            if found is not None:
                self.counters.noise_bytes += max(len(data) - at - LONGEST, 0)
                return found
        return None

    def again(self, request: bytes, heard: bytes) -> bytes | None:
        """The frame in these bytes, if they are nothing but the echo that is known and the whole answer to a read;
        for who asked several times before looking. None: `ask` and `feed` must tell.
        """
        echo = len(request) if self.echoes else 0
        frame = heard[echo:]
        if self.echoes is None or not heard.startswith(request[:echo]) or len(frame) != answer_bytes(request):
            return None
        if frame[:2] != request[:2] or frame[2] != len(frame) - 5 or not checks(frame):
            return None
        self.counters.frames += 1
        self.counters.echoes += echo > 0
        return frame

    def expired(self) -> Refusal | None:
        """Nothing more will come. A refusal that stood behind what only looked like an answer is still one."""
        if not self.answered and self._heard:
            self.counters.refuse("short")
        found = None if self.answered else self._look(over=True)
        self.answered = True
        self.counters.noise_bytes += len(self._heard)
        self._heard.clear()
        return found if isinstance(found, Refusal) else None

    def _look(self, *, over: bool) -> Answer | Refusal | None:
        """Reads from the left; drops what can be nothing. `over`: what is not whole now will never be."""
        heard = self._heard
        while heard:
            length = self._frame(over=over)
            if length is None:
                return None
            if length == 0:
                del heard[0]
                self.counters.noise_bytes += 1
                continue
            frame = bytes(heard[:length])
            del heard[:length]
            if self._echo_due and frame == self.sent:
                self._echo_due, self.echoes = False, True
                self.counters.echoes += 1
                continue
            return self._finish(frame)
        return None

    def _frame(self, *, over: bool) -> int | None:
        """Length of the frame that begins at the left; 0: none does; None: more bytes will tell."""
        heard = self._heard
        waits = False
        for head, length in self._candidates():
            seen = bytes(heard[: len(head)])
            if not head.startswith(seen):
                continue
            if len(heard) < length:
                waits = True
            elif crc(heard[: length - 2]) == heard[length - 2 : length]:
                return length
            else:
                self.counters.refuse("crc")
        return None if waits and not over else 0

    def _candidates(self) -> list[tuple[bytes, int]]:
        """Beginnings that count, and the lengths of their frames."""
        refused = bytes((self.sent[0], self.sent[1] | EXCEPTION))
        found = [(self._head, self._length), (refused, REFUSAL_BYTES)]
        return [(self.sent, len(self.sent)), *found] if self._echo_due else found

    def _finish(self, frame: bytes) -> Answer | Refusal:
        self.answered = True
        self.counters.frames += 1
        self.counters.noise_bytes += len(self._heard)
        self._heard.clear()
        if self.echoes is None and self._echo_due:
            self.echoes = False
        if frame[1] & EXCEPTION:
            self.counters.exceptions += 1
            return Refusal(frame[2], frame)
        return Answer(frame[3:-2] if frame[1] <= READ_INPUT_REGISTERS else frame[2:-2], frame)


def _framed(body: bytes) -> bytes:
    return body + crc(body)


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
        table.append(value)
    return tuple(table)


_CRC = _table()


def crc(data: bytes | bytearray) -> bytes:
    """CRC-16/MODBUS (A001 reflected, start FFFF), low byte first as it travels."""
    value = 0xFFFF
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def checks(frame: bytes | bytearray) -> bool:
    """Whether a frame of two bytes or more ends with its own `crc`; several times quicker than working it out.

    Source: its polynomial is (x + 1)(x**15 + x + 1), so a frame is whole when its bits are even in number and
    x**15 + x**14 + 1 (what travels first is lowest here) divides it; to any power of two m so do x**15m + x**14m + 1,
    and 14m bits at once are folded upon those above them.
    """
    left = int.from_bytes(frame, "little") ^ 0xFFFF
    if left.bit_count() & 1:
        return False
    for m in (128, 64, 32, 16, 8, 4, 2, 1):
        while left.bit_length() > 15 * m:
            low = left & _LOW[m]
            left = left >> 14 * m ^ low ^ low << m
    return left == 0


_LOW = {m: (1 << 14 * m) - 1 for m in (128, 64, 32, 16, 8, 4, 2, 1)}
