"""What came late, or turned out otherwise, as delta lines: by how much an earlier line was too small or large. PURE.

The surprise: a late draw is not simply priced and added. Its period is settled again with everything that is known now,
and once more with what was known when the last statement was closed; the difference is what is due. So the original and
all its deltas together are always what one rating of all data would have given, whatever the charge model, its tiers
or its rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from cloud.agreements.terms import Version
from cloud.billing.facts import Fact
from cloud.billing.first_late import ends_of
from cloud.billing.scope import Scope, Unbilled
from cloud.billing.settle import Settlement, settle
from cloud.billing.statement import Head
from cloud.calendar import Period
from cloud.money import UNROUNDED_PLACES, plain, unrounded_text
from cloud.rating.lines import Amount, LeafRef, Line, LineRef, Step, exact_of
from cloud.rating.lines import number as _number

IDENTITY = (
    "charge", "version", "belongs_to", "device", "subject", "first", "end", "from_", "to", "window", "effect", "kind",
)  # fmt: skip


replace = msgspec.structs.replace


class Chain(msgspec.Struct, frozen=True):
    """The statements a settlement stands on: ``opening`` is the last one before the periods that are settled (None at
    the agreement's beginning); ``later`` are those that closed these periods before, oldest first (none: nothing is
    late). ``settled``: for each log of the settlement, the index up to which ``opening`` and those before held it;
    ``first``: the index at which its range begins.
    """

    opening: Head | None
    later: tuple[Head, ...]
    settled: tuple[int, ...]
    first: tuple[int, ...]

    @property
    def base(self) -> Head | None:
        """The statement that the new one continues."""
        return self.later[-1] if self.later else self.opening


def settle_with_deltas(
    period: Period, versions: Sequence[Version], chain: Chain, facts: Sequence[Fact], *, running: bool = False
) -> Settlement:
    """The period's own lines, then the delta lines of the earlier periods in ``chain.later``. ``running``: the period
    is not over, so nothing is estimated at its end.
    """
    scope = replace(_scope(period, versions, chain), open=running)
    full = settle(scope, facts)
    if not chain.later:
        return full
    before = settle(_before(scope, chain.later[-1]), _known(facts, chain.later[-1]))
    own = [line for line in full.lines if not line.belongs_to]
    deltas = _deltas(before.lines, [line for line in full.lines if line.belongs_to], scope, chain, facts)
    lines = [replace(line, no=at) for at, line in enumerate([*own, *deltas], 1)]
    return replace(
        full,
        lines=lines,
        unbilled=_newly_unbilled(before.unbilled, full.unbilled),
        total=plain(sum((Decimal(line.amount) for line in lines), Decimal(0))),
    )


def _scope(period: Period, versions: Sequence[Version], chain: Chain) -> Scope:
    base, opening = chain.base, chain.opening
    return Scope(
        period=period,
        closed=() if base is None else (*base.closed, base.period),
        versions=tuple(versions),
        settled=chain.settled,
        first=chain.first,
        registers=() if opening is None else tuple(opening.registers),
        since_ms=chain.later[0].period.from_ms if chain.later else period.from_ms,
    )


def _before(scope: Scope, head: Head) -> Scope:
    """The same settlement as an earlier statement saw it: up to the end of its period, by the terms of that time."""
    return replace(
        scope,
        until_ms=head.period.to_ms,
        versions=scope.versions[: len(head.versions)],
        open=False,
        stood=tuple(head.registers),
    )


def _known(facts: Sequence[Fact], head: Head) -> list[Fact]:
    """What an earlier statement had in hand."""
    ends = ends_of(head)
    return [fact for fact in facts if fact.leaf.index < ends.get(fact.leaf.log, 0)]


def identity(line: Line) -> tuple[object, ...]:
    """What makes two lines of two settlements the same line."""
    return (*(getattr(line, name) for name in IDENTITY), *sorted(line.group.items()))


def _deltas(
    before: Sequence[Line], after: Sequence[Line], scope: Scope, chain: Chain, facts: Sequence[Fact]
) -> list[Line]:
    was, now = _by_identity(before), _by_identity(after)
    found: list[Line] = []
    for key in [*now, *(key for key in was if key not in now)]:
        delta = _delta(was.get(key), now.get(key))
        if delta is not None:
            found.append(delta)
    if not found:
        return []
    originals = {head.period.label: _originals(scope, head, facts) for head in _corrected(found, chain.later)}
    return [replace(one, corrects=originals[one.belongs_to](one)) for one in found]


def _by_identity(lines: Sequence[Line]) -> dict[tuple[object, ...], Line]:
    """Lines by what they are; an exchanged register may open the same line twice, so a counter tells them apart."""
    found: dict[tuple[object, ...], Line] = {}
    for line in lines:
        key: tuple[object, ...] = identity(line)
        while key in found:
            key = (*key, "again")
        found[key] = line
    return found


def _delta(was: Line | None, now: Line | None) -> Line | None:
    """The difference of two versions of a line; None when nothing is due for it."""
    if was is None:
        return now
    quantity, exact, amount = -Fraction(was.quantity.value), -exact_of(was), -Decimal(was.amount)
    unit = was.quantity.unit
    steps = [Step(what="billed before", quantity=_number(quantity), unit=unit, amount=unrounded_text(exact))]
    if now is not None:
        quantity += Fraction(now.quantity.value)
        exact += exact_of(now)
        amount += Decimal(now.amount)
        much = now.quantity
        known = Step(what="all that is known now", quantity=much.value, unit=much.unit, amount=now.unrounded)
        steps = [known, *steps]
    if not quantity and not amount:
        return None
    one = now or was
    endless = exact.denominator > 1 and exact.numerator * 10**UNROUNDED_PLACES % exact.denominator
    return replace(
        one,
        quantity=Amount(value=_number(quantity), unit=one.quantity.unit),
        unrounded=unrounded_text(exact),
        exact=f"{exact.numerator}/{exact.denominator}" if endless else "",
        amount=plain(amount),
        steps=steps,
        leaves=list(was.leaves) if now is None else _added(was.leaves, now.leaves),
    )


def _added(was: Sequence[LeafRef], now: Sequence[LeafRef]) -> list[LeafRef]:
    """The leaves that make the difference; those that both versions stand on are on the original."""
    known = set(was)
    return [leaf for leaf in now if leaf not in known] or list(now)


def _corrected(deltas: Sequence[Line], later: Sequence[Head]) -> list[Head]:
    wanted = {line.belongs_to for line in deltas}
    return [head for head in later if head.period.label in wanted]


class _originals:  # noqa: N801 -- a function that remembers
    """Finds the line of a statement that a delta is about, by settling it as that statement did."""

    def __init__(self, scope: Scope, head: Head, facts: Sequence[Fact]) -> None:
        label = head.period.label
        settled = settle(_before(scope, head), _known(facts, head))
        self._number = head.number
        own = _by_identity([line for line in settled.lines if line.belongs_to == label])
        self._lines = {key: replace(line, no=at, belongs_to="") for at, (key, line) in enumerate(own.items(), 1)}

    def __call__(self, line: Line) -> LineRef:
        found = self._lines.get(identity(line))
        return LineRef(
            statement=self._number,
            line=0 if found is None else found.no,
            hash="" if found is None else found.hash,
        )


def _newly_unbilled(before: Sequence[Unbilled], after: Sequence[Unbilled]) -> list[Unbilled]:
    """What this statement is the first to leave out."""
    known: dict[tuple[str, ...], list[LeafRef]] = {}
    for one in before:
        known[one.reason, one.device, one.subject, one.belongs_to] = one.leaves
    found = []
    for one in after:
        told = known.get((one.reason, one.device, one.subject, one.belongs_to), [])
        leaves = [leaf for leaf in one.leaves if leaf not in told]
        if leaves:
            found.append(replace(one, leaves=leaves))
    return found
