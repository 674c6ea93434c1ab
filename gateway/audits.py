"""From two audits of a machine to what was drawn in between: counters to draws, and nothing on doubt. PURE.

    physical(selection) = paid + free + test      paid: PA201, or the sum of PA705 - PA803
    billable(selection) = paid + free (by policy), never test
    each difference = (now - before) mod M, believed only if so many can have been in the machine since

The surprise is what is not a rollover. A decrease is first of all another board, cleared memory or a misread: it is
taken modulo M only when the result could have been sold, and otherwise begins a new chain that bills nothing and asks
for a count. Who else read the machine shows in EA3; that leaves a gap on paper, not in counters that only grow.
Source: EVA-DTS 6.2.2 chapter 3; vending.md 1.2 "From counters to draws".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.drivers.dts_file import Audit, Selection

DAY_MS = 86_400_000
Kind = Literal["first", "same", "stale", "chain", "new_chain"]
Counting = Literal["auto", "cumulative", "interval"]


class AuditRules(msgspec.Struct, frozen=True):
    """How one model counts. `capacity`: of a selection that tells none. `read_resets`: each of our reads clears the
    interval counters, as a profile without cumulative counters needs it.
    """

    counting: Counting = "auto"
    modulus: int = 100_000_000
    read_resets: bool = False
    bill_free: bool = True
    capacity: int = 200
    refills_per_day: int = 2


class Known(msgspec.Struct, frozen=True):
    """What the last accepted audit said, as the journal gives it back. `counters`: selection -> name -> value."""

    digest: str = ""
    serial: str = ""
    board: str = ""
    reads: int | None = None
    stamp: tuple[str, str] = ("", "")
    at: int | None = None
    chain: int = 1
    totals: Mapping[str, int] = {}
    counters: Mapping[str, Mapping[str, int]] = {}


class Move(msgspec.Struct, frozen=True):
    """What one selection gave away since the last audit, by the counters `before` and `after`."""

    selection: str
    paid: int
    free: int
    test: int
    billable: int
    before: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def physical(self) -> int:
        """Pieces that left the selection; tests leave it too."""
        return self.paid + self.free + self.test


class Gap(msgspec.Struct, frozen=True):
    """What no counter proves between two audits. Empty `selection`: the whole machine. `count`: somebody should."""

    reason: str
    selection: str = ""
    before: int | None = None
    now: int | None = None
    count: bool = True


class Assessment(msgspec.Struct, frozen=True):
    """What an audit adds to what was known; `known` is what holds from now on."""

    kind: Kind
    known: Known
    moves: tuple[Move, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Fresh(msgspec.Struct, frozen=True):
    """A counter that was not in the file before: machines leave out what is zero, but not only that."""

    selection: str
    key: str
    now: int

    @property
    def kind(self) -> str:
        """What it counts: paid, free or test."""
        return self.key if self.key in ("free", "test") else "paid"

    @property
    def steps(self) -> int:
        """Its vends, if it began at nothing. Mixed payments were counted twice."""
        return -self.now if self.key == "mixed" else self.now


class DoubtError(Exception):
    """These counters prove nothing; `gap` says why."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.reason)
        self.gap = gap


def assess(known: Known | None, audit: Audit, digest: str, rules: AuditRules, at: int) -> Assessment:
    """Judges one audit against the last accepted one. `digest`: of the raw file; `at`: our clock, ms UTC."""
    if known is None or not known.digest:
        return Assessment("first", _next(known or Known(), audit, digest, at))
    reads = audit.reads
    if digest == known.digest or (
        reads and reads.count is not None and (reads.count, reads.now) == (known.reads, known.stamp) and any(reads.now)
    ):
        return Assessment("same", known)
    another = _another_machine(known, audit)
    if another:
        anew = _next(Known(chain=known.chain + 1), audit, digest, at)
        return Assessment("new_chain", anew, gaps=(Gap(another),))
    if _is_stale(known, audit):
        return Assessment("stale", known, gaps=(Gap("stale", count=False),))
    broken = _broken_chain(known, audit)
    gaps: list[Gap] = [broken] if broken else []
    fresh: list[Fresh] = []
    steps: dict[str, dict[str, int]] = {}
    limits = _limits(known, audit, rules, at)
    stood = _total_steps("paid", known, audit, rules.modulus)
    for name, selection in audit.selections.items():
        before = known.counters.get(name)
        if before is None:
            gaps.append(Gap("selection_new", name, count=False))
            continue
        view = _View(name, before, counters(selection), rules, limits[name], fresh)
        try:
            steps[name] = view.steps(broken=broken is not None, stood=None if stood is None else stood == 0)
        except DoubtError as doubt:
            gaps.append(doubt.gap)
    gaps += _settle(fresh, steps, known, audit, rules.modulus)
    gaps += [Gap("selection_gone", name, count=False) for name in known.counters if name not in audit.selections]
    moves = []
    for name, made in steps.items():
        if made["paid"] < 0 or sum(made.values()) > limits[name]:
            gaps.append(Gap("implausible", name))
        elif any(made.values()):
            billable = made["paid"] + (made["free"] if rules.bill_free else 0)
            now = counters(audit.selections[name])
            moves.append(Move(name, **made, billable=billable, before=dict(known.counters[name]), after=now))
    return Assessment("chain", _next(known, audit, digest, at), tuple(moves), tuple(gaps))


def moved(before: int, now: int, modulus: int, most: int) -> int | None:
    """Steps of a counter from `before` to `now`, by rollover if need be; None where so many cannot have been."""
    steps = now - before
    if steps < 0:
        if max(before, now) >= modulus:
            return None
        steps %= modulus
    return steps if steps <= most else None


def counters(selection: Selection) -> dict[str, int]:
    """Everything one selection counts, by the names that readings carry."""
    paid: dict[str, int | None] = {"paid": selection.paid}
    if selection.paid is None:
        paid = {f"paid.{one.device}.{one.list}": one.total for one in selection.by_device}
        paid["mixed"] = selection.mixed
    rest = {"free": selection.free, "test": selection.test, "paid_interval": selection.paid_interval}
    return {name: value for name, value in {**paid, **rest}.items() if value is not None}


def totals(audit: Audit) -> dict[str, int]:
    """What the machine counts over all selections: VA102, VA302, VA202."""
    told = {"paid": audit.paid, "free": audit.free, "test": audit.test}
    return {kind: value for kind, value in told.items() if value is not None}


def interval_usable(total: int | None, interval: int | None) -> bool:
    """Since the last reset cannot be more than ever since; some machines say so all the same."""
    return total is not None and interval is not None and interval <= total


def _next(known: Known, audit: Audit, digest: str, at: int) -> Known:
    """What is known after this audit: counters it does not name keep their last value."""
    merged = {name: dict(values) for name, values in known.counters.items()}
    for name, selection in audit.selections.items():
        merged.setdefault(name, {}).update(counters(selection))
    reads = audit.reads
    return Known(
        digest, audit.serial or known.serial, audit.board or known.board, reads.count if reads else None,
        reads.now if reads else ("", ""), at, known.chain, totals(audit), merged,
    )  # fmt: skip


def _another_machine(known: Known, audit: Audit) -> str:
    if known.serial and audit.serial and known.serial != audit.serial:
        return "serial_changed"
    return "board_changed" if known.board and audit.board and known.board != audit.board else ""


def _is_stale(known: Known, audit: Audit) -> bool:
    """An older file that comes late: fewer reads, and not a later stamp."""
    reads = audit.reads
    if reads is None or reads.count is None or known.reads is None or not any(known.stamp):
        return False
    return reads.count < known.reads and reads.now <= known.stamp


def _broken_chain(known: Known, audit: Audit) -> Gap | None:
    """EA3 names the read before: if that is not our last, somebody else read the machine, and perhaps reset it."""
    reads = audit.reads
    if reads is None:
        return None
    gap = Gap("chain_broken", before=known.reads, now=reads.count, count=False)
    more = None if reads.count is None or known.reads is None else reads.count - known.reads
    if any(reads.before) and any(known.stamp):
        # Where the stamps meet, a machine that counts only reads that clear (ours never do) may stand still.
        return gap if reads.before != known.stamp or more not in (None, 0, 1) else None
    return gap if more not in (None, 1) else None


def _limits(known: Known, audit: Audit, rules: AuditRules, at: int) -> dict[str, int]:
    """The most that can have left each selection since: what it held, and each time it was filled again."""
    days = max(at - known.at, 0) // DAY_MS + 1 if known.at is not None else 1
    fills = 1 + days * rules.refills_per_day
    return {name: (one.capacity or rules.capacity) * fills for name, one in audit.selections.items()}


def _total_steps(kind: str, known: Known, audit: Audit, modulus: int) -> int | None:
    """Steps of a total of the whole machine; None where it does not tell one, or it went back."""
    before, now = known.totals.get(kind), totals(audit).get(kind)
    return None if before is None or now is None else moved(before, now, modulus, modulus // 2)


def _settle(
    fresh: list[Fresh], steps: dict[str, dict[str, int]], known: Known, audit: Audit, modulus: int
) -> list[Gap]:
    """A counter that appears began at nothing only if the machine's own total says so, vend by vend."""
    gaps: list[Gap] = []
    for kind in ("paid", "free", "test"):
        new = [one for one in fresh if one.kind == kind and one.selection in steps]
        total = _total_steps(kind, known, audit, modulus)
        if total is not None and total == sum(one[kind] for one in steps.values()) + sum(one.steps for one in new):
            for one in new:
                steps[one.selection][kind] += one.steps
        else:
            gaps += [Gap("counter_new", one.selection, None, one.now) for one in new]
    return gaps


class _View(msgspec.Struct):
    """One selection's counters before and now, by the model's rules; `most`: what can have left it."""

    name: str
    before: Mapping[str, int]
    now: Mapping[str, int]
    rules: AuditRules
    most: int
    fresh: list[Fresh]

    def steps(self, *, broken: bool, stood: bool | None) -> dict[str, int]:
        """Paid, free and test vends since. `stood`: the machine's own total stood still. Raises DoubtError."""
        if self._counts_intervals():
            paid = self._interval(broken=broken, stood=stood)
        else:
            paid = self._paid()
            self._check_interval(paid)
        return {"paid": paid, "free": self._one("free"), "test": self._one("test")}

    def _paid(self) -> int:
        """PA201, or each payment device on its own: one of them may roll over alone. Mixed ones were counted twice."""
        rows = sum(self._one(key) for key in self.now if key == "paid" or key.startswith("paid."))
        return rows - self._one("mixed")

    def _one(self, key: str) -> int:
        value, was = self.now.get(key), self.before.get(key)
        if value is None:
            return 0
        if was is None:
            if value:
                self.fresh.append(Fresh(self.name, key, value))
            return 0
        steps = moved(was, value, self.rules.modulus, self.most)
        if steps is None:
            raise DoubtError(Gap("implausible", self.name, was, value))
        return steps

    def _check_interval(self, paid: int) -> None:
        """Where the interval counter is usable it must agree: the same steps, or a reset and no more than those."""
        was, value = self.before.get("paid_interval"), self.now.get("paid_interval")
        if was is None or value is None or "paid" not in self.before or "paid" not in self.now:
            return
        if not interval_usable(self.before["paid"], was) or not interval_usable(self.now["paid"], value):
            return
        if value - was != paid and value > paid:
            raise DoubtError(Gap("interval_disagrees", self.name, was, value))

    def _counts_intervals(self) -> bool:
        """A machine that keeps only interval counters says 0 vends ever and some since the reset."""
        if self.rules.counting == "interval":
            return True
        ever = any(value for key, value in self.now.items() if key == "paid" or key.startswith("paid."))
        value, was = self.now.get("paid_interval", 0), self.before.get("paid_interval", 0)
        if self.rules.counting == "auto" and not ever and value and value != was:
            raise DoubtError(Gap("interval_only", self.name, was, value))
        return False

    def _interval(self, *, broken: bool, stood: bool | None) -> int:
        """Steps of an interval counter: only where we alone read the machine, each read once."""
        was, value = self.before.get("paid_interval"), self.now.get("paid_interval")
        if was is None or value is None:
            raise DoubtError(Gap("counter_new", self.name, was, value))
        if broken:
            raise DoubtError(Gap("chain_broken", self.name, was, value))
        if not self.rules.read_resets:
            steps = value - was
        elif value != was or value == 0:
            steps = value
        elif stood is None:
            # Cleared only at the first vend after our read: the same number is none, or once more as many.
            raise DoubtError(Gap("interval_same", self.name, was, value))
        else:
            steps = 0 if stood else value
        if not 0 <= steps <= self.most:
            raise DoubtError(Gap("interval_reset" if steps < 0 else "implausible", self.name, was, value))
        return steps
