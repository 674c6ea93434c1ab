"""The composition root: everything is built here, runs in one task group, and ends together.

The order at a start is the order of trust: the journal first, then the record that a boot has begun, then what the
cloud last told us, then wires. Nothing needs the network. A task that breaks ends the process: systemd starts it anew
from what is on disk, which is the only state that counts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import httpx

from gateway import boot, inherit, watch, web_server
from gateway.badge_board import BadgeBoard
from gateway.cloud_requests import Cloud, open_client
from gateway.config import Config
from gateway.downlink import Downlink
from gateway.identity import Identity
from gateway.journal.connection import Busy
from gateway.journal.store import Journal
from gateway.kiosk_desk import KioskDesk
from gateway.mqtt_session import MqttSession
from gateway.notify import Notifier
from gateway.open_questions import look_after
from gateway.ports import Desired, DesiredSource, NotStored, Ports, UnknownCabinetError
from gateway.premises import Cabinet, Premises
from gateway.recover_draws import recover_draws
from gateway.run_controls import Controls, Ordered, Steered, UnitState, UnknownUnitError
from gateway.shelf import Shelf
from gateway.standing_orders import restore
from gateway.status import Status
from gateway.take_count import take_count
from gateway.take_draw import BUSY, DrawResult, take_draw
from gateway.take_refill import take_refill
from gateway.take_visit import end_interrupted
from gateway.uplink import Uplink
from gateway.wiring import Site, cabinet_ids, wire_up

log = logging.getLogger("gateway")


class Gateway:
    """One gateway. ``run`` until ``stop``; the use cases work in between (``ready`` is set then)."""

    def __init__(self, config: Config, ports: Ports, identity: Identity | None, notifier: Notifier) -> None:
        self.config = config
        self.ports = ports
        self.identity = identity
        self.gateway_id = identity.gateway_id if identity else boot.NOBODY
        self.ready = asyncio.Event()
        self.journal: Journal | None = None
        self.premises: Premises | None = None
        self.site = Site()
        self.uplink: Uplink | None = None
        self.downlink: Downlink | None = None
        self.watch = watch.Watch(self, notifier)
        self.controls: Controls | None = None
        self.kiosk: KioskDesk | None = None
        self.badges = BadgeBoard(ports.clock, self._badge)
        self.again = False
        self._busy = Busy()
        self._stopping = asyncio.Event()

    @property
    def busy(self) -> int:
        """Thread jobs of the journal under way; known before it is opened."""
        return self._busy.jobs

    def restart(self) -> None:
        """Ends ``run`` so that everything is built anew from the files."""
        self.again = True
        self.stop()

    def stop(self) -> None:
        """Ends ``run``: intake stops, what waits is committed."""
        self._stopping.set()

    def sync_now(self) -> None:
        """No waiting for the next try of the uplink."""
        if self.uplink is not None:
            self.uplink.sync_now()

    async def run(self) -> None:
        """Works until ``stop``. Raises JournalRefusedError and NotStored when the journal cannot be opened."""
        settings = self.config.journal
        self.journal = await Journal.open(
            self.config.journal_path,
            boot=self.ports.clock.boot,
            salt=self.ports.salt,
            demo=settings.demo,
            quota_mb=settings.quota_mb,
            ballast_mb=settings.ballast_mb,
            busy=self._busy,
            disk=self.ports.disk,
        )
        client = self._client()
        try:
            await self._work(self.journal, client)
        finally:
            self.watch.notifier.stopping()
            await self.journal.close()
            if client is not None:
                await client.aclose()
            log.info("stopped")

    async def draw(
        self, cabinet: str, badge: str, slot: str, quantity: int = 1, for_: str = "", serial: str = "",
        request: str = "",
    ) -> DrawResult:  # fmt: skip
        """Somebody takes something. Raises UnknownCabinetError."""
        premises, place = self._place(cabinet)
        if self._serves_another(cabinet, badge):
            return BUSY
        return await take_draw(
            premises, place, badge, slot, quantity=quantity, for_=for_, serial=serial, request=request
        )

    async def refill(self, cabinet: str, slot: str, quantity: int, badge: str, request: str = "") -> DrawResult:
        """Somebody put something in. Raises UnknownCabinetError."""
        premises, place = self._place(cabinet)
        if self._serves_another(cabinet, badge):
            return BUSY
        return await take_refill(premises, place, slot, quantity, badge, request)

    async def count(self, cabinet: str, slot: str, quantity: int, badge: str, request: str = "") -> DrawResult:
        """Somebody counted a slot. Raises UnknownCabinetError."""
        premises, place = self._place(cabinet)
        if self._serves_another(cabinet, badge):
            return BUSY
        return await take_count(premises, place, slot, quantity, badge, request)

    async def order_level(self, unit: str, badge: str, level: int | None, reason: str, seconds: int) -> Ordered:
        """A person's order to an air unit or a relay. Raises UnknownUnitError; NotStored, and then nothing moves."""
        if self.controls is None:
            raise UnknownUnitError("No unit is controlled here: gateway.toml has no [[controls]].")
        return await self.controls.order(unit, badge, level, reason, seconds)

    def controlled(self) -> list[UnitState]:
        """Air units and relays as they are now."""
        return self.controls.states() if self.controls else []

    def status(self) -> Status:
        """How the gateway is now."""
        return self.watch.status()

    def metrics(self) -> bytes:
        """The same in Prometheus's text format."""
        from gateway.metrics import exposition  # noqa: PLC0415 - only where somebody asks

        return exposition(self.status)

    async def _work(self, journal: Journal, client: httpx.AsyncClient | None) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.watch.run(), name="watch")]

            def start(task: Coroutine[Any, Any, Any], name: str) -> None:
                tasks.append(group.create_task(task, name=name))

            start(self._open_up(journal, client, start), "opening")
            await self._stopping.wait()
            log.info("stopping")
            for task in tasks:
                task.cancel()

    async def _open_up(
        self,
        journal: Journal,
        client: httpx.AsyncClient | None,
        start: Any,  # noqa: ANN401
    ) -> None:
        """Everything after the journal, each part as soon as what it stands on is there."""
        ports, config = self.ports, self.config
        await self._begin(journal)
        desired: DesiredSource = boot.NoDesired()
        if self.identity is not None:
            desired = self.downlink = Downlink(config.gateway.state, self.identity, ports.clock, self._applied)
        premises = Premises(ports.clock, journal, desired, Shelf(), config.access.policy)
        premises.look_back()
        await boot.remember(journal, cabinet_ids(config), premises.remember)
        site = wire_up(config, ports, premises)
        self.premises, self.site = premises, site
        for reader in site.readers:
            reader.settle(site.cabinets, self.badges.show)
        if self.identity is not None and client is not None:
            cloud = Cloud(client, self.identity, self.config.gateway.state, ports.salt)
            self.uplink = Uplink(journal, self.identity, cloud, ports.clock, self.chance, _begin_again)
            start(self.uplink.run(), "uplink")
            assert self.downlink is not None
            start(self.downlink.run(cloud, config.cloud.poll_seconds, self.chance), "downlink")
        for session in site.sessions:
            if isinstance(session, MqttSession):
                session.serve(premises)
            start(session.run(), session.name)
        recovered = recover_draws(premises, site.cabinets)
        start(end_interrupted(premises, site.cabinets, recovered), "recover draws and visits")
        kiosk = self.kiosk = KioskDesk(premises, site.cabinets, ports.salt, config.web.logout_seconds)
        start(kiosk.run(), "kiosk")
        start(look_after(premises), "open questions")
        if config.controls:
            self.controls = await self._steer(journal, site, desired)
            start(self.controls.run(), "controls")
        start(watch.verify_all(journal, ports.clock), "verify")
        start(watch.prune(self), "prune")
        if config.web.enabled:
            start(self._pages(), "pages")
        self.ready.set()
        log.info("ready", extra={"gateway": self.gateway_id, "boot": ports.clock.boot})
        self.watch.notifier.ready("vending" if self.identity else "not enrolled")

    async def _begin(self, journal: Journal) -> None:
        """What is recorded before anything else is."""
        clock, state = self.ports.clock, self.config.gateway.state
        inherited = await inherit.take_over(journal, clock, state)
        if self.identity is not None:
            # First of all, since it becomes the log's entry 0: counters go up by one in the order of the log.
            await boot.begin_epoch(journal, clock, self.identity)
        await boot.record(journal, clock, self.gateway_id, self.config)
        if inherited:
            await boot.tell(journal, clock, self.gateway_id, "history_inherited", {"records": inherited})
        inherit.done(state)
        if self.identity is not None:
            await boot.tell_key(journal, clock, self.identity)

    async def _pages(self) -> None:
        pages = await asyncio.to_thread(_load_pages, self)
        await web_server.serve(pages, self.config.web.host, self.config.web.port, self.ports.clock)

    async def _applied(self, desired: Desired) -> None:
        assert self.journal is not None
        if self.premises is not None and (anew := self.premises.look_back()) is not None:
            try:
                await boot.remember(self.journal, cabinet_ids(self.config), anew.apply)
            except NotStored as error:
                log.warning("limits count what was drawn since the start only", extra={"why": str(error)})
            else:
                self.premises.counted_anew()
        if self.premises is not None:
            # Another planogram or other limits: whoever stands there sees them at once.
            for cabinet in self.site.cabinets:
                self.premises.stirred(cabinet)
        await boot.tell(
            self.journal, self.ports.clock, self.gateway_id, "config_applied", {"desired_version": desired.version}
        )

    async def _steer(self, journal: Journal, site: Site, desired: DesiredSource) -> Controls:
        """The units that follow a rule or a person, with the orders that still stand."""
        steered = {one.unit: Steered(one, site.units[one.unit]) for one in self.config.controls}
        for unit, one in steered.items():
            restore(one, await boot.since_last_order(journal, unit), self.ports.clock)
        switchers = frozenset(self.config.access.switchers)
        return Controls(steered, site.board.values, journal, self.ports.clock, desired, switchers)

    def chance(self) -> float:
        """A number in [0, 1), from the same door as all randomness."""
        return int(self.ports.salt()[:8], 16) / 2**32

    async def _badge(self, cabinet: str, badge: str) -> None:
        """A badge at a cabinet whose page is not open."""
        if self.kiosk is not None:
            await self.kiosk.badge(cabinet, badge)

    def _serves_another(self, cabinet: str, badge: str) -> bool:
        """Whether somebody else stands at the cabinet's page."""
        return self.kiosk is not None and self.kiosk.visitors.stands_there(cabinet, badge)

    def _place(self, cabinet: str) -> tuple[Premises, Cabinet]:
        found = self.site.cabinets.get(cabinet)
        if found is None or self.premises is None:
            known = ", ".join(sorted(self.site.cabinets)) or "none"
            raise UnknownCabinetError(f"There is no cabinet {cabinet!r} here; configured are: {known}.")
        return self.premises, found

    def _client(self) -> httpx.AsyncClient | None:
        if self.identity is None:
            return None
        url = self.config.cloud.url or self.identity.cloud_url
        return open_client(url, ca=self.config.cloud.ca, transport=self.ports.transport)


class CardRestoredError(Exception):
    """An old card has got back what the cloud held of it: everything begins again with all it knows now."""


def _begin_again() -> None:
    raise CardRestoredError("this card was put back to an older image; it has its records again, and starts anew")


def _load_pages(gateway: Gateway) -> Any:  # noqa: ANN401 - an ASGI application
    from gateway.web.pages import create_pages  # noqa: PLC0415 - only where there are pages

    return create_pages(gateway)


def create_gateway(
    config: Config, ports: Ports, identity: Identity | None = None, notifier: Notifier | None = None
) -> Gateway:
    """Builds a gateway; nothing is opened before ``run``. Call it inside the running loop."""
    return Gateway(config, ports, identity, notifier or Notifier({}))
