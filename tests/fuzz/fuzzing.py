"""A small coverage-guided fuzzer: mutates what is known, keeps what reaches new lines, shrinks what breaks.

The surprise is that it looks at coverage only now and then: tracing a line costs ten times running it, and an input
that reaches something new leads to its like anyway. Every run is a seed; a finding prints the bytes and the seed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from types import CodeType, FrameType
from typing import Any

from firmware_sim.faults import stream

# One input in so many is watched.
WATCHED = 50
# The corpus: what reached something new, and what it began with.
KEPT = 256
LONGEST = 300
TRICKY = bytes((0x00, 0xFF, 0x7E, 0x10, 0x16, 0x68, 0xFE, 0xFA, 0xFB, 0x80, 0x7F, 0x2A, 0x0D, 0x0A, 0x42))


class FoundError(AssertionError):
    """An input that breaks a codec, as short as it could be made."""

    def __init__(self, codec: str, seed: str, data: bytes, error: BaseException) -> None:
        super().__init__(f"{codec} (seed {seed!r}): {data.hex(' ')!r} raises {type(error).__name__}: {error}")
        self.data = data


@dataclass
class Codec:
    """What is fuzzed: ``run`` takes bytes; only ``declared`` errors may come out. ``fresh`` forgets what it learnt."""

    name: str
    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    declared: tuple[type[Exception], ...] = ()
    fresh: Callable[[], None] = lambda: None


@dataclass
class Coverage:
    """The lines of our own drivers that were reached."""

    folder: str = "gateway"
    lines: set[tuple[CodeType, int]] = field(default_factory=set)

    def watch(self, run: Callable[[], object]) -> bool:
        """Runs it; True when it reached a line that was not reached before."""
        before = len(self.lines)
        sys.settrace(self._call)
        try:
            run()
        finally:
            sys.settrace(None)
        return len(self.lines) > before

    def _call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        return self._line if f"{self.folder}/drivers" in frame.f_code.co_filename else None

    def _line(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event == "line":
            self.lines.add((frame.f_code, frame.f_lineno))
        return self._line


def fuzz(codec: Codec, inputs: int, seed: str) -> int:
    """Feeds so many inputs; the number of lines reached. Raises FoundError."""
    chance = stream(f"{seed}/{codec.name}")
    corpus = [*codec.seeds] or [b"\x00"]
    coverage = Coverage()
    for number in range(inputs):
        if number % 500 == 0:
            codec.fresh()
        data = mutated(chance, corpus) if number >= len(codec.seeds) else corpus[number]
        try:
            if number % WATCHED:
                _tried(codec, data)
            elif coverage.watch(lambda data=data: _tried(codec, data)):  # type: ignore[misc]
                corpus.append(data)
                del corpus[len(codec.seeds) : -KEPT]
        except Exception as error:
            raise FoundError(codec.name, seed, shrunk(codec, data), error) from error
    return len(coverage.lines)


def mutated(chance: Random, corpus: Sequence[bytes]) -> bytes:
    """Something like what is known, but wrong in one to four places."""
    # Of two the shorter one: a long telegram says little that a short one does not, and takes its time.
    data = bytearray(min(chance.choice(corpus), chance.choice(corpus), key=len))
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(8):
            case 0 if data:
                data[place % len(data)] ^= 1 << chance.randrange(8)
            case 1 if data:
                data[place % len(data)] = chance.choice(TRICKY)
            case 2 if data:
                data[place % len(data)] = chance.randrange(256)
            case 3:
                del data[place : place + chance.randint(1, 8)]
            case 4:
                data[place:place] = chance.randbytes(chance.randint(1, 6))
            case 5:
                other = chance.choice(corpus)
                start = chance.randrange(len(other) + 1)
                data[place:place] = other[start : start + chance.randint(1, 40)]
            case 6:
                data[place:place] = data[: chance.randint(1, 12)]
            case _ if data and chance.random() < 0.2:
                data = bytearray(chance.randbytes(chance.randint(1, 60)))
    return bytes(data[:LONGEST])


def shrunk(codec: Codec, data: bytes) -> bytes:
    """The shortest piece of it that still breaks a fresh codec; all of it where only its history does."""
    if not _breaks(codec, data):
        return data
    step = max(1, len(data) // 2)
    while step:
        place = 0
        while place < len(data):
            shorter = data[:place] + data[place + step :]
            if _breaks(codec, shorter):
                data = shorter
            else:
                place += step
        step //= 2
    return data


def _tried(codec: Codec, data: bytes) -> None:
    try:
        codec.run(data)
    except codec.declared:
        return


def _breaks(codec: Codec, data: bytes) -> bool:
    codec.fresh()
    try:
        _tried(codec, data)
    except Exception:  # noqa: BLE001 - any is the finding
        return True
    return False
