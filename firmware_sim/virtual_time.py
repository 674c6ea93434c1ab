"""An event loop that owns time: when nothing is ready it does not sleep, it moves its clock to the next timer.

The surprise is the one thing it must wait for in earnest: a worker thread (a database, an executor) that still owes a
result. While ``busy()`` says so, or while a job of ``run_in_executor`` is under way, the clock stands still and the
loop waits really, so that an answer which takes the disk a millisecond does not come an hour late by the loop's clock.

The owner of a thread that nobody counts loses that promise, not its results: ``call_soon_threadsafe`` works as ever.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class WorkerHangsError(RuntimeError):
    """A worker thread owes a result for a minute of real time: the run is stuck, and virtual time cannot help."""

    def __init__(self) -> None:
        super().__init__("a worker thread has owed its result for a minute; look at what it blocks on")


class NothingLeftError(RuntimeError):
    """No timer, no counted worker, nothing readable for two real seconds: the tasks left wait for each other."""

    def __init__(self) -> None:
        super().__init__("every task waits and no timer is set: a wake-up was lost, or an await can never end")


# Real seconds of one wait.
_SLICE = 0.25


class _Selector(selectors.BaseSelector):
    """The real selector, asked without waiting; what the loop wanted to wait for is given to ``idle`` instead."""

    def __init__(self, patience: Mapping[type[RuntimeError], float]) -> None:
        self._real = selectors.DefaultSelector()
        self._patience = patience
        self.idle: Callable[[float | None], type[RuntimeError] | None] = lambda _timeout: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # What a thread hands over is in the loop's queue before it wakes the loop, so where only the loop's own wake-up
        # is registered there is nothing to ask the system for, and a day is some hundred thousand turns.
        ready = self._real.select(0) if len(self._real.get_map()) > 1 else []
        if ready or timeout == 0:
            return ready
        waited = 0.0
        while (reason := self.idle(timeout)) is not None:
            ready = self._real.select(min(_SLICE, self._patience[reason]))
            if ready:
                return ready
            waited += _SLICE
            if waited >= self._patience[reason]:
                raise reason
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``loop.time()`` starts at ``start`` seconds and moves only here. ``watch`` adds who may be busy later on.

    Real seconds: ``hangs_s`` is how long a worker may owe a result, ``stuck_s`` how long nothing may be expected.
    """

    def __init__(
        self,
        busy: Callable[[], bool | int] | None = None,
        *,
        start: float = 0.0,
        hangs_s: float = 60.0,
        stuck_s: float = 2.0,
    ) -> None:
        self._now = start
        self._watched: list[Callable[[], bool | int]] = [busy] if busy is not None else []
        self._jobs = 0
        selector = _Selector({WorkerHangsError: hangs_s, NothingLeftError: stuck_s})
        super().__init__(selector)
        # asyncio fires what is due before now + resolution. The system's nanosecond is less than the distance of two
        # neighbouring floats after some weeks, and a timer would be due for ever without firing.
        self._clock_resolution = 1e-7
        selector.idle = self._idle

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def watch(self, busy: Callable[[], bool | int]) -> Callable[[], None]:
        """Time stands still while ``busy()`` is true; call what is returned when that worker is closed."""
        self._watched.append(busy)
        return lambda: self._watched.remove(busy)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # noqa: ANN401
        """As ever, but its job counts as busy."""
        self._jobs += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:  # noqa: ANN401
        """As ever: it waits for threads, so it counts as busy too."""
        self._jobs += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._jobs -= 1

    def _job_done(self, _future: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def _idle(self, timeout: float | None) -> type[RuntimeError] | None:
        """None: the clock has moved. Else wait really; the class is what it means if that goes on and on."""
        if self._jobs or any(busy() for busy in self._watched):
            return WorkerHangsError
        if timeout is None:
            return NothingLeftError
        self._now += timeout
        return None


def run(main: Coroutine[Any, Any, T], *, busy: Callable[[], bool | int] | None = None, start: float = 0.0) -> T:
    """``asyncio.run`` on a loop of this kind."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(busy, start=start)) as runner:
        return runner.run(main)
