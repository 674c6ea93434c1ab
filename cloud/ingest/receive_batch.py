"""Takes batches into their logs: verified, stored, counted once, posted, cosigned. One transaction for all of it.

Several batches, each of another log, may come together (``group_commit.py``); they cost few statements together. The
cosignature is made and stored before the commit and shown only after it, so a repeat answers the identical bytes and
nothing that was ever shown can be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import TypeVar

import msgspec

from cloud.clock import Clock
from cloud.database import Tx
from cloud.ingest import candidates as candidates_of
from cloud.ingest import history, quarantine, repository
from cloud.ingest.candidates import Candidate
from cloud.ingest.decide_time import Anchor, anchors_in
from cloud.ingest.incoming import Incoming, Refusal
from cloud.ingest.plain import Binding, Plain
from cloud.ingest.posted import Posted, Unusable
from cloud.ingest.repository import Head, Stored
from cloud.invariants import repository as holds
from wire.batch import Receipt
from wire.log import Frontier, leaf_hashes
from wire.seal import Signer

Ledger = Callable[[Tx, Sequence[Posted]], Sequence[Unusable] | None]
Answer = Receipt | Refusal
Boot = tuple[str, str, str]
T = TypeVar("T")
EMPTY = Refusal("bad-batch", "An empty log has nothing to be cosigned.")
STALE_KEYS = Refusal("stale-keys", "The log's keys have just changed; send the same batch again.")


class Desk(msgspec.Struct, frozen=True):
    """What receiving needs: the cosigner's key, the clock, and the ledgers that want the records, in order.

    ``registered`` remembers which devices were found registered, for as long as the process lives.
    """

    cosigner: Signer
    clock: Clock
    ledgers: tuple[Ledger, ...] = ()
    registered: set[Binding] = msgspec.field(default_factory=set)


class Growth(msgspec.Struct):
    """A batch that grows its log, on its way through the transaction; ``waiting``: leaves that cannot be used yet."""

    incoming: Incoming
    head: Head
    tree: Frontier
    hashes: Sequence[bytes]
    anchored_boot: str
    waiting: int = 0

    def candidates(self, now_ms: int) -> list[Candidate]:
        """Its leaves, each to be looked at."""
        batch, size = self.incoming.batch, self.incoming.checkpoint.size
        records = self.incoming.records or repeat(None, size)
        return [
            Candidate(self.incoming.log, index, leaf, hashed, now_ms, record)
            for index, leaf, hashed, record in zip(
                range(batch.old, size), batch.leaves, self.hashes, records, strict=False
            )
        ]

    @property
    def plain(self) -> Plain | None:
        """The batch made ready, where the cloud learns nothing about the boot's clock from it either."""
        ready = self.incoming.plain
        return ready if ready is not None and ready.boot == self.anchored_boot else None


def receive(tx: Tx, batches: Sequence[Incoming], desk: Desk, *, careful: bool = False) -> list[Answer]:
    """The answers to batches of different logs, in their order.

    ``careful`` posts record by record, so that a single one at which a ledger breaks is quarantined instead of holding
    up its whole log for ever; it is for a second attempt, after the quick one raised.
    """
    now_ms = desk.clock.now_ms()
    heads = repository.lock_heads(tx, [one.log.place for one in batches])
    answers: dict[int, Answer] = {}
    growths: dict[int, Growth] = {}
    for at, incoming in enumerate(batches):
        outcome = _examine(tx, heads[incoming.log.place], incoming, now_ms)
        if isinstance(outcome, Growth):
            growths[at] = outcome
        else:
            answers[at] = outcome
    if growths:
        receipts = _store(tx, list(growths.values()), desk, now_ms, careful=careful)
        answers.update(zip(growths, receipts, strict=True))
    return [answers[at] for at in range(len(batches))]


def _examine(tx: Tx, head: Head, incoming: Incoming, now_ms: int) -> Growth | Answer:
    """Does this batch grow its log? If not: what is it?"""
    if head.state != "open":
        return Refusal("log-frozen", f"The log is {head.state}: a person must open a new log epoch.", head.size)
    batch, size = incoming.batch, incoming.checkpoint.size
    if size == 0 or head.key_edition != incoming.log.edition:
        return EMPTY if size == 0 else STALE_KEYS
    hashes = leaf_hashes(batch.leaves) if incoming.hashes is None else incoming.hashes
    if batch.old != head.size or size == head.size:
        return history.revisit(tx, head, incoming, hashes, now_ms) if head.sound else _damaged(tx, head, now_ms)
    tree = head.grown(hashes)
    if tree is None or tree.root() != incoming.checkpoint.root:
        # Asked only here: an honest gateway's batch has shown by its root that our tree is the one it signed.
        return history.wrong_root(tx, head, incoming, now_ms) if head.sound else _damaged(tx, head, now_ms)
    if head.refused and (note := history.contradicted(tx, head, incoming, hashes)):
        return history.fork(tx, incoming, note, now_ms)
    return Growth(incoming, head, tree, hashes, head.anchored_boot)


def _damaged(tx: Tx, head: Head, now_ms: int) -> Refusal:
    """Our own head contradicts itself: nothing is taken, nothing is held against the gateway, nothing is billed."""
    detail = f"root, frontier and size {head.size} of the head do not belong together"
    holds.put_hold(tx, (head.tenant, head.log_no), "head-differs", detail, now_ms)
    return Refusal(
        "log-damaged", "The cloud's copy of this log is damaged; it is on hold until a person has mended it."
    )


def _store(tx: Tx, growths: list[Growth], desk: Desk, now_ms: int, *, careful: bool) -> list[Receipt]:
    if careful or not _store_plain(tx, growths, desk, now_ms):
        _store_each(tx, growths, desk, now_ms, careful=careful)
    return _cosign(tx, growths, desk)


def _store_plain(tx: Tx, growths: list[Growth], desk: Desk, now_ms: int) -> bool:
    """Batches in which nothing is odd: what was made ready ahead is stored. False, and nothing done that the closer
    look would not do as well, where a device or a key is not what it seemed.
    """
    ready = [growth.plain for growth in growths]
    plains = [one for one in ready if one is not None]
    if len(plains) < len(growths) or not all(one.bindings <= desk.registered for one in plains):
        return False
    if not repository.claim_keys(tx, _together([one.keys for one in plains])):
        return False
    repository.add_leaves(tx, _together([one.leaves for one in plains]))
    posted = _together([one.posted for one in plains])
    refused = [bad for ledger in desk.ledgers for bad in ledger(tx, posted) or ()]
    if refused:
        seen = [growth.candidates(now_ms) for growth in growths]
        _refuse(chain.from_iterable(seen), refused)
        _quarantine(tx, growths, seen, now_ms)
    return True


def _together(parts: list[list[T]]) -> list[T]:
    return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))


def _store_each(tx: Tx, growths: list[Growth], desk: Desk, now_ms: int, *, careful: bool) -> None:
    """Leaf by leaf: some may have to wait in quarantine, or were counted before, or came without a clock."""
    seen = [growth.candidates(now_ms) for growth in growths]
    everything = _together(seen)
    repository.add_leaves(
        tx, [(one.log.tenant, one.log.log_no, one.index, one.leaf, one.leaf_hash) for one in everything]
    )
    candidates_of.judge(tx, everything, desk.registered)
    usable = candidates_of.claim(tx, everything)
    anchors = _anchor(tx, growths, seen, now_ms)
    post(tx, usable, candidates_of.date(usable, anchors), desk.ledgers, careful=careful)
    _quarantine(tx, growths, seen, now_ms)


def _quarantine(tx: Tx, growths: Sequence[Growth], seen: Sequence[Sequence[Candidate]], now_ms: int) -> None:
    """What has a reason why it cannot be used waits for somebody to mend it."""
    for growth, theirs in zip(growths, seen, strict=True):
        waiting = [one for one in theirs if one.reason]
        growth.waiting = len(waiting)
        if waiting:
            quarantine.add(tx, waiting, now_ms)


def post(
    tx: Tx, usable: Sequence[Candidate], posted: Sequence[Posted], ledgers: Sequence[Ledger], *, careful: bool
) -> None:
    """Hands the records to the ledgers; those a ledger cannot use get its reason."""
    if not careful:
        refused = [bad for ledger in ledgers for bad in ledger(tx, posted) or ()]
    else:
        refused = [bad for one in posted for bad in _post_alone(tx, one, ledgers)]
    if refused:
        _refuse(usable, refused)


def _refuse(candidates: Iterable[Candidate], refused: Iterable[Unusable]) -> None:
    by_place = {(one.log.log_id, one.index): one for one in candidates}
    for bad in refused:
        by_place[(bad.posted.log, bad.posted.index)].refuse(bad.reason, bad.detail)


def _post_alone(tx: Tx, posted: Posted, ledgers: Sequence[Ledger]) -> list[Unusable]:
    try:
        with tx.savepoint():
            return [bad for ledger in ledgers for bad in ledger(tx, [posted]) or ()]
    except Exception as error:  # noqa: BLE001 -- whatever a ledger stumbles over must not stop the log
        return [Unusable(posted, "posting-failed", f"A ledger broke at this record ({type(error).__name__}: {error}).")]


def _anchor(tx: Tx, growths: Sequence[Growth], seen: Sequence[Sequence[Candidate]], now_ms: int) -> dict[Boot, Anchor]:
    """Learns what these batches tell about their boots' clocks; the anchors their undated records need."""
    told: dict[Boot, Anchor] = {}
    undated: set[Boot] = set()
    for growth, theirs in zip(growths, seen, strict=True):
        log = growth.incoming.log
        read = [one.record for one in theirs if one.record is not None]
        if {(record.b, record.ts) for record in read} == {(growth.anchored_boot, "S")}:
            continue  # nothing new: the usual case
        here = {record.b for record in read if record.ts != "S"}
        undated.update((log.tenant, log.gateway, boot) for boot in here)
        for boot, anchor in anchors_in(read, now_ms).items():
            if boot in here or (anchor.synchronised_zero_ms is not None and boot != growth.anchored_boot):
                told[log.tenant, log.gateway, boot] = anchor
                if anchor.synchronised_zero_ms is not None:
                    growth.anchored_boot = boot
    if not told and not undated:
        return {}
    anchors = repository.anchors(tx, undated | set(told))
    joined = {boot: anchors.get(boot, Anchor()).joined(anchor) for boot, anchor in told.items()}
    repository.save_anchors(tx, joined)
    return anchors | joined


def _cosign(tx: Tx, growths: list[Growth], desk: Desk) -> list[Receipt]:
    seconds = desk.clock.now_ms() // 1000
    heads, pieces, receipts = [], [], []
    for growth in growths:
        head, incoming = growth.head, growth.incoming
        size, root, note = incoming.checkpoint.size, incoming.checkpoint.root, incoming.batch.note
        frontier, cosignature = growth.tree.to_bytes(), desk.cosigner.cosign(note, seconds)
        heads.append(
            head._replace(
                size=size, root=root, frontier=frontier, anchored_boot=growth.anchored_boot, heard_ms=seconds * 1000
            )
        )
        stored = Stored(size, head.size, root, frontier, note, cosignature, seconds, growth.waiting)
        pieces.append((incoming.log.place, stored))
        receipts.append(Receipt(size, cosignature, head.backed_up_size, growth.waiting))
    repository.add_pieces(tx, pieces)
    repository.save_heads(tx, heads)
    return receipts
