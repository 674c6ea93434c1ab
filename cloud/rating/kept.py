"""What the stretches of a period that have different prices leave for one another, of one charge and group. PURE.

The surprise: it changes while a period is rated, stretch by stretch in order of time; it is made anew for each rating.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from cloud.rating.uses import Use


class Kept(msgspec.Struct, kw_only=True):
    """``span``: the instants of all stretches together; ``waits``: the bounds that are worked out after the last one.

    What the stretches so far used up: ``free`` units (as they are taken off: converted or not), a ``free_amount``, of
    each discount of an amount (``spent``, by its place); ``off``: all that discounts took; ``events``: for a
    percentage, those of the stretches before.
    """

    span: tuple[int, int]
    waits: frozenset[str] = frozenset()
    free: Fraction = Fraction(0)
    free_amount: Fraction = Fraction(0)
    off: Fraction = Fraction(0)
    spent: dict[int, Fraction] = {}
    events: list[Use] = []
