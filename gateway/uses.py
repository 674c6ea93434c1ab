"""What people have drawn lately, from the records themselves: what limits and credit shares are counted from. PURE.

The surprise is what becomes of a wrong clock. A limit is a matter of the site's day, and a clock that nobody vouches
for has no day; nobody is locked out by it. While it is not synchronised only such draws count that certainly, or by the
same unsure clock, lie in the period; as soon as it is, the draws of this boot get their true times (boot id and
monotonic time) and count again. An attempt that is still open counts as what it asks for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from gateway.lots import first_of
from gateway.periods import DAY_MS, LENGTHS, period_of
from gateway.rules import Limit, Rules, Share
from wire.ids import RecordKey
from wire.records import ClockState, Draw, DrawResolved, Intent, Loan, LoanBack, OfLot, Record, Return, Reversal

KEPT_MS = 40 * DAY_MS
# Remembered whatever the rules ask for: what somebody may still bring back at the cabinet.
RECENT = 2_000
SURE: tuple[ClockState, ...] = ("S", "R")


class Now(NamedTuple):
    """The moment of a question: wall ms UTC, what the clock says of itself, boot, ms since the boot."""

    t: int
    ts: ClockState
    b: str
    m: int


class Use(msgspec.Struct):
    """Pieces that left, or that an open attempt may let go. `for_` is the account as the record says it."""

    key: RecordKey
    t: int
    ts: ClockState
    b: str
    m: int
    who: str
    for_: str
    item: str
    cabinet: str
    slot: str
    qty: int
    open: bool = False
    lent: bool = False
    due: int | None = None
    serial: str = ""
    lot: str = ""
    lots: list[OfLot] = []

    def less(self, qty: int) -> None:
        """So many are left of it: the last of them came back, or never went."""
        self.qty, self.lots = qty, first_of(self.lots, qty)


class Left(NamedTuple):
    """How a limit stands: what was used in the period, what it allows, and when the period ends (ms UTC)."""

    limit: Limit
    used: int
    allowed: int
    ends_ms: int

    @property
    def left(self) -> int:
        """What may still be drawn."""
        return max(0, self.allowed - self.used)


class Uses:
    """Feed it every record of goods in order, also those of earlier boots; ask it what was used."""

    def __init__(self) -> None:
        self._by_key: dict[RecordKey, Use] = {}
        self._by_person: dict[str, deque[Use]] = {}
        self._offsets: dict[str, int] = {}
        self._order: deque[Use] = deque()
        self._lent: set[tuple[str, str]] = set()
        self._held: dict[tuple[str, str], Use] = {}
        self._span = 0
        self._gone = 0

    def look_back(self, rules: Rules, now: int, *, shares: bool) -> bool:
        """From now on these rules ask, at most 40 days back. True: some of that is forgotten; feed a new one."""
        longest = max((LENGTHS[limit.period] + DAY_MS for limit in rules.limits), default=0)
        self._span = KEPT_MS if shares else longest
        return bool(self._span) and self._gone > now - self._span

    def hold(self, intent: Intent) -> Use:
        """Counts what is about to be intended: two cabinets may ask for one person at once. Until `release`; one that
        a device names (`did`) also until the journal holds it, or `never_was`.
        """
        held = self._add(intent, intent.asked, opened=True)
        if intent.did:
            self._held[intent.src, intent.did] = held
        return held

    def release(self, held: Use) -> None:
        """The intent is on disk and counts itself, or will never be."""
        held.qty, held.open = 0, False

    def never_was(self, src: str, did: str) -> None:
        """What a device asked for under this name will not be intended after all."""
        held = self._held.pop((src, did), None)
        if held is not None:
            self.release(held)

    def lent(self, src: str, intent: str) -> bool:
        """Whether this attempt ended as a loan."""
        return (src, intent) in self._lent

    def apply(self, record: Record) -> None:
        """Counts one record that the journal holds. Records that are about no person's goods are ignored."""
        if record.ts in ("S", "R"):
            self._offsets[record.b] = record.t - record.m
        match record:
            case Intent():
                self.never_was(record.src, record.did)
                self._add(record, record.asked, opened=True)
            case Draw():
                self._end(record)
            case Loan():
                self._drop(record.src, record.intent)
                use = self._add(record, record.qty)
                use.lent, use.due, use.serial, use.lot = True, record.due or None, record.serial, record.lot
                use.lots = list(record.lots)
                if record.intent:
                    self._lent.add((record.src, record.intent))
            case DrawResolved():
                self._set(record.ref.key, record.qty if record.outcome == "confirmed" else 0)
            case Reversal():
                self._less(record.ref.key, record.qty)
            case Return() | LoanBack() if record.ref:
                self._less(record.ref.key, record.qty)
            case _:
                pass

    def loans(self) -> list[Use]:
        """What is lent and has not come back, oldest first."""
        return [use for use in self._by_key.values() if use.lent and use.qty]

    def when(self, use: Use) -> int | None:
        """When it left, ms UTC, by a clock that was right then or since; None: nobody knows yet."""
        if use.ts in SURE:
            return use.t
        offset = self._offsets.get(use.b)
        return None if offset is None else offset + use.m

    def due(self, use: Use) -> int | None:
        """When a loan is to be back, counted from when it left; a clock that was wrong then makes nobody late."""
        at = self.when(use)
        return None if use.due is None or at is None else at + use.due - use.t

    def of(self, person: str) -> Iterator[Use]:
        """What a person has taken of late, newest first, open attempts among it."""
        return reversed(self._by_person.get(person, ()))

    def at(self, key: RecordKey) -> Use | None:
        """The use that a record stands for, while it is remembered."""
        return self._by_key.get(key)

    def attempt(self, src: str, intent: str) -> Use | None:
        """The open attempt of an intent ("ep/n")."""
        key = _intent_key(src, intent)
        return self._by_key.get(key) if key else None

    def standing(
        self, limit: Limit, rules: Rules, now: Now, *, person: str, for_: str,
        prices: Mapping[str, int] | None = None, members: Iterable[str] = (),
    ) -> Left:  # fmt: skip
        """How a limit stands for somebody who asks now; money where the limit is one of money. `members`: whose draws
        a limit of a group adds up besides his own.
        """
        centre, job = rules.charged(for_)
        mine = self._whose(limit, {*members, person})
        total = 0
        for use in mine:
            if not _about(limit, use) or not self.within(limit, use, rules, now):
                continue
            if limit.each == "cost_centre" and rules.charged(use.for_)[0] != centre:
                continue
            if limit.each == "job" and rules.charged(use.for_)[1] != job:
                continue
            total += use.qty if limit.value_minor is None else use.qty * (price_of(use.item, rules, prices) or 0)
        allowed = limit.value_minor if limit.value_minor is not None else limit.quantity or 0
        return Left(limit, total, allowed, period_of(limit.period, now.t, rules).end)

    def within(self, limit: Limit, use: Use, rules: Rules, now: Now) -> bool:
        """Whether a use lies in the limit's present period, in favour of the person where the clock cannot tell."""
        offset = self._offsets.get(use.b)
        if now.ts in SURE:
            if use.b == now.b:
                offset = now.t - now.m
            at = (
                use.t
                if use.ts in ("S", "R")
                else None
                if offset is None and use.ts == "U"
                else (use.t if offset is None else offset + use.m)
            )
            period = period_of(limit.period, now.t, rules)
            return at is not None and period.start <= at < period.end
        if now.ts == "U":
            return use.b == now.b and now.m - use.m < LENGTHS[limit.period]
        if use.b == now.b and now.m - use.m >= LENGTHS[limit.period]:
            return False
        if use.b != now.b and (use.ts != now.ts or now.m >= LENGTHS[limit.period]):
            return False
        period = period_of(limit.period, now.t, rules)
        return period.start <= use.t < period.end

    def spent(self, share: Share, rules: Rules) -> int:
        """Minor units that this gateway has given away behind what the cloud had booked, open attempts included."""
        total = 0
        for use in self._order:
            if use.cabinet not in share.devices or use.lent or not use.qty:
                continue
            if use.key.n <= share.as_of.get(f"{use.key.src}/{use.key.ep}", -1) and not use.open:
                continue
            total += use.qty * (price_of(use.item, rules, share.prices) or 0)
        return total

    def _whose(self, limit: Limit, people: Iterable[str]) -> Iterable[Use]:
        if limit.each in ("person", "group"):
            return (use for name in people for use in self._by_person.get(name, ()))
        return self._order

    def _add(self, record: Intent | Draw | Loan, qty: int, *, opened: bool = False) -> Use:
        use = Use(
            record.key, record.t, record.ts, record.b, record.m, record.who, record.for_, record.item, record.src,
            record.slot, qty, opened,
        )  # fmt: skip
        if record.n:
            if use.key in self._by_key:
                return self._by_key[use.key]
            self._by_key[use.key] = use
        self._by_person.setdefault(use.who, deque()).append(use)
        self._order.append(use)
        self._forget(record.t if record.ts in ("S", "R") else 0)
        return use

    def _end(self, draw: Draw) -> None:
        self._drop(draw.src, draw.intent)
        if draw.outcome in ("confirmed", "unverified") and draw.qty:
            use = self._add(draw, draw.qty)
            use.lot, use.serial, use.lots = draw.lot, draw.serial, list(draw.lots)

    def _drop(self, src: str, intent: str) -> None:
        key = _intent_key(src, intent) if intent else None
        use = self._by_key.pop(key, None) if key else None
        if use is not None:
            use.qty, use.open = 0, False

    def _set(self, key: RecordKey, qty: int) -> None:
        if (use := self._by_key.get(key)) is not None:
            use.less(qty)

    def _less(self, key: RecordKey, qty: int) -> None:
        if (use := self._by_key.get(key)) is not None:
            use.less(max(0, use.qty - qty))

    def _forget(self, now: int) -> None:
        """What no limit reaches any more, but for the last few. Loans stay until they come back."""
        while len(self._order) > RECENT:
            old = self._order[0]
            if self._span and not (now and old.t < now - self._span and old.ts in SURE):
                break
            self._order.popleft()
            if (old.lent or old.open) and old.qty:
                continue
            self._gone = max(self._gone, old.t)
            self._by_key.pop(old.key, None)
            if mine := self._by_person.get(old.who):
                mine.remove(old)  # the first, unless something lent stands before it
                if not mine:
                    del self._by_person[old.who]


def price_of(item: str, rules: Rules, prices: Mapping[str, int] | None) -> int | None:
    """What a unit of an item costs in minor units, as far as anybody has said so."""
    known = (prices or {}).get(item)
    return rules.item(item).price_minor if known is None else known


def _about(limit: Limit, use: Use) -> bool:
    return (not limit.items or use.item in limit.items) and (not limit.cabinets or use.cabinet in limit.cabinets)


def _intent_key(src: str, intent: str) -> RecordKey | None:
    ep, _, n = intent.rpartition("/")
    return RecordKey(src, ep, int(n)) if ep and n.isascii() and n.isdecimal() and len(n) <= 16 else None
