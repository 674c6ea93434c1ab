"""An event loop in a thread of its own: what plays the other end of a connection while the benchmark waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 10


class LoopThread:
    """Runs from the start until ``close``."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns; raises what it raises, and TimeoutError after ten seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS)

    def soon(self, function: Callable[[], object]) -> None:
        """Calls it in the loop's thread; returns at once."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Cancels all work and ends."""
        self.run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
