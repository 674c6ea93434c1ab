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
    paid: int | None = None
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
        fresh = _next(Known(chain=known.chain + 1), audit, digest, at)
        return Assessment("new_chain", fresh, gaps=(Gap(another),))
    if _is_stale(known, audit):
        return Assessment("stale", known, gaps=(Gap("stale", count=False),))
    broken = _broken_chain(known, audit)
    gaps: list[Gap] = [broken] if broken else []
    moves: list[Move] = []
    days = max(at - known.at, 0) // DAY_MS + 1 if known.at is not None else 1
    told = known.paid is not None and audit.paid is not None
    stood = audit.paid == known.paid if told else None
    for name, selection in audit.selections.items():
        before = known.counters.get(name)
        if before is None:
            gaps.append(Gap("selection_new", name, count=False))
            continue
        most = (selection.capacity or rules.capacity) * (1 + days * rules.refills_per_day)
        try:
            move = _move(name, before, selection, rules, most, broken=broken is not None, stood=stood, gaps=gaps)
        except DoubtError as doubt:
            gaps.append(doubt.gap)
        else:
            if move.physical:
                moves.append(move)
    gaps += [Gap("selection_gone", name, count=False) for name in known.counters if name not in audit.selections]
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
        reads.now if reads else ("", ""), at, known.chain, audit.paid, merged,
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
    if reads is None or known.reads is None or reads.count is None:
        return None
    if any(reads.before) and any(known.stamp) and reads.before != known.stamp:
        return Gap("chain_broken", before=known.reads, now=reads.count, count=False)
    return None if reads.count == known.reads + 1 else Gap("chain_broken", "", known.reads, reads.count, count=False)


def _move(
    name: str, before: Mapping[str, int], selection: Selection, rules: AuditRules, most: int,
    *, broken: bool, stood: bool | None, gaps: list[Gap],
) -> Move:  # fmt: skip
    """The move of one selection; raises DoubtError, or adds a gap for a counter that alone is in doubt."""
    now = counters(selection)
    if _counts_intervals(before, now, rules, name):
        paid = _interval(name, before, now, rules, most, broken=broken, stood=stood)
    else:
        paid = _paid(name, before, now, rules, most, gaps)
        _check_interval(name, before, now, paid)
    free = _one("free", name, before, now, rules, most, gaps)
    test = _one("test", name, before, now, rules, most, gaps)
    if paid < 0 or paid + free + test > most:
        raise DoubtError(Gap("implausible", name))
    billable = paid + (free if rules.bill_free else 0)
    return Move(name, paid, free, test, billable, dict(before), now)


def _paid(
    name: str, before: Mapping[str, int], now: Mapping[str, int], rules: AuditRules, most: int, gaps: list[Gap]
) -> int:
    """PA201, or each payment device on its own: one of them may roll over alone. Mixed payments were counted twice."""
    paid = sum(_one(key, name, before, now, rules, most, gaps) for key in now if key == "paid" or key[:5] == "paid.")
    return paid - (_one("mixed", name, before, now, rules, most, gaps) if "mixed" in now else 0)


def _one(
    key: str, name: str, before: Mapping[str, int], now: Mapping[str, int], rules: AuditRules, most: int,
    gaps: list[Gap],
) -> int:  # fmt: skip
    value, was = now.get(key), before.get(key)
    if value is None:
        return 0
    if was is None:
        if value:
            gaps.append(Gap("counter_new", name, None, value))
        return 0
    steps = moved(was, value, rules.modulus, most)
    if steps is None:
        raise DoubtError(Gap("implausible", name, was, value))
    return steps


def _check_interval(name: str, before: Mapping[str, int], now: Mapping[str, int], paid: int) -> None:
    """Where the interval counter can be used it must agree: the same steps, or a reset since and no more than those."""
    was, value = before.get("paid_interval"), now.get("paid_interval")
    if was is None or value is None or "paid" not in before or "paid" not in now:
        return
    if not interval_usable(before["paid"], was) or not interval_usable(now["paid"], value):
        return
    if value - was != paid and value > paid:
        raise DoubtError(Gap("interval_disagrees", name, was, value))


def _counts_intervals(before: Mapping[str, int], now: Mapping[str, int], rules: AuditRules, name: str) -> bool:
    """A machine that keeps only interval counters says 0 vends ever and some since the reset."""
    if rules.counting == "interval":
        return True
    alone = not any(now.get(key, 0) for key in now if key.startswith("paid") and key != "paid_interval")
    if rules.counting == "auto" and alone and now.get("paid_interval", 0):
        was = before.get("paid_interval", 0)
        if was != now["paid_interval"]:
            raise DoubtError(Gap("interval_only", name, was, now["paid_interval"]))
    return False


def _interval(
    name: str, before: Mapping[str, int], now: Mapping[str, int], rules: AuditRules, most: int,
    *, broken: bool, stood: bool | None,
) -> int:  # fmt: skip
    """Steps of an interval counter: only where we alone read the machine, each read once."""
    was, value = before.get("paid_interval"), now.get("paid_interval")
    if was is None or value is None:
        raise DoubtError(Gap("counter_new", name, was, value))
    if broken:
        raise DoubtError(Gap("chain_broken", name, was, value))
    if not rules.read_resets:
        steps = value - was
    elif value != was or value == 0:
        steps = value
    elif stood is None:
        # Cleared only at the first vend after our read: the same number is none, or once more as many.
        raise DoubtError(Gap("interval_same", name, was, value))
    else:
        steps = 0 if stood else value
    if not 0 <= steps <= most:
        raise DoubtError(Gap("interval_reset" if steps < 0 else "implausible", name, was, value))
    return steps
