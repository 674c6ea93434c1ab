"""A machine's DEX/UCS socket (the VMD): slave for the first handshake, master for everything after it.

    they  05         10 01 id10 R|S R00 L06 10 03 crc       04        10 30                       10 31
    we       10 30                                   10 31      05          10 01 00 id10 .. crc        04
    they         10 30                 10 31                    10 30
    we    05            10 02 .. 10 17 crc   10 02 .. 10 03 crc       04

The surprise: an answer that does not come within a second makes us say the last thing again, three times, and then we
go back to selling. With ``eager`` set the machine begins the first handshake itself, as some do.
Source: EVA-DTS 6.2.2 chapter 5; docs/protocols/evadts.md. PURE.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware_sim.devices.evadts import Machine, arc
from firmware_sim.devices.twin import Transmit

_ENQ, _EOT, _NAK, _DLE = b"\x05", b"\x04", b"\x15", 0x10
_TURN_ROUND_S, _ANSWER_S, _BETWEEN_S = 0.02, 1.0, 0.2
_REPEATS = 4
_BLOCK = 230


def block(start: int, text: bytes, end: int) -> bytes:
    """DLE start, the text, DLE end, and the sum over text and end, low byte first."""
    total = arc(text + bytes((end,)))
    return bytes((_DLE, start)) + text + bytes((_DLE, end, total & 0xFF, total >> 8))


class DexSocket:
    """The line side of one machine. ``refuses``: the response code of the second handshake (b"00" is fine)."""

    def __init__(
        self, machine: Machine, *, vmd_id: bytes = b"GWT0000001", eager: bool = False, refuses: bytes = b"00"
    ) -> None:
        self.machine = machine
        self._id = vmd_id
        self._eager = eager
        self._refuses = refuses
        self._powered = True
        self._heard = bytearray()
        self._heard_at = 0.0
        self._forget()

    def _forget(self) -> None:
        self._state = "idle"
        self._last = b""
        self._at: float | None = None
        self._tries = 0
        self._script: Iterator[bytes] = iter(())
        self._acks = 0
        self.machine.held = False

    # What the line sees

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``."""
        if not self._powered:
            return []
        if self._heard and now - self._heard_at > _BETWEEN_S + len(data) * 0.002:
            self._heard.clear()
        self._heard_at = now
        self._heard += data
        said: list[Transmit] = []
        while (word := self._word()) is not None:
            said += self._obey(word, now)
        return said

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._at

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: nobody answered."""
        if self._at is None or now < self._at:
            return []
        self._tries += 1
        if self._tries >= _REPEATS:
            self._forget()
            return []
        # A lost acknowledgement is asked for again.
        again = _ENQ if self._state in ("file", "second", "eager_first") else self._last
        return self._say(self._state, again, now, keep=self._last)

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

    def _word(self) -> bytes | None:
        """The next control character or whole block; None: wait for more."""
        held = self._heard
        while held:
            if held[0] == _DLE:
                if len(held) < 2:
                    return None
                if held[1] in (0x30, 0x31, 0x3B):
                    word = bytes(held[:2])
                    del held[:2]
                    return word
                if held[1] in (1, 2):
                    return self._block_word()
            elif held[0] in (4, 5, 0x15):
                word = bytes(held[:1])
                del held[:1]
                return word
            del held[0]
        return None

    def _block_word(self) -> bytes | None:
        held = self._heard
        ends = [at for at in (held.find(b"\x10\x03", 2), held.find(b"\x10\x17", 2)) if at >= 0]
        if not ends:
            return None
        end = min(ends) + 4
        if len(held) < end:
            return None
        word = bytes(held[:end])
        del held[:end]
        text = word[2:-4]
        return word if block(word[1], text, word[-3]) == word else b"bad"

    def _say(self, state: str, data: bytes, now: float, *, keep: bytes | None = None) -> list[Transmit]:
        if state != self._state:
            self._tries = 0
        self._state = state
        self._last = data if keep is None else keep
        starts = now + _TURN_ROUND_S
        self._at = starts + len(data) * 10 / 9600 + _ANSWER_S
        return [Transmit(starts, data)]

    def _obey(self, word: bytes, now: float) -> list[Transmit]:
        if word == b"bad":
            return self._say(self._state, _NAK, now, keep=self._last) if self._state == "first" else []
        if word == _NAK:
            return self._say(self._state, self._last, now)
        if word == _ENQ and self._state in ("idle", "first"):
            self.machine.held = True
            if self._eager:
                return self._say("eager", _ENQ, now)
            return self._say("first", b"\x10\x30", now)
        step = getattr(self, "_eager_word" if self._state == "eager" else f"_{self._state}", None)
        return step(word, now) if step is not None else []

    def _first(self, word: bytes, now: float) -> list[Transmit]:
        if word[:2] == b"\x10\x01":
            return self._say("greeted", b"\x10\x31", now)
        return []

    def _greeted(self, word: bytes, now: float) -> list[Transmit]:
        if word == _EOT:
            return self._say("turned", _ENQ, now)
        if word[:2] == b"\x10\x01" or word == _ENQ:
            return self._say("greeted", b"\x10\x31", now)
        return []

    def _turned(self, word: bytes, now: float) -> list[Transmit]:
        if word == b"\x10\x30":
            text = self._refuses + self._id + b"R00L06"
            return self._say("second", block(1, text, 3), now)
        return []

    def _second(self, word: bytes, now: float) -> list[Transmit]:
        if word == b"\x10\x31":
            if self._refuses != b"00":
                said = self._say("idle", _EOT, now)
                self._forget()
                return said
            return [*self._say("gap", _EOT, now), *self._begin(now)]
        return self._say("second", self._last, now) if word == b"\x10\x30" else []

    # A machine that insists on the first word

    def _eager_word(self, word: bytes, now: float) -> list[Transmit]:
        if word == b"\x10\x30":
            return self._say("eager_first", block(1, self._id + b"SR00L06", 3), now)
        return []

    def _eager_first(self, word: bytes, now: float) -> list[Transmit]:
        if word == b"\x10\x31":
            return self._say("eager_turn", _EOT, now)
        return self._say("eager_first", self._last, now) if word == b"\x10\x30" else []

    def _eager_turn(self, word: bytes, now: float) -> list[Transmit]:
        return self._say("eager_second", b"\x10\x30", now) if word == _ENQ else []

    def _eager_second(self, word: bytes, now: float) -> list[Transmit]:
        if word == _ENQ:
            return self._say("eager_second", b"\x10\x30", now)
        return self._say("eager_done", b"\x10\x31", now) if word[:2] == b"\x10\x01" else []

    def _eager_done(self, word: bytes, now: float) -> list[Transmit]:
        if word == _EOT:
            return self._begin(now)
        return self._say("eager_done", b"\x10\x31", now) if word != b"\x10\x31" else []

    # The file

    def _begin(self, now: float) -> list[Transmit]:
        """The file: read out of memory the moment it is asked for."""
        report = self.machine.read_by("TSK0", *self.machine.clock)
        parts = [report[at : at + _BLOCK] for at in range(0, len(report), _BLOCK)]
        self._script = iter([block(2, part, 3 if part is parts[-1] else 0x17) for part in parts] + [_EOT])
        self._acks = 0
        return self._say("offered", _ENQ, now + 0.05)

    def _offered(self, word: bytes, now: float) -> list[Transmit]:
        if word == b"\x10\x30":
            return self._say("file", next(self._script), now)
        return []

    def _file(self, word: bytes, now: float) -> list[Transmit]:
        """An acknowledgement counts only with the right number: the old one again means the block was not heard."""
        expected = b"\x10\x31" if self._acks % 2 == 0 else b"\x10\x30"
        if word != expected:
            return self._say("file", self._last, now) if word[:1] == b"\x10" and len(word) == 2 else []
        self._acks += 1
        following = next(self._script)
        if following == _EOT:
            said = self._say("idle", _EOT, now)
            self.machine.finished(clears=False)
            self._forget()
            return said
        return self._say("file", following, now)
