"""One life of a machine: the tasks of a process that will be killed, and the clean death of all of them at one instant.

The surprise is what a dead process may still do: nothing. Its tasks are cancelled like any others, so its ``finally``
blocks run; but everything it holds (disk, wires, network) knows that this life is over and raises ``PowerCut``. That is
what makes a crash possible at *any* await and at any sync.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from firmware_sim.virtual_time import VirtualTimeLoop

T = TypeVar("T")
LONGEST_DEATH = 200


class PowerCut(BaseException):
    """The power is gone. Not an Exception: no code of the product may catch it and go on."""


class Life:
    """From a start to a crash. ``alive`` is asked by every port that this life was handed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.context = contextvars.copy_context()
        self.context.run(LIFE.set, self)

    def must_live(self) -> None:
        """Raises PowerCut in a dead process."""
        if not self.alive:
            raise PowerCut

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process; so are all that it starts."""
        return asyncio.get_running_loop().create_task(work, context=self.context.copy())

    async def kill(self) -> None:
        """Nothing of this process is left when this returns."""
        self.alive = False
        for _ in range(LONGEST_DEATH):
            left = list(self.tasks)
            if not left:
                return
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=0.001)
        raise RuntimeError(f"{self.name} does not die: {self.tasks}")

    def ended(self, task: asyncio.Task[Any]) -> None:
        """A task is over; how, is for who waits for it."""
        self.tasks.pop(task, None)
        if not task.cancelled():
            task.exception()


async def pause(seconds: float) -> None:
    """Virtual time passes; on any other loop this would be a real wait."""
    assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
    await asyncio.sleep(seconds)


LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)


def mark_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """From now on each task of this loop is known to the life in whose context it was started, in order."""

    def make(
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        context: contextvars.Context | None = None,
        **more: Any,
    ) -> asyncio.Task[T]:
        made: asyncio.Task[T] = asyncio.Task(work, loop=loop, context=context, **more)
        life = LIFE.get() if context is None else context.get(LIFE)
        if life is not None:
            life.tasks[made] = None
            made.add_done_callback(life.ended, context=context)
            if not life.alive:
                made.cancel()
        return made

    loop.set_task_factory(make)
