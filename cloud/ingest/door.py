"""The door of the logs: a body is opened, its form and signature checked, its leaves read, before any writer sees it.

That takes longer than everything else the event loop does for a request, and most of it (signatures, inflating) lets go
of the interpreter; so it happens in a thread beside the loop, and what arrives meanwhile goes together. A large body
goes alone: nobody small waits for it.
"""

from __future__ import annotations

import asyncio
from functools import partial

from cloud.database import Store
from cloud.ingest.incoming import Incoming, Letter, Refusal, open_letters

LARGE = 32 * 1024  # bytes as they travel
TOGETHER = 64


class Door:
    """Where request bodies become batches."""

    def __init__(self, store: Store, *, max_waiting: int) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._waiting: list[tuple[Letter, asyncio.Future[Incoming | Refusal]]] = []
        self._opening: asyncio.Task[None] | None = None

    async def admit(self, letter: Letter) -> Incoming | Refusal:
        """The batch in a letter, or why it is not let in."""
        if len(self._waiting) >= self._max_waiting:
            return Refusal("busy", "Too many batches are waiting at the door.")
        if len(letter.body) > LARGE:
            return (await self._store.beside(partial(open_letters, [letter])))[0]
        answer: asyncio.Future[Incoming | Refusal] = asyncio.get_running_loop().create_future()
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
                    if not answer.done():
                        answer.set_result(incoming)
        finally:
            self._opening = None
