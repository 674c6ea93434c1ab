"""A request that is made twice is done once and answered twice: double touches, answers that were lost, restarts."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.answered import Answered, flag
from gateway.reasons import SENTENCES as REASONS
from gateway.take_draw import SENTENCES, DrawResult

REMEMBERED = 500
WRITTEN = "Written down. Thank you."


class UsedAgainError(ValueError):
    """The same id was sent with something else: one of the two was not meant."""


class Repeats:
    """The requests of this start, each with the one task that does it; and of earlier starts what the journal says."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered
        self._done: OrderedDict[str, tuple[object, asyncio.Task[DrawResult]]] = OrderedDict()

    async def once(
        self, word: str, whose: str, request: str, said: object,
        deed: Callable[[str], Coroutine[Any, Any, DrawResult]],
    ) -> DrawResult:  # fmt: skip
        """The deed's result, or the one it had when this request came before. `word` and `whose`: what is asked for,
        by which session or badge; `said` all of it. Raises UsedAgainError, and what the deed raises, which may be tried
        again.
        """
        name = flag(word, whose, request)
        if not name:
            return await deed("")
        if name not in self._done:
            if (told := self._told(name)) is not None:
                return told
            task = asyncio.create_task(deed(name))
            self._done[name] = said, task
            task.add_done_callback(lambda ended: self._over(name, ended))
            while len(self._done) > REMEMBERED:
                self._done.popitem(last=False)
        before, task = self._done[name]
        if before != said:
            raise UsedAgainError("This request id was used for something else. Choose a new one.")
        return await asyncio.shield(task)

    def _over(self, name: str, ended: asyncio.Task[DrawResult]) -> None:
        """What came to nothing has no answer to repeat."""
        if ended.cancelled() or ended.exception() is not None:
            self._done.pop(name, None)

    def _told(self, name: str) -> DrawResult | None:
        """What a start before this one has written down of it."""
        found = self._answered.get(name)
        if found is None:
            return None
        if not found.outcome:
            # Its attempt was cut off, and is being looked into; it is never begun again.
            return DrawResult("busy", reason="recovering", sentence=REASONS["recovering"])
        sentence = SENTENCES.get("confirmed" if found.outcome == "picked_up" else found.outcome, WRITTEN)
        return DrawResult(found.outcome, found.qty, sentence=sentence, key=found.key)
