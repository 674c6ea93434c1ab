"""From a reader to the kiosk: whose cabinet a badge opens. Nothing is written down, for a badge alone has done nothing.

The surprise is that nothing waits: a line goes on being read while the kiosk finds out who it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from gateway.device_events import BadgeRead, Event
from gateway.recording import Stamp
from wire.records import Record

log = logging.getLogger(__name__)

Deliver = Callable[[str, str], Awaitable[object]]


class BadgeEar:
    """One reader. `deliver(cabinet, badge)` is the kiosk's, set when there is one."""

    def __init__(self, device: str, cabinet: str) -> None:
        self.device = device
        self.deliver: Deliver | None = None
        self._cabinet = cabinet
        self._running: set[asyncio.Future[object]] = set()

    def settle(self, cabinets: Collection[str], deliver: Deliver) -> None:
        """Everything is wired: which cabinet it serves. A reader that names none serves the only one there is."""
        self.deliver = deliver
        if not self._cabinet and len(cabinets) == 1:
            self._cabinet = next(iter(cabinets))
        if self._cabinet not in cabinets:
            known = ", ".join(sorted(cabinets)) or "none"
            log.error("a badge reader serves no cabinet", extra={"device": self.device, "cabinets": known})

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:  # noqa: ARG002 - a badge is no record
        """As the interpreter of a serial line's device."""
        self.note(self.device, event, 0)
        return ()

    def tick(self, at: Stamp) -> Sequence[Record]:  # noqa: ARG002 - nothing becomes due
        """Nothing."""
        return ()

    def note(self, device: str, event: Event, mono: int) -> None:  # noqa: ARG002 - as a broker's listener
        """Hands a badge over."""
        if isinstance(event, BadgeRead) and self.deliver is not None and self._cabinet:
            running = asyncio.ensure_future(self.deliver(self._cabinet, event.badge))
            self._running.add(running)
            running.add_done_callback(self._over)

    def _over(self, task: asyncio.Future[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a badge could not be handed over", extra={"device": self.device, "why": str(task.exception())})
