"""The desk of a machine that is audited: file in, judgement against the journal, records out in one commit.

The surprise is what kind of cabinet it is: goods can be put in and counted, but nobody can ask it for any. What it
counted was taken already.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from gateway import audit_records
from gateway.audit_records import Place, Writer
from gateway.audits import AuditRules, Known, assess
from gateway.device_events import AuditRead, DeviceFault, Event
from gateway.drivers.dts_file import DtsRefusedError, plain, read_dts
from gateway.drivers.evadts import EvaDts
from gateway.lots import labels
from gateway.ports import Confirm, NotStored, RecordRefused
from gateway.premises import CabinetUnreachableError, Given, Premises
from gateway.recording import device_event, happened, stamp
from gateway.vending import Fact
from wire.ids import RecordKey
from wire.records import Draw, Intent, Record

log = logging.getLogger(__name__)

# Records of one machine that are read back at a start: many audits of many selections.
READ_BACK = 5_000


class AuditDesk:
    """One machine. `restore` before the first file."""

    def __init__(self, device: str, driver: EvaDts, premises: Premises) -> None:
        self.device = device
        self.cfg = driver.cfg
        self._driver = driver
        self._premises = premises
        self._known: Known | None = None
        self._seen: set[str] = set()
        self._answers: bool | None = None
        self._detail = ""
        chosen = driver.settings
        self._rules = AuditRules(
            chosen.counting, chosen.modulus, chosen.read_resets, chosen.bill_free, chosen.capacity,
            chosen.refills_per_day,
        )  # fmt: skip

    async def restore(self) -> None:
        """The last accepted audit, as the journal holds it."""
        while True:
            try:
                said = await self._premises.journal.said(self.device, READ_BACK)
            except NotStored as error:
                log.warning("machine %s: what was read before is not known yet: %s", self.device, error)
                await self._premises.clock.sleep(1.0)
            else:
                self._known, self._seen = audit_records.known_from(said)
                return

    async def hear(self, event: Event) -> None:
        """A file, or why there is none."""
        if isinstance(event, AuditRead):
            self._answers, self._detail = True, ""
            await self._file(event.raw)
        elif isinstance(event, DeviceFault):
            self._answers, self._detail = False, str(event.data.get("why", ""))
            await self._keep([device_event(event, stamp(self._premises.clock), self.device, self._driver.cfg)])

    async def look(self, slot: str) -> Mapping[str, int]:
        """Nothing is given from here."""
        raise CabinetUnreachableError(f"{self.device} sells by itself. Slot {slot} is counted when it is read.")

    async def give(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """Never asked: `look` has refused."""
        return Given(Fact.NO_MOTOR, 0, "none", "not driven from here")

    async def recall(self, intent: Intent, key: RecordKey, confirm: Confirm) -> Given:  # noqa: ARG002
        """Never asked: there are no intents."""
        return Given(Fact.NO_ANSWER, intent.asked, "unknown", "none")

    async def tick(self) -> None:
        """The machine is told the time of its next reading."""
        now = datetime.fromtimestamp(self._premises.clock.wall_ms() // 1000, UTC)
        self._driver.set_clock(f"{now:%d%m%y}", f"{now:%H%M%S}")

    def online(self) -> tuple[bool | None, str]:
        """Whether the last reading worked."""
        return self._answers, self._detail

    async def _file(self, raw: bytes) -> None:
        premises = self._premises
        at = stamp(premises.clock)
        rules = premises.desired.current.rules or premises.desired.current.version
        digest = hashlib.sha256(raw).hexdigest()
        writer = Writer(self.device, self._driver.cfg, at, raw, digest, self._place, rules)
        try:
            audit = read_dts(raw, self._driver.settings.g85)
        except DtsRefusedError as error:
            await self._keep(audit_records.refused(writer, error.code, error.detail))
            return
        judged = assess(self._known, audit, digest, self._rules, at.t)
        found = audit_records.records(writer, audit, judged, self._on_hand)
        found = [self._of_lots(one) if isinstance(one, Draw) else one for one in found]
        if not self._driver.settings.bills:
            found = [one for one in found if not isinstance(one, Draw)]
        if found and judged.kind != "stale":
            found += audit_records.machine_events(writer, audit, self._seen)
        if not await self._keep(found):
            return
        self._known = judged.known
        self._seen |= audit_records.known_from(found)[1]
        for gap in judged.gaps:
            for selection in ([gap.selection] if gap.selection else audit.selections) if gap.count else ():
                premises.shelf.doubt(self.device, self._place(selection).slot)

    async def _keep(self, records: list[Record]) -> bool:
        """All or none. What the journal can never hold is said instead, and the audit counts as not read."""
        if not records:
            return True
        try:
            await self._premises.keep_for_sure(*records)
        except RecordRefused as error:
            log.warning("machine %s: an audit cannot be written down: %s", self.device, error)
            why = {"reason": "not_recordable", "why": plain(str(error))[:200]}
            await self._premises.keep_for_sure(
                happened("audit_gap", stamp(self._premises.clock), self.device, data=dict(why))
            )
            return False
        return True

    def _place(self, selection: str) -> Place:
        slot = self._driver.settings.slots.get(selection, plain(selection)[:64])
        found, planogram = self._premises.place(self.device, slot)
        return audit_records.place_of(found, slot, planogram)

    def _of_lots(self, drawn: Draw) -> Draw:
        """With the lots that its pieces would be of, the first ones to end."""
        lot, lots = labels(self._premises.lies_in(self.device, drawn.slot).leaving(drawn.qty), drawn.qty)
        return msgspec.structs.replace(drawn, lot=lot, lots=lots)

    def _on_hand(self, slot: str) -> int | None:
        """What lies there, where nothing is open: a count would decide what a person has to."""
        held = self._premises.shelf.look(self.device, slot)
        return None if held.doubtful or held.unverified else held.on_hand
