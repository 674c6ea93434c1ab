"""An attack on one entrance: each input within so much CPU, and nothing out of it but what it declares."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from tests.fuzz.entrances import Entrance, inputs
from tests.fuzz.fuzzing import FoundError

# For one input, on the slowest machine that runs this. What honest bytes of the same size take is far below it.
CPU_SECONDS = 20.0
SHOWN = 4000


class TooSlowError(BaseException):
    """One input takes more CPU than it may. No Exception: nothing between here and the parser may swallow it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TooSlowError in what has used up so many seconds of this process's own CPU time."""

    def over(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise TooSlowError(f"more than {seconds} s of CPU")

    before = signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def attack(one: Entrance, count: int, seed: str) -> int:
    """How many inputs were tried. Raises FoundError with the first that breaks it."""
    tried = 0
    for raw in inputs(one, count, seed):
        tried += 1
        try:
            with within(CPU_SECONDS):
                one.run(raw)
        except one.declared:
            continue
        except (Exception, TooSlowError) as error:
            raise FoundError(one.name, seed, raw[:SHOWN], error) from error
    return tried
