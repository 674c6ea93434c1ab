"""The way up: ask for the head, seal, sign, send, keep the cosignature; for ever, whatever the network does.

It is a reader of the journal like any other: records are safe before it hears of them, and nothing it does can lose
one. Every reply may be lost or come twice; the head asked for after each error says where the cloud really is.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable

import msgspec

from gateway.clock import Clock
from gateway.cloud_requests import Cloud, CloudError
from gateway.identity import Identity
from gateway.journal import adopting, pruning, sealing
from gateway.journal.adopting import Proven
from gateway.journal.connection import DamagedError
from gateway.journal.sealing import Cosigned, LogState
from gateway.journal.store import Journal
from gateway.outbox import Failure, Outbox
from gateway.ports import NotStored
from wire import batch
from wire.batch import Batch, Head
from wire.hand_over import cosigned_by, signer_of
from wire.log import EMPTY_ROOT
from wire.seal import SealError, split_note

log = logging.getLogger("gateway.uplink")

SMALL = 1024
LINGER = 0.03
MIRROR_PIECE = 1000
# Entries from the mirror are proven only as a whole: what a proxy spoilt or kept is no fork, and is asked for again.
MIRROR_TRIES = 4
SEALED_AT_ONCE = 512


class UplinkStatus(msgspec.Struct, frozen=True):
    """For pages and metrics. ``reached``: ms since this boot of the cloud's last good answer (0: never);
    ``played_back``: answers that somebody took for another question."""

    sealed: int
    cosigned: int
    backed_up: int
    reached: int
    failures: int
    trouble: str
    frozen: str
    quarantined: int
    played_back: int = 0


class Uplink:
    """Keeps the cloud's copy of our log up to date. One request in flight.

    ``adopted`` is called when a restored card has got back what the cloud held of it.
    """

    def __init__(
        self,
        journal: Journal,
        identity: Identity,
        cloud: Cloud,
        clock: Clock,
        chance: Callable[[], float],
        adopted: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._origin = identity.origin
        self._signer = identity.signer()
        self._own = identity.own_keys()
        self._cloud = cloud
        self._clock = clock
        self._adopted = adopted
        self.outbox = Outbox(chance, linger=LINGER * clock.scale)
        self._state: LogState | None = None
        self._poke = asyncio.Event()
        self._reached = 0
        self._trouble = ""
        self._quarantined = 0
        self._unproven = 0

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            try:
                await self._step()
            except CloudError as error:
                self._failed(error.kind, str(error), retry_after=error.retry_after)
            except (NotStored, DamagedError) as error:
                self._failed("server", str(error))

    def sync_now(self) -> None:
        """Somebody wants to see it happen: no waiting for the back-off."""
        self.outbox.hurry()
        self._journal.grown.set()
        self._poke.set()

    def ask_again(self) -> None:
        """Learns how far the cloud's backups reach, also when nothing is sent any more."""
        self.outbox.doubt()
        self._journal.grown.set()

    def status(self) -> UplinkStatus:
        """Where the log stands, as far as it was opened."""
        state = self._state
        return UplinkStatus(
            sealed=state.sealed if state else 0,
            cosigned=state.cosigned if state else 0,
            backed_up=state.backed_up if state else 0,
            reached=self._reached,
            failures=self.outbox.failures,
            trouble=self._trouble,
            frozen=state.frozen if state else "",
            quarantined=self._quarantined,
            played_back=self._cloud.played_back,
        )

    @property
    def log_state(self) -> LogState | None:
        """Where our log stands; None before it was opened."""
        return self._state

    async def prune(self, keep_days: int) -> int:
        """Deletes what the rule lets go, piece by piece; how many records. Raises NotStored."""
        gone = 0
        while count := await self._journal.change(pruning.prune, self._origin, keep_days):
            gone += count
        await self._journal.change(pruning.thin_notes, self._origin)
        return gone

    async def _step(self) -> None:
        state = self._state
        if state is None:
            state = self._state = await self._journal.change(sealing.open_log, self._origin)
            if state.frozen:
                self.outbox.stop()
        waiting = state.cosigned < state.sealed or self._journal.grown.is_set()
        wait = self.outbox.due(self._now(), waiting=waiting)
        if wait is None:
            await self._journal.grown.wait()
            if self.outbox.stopped:
                self._journal.grown.clear()
        elif wait > 0:
            await self._rest(wait)
        elif self.outbox.step == "ask":
            await self._ask(state)
        else:
            await self._send(state)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds / self._clock.scale):
                await self._poke.wait()
        except TimeoutError:
            return
        self._poke.clear()

    async def _send(self, state: LogState) -> None:
        began = self._now()
        if state.cosigned < state.sealed:
            size, note = await self._journal.change(
                sealing.note_after, state, state.cosigned, self.outbox.limit, self._signer.sign
            )
        else:
            state, size, note = await self._seal(state)
            if not note:
                return
        old = state.cosigned
        body, gzipped = await self._journal.read(_pack, state, old, size, note)
        receipt = await self._cloud.send(body, gzipped=gzipped)
        at = self._check(note + receipt.cosignature, size, receipt.size)
        word = Cosigned(size, receipt.cosignature, at, receipt.backed_up_size)
        self._state = await self._journal.change(sealing.settle, state, word)
        self._quarantined += receipt.quarantined
        self._good()
        self.outbox.receipt(began, self._now(), size - old)

    async def _seal(self, state: LogState) -> tuple[LogState, int, str]:
        """In small transactions, so that a device's event gets its turn between two: a piece may be large."""
        self._journal.grown.clear()
        limit, sealed, note = self.outbox.limit, state, ""
        while (room := limit - (sealed.sealed - state.sealed)) > 0:
            before, asked = sealed.sealed, min(room, SEALED_AT_ONCE)
            sealed, made = await self._journal.change(sealing.seal, sealed, asked, self._signer.sign)
            self._state = sealed
            note = made or note
            if sealed.sealed - before < asked:
                break
        # Entry 0 may go alone, see begin_after.
        if note and (not state.sealed or sealed.sealed - state.sealed >= limit):
            self._journal.grown.set()
        return sealed, sealed.sealed, note

    def _check(self, note: str, size: int, claimed: int) -> int:
        """Seconds of a cosignature that is the cloud's, over our note, at our size; anything else is no receipt."""
        try:
            at = cosigned_by(note, self._cloud.cosigners)[1]
        except SealError as error:
            raise CloudError("bad_answer", f"the receipt's cosignature does not verify: {error}") from error
        if claimed != size:
            raise CloudError("bad_answer", f"the receipt is for size {claimed}, we sent {size}")
        return at

    async def _ask(self, state: LogState) -> None:
        head = await self._cloud.head()
        proven = self._open_head(head)
        if proven is None:
            root, word = EMPTY_ROOT, Cosigned(0, "", 0, head.backed_up_size)
        else:
            line = proven.cosignature
            root, word = proven.root, Cosigned(proven.size, line, proven.cosigned_at, head.backed_up_size)
        if proven is not None and proven.size > state.sealed:
            state = await self._restore(state, proven)
        elif await self._journal.change(sealing.root_at, state, word.size) != root:
            await self._fork(state, word.size, head.checkpoint)
            return
        if word.size < state.cosigned:
            log.warning("the cloud went back", extra={"had": state.cosigned, "has": word.size})
        if word != Cosigned(state.cosigned, word.line, state.cosigned_at, state.backed_up):
            state = await self._journal.change(sealing.settle, state, word)
        self._state = state
        self._good()
        self.outbox.headed()

    def _open_head(self, head: Head) -> Proven | None:
        """The head's checkpoint if it is ours and cosigned; None for an empty log. Raises CloudError."""
        if head.size == 0 and not head.checkpoint:
            return None
        try:
            key = signer_of(head.checkpoint, self._own)
            checkpoint = key.open(head.checkpoint)
            cosigner, at = cosigned_by(head.checkpoint, self._cloud.cosigners)
        except SealError as error:
            raise CloudError("bad_answer", f"the cloud's head does not verify: {error}") from error
        if checkpoint.size != head.size:
            raise CloudError("bad_answer", f"the head says {head.size} and its checkpoint {checkpoint.size}")
        text, signatures = split_note(head.checkpoint)
        mine = "".join(one.line for one in signatures if one.key_hash == key.key_hash)
        cosigned = "".join(one.line for one in signatures if one.key_hash == cosigner.key_hash)
        return Proven(checkpoint.size, checkpoint.root, f"{text}\n{mine}", cosigned, at)

    async def _restore(self, state: LogState, proven: Proven) -> LogState:
        """The cloud has more of our log than we: we were restored from an old image. Fetch, prove, adopt."""
        log.warning("restoring from the cloud's mirror", extra={"have": state.sealed, "cloud": proven.size})
        start = await self._journal.change(adopting.mirrored_to, state)
        while start < proven.size:
            leaves = await self._cloud.entries(start, min(start + MIRROR_PIECE, proven.size))
            if not leaves or len(leaves) > proven.size - start:
                raise CloudError("bad_answer", f"the mirror answered {len(leaves)} entries from {start}")
            await self._journal.change(adopting.keep_mirrored, start, leaves)
            start += len(leaves)
        adopted = await self._journal.change(adopting.adopt, state, proven)
        if adopted is None:
            await self._journal.change(adopting.forget_mirrored)
            self._unproven += 1
            if self._unproven < MIRROR_TRIES:
                raise CloudError("bad_answer", "the mirror does not lead to the cosigned root; it is fetched again")
            await self._fork(state, proven.size, proven.note + proven.cosignature)
            raise CloudError("wrong", "the mirror and our log do not lead to the cosigned root")
        self._unproven = 0
        self._journal.grown.set()
        self._adopted()
        return adopted

    async def _fork(self, state: LogState, size: int, theirs: str) -> None:
        ours = await self._journal.change(sealing.note_at, state, size)
        why = f"the cloud holds another log than ours at size {size}"
        self._state = await self._journal.change(sealing.freeze, state, why, ours, theirs)
        self._trouble = why
        self.outbox.stop()
        log.critical("the log is forked: syncing stops, the journal goes on", extra={"size": size})
        await self._show_fork(state, size)

    async def _show_fork(self, state: LogState, size: int) -> None:
        """Sends our own note, without leaves: it contradicts the one the cloud holds, so that both sides keep both."""
        at, note = await self._journal.change(sealing.newest_note, state, size)
        if not note:
            return
        try:
            await self._cloud.send(batch.encode(Batch(at, note, [])), gzipped=False)
        except CloudError as error:
            log.info("the cloud was shown our note", extra={"size": at, "answer": error.slug or error.kind})

    def _good(self) -> None:
        if self._trouble:
            log.info("the cloud answers again")
        self._trouble = ""
        self._reached = max(1, self._clock.mono_ms())

    def _failed(self, kind: Failure, detail: str, *, retry_after: float = 0.0) -> None:
        if self.outbox.stopped:
            return
        wait = self.outbox.failed(self._now(), kind, retry_after)
        if detail != self._trouble:
            log.warning("sync failed", extra={"kind": kind, "why": detail, "again_in_s": round(wait, 1)})
        self._trouble = detail

    def _now(self) -> float:
        return self._clock.mono_ms() / 1000


def _pack(db: sqlite3.Connection, state: LogState, old: int, size: int, note: str) -> tuple[bytes, bool]:
    """The request's body, gzipped where that pays; on the reader's thread, since a big piece takes milliseconds."""
    body = batch.encode(Batch(old, note, sealing.leaves_between(db, state, old, size)))
    return (batch.deflate(body), True) if len(body) > SMALL else (body, False)
