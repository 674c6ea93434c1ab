"""The DDCMP link of EVA-DTS, read side: we are the data carrier. 2400 8N1 at first, half duplex. PURE.

    control  05 type 40 rr xx sadd crc             START 06, STACK 07, ACK 01, NACK 02 (40 + reason), REP 03
    data     81 len 40+len' rr xx sadd crc  data.. crc      rr: last number received, xx: own number, both mod 256
    ask      77 E0 who-are-you   77 E2 00 list 01 off2 len2 read   77 FF finish       answer 88 Ex 01 ok, 00 refused
    file     99 n text..

The surprise is which list is read: list 1 lets the machine clear its interval counters after FINISH, list 2 (security
audit) gives the same file and clears nothing. We read list 2 and nothing else; nothing is ever deleted.
Source: EVA-DTS 6.2.2 chapter 6 and its application notes' trace; vending.md 1.2 "DDCMP link".
"""

from __future__ import annotations

import msgspec

from gateway.device_events import Counters
from gateway.drivers.crc16_arc import crc16_arc

CONTROL, DATA = 0x05, 0x81
ACK, NACK, REP, START, STACK = 1, 2, 3, 6, 7
SECURITY_AUDIT = 2
STATION = 1
# The longest data block that is taken; machines send 237.
LONGEST_BLOCK = 2048
LONGEST_FILE = 131_072
# Seconds (with an adapter's slack) and tries: STACK, ACK, between characters, link.
STACK_WAIT, STACK_TRIES = 0.5, 10
ACK_WAIT, ACK_TRIES = 0.5, 5
BETWEEN, LINK = 0.25, 5.0
ALL = 300.0
REASONS = {
    1: "header_crc", 2: "data_crc", 3: "rep", 8: "no_buffer", 9: "overrun", 16: "too_long", 17: "header_format",
}  # fmt: skip


class Frame(msgspec.Struct, frozen=True):
    """One message: control (`type` set) or data. `fault`: the header was good and the data was not."""

    type: int
    low: int
    rr: int
    xx: int
    station: int
    data: bytes = b""
    fault: str = ""
    raw: bytes = b""


def control(kind: int, *, low: int = 0, rr: int = 0, xx: int = 0) -> bytes:
    """A control message."""
    return _summed(bytes((CONTROL, kind, 0x40 | low, rr, xx, STATION)))


def message(data: bytes, rr: int, xx: int) -> bytes:
    """A data message with its own sum behind the data."""
    head = bytes((DATA, len(data) & 0xFF, 0x40 | len(data) >> 8, rr, xx, STATION))
    return _summed(head) + _summed(data)


def who_are_you(security: str, password: str, date: str, time: str, user: str, reason: int) -> bytes:
    """`77 E0 00`, codes of four digits, DDMMYY and HHMMSS, all as BCD (the codes low byte first, as numbers travel)."""
    codes = bytes.fromhex(security)[::-1] + bytes.fromhex(password)[::-1]
    return b"\x77\xe0\x00" + codes + bytes.fromhex(date + time) + bytes.fromhex(user)[::-1] + bytes((reason,))


def read_list(number: int) -> bytes:
    """The whole list: offset 0, length 0."""
    return bytes((0x77, 0xE2, 0, number, 1, 0, 0, 0, 0))


FINISH = b"\x77\xff"


class DdcmpFrames:
    """Bytes into frames, in any pieces: what is no header with a good sum is skipped byte by byte."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._held = bytearray()

    @property
    def inside(self) -> bool:
        """True in the middle of a frame."""
        return bool(self._held)

    def reset(self) -> None:
        """Forgets half a frame."""
        self._counters.noise_bytes += len(self._held)
        self._held.clear()

    def feed(self, byte: int) -> Frame | None:
        """One byte; the frame it completes."""
        self._held.append(byte)
        while self._held:
            if self._held[0] not in (CONTROL, DATA):
                self._skip()
                continue
            if len(self._held) < 8:
                return None
            head = bytes(self._held[:8])
            if _summed(head[:6]) != head:
                self._counters.refused += 1
                self._skip()
                continue
            if head[0] == CONTROL:
                return self._take(8)
            length = (head[2] & 0x3F) << 8 | head[1]
            if length > LONGEST_BLOCK or not length:
                self._counters.refused += 1
                self._skip()
                continue
            return self._take(8 + length + 2) if len(self._held) == 8 + length + 2 else None
        return None

    def _take(self, length: int) -> Frame:
        raw = bytes(self._held[:length])
        del self._held[:length]
        if raw[0] == CONTROL:
            self._counters.frames += 1
            return Frame(raw[1], raw[2] & 0x3F, raw[3], raw[4], raw[5], raw=raw)
        good = _summed(raw[8:-2]) == raw[8:]
        self._counters.frames += good
        self._counters.refused += not good
        return Frame(0, 0, raw[3], raw[4], raw[5], raw[8:-2] if good else b"", "" if good else "data_crc", raw)

    def _skip(self) -> None:
        self._counters.noise_bytes += 1
        del self._held[0]


class DdcmpRead:
    """One reading of a machine; the same face as `DexRead`."""

    def __init__(self, ask_who: bytes, now: float, counters: Counters) -> None:
        self.outgoing: list[bytes] = [control(START)]
        self.done = False
        self.file = b""
        self.failure = ""
        self._who = ask_who
        self._frames = DdcmpFrames(counters)
        self._began = self._heard = self._spoke = now
        self._state = "start"
        self._unacked = control(START)
        self._acked = False
        self._tries = 1
        self._sent = self._got = 0
        self._text = bytearray()
        self._block = 0
        self._length = 0

    def due(self) -> float:
        """When `tick` has something to do, at the latest."""
        wanted = [self._began + ALL, self._spoke + self._patience()]
        if self._frames.inside:
            wanted.append(self._heard + BETWEEN)
        return min(wanted)

    def tick(self, now: float) -> None:
        """Repeats what nobody acknowledged, and gives up what never comes."""
        if self.done:
            return
        if self._frames.inside and now - self._heard >= BETWEEN:
            self._frames.reset()
        if now - self._began >= ALL:
            self._end("too_slow")
        elif now - self._spoke >= self._patience():
            self._late(now)

    def feed(self, data: bytes, now: float) -> None:
        """Bytes from the machine."""
        for byte in data:
            if self.done:
                return
            self._heard = now
            frame = self._frames.feed(byte)
            if frame is not None and frame.station == STATION:
                self._hear(frame, now)

    def _patience(self) -> float:
        if self._acked:
            return LINK
        return STACK_WAIT if self._state == "start" else ACK_WAIT

    def _late(self, now: float) -> None:
        tries = STACK_TRIES if self._state == "start" else ACK_TRIES
        if self._state == "finish" and (self._acked or self._tries >= tries):
            self._end("")
        elif self._acked or self._tries >= tries:
            self._end("no_answer" if self._state == "start" else f"silent_in_{self._state}")
        else:
            self._tries += 1
            self._spoke = now
            self.outgoing.append(self._unacked)

    def _end(self, failure: str) -> None:
        self.failure, self.done = failure, True
        if not failure:
            self.file = bytes(self._text)

    def _ask(self, state: str, data: bytes, now: float) -> None:
        self._sent = (self._sent + 1) & 0xFF
        self._state, self._acked, self._tries, self._spoke = state, False, 1, now
        self._unacked = message(data, self._got, self._sent)
        self.outgoing.append(self._unacked)

    def _hear(self, frame: Frame, now: float) -> None:
        if self._state == "start":
            if frame.type == STACK:
                self._ask("who", self._who, now)
        elif frame.type == ACK:
            self._acknowledged(frame.rr, now)
        elif frame.type == NACK:
            self._acknowledged(frame.rr, now)
            if not self._acked:
                self._late(now)
        elif frame.type == REP:
            self.outgoing.append(control(ACK, rr=self._got))
        elif frame.type == START:
            self._end("machine_restarted")
        elif not frame.type:
            self._data(frame, now)

    def _acknowledged(self, rr: int, now: float) -> None:
        if rr == self._sent:
            self._acked = True
            self._spoke = now
            if self._state == "finish":
                self._end("")

    def _data(self, frame: Frame, now: float) -> None:
        if frame.fault:
            self.outgoing.append(control(NACK, low=2, rr=self._got))
            return
        self._acknowledged(frame.rr, now)
        if self.done:
            return
        if frame.xx != (self._got + 1) & 0xFF:
            # Told again (our acknowledgement was lost), or one is missing: both are answered by what we have.
            self.outgoing.append(control(ACK, rr=self._got))
            return
        self._got = frame.xx
        self._spoke, self._acked = now, True
        self._answer(frame.data, now)

    def _answer(self, data: bytes, now: float) -> None:
        match self._state, data[:2]:
            case "who", b"\x88\xe0":
                self._if_granted(data, "who", now)
            case "read", b"\x88\xe2":
                self._length = int.from_bytes(data[7:9], "little")
                self._if_granted(data, "read", now)
            case "file", _ if data[0] == 0x99 and len(data) > 2:
                self._part(data, now)
            case _:
                self._end(f"unexpected_in_{self._state}")

    def _if_granted(self, data: bytes, what: str, now: float) -> None:
        if len(data) < 3 or data[2] != 1:
            self.outgoing.append(control(ACK, rr=self._got))
            self._end(f"refused_{what}")
        elif what == "who":
            self._ask("read", read_list(SECURITY_AUDIT), now)
        elif data[3:4] != bytes((SECURITY_AUDIT,)):
            self._end("another_list")
        else:
            self._state = "file"
            self.outgoing.append(control(ACK, rr=self._got))

    def _part(self, data: bytes, now: float) -> None:
        if data[1] != self._block & 0xFF:
            self._end("block_missing")
            return
        self._block += 1
        self._text += data[2:]
        if len(self._text) > LONGEST_FILE:
            self._end("too_long")
        elif self._is_whole():
            self._ask("finish", FINISH, now)
        else:
            self.outgoing.append(control(ACK, rr=self._got))

    def _is_whole(self) -> bool:
        """All the bytes that were announced, or the report's own last segment: machines count differently."""
        if self._length and len(self._text) >= self._length:
            return True
        end = b"\rDXE" if self._text.lstrip().startswith(b"DXS") else b"\rSE"
        _, found, rest = bytes(self._text[-40:]).replace(b"\n", b"\r").rpartition(end)
        return bool(found) and rest.endswith(b"\r")


def _summed(data: bytes) -> bytes:
    return data + crc16_arc(data).to_bytes(2, "little")
