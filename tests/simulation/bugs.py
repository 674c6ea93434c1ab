"""Mistakes that somebody could make, one at a time: each replaces one function or port of a run, never production code.

A simulator that finds nothing has proven nothing until it has been shown to find these. ``spoils(world)`` is a context
in which the run makes the mistake; ``tests/simulation/test_bites.py`` shows that each is found within 60 seeds.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cloud.database import Tx
from cloud.ingest import group_commit, history, quarantine, receive_batch, repository
from cloud.ingest.receive_batch import Growth
from cloud.rating.charges import weighted_runtime
from cloud.replenishment import propose_orders
from cloud.stock import repository as stock
from gateway import cloud_requests, enrol, inherit, uplink
from gateway.cloud_requests import CloudError
from gateway.device_events import FanState
from gateway.drivers import fan_coil
from gateway.journal import adopting, commit, opening, pruning, sealing, store
from gateway.journal.connection import settle_in, transaction
from gateway.ports import NotStored
from wire import http_signature
from wire.ids import RecordKey
from wire.log import leaf_hash, leaf_hashes

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(frozen=True)
class Bug:
    """One mistake. ``spoils`` is entered for the length of a run."""

    name: str
    about: str
    spoils: Callable[[World], AbstractContextManager[None]]


BUGS: dict[str, Bug] = {}


def bug(about: str) -> Callable[[Callable[[World], AbstractContextManager[None]]], Bug]:
    """Enters a mistake under its function's name."""

    def enter(spoils: Callable[[World], AbstractContextManager[None]]) -> Bug:
        name = spoils.__name__.strip("_")
        made = BUGS[name] = Bug(name, about, spoils)
        return made

    return enter


@contextmanager
def instead(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """For a while, (owner, name) is another thing."""
    with ExitStack() as stack:
        for owner, name, other in changes:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, other)
        yield


# The gateway's journal


@bug("the journal syncs at checkpoints only (synchronous=NORMAL): what was acknowledged may be gone")
def ack_before_sync(world: World) -> AbstractContextManager[None]:
    def lazy(db: sqlite3.Connection, pages: int) -> None:
        settle_in(db, pages)
        db.execute("PRAGMA synchronous=NORMAL")

    return instead((opening, "settle_in", lazy))


@bug("what a device tells again is stored again")
def no_dedupe_at_the_gateway(world: World) -> AbstractContextManager[None]:
    serial = itertools.count()
    real = commit.commit_group

    def commit_group(db: sqlite3.Connection, groups: Any, numbering: Any) -> Any:
        renamed = [
            [msgspec.structs.replace(one, did=f"{one.did}#{next(serial)}") if one.did else one for one in records]
            for records in groups
        ]
        return real(db, renamed, numbering)

    return instead((store, "commit_group", commit_group))


@bug("after a failed write the journal says it has the records")
def ack_despite_error(world: World) -> AbstractContextManager[None]:
    def refuse(journal: Any, group: Any) -> None:
        for records, future in [*group, *journal._waiting]:
            if not future.done():
                keys = [RecordKey(one.src, one.ep, 10**6 + at) for at, one in enumerate(records)]
                world.watcher.committed(commit.commit_group, ([records],), [keys])
                future.set_result(keys)
        journal._waiting.clear()

    return instead((store.Journal, "_refuse", refuse))


@bug("the boot id lies on the card: a restored card gives the same numbers to other records")
def numbers_again_after_restore(world: World) -> AbstractContextManager[None]:
    return instead((world.gateway, "boot_id", lambda: "b" * 16))


@bug("what the cloud has acknowledged is deleted from the card at once")
def prune_on_ack(world: World) -> AbstractContextManager[None]:
    real = sealing.settle

    def settle(db: sqlite3.Connection, state: sealing.LogState, word: sealing.Cosigned) -> sealing.LogState:
        settled = real(db, state, word)
        pruned = int(db.execute("SELECT pruned FROM logs WHERE log = ?", (state.log,)).fetchone()[0])
        if word.size > pruned:
            peaks = sealing.frontier_at(db, settled, word.size).to_bytes()
            with transaction(db):
                gone = "SELECT record FROM entries WHERE log = ? AND idx < ?"
                db.execute(f"DELETE FROM records WHERE id IN ({gone})", (state.log, word.size))
                db.execute("DELETE FROM entries WHERE log = ? AND idx < ?", (state.log, word.size))
                db.execute("DELETE FROM notes WHERE log = ? AND size < ?", (state.log, word.size))
                db.execute("UPDATE logs SET pruned = ?, pruned_peaks = ? WHERE log = ?", (word.size, peaks, state.log))
        return settled

    return instead((sealing, "settle", settle))


@bug("what the cloud cosigned is pruned although no backup of the cloud holds it yet")
def prune_without_backups(world: World) -> AbstractContextManager[None]:
    def prunable(db: sqlite3.Connection, state: sealing.LogState, keep_days: int) -> int:
        most = min(state.cosigned, state.sealed - 1)
        found = db.execute("SELECT max(size) FROM notes WHERE log = ? AND size <= ?", (state.log, most))
        return int(found.fetchone()[0] or 0)

    return instead((pruning, "prunable", prunable))


@bug("a new log epoch leaves out what the log before had sealed and nobody had cosigned")
def new_epoch_forgets(world: World) -> AbstractContextManager[None]:
    def begin_after(db: sqlite3.Connection, origin: str, first: RecordKey) -> None:
        with transaction(db):
            record = db.execute("SELECT id FROM records WHERE src = ? AND ep = ? AND n = ?", first).fetchone()
            db.execute("INSERT INTO logs (origin, first) VALUES (?, ?)", (origin, record[0]))

    return instead((sealing, "begin_after", begin_after))


@bug("a new card begins a new log and does not say what was before")
def loss_not_named(world: World) -> AbstractContextManager[None]:
    async def nothing(client: Any, answer: Any, nonce: str) -> None:
        return None

    return instead((enrol, "_log_before", nothing))


@bug("a new card begins with nothing: attempts that the card before left open never end")
def inherits_nothing(world: World) -> AbstractContextManager[None]:
    async def nothing(cloud: Any, folder: Any) -> int:
        return 0

    return instead((inherit, "fetch", nothing))


# What a fan coil's hours are made of


@bug("the collector's line of the highest speed is counted for the lowest one")
def speed_counted_as_another(world: World) -> AbstractContextManager[None]:
    real = fan_coil.FanCoil._state

    def state(self: Any, answer: Any, now: float) -> Any:
        return [
            FanState("low", raw=one.raw) if isinstance(one, FanState) and one.speed == "high" else one
            for one in real(self, answer, now)
        ]

    return instead((fan_coil.FanCoil, "_state", state))


@bug("an hour at a speed weighs what another speed's does")
def wrong_weight(world: World) -> AbstractContextManager[None]:
    real = weighted_runtime._weight

    def weight(speed: str, coil: str, season: str, terms: Any) -> str:
        return real("high" if speed == "low" else speed, coil, season, terms)

    return instead((weighted_runtime, "_weight", weight))


# The way up


@bug("an old head that somebody plays back is believed: it is signed, after all")
def believes_an_old_head(world: World) -> AbstractContextManager[None]:
    real = http_signature.verify_answer

    def verify(key: Any, headers: Any, *, nonce: str, **rest: Any) -> None:
        real(key, headers, **rest)

    return instead((cloud_requests, "verify_answer", verify))


@bug("the gateway seals and sends at every boot without asking for the head first")
def seal_before_head(world: World) -> AbstractContextManager[None]:
    real = uplink.Uplink._ask

    async def ask(self: Any, state: sealing.LogState) -> None:
        if self.outbox.failures:
            await real(self, state)
        else:
            self.outbox.headed()

    return instead((uplink.Uplink, "_ask", ask))


@bug("a cloud that went back is not noticed: the gateway believes its own last acknowledgement")
def no_rollback_check(world: World) -> AbstractContextManager[None]:
    async def ask(self: Any, state: sealing.LogState) -> None:
        head = await self._cloud.head()
        proven = self._open_head(head)
        if proven is not None and proven.size > state.sealed:
            self._state = await self._restore(state, proven)
        self._good()
        self.outbox.headed()

    return instead((uplink.Uplink, "_ask", ask))


@bug("what was sent counts as acknowledged, whether an answer came or not")
def send_and_forget(world: World) -> AbstractContextManager[None]:
    real = uplink.Uplink._send

    async def send(self: Any, state: sealing.LogState) -> None:
        try:
            await real(self, state)
        except (CloudError, NotStored):
            now = self._state
            word = sealing.Cosigned(now.sealed, "", now.cosigned_at, now.backed_up)
            self._state = await self._journal.change(sealing.settle, now, word)

    return instead((uplink.Uplink, "_send", send), (uplink.Uplink, "_ask", _ask_nothing))


@bug("an answer of any size acknowledges the batch that is under way")
def ack_of_the_wrong_batch(world: World) -> AbstractContextManager[None]:
    def check(self: Any, note: str, size: int, claimed: int) -> int:
        return 1_800_000_000

    return instead((uplink.Uplink, "_check", check), (uplink.Uplink, "_ask", _ask_nothing))


async def _ask_nothing(self: Any, state: sealing.LogState) -> None:
    self.outbox.headed()


@bug("entries from the mirror are adopted without being proven, and only those that are new")
def adopts_half(world: World) -> AbstractContextManager[None]:
    real = adopting.keep_mirrored

    def keep(db: sqlite3.Connection, start: int, leaves: list[bytes]) -> None:
        real(db, start, [leaves[-1]] * len(leaves))

    def adopt(db: sqlite3.Connection, state: sealing.LogState, proven: adopting.Proven) -> sealing.LogState:
        with transaction(db):
            frontier = state.frontier
            for (leaf,) in db.execute("SELECT leaf FROM mirrored ORDER BY idx").fetchall():
                frontier = frontier.extend([leaf_hash(leaf)])
            adopting._keep_note(db, state, frontier, proven)
        return sealing.read_log(db, state.origin)

    return instead((adopting, "keep_mirrored", keep), (adopting, "adopt", adopt))


# The cloud


@bug("a note that contradicts another one is taken for a straggler: two gateways with one key go on")
def fork_unnoticed(world: World) -> AbstractContextManager[None]:
    def fork(tx: Tx, incoming: Any, ours: str, now_ms: int) -> Any:
        return history.stale(repository.head(tx, incoming.log))

    return instead((history, "fork", fork))


@bug("the cloud puts whatever is signed behind what it has, without looking where it belongs")
def no_consistency_check(world: World) -> AbstractContextManager[None]:
    def examine(tx: Tx, head: repository.Head, incoming: Any, now_ms: int) -> Any:
        hashes = leaf_hashes(incoming.batch.leaves)
        size = incoming.checkpoint.size
        if size == head.size or not hashes:
            return history.revisit(tx, head, incoming, hashes, now_ms)
        start = head.size
        tree = head.tree.extend(hashes)
        moved = msgspec.structs.replace(
            incoming,
            checkpoint=msgspec.structs.replace(incoming.checkpoint, size=tree.size),
            batch=msgspec.structs.replace(incoming.batch, old=start),
            records=None,
            plain=None,
        )
        return Growth(moved, head, tree, hashes, head.anchored_boot)

    return instead((receive_batch, "_examine", examine))


@bug("the cosignature is given away before the transaction is committed")
def cosign_before_commit(world: World) -> AbstractContextManager[None]:
    class Shown(Exception):
        def __init__(self, answers: Any) -> None:
            self.answers = answers

    async def alone(self: Any, incoming: Any) -> Any:
        def work(tx: Tx) -> Any:
            raise Shown(receive_batch.receive(tx, [incoming], self._desk))

        try:
            await self._store.run(work)
        except Shown as shown:
            later = partial(receive_batch.receive, batches=[incoming], desk=self._desk)
            world.errand(_in_a_while(self._store, later))
            return shown.answers[0]

    return instead((group_commit.GroupCommit, "_alone", alone))


async def _in_a_while(store: Any, work: Callable[[Tx], Any]) -> None:
    task = store._life.start(store.run(work))
    task.add_done_callback(lambda done: done.cancelled() or done.exception())


@bug("a leaf that cannot be used is dropped instead of waiting in quarantine")
def lost_quarantine(world: World) -> AbstractContextManager[None]:
    return instead((quarantine, "add", lambda tx, found, now_ms: None))


@bug("balances are written beside the transaction, from memory")
def balance_outside_the_transaction(world: World) -> AbstractContextManager[None]:
    real = stock.save
    kept: dict[tuple[Any, ...], int] = {}

    def save(tx: Tx, tenant: str, books: Any) -> None:
        for move in books.moves:
            for place, sign in ((move.source, -1), (move.target, 1)):
                shelf = (move.device, move.slot, move.item, place)
                kept[shelf] = kept.get(shelf, 0) + sign * move.micro
                books.balances[shelf] = kept[shelf]
        real(tx, tenant, books)

    return instead((stock, "save", save))


@bug("an order's number is new each time it is proposed")
def double_order(world: World) -> AbstractContextManager[None]:
    serial = itertools.count(1)
    return instead((propose_orders, "_order_id", lambda tenant, slot, cause: f"ord_{next(serial):06d}"))
