"""What the buttons of the set-up pages do. Each step tests before it is done; the word of a trouble is what comes back.

The surprise: nothing here writes gateway.toml. Wires and the cloud's address go to site.toml, and the gateway is then
built anew in the same process, as after a power cut, which is what shows that it will come up again.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Any, Protocol

from gateway import boot, drivers, entropy, site_file
from gateway.adapters import Adapter, adapters
from gateway.cloud_requests import CloudError, greet, open_client
from gateway.commands.finding import line_settings, search
from gateway.config import Config
from gateway.config_file import ConfigError, check_lines
from gateway.enrol import EnrolmentError, enrol
from gateway.identity import Identity
from gateway.installing import STEPS, Installation
from gateway.journal.store import Journal
from gateway.ports import Ports
from gateway.premises import Premises
from gateway.slot_tests import try_slot
from gateway.status import Status
from gateway.web.setup_jobs import Jobs
from gateway.web.setup_words import SEEN
from gateway.wiring import Site
from wire.seal import Verifier

# Verdicts of a test that a person can have watched, and those that do not speak against what he saw.
TESTED, MOVED = ("moved", "stuck", "unknown"), ("moved", "unknown")


class Installed(Protocol):
    """What the set-up needs of the gateway."""

    config: Config
    ports: Ports
    identity: Identity | None
    gateway_id: str
    journal: Journal | None
    premises: Premises | None
    site: Site

    def status(self) -> Status:
        """How it is now."""

    def restart(self) -> None:
        """Builds everything anew."""


class Trouble(Exception):
    """A step does not let on: `word` of `setup_words.TROUBLES`, and what exactly."""

    def __init__(self, word: str, what: str = "") -> None:
        super().__init__(what)
        self.word = word


class Deeds:
    """The buttons. Each raises Trouble."""

    def __init__(self, gateway: Installed, jobs: Jobs) -> None:
        self.gateway = gateway
        self.jobs = jobs
        self.folder = gateway.config.gateway.state
        self.installation = Installation(self.folder)

    async def do(self, step: str, action: str, form: dict[str, str]) -> None:
        """One button of one step."""
        if action == "later":
            self.installation.note(step, later=True)
            return
        deed = getattr(self, f"{step}_{action}", None)
        if deed is None or step not in STEPS:
            raise Trouble("old_form")
        await deed(form)

    # Network and cloud

    async def network_test(self, form: dict[str, str]) -> None:
        """Is the cloud reached from here?"""
        url = form.get("url", "").rstrip("/") or self.url()
        if not url:
            raise Trouble("no_url")
        if not url.startswith(("https://", "http://")):
            raise Trouble("bad_url")
        facts = {"url": url, "answers": False, "done": False, "later": False}
        async with open_client(url, ca=self.gateway.config.cloud.ca, transport=self.gateway.ports.transport) as client:
            try:
                facts["says"] = f"Tallystick, key {await greet(client)}"
                facts["answers"] = True
            except CloudError as error:
                facts["says"] = str(error)
        self.installation.note("network", **facts, clock=self.gateway.ports.clock.state())

    async def network_next(self, _form: dict[str, str]) -> None:
        """On, when it has answered."""
        if not self.installation.of("network").get("answers"):
            raise Trouble("not_tested")
        document = site_file.read(self.folder)
        site_file.write(self.folder, {**document, "cloud": {"url": self.url()}})
        self.installation.note("network", done=True)

    async def claim_redeem(self, form: dict[str, str]) -> None:
        """Makes the key and redeems the code."""
        self._nobody_served()
        if not self.url():
            raise Trouble("no_url")
        transport = self.gateway.ports.transport
        async with open_client(self.url(), ca=self.gateway.config.cloud.ca, transport=transport) as client:
            try:
                who = await enrol(client, self.folder, form.get("code", ""), entropy.seed)
            except (EnrolmentError, CloudError) as error:
                raise Trouble("", str(error)) from error
            except FileExistsError:
                return
            except OSError as error:
                raise Trouble("", str(error)) from error
        facts = {"gateway_id": who.gateway_id, "fingerprint": Verifier(who.signer().vkey).fingerprint}
        self.installation.note("claim", **facts, later=False)
        self.gateway.restart()

    async def claim_next(self, _form: dict[str, str]) -> None:
        """On, when the operator sees the same fingerprint."""
        who = self.gateway.identity
        if who is None:
            raise Trouble("not_enrolled")
        facts = {"gateway_id": who.gateway_id, "fingerprint": Verifier(who.signer().vkey).fingerprint}
        self.installation.note("claim", **facts, done=True, later=False)

    # Adapters and devices

    def adapters(self) -> list[Adapter]:
        """The ports there are, and who has them."""
        taken = {line.port: line.name for line in self.gateway.config.lines}
        return adapters(taken, self.gateway.config.gateway.adapters)

    async def devices_search(self, form: dict[str, str]) -> None:
        """Asks a line what hangs on it."""
        port = form.get("typed") or form.get("port", "")
        if not port:
            raise Trouble("no_port")
        if any(line.port == port for line in self.gateway.config.lines):
            raise Trouble("port_taken")
        kinds = drivers.discover()
        wanted = [form["kind"]] if form.get("kind") in kinds else [one for one in kinds if _is_lock(kinds[one])]
        self.installation.note("devices", port=port, found=[])

        async def work() -> None:
            found = await search(port, wanted, [], all_addresses=False, tell=self.jobs.tell)
            self.installation.note("devices", found=found)

        if not self.jobs.start("search", work()):
            raise Trouble("busy")

    async def devices_add(self, form: dict[str, str]) -> None:
        """A device, found or typed; the gateway starts anew with it."""
        self._nobody_served()
        port, form_of_line = form.get("port", ""), form.get("line", "") or "9600 8N1"
        if not port:
            raise Trouble("no_port")
        try:
            settings = tomllib.loads(form.get("settings", ""))
            one = line_settings(port, form_of_line)
        except Exception as error:
            raise Trouble("bad_device", str(error)) from error
        document = site_file.read(self.folder)
        taken = {line.name for line in self.gateway.config.lines}
        name = next(f"line-{n}" for n in range(1, 100) if f"line-{n}" not in taken)
        line = {"name": name, "port": port, "baud": one.baud, "bytesize": one.bytesize, "parity": one.parity,
                "stopbits": one.stopbits}  # fmt: skip
        device = {"id": form.get("id", ""), "kind": form.get("kind", ""), **settings}
        self._take(site_file.with_device(document, line, device))
        self.installation.note("devices", found=[])

    async def devices_remove(self, form: dict[str, str]) -> None:
        """A device that the wizard has added."""
        self._nobody_served()
        self._take(site_file.without_device(site_file.read(self.folder), form.get("id", "")))

    async def devices_next(self, _form: dict[str, str]) -> None:
        """On, when every device answers."""
        devices = self.gateway.status().devices
        if not devices:
            raise Trouble("no_devices")
        kinds = drivers.discover()
        silent = [one.device for one in devices if not one.answered and not _is_quiet(kinds.get(one.kind))]
        if silent:
            raise Trouble("silent_devices", ", ".join(silent))
        self.installation.note("devices", done=True, answered=[f"{one.device} ({one.kind})" for one in devices])

    # Planogram and slots

    async def planogram_next(self, _form: dict[str, str]) -> None:
        """On, when each cabinet has one and a person has compared it."""
        known = self.gateway.premises.desired.current.planograms if self.gateway.premises else {}
        missing = [one for one in self.gateway.site.cabinets if one not in known]
        if missing:
            raise Trouble("no_planogram", ", ".join(missing))
        versions = {one: known[one].version for one in self.gateway.site.cabinets}
        self.installation.note("planogram", done=True, later=False, versions=versions)

    async def slots_test(self, form: dict[str, str]) -> None:
        """Moves one slot."""
        cabinet, slot = form.get("cabinet", ""), form.get("slot", "")
        place, premises = self.gateway.site.cabinets.get(cabinet), self.gateway.premises
        if place is None or premises is None:
            raise Trouble("old_form")

        async def work() -> None:
            self.jobs.tell(cabinet, slot)
            tried = await try_slot(premises, place, slot)
            self._slot(cabinet, slot, verdict=tried.verdict, detail=tried.detail, seen="")

        if not self.jobs.start("slot", work()):
            raise Trouble("busy")

    async def slots_seen(self, form: dict[str, str]) -> None:
        """What the person saw of a slot that was tested."""
        cabinet, slot, seen = (form.get(key, "") for key in ("cabinet", "slot", "seen"))
        if self.tried(cabinet, slot).get("verdict") not in TESTED or seen not in SEEN:
            raise Trouble("old_form")
        self._slot(cabinet, slot, seen=seen)

    async def slots_polarity(self, form: dict[str, str]) -> None:
        """Reads one door's sensor, shut and opened by hand, and turns the setting where it reads the other way."""
        self._nobody_served()
        cabinet, slot, position = (form.get(key, "") for key in ("cabinet", "slot", "position"))
        place: Any = self.gateway.site.cabinets.get(cabinet)
        if not hasattr(place, "closed"):
            raise Trouble("old_form")
        read = await place.closed(slot)
        before = dict(self.installation.of("slots").get("polarity", {}))
        mine = {**before.get(cabinet, {}), position: read}
        mine["verdict"] = self._polarity(cabinet, mine)
        self.installation.note("slots", polarity={**before, cabinet: mine})
        if mine["verdict"] == "turned":
            self.gateway.restart()

    async def slots_next(self, _form: dict[str, str]) -> None:
        """On, when each slot moved and was seen to."""
        left = [
            f"{cabinet} {slot}"
            for cabinet in self.gateway.site.cabinets
            for slot in self.slots(cabinet)
            if not self.moved(cabinet, slot)
        ]
        if left:
            raise Trouble("slots_left", ", ".join(left[:12]))
        self.installation.note("slots", done=True)

    async def report_finish(self, form: dict[str, str]) -> None:
        """Puts the report's hash into the signed log."""
        if self.gateway.journal is None or self.installation.current() != "report":
            raise Trouble("old_form")
        report, clock = self.installation.of("report"), self.gateway.ports.clock
        if report.get("done"):
            return
        if not report.get("at_ms") or report.get("by") != form.get("by", "")[:60]:
            # What a power cut left unsigned is signed as it was; pressed twice it is one report.
            self.installation.note("report", by=form.get("by", "")[:60], at_ms=clock.wall_ms())
        digest = self.digest()
        data = {"report": digest, "devices": len(self.gateway.config.devices()), "later": self.later()}
        key = await boot.tell(
            self.gateway.journal, clock, self.gateway.gateway_id, "commissioned", data, did=f"commissioned/{digest}"
        )
        self.installation.note("report", done=True, record=f"{key.src}/{key.ep}/{key.n}", digest=digest)

    async def report_again(self, _form: dict[str, str]) -> None:
        """From the beginning; what is wired stays."""
        self.installation.restart()

    # Facts

    def url(self) -> str:
        """The cloud's address, as far as it is known."""
        told: str = self.installation.of("network").get("url", "")
        return told or self.gateway.config.cloud.url

    def slots(self, cabinet: str) -> list[str]:
        """The slots of a cabinet: by its planogram, else as many as the installer said."""
        known = self.gateway.premises.desired.current.planograms.get(cabinet) if self.gateway.premises else None
        if known is not None:
            return [one.slot for one in known.slots]
        device = next((one for _, one in self.gateway.config.devices() if one.id == cabinet), None)
        return [str(n) for n in range(1, int(device.settings.get("locks", 8)) + 1)] if device else []

    def tried(self, cabinet: str, slot: str) -> dict[str, Any]:
        """What is known of one slot."""
        found: dict[str, Any] = self.installation.of("slots").get("tried", {}).get(f"{cabinet} {slot}", {})
        return found

    def moved(self, cabinet: str, slot: str) -> bool:
        """Whether a slot was tested, and both the board and a person say that it moved."""
        tried = self.tried(cabinet, slot)
        return tried.get("verdict") in MOVED and tried.get("seen") == "yes"

    def later(self) -> list[str]:
        """Steps that were passed over."""
        return [step for step in STEPS if self.installation.state(step) == "later"]

    def digest(self) -> str:
        """SHA-256 of the facts the report shows, but of its own signature."""
        facts = self.installation.facts()
        report = {key: value for key, value in facts.get("report", {}).items() if key in ("by", "at_ms")}
        text = json.dumps({**facts, "report": report}, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _nobody_served(self) -> None:
        """A gateway that starts anew in the middle of a draw knows no more of it than after a power cut."""
        premises = self.gateway.premises
        if premises is not None and (premises.busy or premises.service):
            raise Trouble("busy")

    def _slot(self, cabinet: str, slot: str, **facts: str) -> None:
        before = self.installation.of("slots").get("tried", {})
        key = f"{cabinet} {slot}"
        self.installation.note("slots", tried={**before, key: {**before.get(key, {}), **facts}})

    def _polarity(self, cabinet: str, read: dict[str, Any]) -> str:
        shut, opened = read.get("shut"), read.get("open")
        if shut is None or opened is None:
            return "silent" if shut is opened else "half"
        if shut is opened:
            return "dead"
        return "right" if shut else self._turn(cabinet)

    def _turn(self, cabinet: str) -> str:
        """The sensors read the other way round: the setting is turned, where there is one."""
        document = site_file.read(self.folder)
        mine = [one for line in document.get("lines", []) for one in line["devices"] if one["id"] == cabinet]
        if not mine:
            return "turn_it"
        if "open_is" not in drivers.discover()[mine[0]["kind"]].Settings.model_fields:
            return "swap_it"
        turned = "00" if mine[0].get("open_is", "00") == "11" else "11"
        site_file.write(self.folder, site_file.changed_device(document, cabinet, {"open_is": turned}))
        return "turned"

    def _take(self, document: dict[str, Any]) -> None:
        """Checks the whole before it is written, so that a wrong word does not stop the next start."""
        before = site_file.read(self.folder)
        mine = {one["id"] for line in before.get("lines", []) for one in line["devices"]}
        others = {one.id for _, one in self.gateway.config.devices()} - mine
        doubles = others & {one["id"] for line in document.get("lines", []) for one in line["devices"]}
        if doubles:
            raise Trouble("bad_device", f"{', '.join(sorted(doubles))}: gateway.toml has it already")
        try:
            check_lines(self.gateway.config, before.get("lines", []), document.get("lines", []))
        except ConfigError as error:
            raise Trouble("bad_device", "; ".join(what for _, what in error.errors)) from error
        site_file.write(self.folder, document)
        # What hangs on the wires now has not been compared, moved or signed for.
        for step in ("devices", "planogram", "slots"):
            self.installation.note(step, done=False)
        self.installation.note("report", done=False, at_ms=0, record="", digest="")
        self.gateway.restart()


def _is_lock(driver: Any) -> bool:  # noqa: ANN401 - driver classes differ in shape
    return driver.link == "serial" and hasattr(driver, "open")


def _is_quiet(driver: Any) -> bool:  # noqa: ANN401 - as above
    """One that says nothing until somebody does something: a badge reader."""
    return driver is None or driver.kind.startswith("badge_")
