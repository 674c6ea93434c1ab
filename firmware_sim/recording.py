"""A real bus becomes a vector file: frames as they passed, who said them, and how long after each other.

::

    gateway ── pty ── record ── adapter ── bus          with a link: it stands in between and knows who speaks
                      record ── adapter ── bus          without: it only listens, and who speaks is not known

The surprise is that a frame on a bus has no mark: what ends it is silence. A pause of 3.5 characters ends one here too,
but adapters hand bytes over in lumps, eight at a time or all that came in 16 ms: the time a lump took to travel is no
pause. Who stands in between sees by the speaker where a frame ends, and can wait longer for its rest. `replay` plays
the far end of such a file: it answers each question with the next answer that was recorded to it.
"""

from __future__ import annotations

import os
import select
import tomllib
import tty
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from firmware_sim.clock import line_now
from firmware_sim.serial_line import LineSpec
from firmware_sim.strict_toml import ScenarioError

Direction = Literal["host>device", "device>host", "bus"]
LUMP, LUMP_BETWEEN = 0.005, 0.03
# How often it is looked whether the host has changed the speed: a meter waits 20 ms at least before it answers.
LOOK = 0.005


@dataclass
class Frame:
    """Bytes without a pause between them. ``at``: seconds since the first one began to be heard; ``line``: its speed
    and form.
    """

    direction: Direction
    data: bytes
    at: float
    request: bytes = b""
    line: str = ""


@dataclass
class Splitter:
    """Puts pieces together to frames, by who said them and by the silence between them; `char`: seconds of a byte."""

    silence: float
    char: float = 0.0
    line: str = ""
    frames: list[Frame] = field(default_factory=list)
    _last: float = 0.0
    _begun: float | None = None

    def heard(self, direction: Direction, data: bytes, now: float) -> None:
        """A piece that came ``now``."""
        if self._begun is None:
            self._begun = now
        last = self.frames[-1] if self.frames else None
        pause = now - len(data) * self.char - self._last
        if last is not None and last.direction == direction and pause <= self.silence:
            last.data += data
        else:
            answers = last is not None and (last.direction, direction) == ("host>device", "device>host")
            asked = last.data if last is not None and answers else b""
            self.frames.append(Frame(direction, data, now - self._begun, asked, self.line))
        self._last = now


def silence_of(spec: LineSpec, *, between: bool = False) -> float:
    """The pause that ends a frame, as an adapter lets one see it; `between`: who speaks is known."""
    return max(spec.silence_s, LUMP_BETWEEN if between else LUMP)


def written(frames: Iterable[Frame], name: str) -> str:
    """The vector file, in the layout of `tests/vectors`."""
    parts = [f"# Recorded by tally-sim record from {name}. Say what the frames mean before you rely on them.\n"]
    for number, frame in enumerate(frames, 1):
        lines = [
            "[[frame]]", f'id = "{name}.{number:03}"', f'direction = "{frame.direction}"',
            f'hex = "{frame.data.hex(" ").upper()}"', "valid = true", f"ms = {round(frame.at * 1000)}",
            f'line = "{frame.line}"',
        ]  # fmt: skip
        if frame.request:
            lines.append(f'request = "{frame.request.hex(" ").upper()}"')
        parts.append("\n".join([*lines, 'provenance = "captured"', 'source = "tally-sim record"', ""]))
    return "\n".join(parts)


def record(
    bus: int,
    spec: LineSpec,
    *,
    frames: list[Frame],
    host: int = -1,
    until: Callable[[float, int], bool],
    stop: int = -1,
    spoken: Callable[[], LineSpec] | None = None,
) -> None:
    """Listens on the open port ``bus`` until ``until(seconds, frames)`` is true, or ``stop`` becomes readable.

    ``host`` is the master side of a pty: what is heard there goes to the bus and the other way round. ``frames`` is
    filled as they come, so that an interrupt loses none. ``spoken``: how the line is set now, where that may change.
    """
    splitter = Splitter(silence_of(spec, between=host >= 0), spec.char_s, spec.words, frames)
    begun = line_now()
    watched = [one for one in (bus, host, stop) if one >= 0]
    while not until(line_now() - begun, len(splitter.frames)):
        if spoken is not None and (now := spoken()).words != splitter.line:
            splitter.silence, splitter.char, splitter.line = silence_of(now, between=True), now.char_s, now.words
        ready, _, _ = select.select(watched, [], [], 0.1 if spoken is None else LOOK)
        if stop in ready:
            break
        for one in ready:
            data = os.read(one, 4096)
            other = host if one == bus else bus
            if data and other >= 0:
                os.write(other, data)
            direction: Direction = "bus" if host < 0 else "host>device" if one == host else "device>host"
            if data:
                splitter.heard(direction, data, line_now())


def open_pty(link: Path) -> tuple[int, int]:
    """Master and slave of a new pty whose device file is ``link``. The slave stays open: the host may come and go."""
    master, slave = os.openpty()
    tty.setraw(slave)
    link.unlink(missing_ok=True)
    link.symlink_to(os.ttyname(slave))
    return master, slave


class Replay:
    """The far end of a recorded bus: each question is answered with the next answer recorded to it, round and round."""

    def __init__(self, text: str) -> None:
        try:
            document = tomllib.loads(text)
            answers = [(bytes.fromhex(one.get("request", "")), bytes.fromhex(one["hex"])) for one in document["frame"]]
        except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScenarioError(f"this is no file of frames: {error}") from error
        self._answers: dict[bytes, deque[bytes]] = defaultdict(deque)
        for request, answer in answers:
            if request:
                self._answers[request].append(answer)
        if not self._answers:
            raise ScenarioError("no frame of this file has a `request`: record it with --link, which knows who speaks")
        self._heard = bytearray()
        self._longest = max(map(len, self._answers))
        self.unknown = 0

    def hear(self, data: bytes) -> bytes:
        """What the bus would say to these bytes of the host; nothing while no known question has ended."""
        said = b""
        for byte in data:
            self._heard.append(byte)
            del self._heard[: -self._longest]
            for request, answers in self._answers.items():
                if self._heard.endswith(request):
                    said += answers[0]
                    answers.rotate(-1)
                    self._heard.clear()
                    break
        return said

    def run(self, master: int, *, turn: float = 0.01, stop: int = -1) -> None:
        """Plays on the master side of a pty until ``stop`` becomes readable."""
        watched = [one for one in (master, stop) if one >= 0]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if stop in ready:
                return
            said = self.hear(os.read(master, 4096))
            if said:
                select.select([], [], [], turn)
                os.write(master, said)
