"""What happened in a run, as one hash: two runs of a seed are the same run if and only if their hashes are the same.

Everything that leaves a component goes in: each fault, each message on the network, each commit, each answer to a
person, with its virtual time. ``last`` keeps the end of it in words, for whoever looks for the moment two runs part.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable

KEPT = 400


class Trace:
    """``now`` gives virtual seconds. ``faults`` counts what was done to the system, by kind."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.faults: Counter[str] = Counter()
        self.last: deque[str] = deque(maxlen=KEPT)
        self.listen: Callable[[str], None] | None = None
        self._now = now
        self._hash = hashlib.sha256()

    def note(self, kind: str, *facts: object) -> None:
        """Something happened."""
        line = f"{self._now():.4f} {kind} {' '.join(map(str, facts))}"
        self._hash.update(line.encode())
        self.last.append(line)
        if self.listen is not None:
            self.listen(line)

    def fault(self, kind: str, *facts: object) -> None:
        """Something was done to the system."""
        self.faults[kind] += 1
        self.note(f"fault:{kind}", *facts)

    @property
    def hash(self) -> str:
        """The run so far, 16 hex digits."""
        return self._hash.hexdigest()[:16]
