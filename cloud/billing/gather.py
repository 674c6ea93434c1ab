"""What of the logs a settlement needs, read from the database: ranges, records, cosignatures, and older leaves.

The surprise: nothing that was worked out at ingest is used. A bill reads the leaves again, so that it and the offline
check cannot differ; the database's indexes only help to find the few older leaves that later ones refer to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cloud.agreements.terms import Version
from cloud.agreements.witness_terms import WitnessTerms
from cloud.billing import repository
from cloud.billing.corrections import Chain
from cloud.billing.facts import (
    GOODS,
    Clock,
    Counter,
    Fact,
    LogRange,
    Receipt,
    Stretch,
    carry_index,
    clocks_of,
    counter_of,
    date_leaves,
    decides_ms,
    deciding_receipts,
    is_needed_kind,
    src_of,
)
from cloud.billing.kept_events import RUNNING_EVENTS, KeptEvents
from cloud.billing.kept_leaves import Kept, KeptLeaves
from cloud.billing.repository import LogRow, Place
from cloud.billing.scope import devices_of
from cloud.billing.statement import EventRange, Head, newcomers
from cloud.billing.usage import event_fact, look_back_ms
from cloud.billing.verdicts import kept_by
from cloud.billing.witnessed_ranges import witnessed_until
from cloud.calendar import Period
from cloud.database import Tx
from cloud.events import repository as events
from cloud.rating.events import CountedEvent, root_of
from cloud.stock import repository as stock
from wire.canonical import LeafError
from wire.ids import RecordKey
from wire.records import DrawResolved, Record, Return, Reversal, decode

BOOT_PAGE = 256


class Source(msgspec.Struct):
    """One log on its way into a settlement: leaves ``[start, end)`` of which ``records`` concern the agreement, and the
    ``outside`` ones before them. ``settled``: up to where the statements before the range held its leaves.
    ``counters``: after each leaf that has one, for where the next statement begins. ``unseen_ms``: the instant of the
    first leaf that the agreement's witnesses have not seen yet; 0 where they have seen nothing that could be billed.
    ``clocks``: those that the statement before states.
    """

    row: LogRow
    start: int
    cuts: list[int]
    end: int
    opening: dict[str, Counter]
    settled: int = 0
    unseen_ms: int | None = None
    records: dict[int, Record] = msgspec.field(default_factory=dict)
    outside: set[int] = msgspec.field(default_factory=set)
    counters: list[tuple[int, Counter]] = msgspec.field(default_factory=list)
    receipts: list[Receipt] = msgspec.field(default_factory=list)
    clocks: Sequence[Clock] = ()

    @property
    def stretch(self) -> Stretch:
        """What of the log its leaves are dated in."""
        return Stretch(self.start, [*self.cuts, self.end], self.clocks)

    def counters_before(self, index: int) -> list[Counter]:
        """The newest counter of every device before an index of the range."""
        last = dict(self.opening)
        for at, counter in self.counters:
            if at < index:
                last[counter.src] = counter
        return sorted(last.values())


class Gathered(msgspec.Struct, frozen=True):
    """Sources and facts of an agreement up to now, and the statements they continue."""

    sources: list[Source]
    facts: list[Fact]
    chain: Chain


def gather(
    tx: Tx,
    tenant: str,
    versions: Sequence[Version],
    opening: Head | None,
    later: Sequence[Head] = (),
    kept: KeptLeaves | None = None,
    *,
    running: bool = False,
) -> Gathered:
    """Everything that a settlement after ``opening`` may need; ``later``: the statements since then, whose periods are
    settled again; ``kept``: leaves that need not be read again; ``running``: also what no witness has seen yet.
    """
    devices = sorted(devices_of(versions))
    sources = _sources(tx, tenant, devices, opening, later)
    if opening is not None:
        _open_newcomers(tx, tenant, sources[: len(opening.logs)], newcomers(versions, opening))
    for source in sources:
        _read(tx, tenant, source, devices, kept)
        if source.start == 0 and source.settled == 0 and not source.cuts:
            _skip_what_was_before(tx, tenant, source, versions[0].from_ms)
        ends_ms = versions[-1].ends_ms
        if ends_ms is not None:
            _leave_out_what_came_after(tx, tenant, source, ends_ms)
        demanded = versions[-1].terms.witnesses
        if demanded is not None and not running:
            _leave_out_what_nobody_saw(tx, tenant, source, demanded)
    _add_referred(tx, tenant, sources, devices)
    _add_openings(tx, tenant, sources, opening)
    facts: list[Fact] = []
    for position, source in enumerate(sources):
        _add_anchors(tx, tenant, source, devices)
        known = _receipts(tx, tenant, source)
        source.receipts = deciding_receipts(source.records, source.stretch, known)
        dated = date_leaves(position, source.records, source.stretch, source.receipts)
        facts += [Fact(dated[index], source.records[index]) for index in sorted(source.records)]
    settled = tuple(max(source.settled, source.start) for source in sources)
    chain = Chain(opening, tuple(later), settled, tuple(source.start for source in sources))
    told = events_needed(tx, tenant, versions, opening, chain.base, kept=None if kept is None else RUNNING_EVENTS)
    return Gathered(sources, [*facts, *map(event_fact, told)], chain)


def events_needed(
    tx: Tx,
    tenant: str,
    versions: Sequence[Version],
    opening: Head | None,
    base: Head | None,
    until: int | None = None,
    *,
    kept: KeptEvents | None = None,
) -> list[CountedEvent]:
    """The counted events that a settlement after ``opening`` needs: of its periods, of the time before them that rules
    look back on, and all that came after ``base`` was closed. ``kept``: those that need not be read again.
    """
    sources = sorted({source for version in versions for source in version.terms.event_sources or []})
    if not sources:
        return []
    begins_ms = versions[0].from_ms if opening is None else opening.period.to_ms
    since_ms = begins_ms - look_back_ms(versions)
    from_serial = 0 if base is None or base.events is None else base.events.to
    last = events.last_serial(tx, tenant) if until is None else until
    if kept is not None:
        return kept.read(tx, (tenant, tuple(sources), since_ms, from_serial), last)
    return events.of_sources(tx, tenant, sources, since_ms=since_ms, from_serial=from_serial, until_serial=last)


def event_range(tx: Tx, tenant: str, gathered: Gathered, versions: Sequence[Version]) -> EventRange | None:
    """What a statement says of the counted events it stands on; None for an agreement that counts none."""
    if not any(version.terms.event_sources for version in versions):
        return None
    told = [fact.record for fact in gathered.facts if isinstance(fact.record, CountedEvent)]
    return EventRange(events.last_serial(tx, tenant), len(told), root_of(told))


def ranges(tx: Tx, tenant: str, gathered: Gathered, period: Period, versions: Sequence[Version]) -> list[LogRange]:
    """The ranges as a statement of this period states them."""
    found = []
    kept = kept_by(versions, gathered.facts, period)
    for position, source in enumerate(gathered.sources):
        inside = [fact for fact in gathered.facts if fact.leaf.log == position and fact.leaf.index >= source.start]
        carry = carry_index(inside, position, source.end, period.to_ms, kept)
        found.append(
            LogRange(
                log=source.row.log_id,
                origin=source.row.origin,
                from_=source.start,
                cuts=source.cuts,
                to=source.end,
                carry=carry,
                root=repository.root(tx, tenant, source.row.log_no, source.end),
                receipts=source.receipts,
                outside=sorted(source.outside),
                opening=sorted(source.opening.values()),
                counters=source.counters_before(carry),
                clocks=clocks_of(source.records, source.stretch, source.receipts),
            )
        )
    return found


def _sources(tx: Tx, tenant: str, devices: Sequence[str], opening: Head | None, later: Sequence[Head]) -> list[Source]:
    """The logs in the statement's order: those of the statement before, then new ones."""
    rows = {row.log_id: row for row in repository.logs_of(tx, tenant, devices)}
    sources: dict[str, Source] = {}
    for old in opening.logs if opening is not None else []:
        row = rows.pop(old.log)
        cuts = sorted({cut for cut in [*old.cuts, old.to] if cut > old.carry})
        counters = {counter.src: counter for counter in old.counters}
        sources[old.log] = Source(row, old.carry, cuts, row.size, counters, old.to)
    for new in (log for head in later for log in head.logs):
        source = sources.get(new.log)
        if source is None:
            counters = {counter.src: counter for counter in new.opening}
            source = sources[new.log] = Source(rows.pop(new.log), new.from_, [], 0, counters, new.from_)
            source.end = source.row.size
        if new.to > (source.cuts[-1] if source.cuts else source.start):
            source.cuts.append(new.to)
    base = later[-1] if later else opening
    for stated in base.logs if base is not None else []:
        sources[stated.log].clocks = stated.clocks
    return [*sources.values(), *(Source(row, 0, [], row.size, {}) for row in rows.values())]


def _open_newcomers(tx: Tx, tenant: str, sources: Sequence[Source], devices: Iterable[str]) -> None:
    """Counters of devices that a later version has brought in, where they have a past in these logs."""
    for source in sources:
        for src in devices:
            counter = repository.last_counter(tx, tenant, src, source.row.log_no, source.start)
            if counter is not None:
                source.opening.setdefault(src, counter)


def _read(tx: Tx, tenant: str, source: Source, devices: Sequence[str], kept: KeptLeaves | None) -> None:
    """Reads the range: records of the agreement's devices and of the gateway itself, and their counters."""
    wanted = {*devices, source.row.gateway}
    key = (source.row.log_id, source.start, tuple(devices))
    known = None if kept is None else kept.find(key)
    begin = source.start
    if known is not None and repository.root_at(tx, tenant, source.row.log_no, known.end) == known.root:
        source.records, source.counters, begin = dict(known.records), list(known.counters), known.end
    for leaf in repository.leaves(tx, tenant, source.row.log_no, begin, source.end):
        if src_of(leaf.leaf) not in wanted:
            continue
        try:
            record = decode(leaf.leaf)
        except LeafError:
            counter = counter_of(leaf.leaf)
            if counter is not None:
                source.counters.append((leaf.index, counter))
            continue
        source.records[leaf.index] = record
        source.counters.append((leaf.index, Counter(record.src, record.ep, record.n)))
    if kept is not None:
        root = repository.root(tx, tenant, source.row.log_no, source.end)
        kept.keep(key, Kept(source.end, root, dict(source.records), tuple(source.counters)))


def _receipts(tx: Tx, tenant: str, source: Source) -> list[Receipt]:
    """The cosignatures that may decide a time of the range; where every clock was synchronised only those at its cuts
    and its end, because each batch brings one.
    """
    if all(record.ts == "S" for record in source.records.values()):
        return repository.receipts_at(tx, tenant, source.row.log_no, source.stretch.ends)
    return repository.receipts(tx, tenant, source.row.log_no, source.start, source.end)


def _skip_what_was_before(tx: Tx, tenant: str, source: Source, starts_ms: int) -> None:
    """A device's leaves from before the agreement are nobody's business here: the range begins after them."""
    dated = date_leaves(0, source.records, source.stretch, _receipts(tx, tenant, source))
    billed = {index: dated[index].at for index, record in source.records.items() if is_needed_kind(record)}
    if any(at < starts_ms for at in billed.values()):
        start = min((index for index, at in billed.items() if at >= starts_ms), default=source.end)
        source.opening = {counter.src: counter for counter in source.counters_before(start)}
        source.counters = [(at, counter) for at, counter in source.counters if at >= start]
        source.records = {index: record for index, record in source.records.items() if index >= start}
        source.start = start


def _leave_out_what_came_after(tx: Tx, tenant: str, source: Source, ends_ms: int) -> None:
    """After the agreement its devices serve somebody else: the range ends with the piece that brought its last leaf."""
    known = repository.receipts(tx, tenant, source.row.log_no, source.start, source.end)
    dated = date_leaves(0, source.records, source.stretch, known)
    within = (
        index
        for index, record in source.records.items()
        if is_needed_kind(record) and decides_ms(dated[index].at, record) < ends_ms
    )
    least = max([source.start, *source.cuts, *(index + 1 for index in within)])
    _end(source, min((receipt.size for receipt in known if receipt.size >= least), default=source.end))


def _leave_out_what_nobody_saw(tx: Tx, tenant: str, source: Source, demanded: WitnessTerms) -> None:
    """The range ends with the checkpoint that enough witnesses cosigned; what came later waits for them."""
    until = witnessed_until(tx, (tenant, source.row.log_no), demanded)
    if until >= source.end:
        return
    if until < max([source.start, *source.cuts, 1]):
        source.unseen_ms = 0
        return
    dated = date_leaves(0, source.records, source.stretch, _receipts(tx, tenant, source))
    waiting = [dated[at].at for at, record in source.records.items() if at >= until and is_needed_kind(record)]
    source.unseen_ms = min(waiting, default=None)
    _end(source, until)


def _end(source: Source, size: int) -> None:
    """The range ends there."""
    source.end = size
    source.counters = [(at, counter) for at, counter in source.counters if at < size]
    source.records = {index: record for index, record in source.records.items() if index < size}


def _add_referred(tx: Tx, tenant: str, sources: Sequence[Source], devices: Sequence[str]) -> None:
    """Draws that later leaves refer to, what else refers to them, and the first telling of what was told twice."""
    pieces = [record for source in sources for record in source.records.values() if isinstance(record, GOODS)]
    if not pieces:
        return
    targets = {key for record in pieces if (key := _target(record)) is not None and key.src in devices}
    known = stock.places(tx, tenant, [*targets, *(record.key for record in pieces)])
    draws = sorted((key.src, known[key]) for key in targets if key in known)
    places = {*known.values(), *repository.places_about(tx, tenant, draws)}
    dids = sorted({(record.src, record.did) for record in pieces if record.did})
    places |= set(repository.places_of_dids(tx, tenant, dids).values())
    _add(tx, tenant, sources, places)


def _target(record: Record) -> RecordKey | None:
    if isinstance(record, DrawResolved | Reversal | Return) and record.ref:
        return record.ref.key
    return None


def _add_openings(tx: Tx, tenant: str, sources: Sequence[Source], previous: Head | None) -> None:
    """The readings at which the last statement left the meters."""
    leaves = [state.point.leaf for state in previous.registers] if previous is not None else []
    _add(tx, tenant, sources, {(sources[leaf.log].row.log_no, leaf.index) for leaf in leaves})


def _add(tx: Tx, tenant: str, sources: Sequence[Source], places: Iterable[Place]) -> None:
    """Adds leaves that lie before their log's range."""
    by_number = {source.row.log_no: source for source in sources}
    for log_no, index in sorted(places):
        source = by_number.get(log_no)
        if source is None or index >= source.start or index in source.records:
            continue
        for leaf in repository.leaves(tx, tenant, log_no, index, index + 1):
            source.records[index] = decode(leaf.leaf)
            source.outside.add(index)


def _add_anchors(tx: Tx, tenant: str, source: Source, devices: Sequence[str]) -> None:
    """For boots with undated leaves: the first synchronised record of the boot, where it lies before the range."""
    undated = {record.b for record in source.records.values() if record.ts != "S"}
    for boot in sorted(undated):
        firsts = [_first_synchronised(tx, tenant, source, src, boot) for src in (*devices, source.row.gateway)]
        found = [index for index in firsts if index is not None]
        if found and min(found) < source.start:
            _add(tx, tenant, [source], [(source.row.log_no, min(found))])


def _first_synchronised(tx: Tx, tenant: str, source: Source, src: str, boot: str) -> int | None:
    """The index of a device's first synchronised record of a boot in this log, if it lies before the range."""
    after = 0
    while True:
        page = repository.places_of_boot(tx, tenant, src, boot, after=after, limit=BOOT_PAGE)
        for n, log_no, index in page:
            after = n
            if log_no != source.row.log_no:
                continue
            if index >= source.start:
                return None
            leaf = repository.leaves(tx, tenant, log_no, index, index + 1)[0]
            if decode(leaf.leaf).ts == "S":
                return index
        if len(page) < BOOT_PAGE:
            return None
