"""What a device's twin is to the bench: bytes and times in, transmissions out. PURE: no line, no loop, no clock.

A twin never knows how its bytes travel. It is told what it heard and when the last byte of it ended, it says when it
next wants to be woken, and it says what it begins to send at which moment. Whoever owns time (a bench or a test) does
the rest.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Transmit(NamedTuple):
    """``data`` begins to leave the device at line time ``at`` (seconds)."""

    at: float
    data: bytes


class Twin(Protocol):
    """A device on a serial line. All times are line seconds with an arbitrary zero."""

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """Bytes heard on the line; the last of them ended at ``now``."""

    def due(self) -> float | None:
        """When ``wake`` wants to be called, at the latest; None: nothing under way."""

    def wake(self, now: float) -> list[Transmit]:
        """Does what has become due by ``now``."""

    def power_off(self, now: float) -> None:
        """The supply goes: what is in RAM is gone, what is mechanical or non-volatile stays."""

    def power_on(self, now: float) -> None:
        """The supply is back: the firmware starts anew."""


def settle(twin: Twin, now: float, heard: bytes = b"", *, until: float | None = None) -> list[Transmit]:
    """Everything the twin sends about ``heard`` with nobody else on the line, in order of time.

    Wakes the twin whenever it asks for it, up to line time ``until`` (default: ten seconds after ``now``), which is
    what keeps a device that talks unasked from talking for ever.
    """
    said = list(twin.receive(heard, now)) if heard else []
    last = now + 10.0 if until is None else until
    while (due := twin.due()) is not None and due <= last:
        said += twin.wake(max(due, now))
    return sorted(said, key=lambda one: one.at)
