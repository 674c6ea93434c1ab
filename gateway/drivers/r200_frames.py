"""Frames of R200-like tag readers out of a stream, and the sums that make a tag believable. PURE.

The surprise: there are two sums. The frame's own is eight bits and one in 256 broken frames passes it; a tag brings the
CRC it was read with over the air (CRC-16/GENIBUS over PC and EPC), and only a tag whose CRC fits exists.
Source: R200/M100/YRM100 manuals; EPC Gen2 6.3.1.5 (CRC); vending.md 1.5.
"""

from __future__ import annotations

import msgspec

from gateway.device_events import Counters

HEAD, TAIL = 0xBB, 0x7E
# An EPC has at most 62 bytes; nothing the reader says is longer than this.
LONGEST = 255
NO_TAG = 0x15
FAILURES = {
    0x09: "read_failed", 0x0A: "lock_failed", 0x10: "write_failed", 0x12: "kill_failed", 0x13: "lock_failed",
    NO_TAG: "no_tag", 0x16: "access_denied", 0x17: "unknown_command", 0x20: "no_channel",
}  # fmt: skip


class Frame(msgspec.Struct, frozen=True):
    """An answer (type 01) or a notice (02)."""

    type: int
    word: int
    parameters: bytes

    @property
    def is_no_tag(self) -> bool:
        """The reader found no tag, or none any more."""
        return self.word == 0xFF and self.parameters[:1] == bytes((NO_TAG,))


class Tag(msgspec.Struct, frozen=True):
    """One tag in one round: signal in dBm, PC and EPC as hex."""

    rssi: int
    pc: str
    epc: str


def command(word: int, parameters: bytes = b"") -> bytes:
    """A command as it travels."""
    body = bytes((0, word)) + len(parameters).to_bytes(2, "big") + parameters
    return bytes((HEAD,)) + body + bytes((sum(body) & 0xFF, TAIL))


def poll_many(count: int) -> bytes:
    """So many rounds without being asked again; `STOP` ends them."""
    return command(0x27, b"\x22" + count.to_bytes(2, "big"))


POLL, STOP = command(0x22), command(0x28)


def failure(parameters: bytes) -> str:
    """The name of an error code."""
    return FAILURES.get(parameters[0], f"code_{parameters[0]:02x}") if parameters else "unknown"


def tag_of(parameters: bytes) -> Tag | None:
    """The tag in a notice; None where its length or its own CRC does not fit.

    How long the EPC is, its PC says: readers with several antennas add the antenna's number behind the CRC.
    """
    if len(parameters) < 7:
        return None
    pc = parameters[1:3]
    end = 3 + 2 * (pc[0] >> 3)
    epc, crc, antenna = parameters[3:end], parameters[end : end + 2], parameters[end + 2 :]
    if len(antenna) > 1 or genibus(pc + epc).to_bytes(2, "big") != crc:
        return None
    return Tag(int.from_bytes(parameters[:1], "big", signed=True), pc.hex().upper(), epc.hex().upper())


def genibus(data: bytes) -> int:
    """CRC-16/GENIBUS: 1021, start FFFF, inverted at the end; "123456789" gives D64E."""
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value ^ 0xFFFF


class R200Frames:
    """Bytes into frames, in any pieces. What begins like one and is none is read again from its second byte."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._held = bytearray()

    def reset(self) -> None:
        """Forgets half a frame."""
        self._counters.noise_bytes += len(self._held)
        self._held.clear()

    def feed(self, byte: int) -> Frame | Tag | None:
        """One byte; the frame it completes. A notice whose tag is not believable is none."""
        self._held.append(byte)
        while self._held:
            length = self._length()
            if length is None:
                return None
            if not length:
                del self._held[0]
                self._counters.noise_bytes += 1
                continue
            whole = bytes(self._held[:length])
            del self._held[:length]
            found = self._meant(whole)
            if found is not None:
                return found
        return None

    def _length(self) -> int | None:
        """Of the frame that begins here; 0: none does; None: more bytes will tell."""
        held = self._held
        if held[0] != HEAD:
            return 0
        if len(held) > 1 and held[1] not in (1, 2):
            return 0
        if len(held) < 5:
            return None
        length = 7 + (held[3] << 8 | held[4])
        if length > LONGEST + 7:
            return 0
        if len(held) < length:
            return None
        good = held[length - 1] == TAIL and sum(held[1 : length - 2]) & 0xFF == held[length - 2]
        self._counters.refused += not good
        return length if good else 0

    def _meant(self, whole: bytes) -> Frame | Tag | None:
        frame = Frame(whole[1], whole[2], whole[5:-2])
        if frame.type == 2 and frame.word == 0x22:
            tag = tag_of(frame.parameters)
            self._counters.refused += tag is None
            self._counters.frames += tag is not None
            return tag
        self._counters.frames += 1
        return frame
