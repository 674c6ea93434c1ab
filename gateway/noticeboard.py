"""The last value of everything measured here: what the control of air units looks at.

It hears what each device says on the way to its records and passes it on, so that nothing is asked twice. The surprise
is that nothing is ever forgotten by itself: whether a value is too old is the reader's decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from gateway.control import Value
from gateway.control_rules import Source
from gateway.device_events import AirSample, Event, Measured
from gateway.recording import Stamp
from gateway.session import Interpreter
from wire.ids import RecordKey
from wire.records import Intent, Record


class Noticeboard:
    """Newest value by device and metric."""

    def __init__(self) -> None:
        self._values: dict[Source, Value] = {}

    @property
    def values(self) -> Mapping[Source, Value]:
        """Everything measured so far."""
        return self._values

    def note(self, device: str, event: Event, mono: int) -> None:
        """Takes the values out of an event; events without values pass."""
        if isinstance(event, Measured):
            self._put(device, event.register, Decimal(event.value).scaleb(event.scale), mono, event.q)
        elif isinstance(event, AirSample):
            for metric, value in event.values.items():
                self._put(device, metric, Decimal(value).scaleb(event.scale), mono, tuple(getattr(event, "q", ())))

    def _put(self, device: str, metric: str, value: Decimal, mono: int, q: tuple[str, ...]) -> None:
        source = Source(device=device, metric=metric)
        before = self._values.get(source)
        # What was above 0 has been so until now: a sensor that speaks only when it changes says when it ends.
        above = value > 0 or (before is not None and before.value > 0)
        positive = mono if above else before.positive_at if before else None
        self._values[source] = Value(value, mono, q, positive)

    def beside(self, device: str, inner: Interpreter | None = None) -> Watcher:
        """An interpreter that notes what this device says and lets ``inner`` hear it too."""
        return Watcher(self, device, inner)


class Watcher:
    """One device's voice, noted on its way."""

    def __init__(self, board: Noticeboard, device: str, inner: Interpreter | None) -> None:
        self._board = board
        self._device = device
        self._inner = inner

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:
        """Notes the event; the records are the inner interpreter's."""
        self._board.note(self._device, event, at.m)
        return self._inner.hear(event, at, cfg) if self._inner else ()

    def resume(self, intent: Intent, key: RecordKey) -> None:
        """An attempt of the boot before, for an inner interpreter that may hear its end."""
        resume = getattr(self._inner, "resume", None)
        if resume is not None:
            resume(intent, key)

    def stored(self, event: Event, records: Sequence[Record], keys: Sequence[RecordKey | None]) -> None:
        """Those records are on disk, for an inner interpreter that waits for it."""
        stored = getattr(self._inner, "stored", None)
        if stored is not None:
            stored(event, records, keys)

    def tick(self, at: Stamp) -> Sequence[Record]:
        """The inner interpreter's."""
        return self._inner.tick(at) if self._inner else ()
