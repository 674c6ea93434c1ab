"""What to do next on the way to the cloud, and when. PURE: time and chance are arguments.

Two steps alternate: *ask* for the head the cloud last cosigned (at every boot and after every error), then *send* the
next piece, one in flight. A gateway that seals before it has asked signs forks after a restore; so there is no way to
send here without having asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Step = Literal["ask", "send"]
Failure = Literal["network", "timeout", "stale", "refused", "busy", "too_large", "server", "bad_answer", "wrong"]

SMALLEST, LARGEST = 256, 4096
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
# The cloud does not know us, or calls our log forked: only a person changes that, so asking often is noise.
REFUSED_WAIT = 60.0
LONGEST_RETRY_AFTER = 300.0
FAR, SLOW = 0.15, 2.0
# Seconds from one send to the next where so many leaves come meanwhile that the requests would cost more than they.
BUSY_LINGER, BUSY = 0.1, 64
CLOCK_STEP = 0.001


class Outbox:
    """Times in seconds of one running clock.

    ``chance`` yields numbers in [0, 1), for jitter. ``linger``: a send begins at least so long after the one before, so
    that a busy gateway sends batches and an idle one sends at once. After a piece that was large, but not full, the
    next is given more time; full ones follow each other, since there a backlog waits.
    """

    def __init__(self, chance: Callable[[], float], *, linger: float = 0.03) -> None:
        self._chance = chance
        self._linger = linger
        self._not_before = 0.0
        self._wait = FIRST_WAIT
        self.asked = False
        self.stopped = False
        self.failures = 0
        self.limit = 512
        self.last_failure: Failure | None = None

    @property
    def step(self) -> Step:
        """What comes next."""
        return "send" if self.asked else "ask"

    def due(self, now: float, *, waiting: bool) -> float | None:
        """Seconds until the next step; None: nothing to do until a record comes. ``waiting``: something is unsent."""
        if self.stopped or (self.asked and not waiting):
            return None
        left = self._not_before - now
        # A clock in whole milliseconds never reaches what rounding has put a hair behind it.
        return left if left >= CLOCK_STEP else 0.0

    def headed(self) -> None:
        """The head was asked for and fits our log. Waits do not shrink yet: only a receipt shows that all is well."""
        self.asked = True
        self.last_failure = None

    def receipt(self, began: float, now: float, leaves: int) -> None:
        """A piece of so many leaves, begun at ``began``, was cosigned.

        Full pieces grow where the way there and back takes most of the time: a near cloud gains nothing by them.
        """
        self._calm()
        busy = BUSY <= leaves < self.limit
        self._not_before = began + (max(BUSY_LINGER, self._linger) if busy else self._linger)
        if leaves >= self.limit and FAR <= now - began < SLOW:
            self.limit = min(self.limit * 2, LARGEST)

    def failed(self, now: float, kind: Failure, retry_after: float = 0.0) -> float:
        """Something went wrong: the head is asked again, after a wait that doubles. Returns the wait."""
        self.asked = False
        self.failures += 1
        self.last_failure = kind
        if kind in ("timeout", "too_large"):
            self.limit = max(self.limit // 2, SMALLEST)
        if kind == "stale":
            wait = 0.0 if self.failures == 1 else self._wait
        elif kind in ("refused", "wrong"):
            wait = REFUSED_WAIT
        else:
            wait = self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        wait = max(wait * (0.5 + 0.5 * self._chance()), min(retry_after, LONGEST_RETRY_AFTER))
        self._not_before = now + wait
        return wait

    def doubt(self) -> None:
        """The head may say something new (how far the cloud's backups reach): ask again."""
        self.asked = False

    def hurry(self) -> None:
        """Somebody asks for a sync now: no more waiting for this step."""
        self._not_before = 0.0

    def stop(self) -> None:
        """The log is forked: nothing is sent any more."""
        self.stopped = True

    def _calm(self) -> None:
        self.failures = 0
        self.last_failure = None
        self._wait = FIRST_WAIT
        self._not_before = 0.0
