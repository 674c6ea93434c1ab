"""What a lock board said of a door last, with its moment. PURE.

A door that has not moved is no event; but whoever badges need not wait for a question whose answer came a moment ago.
"""

from __future__ import annotations

from typing import NamedTuple


class Seen(NamedTuple):
    """Whether the door was closed, and the line time, in seconds, at which the board said so."""

    closed: bool
    at: float
