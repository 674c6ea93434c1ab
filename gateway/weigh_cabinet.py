"""A bin on a scale as a cabinet: what is gone is how much lighter it got, whoever took it.

The surprise is what happens while nobody looks. A weight that changes without a badge is still goods that left, and
becomes a draw without a person; a weight that changed while the gateway was away may be two people and a refill, and
becomes an unverified one. The last weight that counted is the newest one in the journal: the next is compared with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from gateway.device_events import DeviceFault, Event, Weighed
from gateway.door import Door, stayed_shut
from gateway.drivers.weigh_bin import WeighBin
from gateway.lots import labels
from gateway.ports import Confirm, NotStored
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import Stamp, frame_hash, happened, stamp
from gateway.vending import Fact
from gateway.weights import Piece, Stillness, pieces
from wire.ids import RecordKey
from wire.records import Count, DeviceEvent, Draw, Intent, Record

log = logging.getLogger(__name__)

# The last weight may lie behind many words about a line that comes and goes.
READ_BACK = 20_000
# Seconds of line time after which a scale that says nothing is not there.
SILENT = 15.0
LOOK = 0.2
# Seconds of line time after which a change is one that nobody saw: it may be two people and a refill.
UNSEEN = 120.0
# After a person's first piece is gone, how long until he is thought to have finished.
SETTLE = 3.0
# Seconds after which a stock that does not fit the weight is counted.
COUNT_AFTER = 600.0


class WeighCabinet:
    """One bin; for the session of its line the interpreter of its weights."""

    def __init__(self, device: str, driver: WeighBin, premises: Premises) -> None:
        self.device = device
        self.cfg = driver.cfg
        self.door: Door | None = None
        self._premises = premises
        self._clock = premises.clock
        chosen = driver.settings
        self._chosen = chosen
        self._piece = Piece(chosen.piece_mg, chosen.spread_mg, chosen.tolerance)
        within = chosen.piece_mg // 5 if chosen.still_within_mg is None else chosen.still_within_mg
        self._still = Stillness(within, chosen.still_samples, chosen.still_seconds)
        self._rest: int | None = None
        self._resting: int | None = None
        self._rested_at = 0.0
        self._heard: float | None = None
        self._fault = ""
        self._restored = False
        self._restoring = asyncio.Lock()
        self._away = True
        self._recalled = False
        self._serving = False
        self._told = 0
        self._differs: tuple[float, int] = (0.0, 0)
        self._working: asyncio.Task[None] | None = None

    # The interpreter

    def hear(self, event: Event, at: Stamp, cfg: str) -> Sequence[Record]:  # noqa: ARG002
        """Weights; what they mean is written down by a task of its own, because the shelf moves with it."""
        if isinstance(event, DeviceFault):
            self._still.forget()
            self._resting = None
        if not isinstance(event, Weighed):
            return ()
        now = self._clock.line()
        if self._heard is not None and now - self._heard > UNSEEN:
            self._away = True
        self._heard = now
        self._fault = event.fault
        if event.fault:
            self._still.forget()
            self._resting = None
            return ()
        self._resting = self._still.weigh(event.milligrams, now, stable=event.stable)
        if self._resting is not None:
            self._rested_at = now
            if self._working is None or self._working.done():
                self._working = asyncio.create_task(self._settle(event.raw), name=f"{self.device} weight")
        return ()

    def tick(self, at: Stamp) -> Sequence[Record]:  # noqa: ARG002
        """Nothing happens by time alone."""
        return ()

    # The cabinet

    async def look(self, slot: str) -> Mapping[str, int]:
        """The weight at rest. Raises CabinetUnreachableError; moves nothing."""
        self._check(slot)
        if self.door is not None:
            await self.door.look()
        if self._rest is None or self._resting is None or not self._is_near(self._resting, self._rest):
            raise CabinetUnreachableError(f"Bin {self.device} is not at rest. Take your hands off it and try again.")
        return {"mg": self._rest}

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """Lets the person take, and weighs what is left."""
        self._serving = True
        try:
            if self.door is not None:
                opened = await self.door.pass_through(intent, key)
                if stayed_shut(opened):
                    return opened
                return await self._judged(intent, opened.actuation, await self._next_rest(self._clock.line()))
            return await self._judged(intent, "open bin", await self._when_taken(intent.before.get("mg")))
        finally:
            self._serving = False

    def known(self, slot: str) -> Mapping[str, int]:
        """The last weight at rest."""
        return {} if self._rest is None or slot != self._chosen.slot else {"mg": self._rest}

    async def settle(self) -> None:
        """What has changed so far is written down as it weighs now; before and after somebody refills."""
        if await self._next_rest(self._clock.line()) is not None and self._working is not None:
            await asyncio.wait([self._working])

    def admits(self, slot: str) -> bool:  # noqa: ARG002 - one bin
        """Whether there is a door before it."""
        return self.door is not None

    async def admit(self, slot: str) -> bool:  # noqa: ARG002 - as above
        """Opens the door so that something is put in."""
        return self.door is not None and await self.door.admit()

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """After a restart: the weight now against the weight at the intent."""
        self._serving = True
        try:
            await self._restore()
            after = await self._next_rest(self._clock.line())
            before = intent.before.get("mg")
            count = None if before is None or after is None else pieces(before, after, self._piece)
            if count == 0:
                return self._given(Fact.COUNTER_STOOD, 0, "unknown", before, after)
            return await self._judged(intent, "unknown", after)
        finally:
            self._serving = False

    # Inside

    def _check(self, slot: str) -> None:
        if slot != self._chosen.slot:
            raise CabinetUnreachableError(f"{self.device} has one bin, {self._chosen.slot}, and no {slot}.")
        if self._heard is None or self._clock.line() - self._heard > SILENT:
            raise CabinetUnreachableError(f"The scale of {self.device} does not answer. Check its power and its cable.")
        if self._fault:
            raise CabinetUnreachableError(f"The scale of {self.device} is at fault ({self._fault}).")

    def _at_rest(self) -> int | None:
        return self._resting

    def _is_near(self, one: int, other: int) -> bool:
        return pieces(one, other, self._piece) == 0

    async def _next_rest(self, since: float) -> int | None:
        """The first weight at rest that was weighed wholly after `since`; None when it does not come in patience."""
        self._still.forget()
        self._resting = None
        while self._clock.line() - since < self._chosen.patience:
            here = self._at_rest()
            if here is not None and self._rested_at > since:
                return here
            await self._clock.sleep(LOOK * self._clock.scale)
        return None

    async def _when_taken(self, before: int | None) -> int | None:
        """The weight after the person has finished: changed and at rest for a while, or his patience over."""
        begun = since = self._clock.line()
        last: int | None = None
        while self._clock.line() - begun < self._chosen.patience:
            await self._clock.sleep(LOOK * self._clock.scale)
            here = self._resting
            if here is None or last is None or not self._is_near(last, here):
                last, since = here, self._clock.line()
            elif before is not None and not self._is_near(before, here) and self._clock.line() - since >= SETTLE:
                return here
        return self._resting

    async def _judged(self, intent: Intent, actuation: str, after: int | None) -> Given:
        before = intent.before.get("mg")
        if before is None or after is None:
            return self._given(Fact.NO_ANSWER, intent.asked, actuation, before, after)
        self._rest = self._told = after
        count = pieces(before, after, self._piece)
        if count is None:
            await self._keep(self._invalid(before, after, b""))
            return self._given(Fact.UNPROVEN, intent.asked, actuation, before, after)
        if count > 0:
            return self._given(Fact.COUNTER_MOVED, count, actuation, before, after)
        if count < 0:
            await self._keep(*self._came(before, after, -count, b""))
        return self._given(Fact.NOTHING_TAKEN, 0, actuation, before, after)

    def _given(self, fact: Fact, qty: int, actuation: str, before: int | None, after: int | None) -> Given:
        words = f"scale: {before} mg, then {after} mg" if after is not None else "the scale came to no rest"
        return Given(fact, qty, actuation, words, {} if after is None else {"mg": after})

    async def _settle(self, raw: bytes) -> None:
        """A weight at rest while nobody is served: the same as before, or goods that moved on their own."""
        await self._restore()
        after = self._resting
        if after is None or not await self._is_settled():
            return
        before, away = self._rest, self._away
        if before is None:
            await self._keep(self._event("weight_known", {"mg": after}, raw))
            self._told = after
        else:
            await self._changed(before, after, raw, away=away)
        self._rest, self._away = after, False
        await self._reconcile(after)

    async def _changed(self, before: int, after: int, raw: bytes, *, away: bool) -> None:
        count = pieces(before, after, self._piece)
        if count is None:
            await self._keep(self._invalid(before, after, raw))
        elif count > 0 and self.device in self._premises.service:
            # Whoever refills takes out what is spoiled: he says so himself, and nobody has drawn it.
            await self._keep(self._event("weight_fell", {"was": before, "mg": after, "pieces": count}, raw))
        elif count > 0:
            await self._keep(self._gone(before, after, count, raw, gap=away))
        elif count < 0:
            await self._keep(*self._came(before, after, -count, raw))
        elif 200 * abs(after - self._told) > self._piece.tolerance * self._piece.milligrams:
            # The zero creeps: it is followed while nobody is served, and each half of the tolerance is on record.
            await self._keep(self._event("weight_known", {"mg": after, "was": before}, raw))
        else:
            return
        self._told = after

    async def _is_settled(self) -> bool:
        """False while an attempt of an earlier boot waits for its end: the difference may be its piece."""
        if not self._recalled:
            try:
                attempts = await self._premises.journal.open_attempts()
            except NotStored:
                return False
            ours = [one for one in attempts if one.intent.src == self.device and one.key.ep != self._clock.boot]
            self._recalled = not ours
        return self._recalled and not self._serving

    async def _restore(self) -> None:
        """The last weight the journal holds."""
        async with self._restoring:
            while not self._restored:
                try:
                    said = await self._premises.journal.said(self.device, READ_BACK)
                except NotStored as error:
                    log.warning("bin %s: its last weight is not known yet: %s", self.device, error)
                    await self._clock.sleep(1.0)
                    continue
                weights = [weight for record in said if (weight := _weight(record)) is not None]
                self._rest = weights[-1] if weights else None
                self._told = self._rest or 0
                self._restored = True

    async def _reconcile(self, after: int) -> None:
        """What lies there by weight against what should: a count, once they differ for long enough for a person to
        have written down what he put in.
        """
        empty = self._chosen.empty_mg
        count = None if empty is None else pieces(after, empty, self._piece)
        place, _ = self._premises.place(self.device, self._chosen.slot)
        held = self._premises.lies_in(self.device, self._chosen.slot)
        refilling = self.device in self._premises.service
        if count is None or count < 0 or place is None or held.unverified or held.on_hand == count or refilling:
            self._differs = (self._clock.line(), -1)
            return
        since, mark = self._differs
        difference = count - (held.on_hand or 0) + 1_000_000
        if mark != difference:
            since = self._clock.line()
            self._differs = (since, difference)
        if held.on_hand is not None and self._clock.line() - since < COUNT_AFTER / self._clock.scale:
            return
        at = stamp(self._clock)
        await self._keep(Count(
            v=1, z="", src=self.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m, cfg=self.cfg, q=["scale"],
            slot=place.slot, item=place.item, qty=count, position=held.last,
        ))  # fmt: skip

    async def _keep(self, *records: Record) -> None:
        await self._premises.keep_for_sure(*records)

    # Records

    def _gone(self, before: int, after: int, count: int, raw: bytes, *, gap: bool) -> Draw:
        """Goods that left without a badge: a draw without a person, in doubt where nobody was there to see it."""
        at = stamp(self._clock)
        place, planogram = self._premises.place(self.device, self._chosen.slot)
        sure = not gap and self._chosen.unattended == "draw"
        desired = self._premises.desired.current
        lot, lots = labels(self._premises.lies_in(self.device, self._chosen.slot).leaving(count), count)
        if not sure:
            self._premises.shelf.doubt(self.device, self._chosen.slot)
        return Draw(
            v=1, z="", src=self.device, ep=at.b, n=0, t=at.t, ts=at.ts, b=at.b, m=at.m,
            raw=frame_hash(raw), cfg=self.cfg, q=["gap"] if gap else ["unasked"],
            slot=self._chosen.slot, item=place.item if place else "unknown", asked=count, qty=count,
            outcome="confirmed" if sure else "unverified", actuation="none",
            confirmation=f"scale: {before} mg, then {after} mg", planogram=planogram,
            rules=desired.rules or desired.version, before={"mg": before}, after={"mg": after},
            lot=lot, lots=lots,
        )  # fmt: skip

    def _came(self, before: int, after: int, count: int, raw: bytes) -> list[Record]:
        """Goods that were put in. Who did is a person's to say; that the stock fits is `_reconcile`'s."""
        return [self._event("weight_rose", {"was": before, "mg": after, "pieces": count}, raw)]

    def _invalid(self, before: int, after: int, raw: bytes) -> DeviceEvent:
        """No whole number of pieces: nobody guesses one, somebody counts."""
        self._premises.shelf.doubt(self.device, self._chosen.slot)
        told = {"was": before, "mg": after, "piece_mg": self._piece.milligrams}
        return self._event("invalid_weight", told, raw)

    def _event(self, name: str, data: Mapping[str, int], raw: bytes) -> DeviceEvent:
        slot = self._chosen.slot
        return happened(name, stamp(self._clock), self.device, slot=slot, data=dict(data), raw=raw, cfg=self.cfg)


def _weight(record: Record) -> int | None:
    """The weight that this record found at rest."""
    if isinstance(record, Draw):
        return record.after.get("mg")
    if isinstance(record, Intent):
        return record.before.get("mg")
    value = record.data.get("mg") if isinstance(record, DeviceEvent) else None
    return value if isinstance(value, int) else None
