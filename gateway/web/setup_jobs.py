"""What the set-up does meanwhile: a search of a line, a slot that is tried out. One at a time, and the page asks.

A job that broke says so in one sentence; it never takes the gateway down with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

log = logging.getLogger("gateway.setup")


class Jobs:
    """The one job under way. `tick` changes when it goes on or ends."""

    def __init__(self) -> None:
        self.name = ""
        self.says = ""
        self.trouble = ""
        self.tick = 0
        self.task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self.task is not None and not self.task.done()

    def start(self, name: str, work: Awaitable[object]) -> bool:
        """Begins it; False when another one is under way."""
        if self.busy:
            asyncio.ensure_future(work).cancel()
            return False
        self.name, self.says, self.trouble = name, "", ""
        self.tick += 1
        self.task = asyncio.create_task(self._run(work), name=f"setup {name}")
        return True

    def tell(self, *words: str) -> None:
        """How it goes."""
        self.says = " · ".join(words)
        self.tick += 1

    async def _run(self, work: Awaitable[object]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever broke, the installer reads it and goes on
            log.warning("a step of the set-up failed", extra={"job": self.name, "why": str(error)})
            self.trouble = str(error) or type(error).__name__
        finally:
            self.tick += 1
