"""The DEX/UCS link, read side: we are the data carrier, the machine is the VMD. 9600 8N1, half duplex. PURE.

    we   05                  10 01 id10 R R00 L06 10 03 crc        04   | 10 30                      10 31 |
    VMD       10 30                                        10 31        05      10 01 cc id10 .. crc       04
    we   | 10 30                  10 31                  10 30       |
    VMD  05      10 02 data 10 17 crc   10 02 data 10 03 crc      04          crc: low byte first, DLE and SYN left out

The surprise is who speaks: the roles change after the first handshake, and some machines begin it themselves, so we
must be able to yield. A lost acknowledgement makes the machine send its block again: the same bytes twice are one.
While we hold the line the machine does not vend; whatever happens, we end with EOT.
Source: EVA-DTS 6.2.2 chapter 5; vending.md 1.2 "DEX link".
"""

from __future__ import annotations

import msgspec

from gateway.device_events import Counters
from gateway.drivers.crc16_arc import crc16_arc

SOH, STX, ETX, EOT, ENQ, DLE, NAK, SYN, ETB = 1, 2, 3, 4, 5, 16, 21, 22, 23
ACK0, ACK1, WACK = b"\x10\x30", b"\x10\x31", b"\x10\x3b"
BLOCK = 245
# Seconds: until an answer (A), between characters with an adapter's slack (B), for a change of roles (D), in all.
ANSWER, BETWEEN, CHANGE, ALL = 1.0, 0.25, 3.0, 60.0
BEFORE_REPLY = 0.01
TRIES = 4
LONGEST_FILE = 131_072
REFUSALS = {"01": "unknown_id", "02": "revision", "03": "conflict", "04": "no_data", "05": "undefined"}


class Block(msgspec.Struct, frozen=True):
    """A whole block: `head` SOH or STX, its text, whether more follow (ETB); `fault` where it cannot be used."""

    head: int
    text: bytes
    more: bool
    fault: str = ""


Token = int | bytes | Block


def framed(head: int, text: bytes, *, more: bool = False) -> bytes:
    """A block as it travels."""
    end = ETB if more else ETX
    return bytes((DLE, head)) + text + bytes((DLE, end)) + crc16_arc(text + bytes((end,))).to_bytes(2, "little")


class DexTokens:
    """Bytes into control characters and blocks, in any pieces. Holds at most one block."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._head = 0
        self._text = bytearray()
        self._crc = bytearray()
        self._end = 0
        self._escaped = False

    @property
    def inside(self) -> bool:
        """True in the middle of a block or of a two-byte character."""
        return bool(self._head) or self._escaped

    def reset(self) -> None:
        """Forgets half a block."""
        self._counters.noise_bytes += len(self._text)
        self._head = self._end = 0
        self._escaped = False
        self._text.clear()
        self._crc.clear()

    def feed(self, byte: int) -> Token | None:
        """One byte; the token it completes."""
        if self._end:
            self._crc.append(byte)
            return self._ended() if len(self._crc) == 2 else None
        if self._escaped:
            self._escaped = False
            return self._after_dle(byte)
        if byte == DLE:
            self._escaped = True
            return None
        if self._head:
            if byte != SYN:
                self._text.append(byte)
            return self._spoilt("too_long") if len(self._text) > BLOCK else None
        if byte in (ENQ, EOT, NAK):
            return byte
        self._counters.noise_bytes += byte != SYN
        return None

    def _after_dle(self, byte: int) -> Token | None:
        if byte in (SOH, STX):
            self.reset()
            self._head = byte
            return None
        if byte == SYN:
            return None
        if self._head:
            if byte not in (ETX, ETB):
                return self._spoilt("bad_escape")
            self._end = byte
            return None
        if byte in (0x30, 0x31, 0x3B):
            return bytes((DLE, byte))
        self._counters.noise_bytes += 2
        self._escaped = byte == DLE
        return None

    def _ended(self) -> Block:
        text, head, end = bytes(self._text), self._head, self._end
        good = crc16_arc(text + bytes((end,))).to_bytes(2, "little") == self._crc
        self._text.clear()
        self.reset()
        self._counters.frames += good
        self._counters.refused += not good
        return Block(head, text, end == ETB, "" if good else "bad_crc")

    def _spoilt(self, fault: str) -> Block:
        head = self._head
        self.reset()
        self._counters.refused += 1
        return Block(head, b"", more=False, fault=fault)


class DexRead:
    """One reading of a machine. Feed it bytes and time, send `outgoing`; once `done`: a `file` or a `failure`."""

    def __init__(self, comm_id: str, now: float, counters: Counters) -> None:
        self.outgoing: list[bytes] = []
        self.done = False
        self.file = b""
        self.failure = ""
        self.vmd = ""
        self._id = comm_id.encode("ascii")
        self._tokens = DexTokens(counters)
        self._heard = now
        self._began = now
        self._state = ""
        self._last = b""
        self._plan: tuple[float, bytes] | None = None
        self._deadline = now
        self._tries = 0
        self._text = bytearray()
        self._previous: bytes | None = None
        self._last_block = False
        self._refusal = ""
        self._say("enq", bytes((ENQ,)), now)

    def due(self) -> float:
        """When `tick` has something to do, at the latest."""
        wanted = [self._deadline, self._began + ALL]
        if self._plan is not None:
            wanted = [self._plan[0]]
        elif self._tokens.inside:
            wanted.append(self._heard + BETWEEN)
        return min(wanted)

    def tick(self, now: float) -> None:
        """Says what is due, and gives up what never comes."""
        if self.done:
            return
        if self._plan is not None:
            if now >= self._plan[0]:
                self.outgoing.append(self._plan[1])
                self._plan = None
                self._deadline = now + (CHANGE if self._state in _WAITS else ANSWER)
            return
        if now - self._began >= ALL:
            self._fail("too_slow", now)
        elif self._tokens.inside and now - self._heard >= BETWEEN:
            self._tokens.reset()
            if self._state in ("data", "hs2", "y_hs"):
                self._nak(now)
        elif now >= self._deadline:
            self._late(now)

    def feed(self, data: bytes, now: float) -> None:
        """Bytes from the machine."""
        for byte in data:
            if self.done:
                return
            self._heard = now
            token = self._tokens.feed(byte)
            if token is not None:
                self._hear(token, now)

    def _say(self, state: str, data: bytes, now: float) -> None:
        """Never sooner than 10 ms after the other side: it may still be turning round."""
        if state != self._state:
            self._tries = 0
        self._state, self._last = state, data
        self._plan = (now + BEFORE_REPLY, data)
        self._deadline = now + ANSWER

    def _fail(self, why: str, now: float) -> None:  # noqa: ARG002 - as its siblings
        """The line is given back whatever happened: a machine that is held does not vend."""
        self.failure, self.done, self._plan = why, True, None
        self.outgoing.append(bytes((EOT,)))

    def _late(self, now: float) -> None:
        """Nothing in time: say it again, or give up."""
        self._tries += 1
        if self._state == "data" and self._last_block:
            # The last block is here and the EOT behind it was lost; whether the file is whole, its own end tells.
            self.outgoing.append(bytes((EOT,)))
            self._ended(now)
        elif self._state in _WAITS or self._tries >= TRIES:
            self._fail("no_answer" if self._state == "enq" else f"silent_in_{self._state}", now)
        else:
            self._say(self._state, self._last, now)

    def _nak(self, now: float) -> None:
        self._tries += 1
        if self._tries >= TRIES:
            self._fail("bad_blocks", now)
        else:
            self._plan = (now + BEFORE_REPLY, bytes((NAK,)))
            self._deadline = now + CHANGE

    def _hear(self, token: Token, now: float) -> None:
        if token == EOT and self._state not in ("hs2_eot", "y_eot", "data"):
            self._fail("ended_early", now) if self._state != "enq" else None
        elif token == WACK:
            self._plan = (now + ANSWER, bytes((ENQ,)))
        elif token == NAK and self._state in ("hs1", "y_hs2", "enq", "y_enq"):
            self._late(now)
        else:
            getattr(self, f"_in_{self._state}")(token, now)

    # The first handshake: ours, or theirs when the machine insists

    def _in_enq(self, token: Token, now: float) -> None:
        if token == ACK0:
            self._say("hs1", framed(SOH, self._id + b"RR00L06"), now)
        elif token == ENQ:
            self._say("y_hs", ACK0, now)

    def _in_hs1(self, token: Token, now: float) -> None:
        if token == ACK1:
            self._say("turn", bytes((EOT,)), now)

    def _in_turn(self, token: Token, now: float) -> None:
        if token == ENQ:
            self._say("hs2", ACK0, now)

    def _in_hs2(self, token: Token, now: float) -> None:
        if token == ENQ:
            self._say("hs2", ACK0, now)
        elif isinstance(token, Block):
            if token.fault or token.head != SOH or len(token.text) < 12:
                self._nak(now)
                return
            code = token.text[:2].decode("latin-1")
            self.vmd = token.text[2:12].decode("latin-1")
            self._refusal = "" if code == "00" else REFUSALS.get(code, f"code_{code}" if code.isalnum() else "code")
            self._say("hs2_eot", ACK1, now)

    def _in_hs2_eot(self, token: Token, now: float) -> None:
        if token == EOT and self._refusal:
            self._fail(f"refused_{self._refusal}", now)
        elif token == EOT:
            self._await("data_enq", now)
        elif token == ENQ and self._tries:
            # Asked twice: our ACK1 was heard, their EOT was not, and they offer the file.
            self._say("data", ACK0, now)
        elif token == ENQ or isinstance(token, Block):
            self._say("hs2_eot", ACK1, now)
            self._tries += 1

    def _in_y_hs(self, token: Token, now: float) -> None:
        if token == ENQ:
            self._say("y_hs", ACK0, now)
        elif isinstance(token, Block):
            if token.fault or token.head != SOH or len(token.text) < 11:
                self._nak(now)
                return
            self.vmd = token.text[:10].decode("latin-1")
            self._say("y_eot", ACK1, now)

    def _in_y_eot(self, token: Token, now: float) -> None:
        if token == EOT:
            self._say("y_enq", bytes((ENQ,)), now)
        elif token == ENQ or isinstance(token, Block):
            self._say("y_eot", ACK1, now)

    def _in_y_enq(self, token: Token, now: float) -> None:
        if token == ACK0:
            self._say("y_hs2", framed(SOH, b"00" + self._id + b"R00L06"), now)

    def _in_y_hs2(self, token: Token, now: float) -> None:
        if token == ACK1:
            self._say("data_enq", bytes((EOT,)), now)

    # The file

    def _in_data_enq(self, token: Token, now: float) -> None:
        if token == ENQ:
            self._say("data", ACK0, now)

    def _in_data(self, token: Token, now: float) -> None:
        if token == EOT:
            self._ended(now)
        elif token == ENQ:
            self._say("data", self._last, now)
        elif isinstance(token, Block):
            self._block(token, now)

    def _block(self, block: Block, now: float) -> None:
        if block.head == SOH and not block.fault and self._previous is None:
            self._say("hs2_eot", ACK1, now)
            return
        if block.fault or block.head != STX:
            self._nak(now)
            return
        self._tries = 0
        if block.text == self._previous:
            self._say("data", self._last, now)
            return
        if len(self._text) + len(block.text) > LONGEST_FILE:
            self._fail("too_long", now)
            return
        self._text += block.text
        self._previous, self._last_block = block.text, not block.more
        self._say("data", ACK0 if self._last == ACK1 else ACK1, now)

    def _ended(self, now: float) -> None:
        if not self._last_block:
            self._fail("cut_short", now)
            return
        self.file, self.done, self._plan = bytes(self._text), True, None

    def _await(self, state: str, now: float) -> None:
        self._state, self._plan = state, None
        self._deadline = now + CHANGE


# States in which the machine has to speak first.
_WAITS = frozenset({"turn", "hs2", "hs2_eot", "data_enq", "data", "y_hs", "y_eot"})
