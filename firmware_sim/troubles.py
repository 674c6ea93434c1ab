"""The road to the cloud and what can happen on it: the cloud is away, or its answer is lost after the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import httpx


class Road(httpx.AsyncBaseTransport):
    """Passes requests on to ``inner`` unless it is closed; loses a seeded share of the answers.

    ``away``: windows (from, to) of the shop's clock, ms UTC, during which nothing gets through.
    ``chance`` gives seeded numbers in [0, 1).
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        now_ms: Callable[[], int],
        away: Sequence[tuple[int, int]] = (),
        *,
        lost: float = 0.0,
        chance: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._inner = inner
        self._now_ms = now_ms
        self._away = tuple(away)
        self._lost = lost
        self._chance = chance

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx. Raises ConnectError while the cloud is away, ReadError for a lost answer."""
        now = self._now_ms()
        if any(start <= now < end for start, end in self._away):
            self.counts["refused"] += 1
            raise httpx.ConnectError("the cloud is away", request=request)
        answer = await self._inner.handle_async_request(request)
        if request.method == "POST" and self._chance() < self._lost:
            await answer.aread()
            self.counts["lost"] += 1
            raise httpx.ReadError("the answer was lost", request=request)
        return answer
