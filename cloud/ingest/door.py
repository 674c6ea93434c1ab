"""The door of the logs: a body is opened, its form and signature checked, its leaves read, before any writer sees it.

That takes longer than everything else the event loop does for a request, and most of it (signatures, inflating) lets go
of the interpreter; so it happens in a thread beside the loop, and what arrives meanwhile goes together. A large body
goes alone: nobody small waits for it. A small batch goes on from here by itself: whoever brought it is woken once, with
the answer, and not in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from cloud.database import Store
from cloud.ingest.incoming import Incoming, Letter, Refusal, open_letters
from cloud.ingest.receive_batch import Answer

Onward = Callable[[Incoming, "asyncio.Future[Answer]"], None]
LARGE = 32 * 1024  # bytes as they travel
TOGETHER = 64


class Door:
    """Where request bodies become batches."""

    def __init__(self, store: Store, onward: Onward, *, max_waiting: int) -> None:
        self._store = store
        self._onward = onward
        self._max_waiting = max_waiting
        self._waiting: list[tuple[Letter, asyncio.Future[Answer]]] = []
        self._opening: asyncio.Task[None] | None = None

    async def bring(self, letter: Letter) -> Answer:
        """The answer to a letter: why it is not let in, or what became of the batch in it."""
        if len(self._waiting) >= self._max_waiting:
            return Refusal("busy", "Too many batches are waiting at the door.")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if len(letter.body) > LARGE:
            (found,) = await self._store.beside(partial(open_letters, [letter]))
            self._pass(found, answer)
            return await answer
        self._waiting.append((letter, answer))
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await answer

    async def _open(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:TOGETHER], self._waiting[TOGETHER:]
                found = await self._store.beside(partial(open_letters, [letter for letter, _ in group]))
                for (_, answer), incoming in zip(group, found, strict=True):
                    self._pass(incoming, answer)
        finally:
            self._opening = None

    def _pass(self, found: Incoming | Refusal, answer: asyncio.Future[Answer]) -> None:
        if answer.done():
            return  # whoever brought it went away: what he did not wait for he will send again
        if isinstance(found, Refusal):
            answer.set_result(found)
        else:
            self._onward(found, answer)
