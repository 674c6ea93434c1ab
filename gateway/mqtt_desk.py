"""One MQTT cabinet as the use cases see it: asked for goods, answering with proof.

A command may be repeated as often as we like: the cabinet turns its motor once for each `cmd_id`, which is the key
of our intent. The surprise is what that gives after a power cut: the same command with an expiry long past asks what
became of it and can move nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from gateway import cabinet_results
from gateway.access import Asked
from gateway.clock import Clock
from gateway.device_events import CabinetState, DeviceFault, Dispensed, Event, Publish, VendRequested
from gateway.drivers.mqtt_cabinet import MqttCabinet
from gateway.ports import Confirm, LinkDown, NotStored, RecordRefused
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import Stamp, device_event, happened
from gateway.take_draw import carry_out, denied, intend, named, tags
from gateway.vending import counted
from wire.ids import RecordKey
from wire.records import Draw, Intent, Record

log = logging.getLogger(__name__)

# Seconds: until a command is repeated, for a result that is on its way, for an answer to a question.
REPEAT, GRACE, ANSWER = 5.0, 30.0, 10.0
REMEMBERED = 1000


class Broker(Protocol):
    """What a desk needs of its session."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Returns when the broker has it; raises LinkDown."""

    def start(self, desk: Desk, intent: Intent, key: RecordKey) -> None:
        """Serves a person beside the messages that go on coming."""


class Open(msgspec.Struct):
    """A command whose result has not come. `given`: it has, and the journal is about to hold it."""

    intent: Intent
    key: RecordKey
    ended: asyncio.Future[Given]
    given: Given | None = None
    request: str = ""


class Desk:
    """The `Cabinet` of one device, and what turns its events into records. `premises` is set before it is used."""

    premises: Premises

    def __init__(self, device: str, driver: MqttCabinet, broker: Broker, clock: Clock) -> None:
        self.device = device
        self.cfg = driver.cfg
        self.driver = driver
        self.online: bool | None = None
        self._broker = broker
        self._clock = clock
        self._open: dict[str, Open] = {}
        self._planned: dict[str, Open] = {}
        self._done: OrderedDict[str, None] = OrderedDict()
        self._counters: dict[str, int] = {}
        self._levels: dict[str, int] = {}
        self._live = asyncio.Event()
        self._newest = 0

    # What the use cases call

    async def look(self, slot: str) -> Mapping[str, int]:
        """The cabinet's own counter and level of a slot. Raises CabinetUnreachableError when it is not there."""
        if not self.online:
            said = "says nothing" if self.online is None else "is offline"
            raise CabinetUnreachableError(f"Cabinet {self.device} {said}. Check its power and its network.")
        return self._snapshot(slot)

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002 - the result knows
        """Commands, repeats within the person's patience, then asks what became of it."""
        attempt = self.expect(intent, key)
        left = float(self.driver.settings.patience)
        until = self._clock.wall_ms() + self.driver.settings.patience * 1000
        command = self.driver.dispense(command_id(key), intent.slot, intent.asked, until, request=attempt.request)
        while left > 0 and not attempt.ended.done():
            await self.send([command])
            await self._wait(attempt.ended, min(REPEAT, left))
            left -= REPEAT
        return await self._find_out(attempt, GRACE)

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002 - as above
        """After a restart: the result that the broker still holds, or the cabinet's memory of it, or its counter."""
        return await self._find_out(self.expect(intent, key), GRACE)

    def expect(self, intent: Intent, key: RecordKey) -> Open:
        """From now on a result with this intent's name ends this attempt."""
        named = command_id(key)
        known = self._open.get(named) or self._planned.get(named)
        if known is None:
            known = Open(intent, key, asyncio.get_running_loop().create_future())
            self._open[named] = known
        return known

    async def send(self, wanted: Sequence[Publish]) -> None:
        """Sends. A broker that is away is no error here: who waits for an answer will miss it and ask again."""
        for one in wanted:
            try:
                await self._broker.publish(one.topic, one.payload)
            except LinkDown as error:
                log.warning("cabinet %s was not told: %s", self.device, error)

    async def serve(self, intent: Intent, key: RecordKey) -> None:
        """A person at the cabinet, from the intent on disk to the draw on disk."""
        try:
            await carry_out(self.premises, self, intent, key, self.premises.confirm(self.device, intent.slot))
        except (NotStored, RecordRefused) as error:
            log.warning("cabinet %s: a draw waits for the next start: %s", self.device, error)
        finally:
            self.premises.over(self.device)

    # What the session calls

    def plan(self, event: Event, at: Stamp) -> Record | None:
        """The record an event will be, and what it changes here at once."""
        if isinstance(event, Dispensed):
            return self._result(event, at)
        if isinstance(event, VendRequested):
            return self._request(event, at)
        if isinstance(event, CabinetState):
            return self._portrait(event, at)
        return device_event(event, at, self.device, self.cfg) if isinstance(event, DeviceFault) else None

    def kept(self, event: Event, record: Record, key: RecordKey) -> None:
        """The journal has it: now others may know. An old key means that we were told again."""
        new = not record.did or (key.ep == record.ep and key.n > self._newest)
        if new and record.did:
            self._newest = key.n
        if isinstance(event, Dispensed):
            self._end(event.cmd_id, key)
        elif isinstance(event, VendRequested) and isinstance(record, Intent):
            if new:
                self.expect(record, key).request = event.mid
                self._broker.start(self, record, key)
            else:
                self._never_mind(event)
        elif isinstance(event, VendRequested) and new:
            reason = record.confirmation if isinstance(record, Draw) else "refused"
            until = self._clock.wall_ms() + self.driver.settings.patience * 1000
            self.driver.outgoing.append(self.driver.deny(f"n-{command_id(key)}", event.mid, reason, until))

    def refused(self, event: Event) -> None:
        """The journal will never have the record of this event."""
        if isinstance(event, VendRequested):
            self._never_mind(event)
        elif isinstance(event, Dispensed):
            self._end(event.cmd_id, None)

    # Events into records

    def _request(self, event: VendRequested, at: Stamp) -> Record:
        asked = Asked(self.device, event.slot, event.qty, badge=event.badge, for_=event.for_)
        asked = named(self.premises, asked)
        decision = self.premises.judge(asked)
        late = event.at is not None and at.ts == "S" and at.t - event.at > self.driver.settings.patience * 1000
        if decision.allowed and late:
            decision = msgspec.structs.replace(decision, allowed=False, reason="too_late")
        elif decision.allowed and (closed := self.premises.closed(self.device) or self._busy(decision.person)):
            decision = msgspec.structs.replace(decision, allowed=False, reason=closed)
        if decision.allowed:
            self.premises.busy.add(self.device)
            before = self._snapshot(event.slot)
            q = tags(self.premises, asked)
            intent = intend(decision, at, self, event.qty, before=before, for_=decision.for_, did=event.did, q=q)
            # The next message may be the same person at another cabinet.
            self.premises.uses.hold(intent)
            return intent
        if decision.slot is not None:
            return denied(decision, at, self, event.qty, did=event.did)
        why = {"reason": decision.reason}
        return happened("draw_refused", at, self.device, slot=event.slot, data=why, raw=event.raw, did=event.did)

    def _result(self, event: Dispensed, at: Stamp) -> Record:
        if event.ctr is not None and not event.old:
            self._counters[event.slot] = event.ctr
        if not event.cmd_id:
            return cabinet_results.unasked(event, self.device, self.cfg, self.premises, at)
        confirm = self.premises.confirm(self.device, event.slot)
        attempt = self._open.pop(event.cmd_id, None)
        if attempt is not None:
            record, attempt.given = cabinet_results.asked_for(event, attempt.intent, attempt.key, confirm, at)
            self._planned[event.cmd_id] = attempt
            return record
        shelf, intent = self.premises.shelf, cabinet_results.attempt_of(event.cmd_id)
        unverified = shelf.unverified(self.device, event.slot, intent) if intent else None
        if unverified is not None:
            return cabinet_results.late(event, unverified, confirm, at)
        ended = intent and (self.premises.uses.lent(self.device, intent) or shelf.decided(self.device, intent))
        if event.motor == "none" or event.cmd_id in self._done or ended:
            return cabinet_results.spare("result_unasked", event, self.device, at)
        return cabinet_results.unasked(event, self.device, self.cfg, self.premises, at)

    def _portrait(self, event: CabinetState, at: Stamp) -> Record | None:
        was, self.online = self.online, event.online
        if event.online and event.counters:
            self._counters, self._levels = dict(event.counters), dict(event.levels)
        if event.retained:
            return None
        self._live.set()
        changed = was is not None and was is not event.online
        return happened("online" if event.online else "offline", at, self.device) if changed else None

    def _busy(self, person: str) -> str:
        """Whether somebody is being served, or somebody else has a session at this cabinet's kiosk."""
        here = self.premises.standing(self.device)
        return "busy" if self.device in self.premises.busy or here not in ("", person) else ""

    # Ends

    def _never_mind(self, event: VendRequested) -> None:
        """Nobody is served by this request: it was told again, or cannot be written down."""
        self.premises.busy.discard(self.device)
        self.premises.uses.never_was(self.device, event.did)

    def _end(self, named: str, key: RecordKey | None) -> None:
        attempt = self._planned.pop(named, None)
        if attempt is None or attempt.given is None:
            return
        self._done[named] = None
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        if not attempt.ended.done():
            attempt.ended.set_result(msgspec.structs.replace(attempt.given, recorded=key))

    async def _find_out(self, attempt: Open, seconds: float) -> Given:
        """The result, if it comes; else what the cabinet remembers of the command; else what its counter proves."""
        await self._wait(attempt.ended, seconds)
        slot, asked = attempt.intent.slot, attempt.intent.asked
        if not attempt.ended.done() and self.driver.synced:
            await self.send([self.driver.dispense(command_id(attempt.key), slot, asked, 0)])
            await self._wait(attempt.ended, ANSWER)
        if not attempt.ended.done():
            self._live.clear()
            await self.send([self.driver.ask_state(f"s-{command_id(attempt.key)}", self._clock.wall_ms() + 60_000)])
            await self._wait(asyncio.ensure_future(self._live.wait()), ANSWER, cancel=True)
        if attempt.given is not None:
            return await attempt.ended
        self._open.pop(command_id(attempt.key), None)
        before, now = attempt.intent.before.get("ctr"), self._counters.get(slot)
        fact, qty = counted(before, now, asked, fresh=self._live.is_set())
        words = "none" if before is None or now is None else f"counter {before} -> {now}"
        return Given(fact, qty, "unknown", words, {} if now is None else {"ctr": now})

    async def _wait(
        self, future: asyncio.Future[Given] | asyncio.Task[bool], seconds: float, *, cancel: bool = False
    ) -> None:
        await asyncio.wait([future], timeout=seconds / self._clock.scale)
        if cancel:
            future.cancel()

    def known(self, slot: str) -> Mapping[str, int]:
        """The cabinet's counter and level of a slot, as it last told them."""
        return self._snapshot(slot)

    def _snapshot(self, slot: str) -> dict[str, int]:
        found = {"ctr": self._counters.get(slot), "level": self._levels.get(slot)}
        return {name: number for name, number in found.items() if number is not None}


def command_id(key: RecordKey) -> str:
    """An intent's key as a `cmd_id`: unique for ever, and found again after a restart."""
    return f"{key.ep}-{key.n}"
