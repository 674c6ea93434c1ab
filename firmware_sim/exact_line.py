"""A serial line kept to the microsecond by a process that does nothing else: the bench that a bus is measured on.

    python -m firmware_sim.exact_line '{"baud": 9600, "meters": 8, "absent": [3]}'

    says the pty's name; on a line of its input: "off 5" and "on 5" take a meter away and bring it back, "report" says
    what was heard so far as JSON, "end" ends

The surprise is what a bench must be awake for. An event loop's timers are half a millisecond late, half of the silence
it should measure; so this one looks at the pty without pause (a core of its own), computes an answer while the question
is still on the wire, and hands over each byte when its last bit has passed. The silence in the report is the time from
the last bit of an answer to the moment a question was *seen*.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import tty
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from firmware_sim.clock import line_now
from firmware_sim.devices.sdm630 import Sdm630
from firmware_sim.devices.twin import Twin
from firmware_sim.serial_line import LineSpec

# Answers are worked out so long before they begin; a question's bytes come in one piece, so no more are to come.
AHEAD = 0.002
# Sleeping is allowed while nothing is to be done for longer than this.
SLEEP = 0.002


@dataclass
class Told:
    """What the line heard. ``silences``: seconds before each question; ``asked``: address -> when it was asked."""

    questions: int = 0
    answers: int = 0
    too_early: int = 0
    silences: list[float] = field(default_factory=list)
    asked: dict[int, list[float]] = field(default_factory=dict)


class ExactLine:
    """Twins behind a pty, on the real clock. ``sleepy``: sleeps between bytes too, where a core cannot be had."""

    def __init__(self, spec: LineSpec, *, sleepy: bool = False) -> None:
        self.spec = spec
        self.told = Told()
        self.twins: dict[int, Twin] = {}
        self.name = ""
        self._sleepy = sleepy
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)
        self._host_free = 0.0
        self._quiet = 0.0
        self._bytes: list[tuple[float, bytes]] = []

    def run(self, commands: int) -> None:
        """Works until "end" comes, or the end of file, on the descriptor ``commands``."""
        os.set_blocking(commands, False)
        looked = line_now()
        while True:
            data = self._read()
            if data:
                self._question(data, line_now())
            self._send_due()
            self._wake_due(line_now())
            now = line_now()
            if now - looked > 0.05:
                looked = now
                if not self._command(commands):
                    return
            self._rest(now)

    def _read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._master, 4096)
        return b""

    def _question(self, data: bytes, now: float) -> None:
        """Bytes of the host: on the wire from now on, behind what it is sending."""
        start = max(now, self._host_free)
        if start == now:
            self.told.questions += 1
            self.told.asked.setdefault(data[0], []).append(now)
            if self._bytes:
                self.told.too_early += 1
            elif self._quiet:
                self.told.silences.append(now - self._quiet)
        self._host_free = start + len(data) * self.spec.char_s
        for twin in self.twins.values():
            twin.receive(data, self._host_free)

    def _wake_due(self, now: float) -> None:
        for twin in self.twins.values():
            due = twin.due()
            if due is not None and due - AHEAD <= now:
                for saying in twin.wake(due):
                    self._answer(saying.data, max(saying.at, now))

    def _answer(self, data: bytes, start: float) -> None:
        self.told.answers += 1
        char = self.spec.char_s
        self._bytes += [(start + place * char, data[place - 1 : place]) for place in range(1, len(data) + 1)]

    def _send_due(self) -> None:
        while self._bytes and self._bytes[0][0] <= line_now():
            at, byte = self._bytes.pop(0)
            os.write(self._master, byte)
            self._quiet = at

    def _rest(self, now: float) -> None:
        """Sleeps a little where nothing can happen before it wakes."""
        if self._bytes and not self._sleepy:
            return
        dues = [due - AHEAD for twin in self.twins.values() if (due := twin.due()) is not None]
        end = min([*dues, *(at for at, _ in self._bytes), now + 0.05])
        if self._sleepy:
            select.select([self._master], [], [], max(end - now, 0.0))
        elif not dues and now - self._quiet > 0.02:
            # Nobody has asked for long: a question is not being waited for to the microsecond.
            select.select([self._master], [], [], SLEEP)

    def _command(self, commands: int) -> bool:
        try:
            said = os.read(commands, 4096)
        except BlockingIOError:
            return True
        for line in said.decode().splitlines():
            word, _, rest = line.partition(" ")
            if word == "end":
                return False
            if word == "report":
                print(json.dumps(vars(self.told)), flush=True)  # noqa: T201 - the answer to its parent
            elif word in ("off", "on"):
                twin = self.twins[int(rest)]
                twin.power_off(line_now()) if word == "off" else twin.power_on(line_now())
        return bool(said)


def meters(spec: LineSpec, addresses: Sequence[int], turn_round_s: float) -> dict[int, Twin]:
    """Power meters at these addresses."""
    return {
        address: Sdm630(
            address=address, serial=1000 + address, start_wh=1_000_000, baud=spec.baud, parity=spec.parity,
            turn_round_s=turn_round_s, now=line_now(),
        )
        for address in addresses
    }  # fmt: skip


def main(words: Sequence[str]) -> int:
    """The process: one JSON argument, the pty's name on its first line of output."""
    wanted: dict[str, Any] = json.loads(words[0]) if words else {}
    spec = LineSpec(baud=wanted.get("baud", 9600), parity=wanted.get("parity", "N"))
    line = ExactLine(spec, sleepy=wanted.get("sleepy", False))
    absent = set(wanted.get("absent", []))
    present = [address for address in range(1, wanted.get("meters", 1) + 1) if address not in absent]
    line.twins = meters(spec, present, wanted.get("turn", 0.0))
    print(line.name, flush=True)  # noqa: T201 - the answer to its parent
    line.run(sys.stdin.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
