"""What is settled, and how a time is told to belong to it. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from cloud.agreements.terms import Version
from cloud.billing.pieces import DoubtReason
from cloud.calendar import Period, next_day, period_of
from cloud.metering.usage import RegisterState
from cloud.rating.lines import LeafRef


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What is settled: a period of an agreement, after the closed ones.

    ``since_ms``: where the settlement begins: with the period itself, or with an earlier one that is worked out again
    because of what came late; ``until_ms``: where it ends (0: with the period). ``settled``: for each log, the index up
    to which the statements before ``since_ms`` held its leaves; ``first``: the one at which its range begins, before
    which nothing was left to settle. ``registers``: where those left the meters. ``open``: the period is still running,
    so that a silent meter is not silent at its end. ``stood``: where an earlier statement, which is settled again as it
    was, left the meters: what it estimated by is theirs.
    """

    period: Period
    closed: tuple[Period, ...]
    versions: tuple[Version, ...]
    settled: tuple[int, ...]
    first: tuple[int, ...] = ()
    registers: tuple[RegisterState, ...] = ()
    since_ms: int = 0
    until_ms: int = 0
    open: bool = False
    stood: tuple[RegisterState, ...] = ()

    @property
    def begins_ms(self) -> int:
        """The instant from which periods are settled."""
        return self.since_ms or self.period.from_ms

    @property
    def starts_ms(self) -> int:
        """The instant at which the agreement's first period begins."""
        return (self.closed[0] if self.closed else self.period).from_ms

    def closes_ms(self, at_ms: int) -> int:
        """The instant that a reading told at ``at_ms`` belongs to: it closes what lies before it, and nothing lies
        before the agreement.
        """
        return max(at_ms - 1, self.starts_ms)

    @property
    def ends_ms(self) -> int:
        """The instant up to which periods are settled."""
        return self.until_ms or self.period.to_ms

    @property
    def periods(self) -> tuple[Period, ...]:
        """The periods that are settled, in order."""
        every = (*self.closed, self.period)
        return tuple(one for one in every if self.begins_ms <= one.from_ms and one.to_ms <= self.ends_ms)

    def is_due(self, at: int, known: LeafRef) -> bool:
        """Whether something that happened at ``at`` and became known with a leaf is settled now: it is not of a later
        period, and no statement before had it in hand.

        A leaf from before the range is shown because a later one refers to it. It was settled, whatever time it has
        here: one without a synchronised clock is dated by cosignatures, and those of its own days are not in the range.
        """
        if self.first and known.index < self.first[known.log]:
            return False
        in_hand = known.index < self.settled[known.log]
        return at < self.ends_ms and not (in_hand and at < self.begins_ms)

    def period_at(self, at: int) -> Period | None:
        """The period an instant belongs to: this one, a closed one, or None before the agreement."""
        return period_of(at, (*self.closed, self.period))

    def belongs_to(self, period: Period) -> str:
        """How a line names a period: "" for the statement's own."""
        return "" if period == self.period else period.label

    def window(self, version: Version, period: Period) -> tuple[str, str] | None:
        """The local days ``[first, end)`` of a period in which a version counts; None where it has none."""
        following = [other.first for other in self.versions if other.version == version.version + 1]
        ends = [version.terms.ends] if version.terms.ends is not None else []
        first, end = max(period.first, version.first), min([period.end, *following, *ends])
        return (first, end) if first < end else None


def shown_days(scope: Scope, version: Version, period: Period) -> tuple[str, str]:
    """The local days that a line of this version names. A version that ends inside a day shares it with the next."""
    first, end = scope.window(version, period) or (period.first, period.end)
    for other in scope.versions:
        if other.version == version.version + 1 and other.terms.effective_at is not None and other.first == end:
            end = min(next_day(date.fromisoformat(end)).isoformat(), period.end)
    return first, end


def devices_of(versions: Sequence[Version]) -> set[str]:
    """Every device that any version covers."""
    return {device for version in versions for device in version.terms.devices}


class Unbilled(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leaves that are not billed, and why; ``belongs_to`` as on lines."""

    reason: DoubtReason
    device: str
    subject: str
    belongs_to: str
    leaves: list[LeafRef]
