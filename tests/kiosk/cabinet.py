"""A cabinet for the browser: a real gateway on a loop of its own in a thread, a lock board's twin, a hand, and a cloud.

Time runs as in life here, because the browser's does; nothing waits for it but pages for what they shall show. The
gateway can be cut off and started again on the same disk and the same address, as after a power cut.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from firmware_sim.bench import Line, LineSpec, MemoryPort
from firmware_sim.devices.coil_vmc import CoilVmc
from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from gateway.app import Gateway, create_gateway
from gateway.clock import system_clock
from gateway.config import Config
from gateway.ports import LinkDown, Ports, SerialSettings
from tests.gateway.desk import IDENTITY, new_cloud
from tests.gateway.fake_cloud import unreachable
from tests.gateway.site import no_broker
from wire.pin import hash_pin
from wire.records import Record, decode

T = TypeVar("T")
CABINET, COILS = "locker-1", "coil-1"
CODE = "5309-7712"
NAMES = (
    "Twist drill HSS 8 mm", "End mill 10 mm, carbide, 4 flutes, TiAlN coated", "Turning insert CNMG 120408",
    "Nitrile gloves, size 9", "Safety goggles", "Torque wrench 20-100 Nm",
    "\u9ebb\u82b1\u94bb\u5934 8 \u6beb\u7c73 \u76f4\u67c4", "Hand tap M6", "Dial gauge 0.01 mm",
)  # fmt: skip
FAST, LOAN, GLOVES, WAITING = "1", "6", "4", "8"
# Used up for everybody; with serial numbers; put by for a code; nothing proves that goods left it.
SPENT, NUMBERED, CODED, UNPROVEN = "5", "14", "16", "20"
PIN = hash_pin("1234", b"s" * 16)
ORDER = "ord_3f2a9c1b7d5e8a6c4b20"


def wanted(slots: int) -> dict[str, Any]:
    """The desired document: a full map, some persons, limits, a tool, goods put by; and a machine with coils."""
    plan = [
        {"slot": str(n), "item_id": f"i-{(n - 1) % 8 + 1}", "capacity": 20, "min": 3, "max": 20, "confirm": "door"}
        for n in range(1, slots + 1)
    ]
    for one in plan:
        if one["slot"] == NUMBERED:
            one["item_id"] = "i-9"
        if one["slot"] == UNPROVEN:
            one["confirm"] = "none"
    items: list[dict[str, Any]] = [{"item": f"i-{n}", "name": name} for n, name in enumerate(NAMES, 1)]
    items[5] |= {"loan_days": 7}
    items[8] |= {"serial": True, "lot": True}
    coils = [
        {"slot": str(n), "item_id": f"i-{n}", "capacity": 10, "min": 2, "max": 10, "confirm": "sensor"}
        for n in (1, 2, 3, 4)
    ]
    put_by = {"cabinet": CABINET, "item": "i-8", "qty": 1}
    return {
        "planograms": {CABINET: {"version": 7, "slots": plan}, COILS: {"version": 3, "slots": coils}},
        "orders": {CABINET: {"3": {"order": ORDER, "item": "i-3", "state": "ordered"}}},
        "badges": [
            {"badge": "B0017", "person": "p-17"}, {"badge": "B0018", "person": "p-18"},
            {"badge": "R0001", "person": "p-20", "groups": ["restocker"]}, {"badge": "B0019", "person": "p-19"},
        ],
        "rules": {
            "version": 12, "zone": "Europe/Berlin", "pin_tries": 99, "help": "Ask the foreman, telephone 4711.",
            "persons": [
                {"person": "p-17", "name": "Erika Muster", "language": "en", "cost_centre": "CC1"},
                {"person": "p-18", "name": "\u674e\u5a1c", "language": "zh-CN"},
                {"person": "p-19", "name": "Jo", "pin": PIN, "identify": "badge_and_pin"},
            ],
            "cost_centres": [{"id": "CC1", "name": "Milling"}, {"id": "CC2", "name": "Turning shop, hall 3"}],
            "items": items,
            "cabinets": {COILS: {"jams_until_off": 0}},
            "limits": [
                {"id": "gloves", "period": "day", "quantity": 1, "items": ["i-4"], "each": "person"},
                {"id": "spent", "period": "week", "quantity": 1, "items": ["i-5"], "each": "all"},
            ],
            "waiting": [
                {"id": "wc-1", "slot": WAITING, "person": "p-17", **put_by},
                {"id": "wc-2", "slot": CODED, "code": hash_pin("777001", b"p" * 16), **put_by},
            ],
        },
    }  # fmt: skip


class Shop:
    """One cabinet, its gateway and its cloud. Everything here may be called from the test's thread."""

    def __init__(self, folder: Path, slots: int, logout_seconds: int = 15) -> None:
        self.folder = folder
        self.logout_seconds = logout_seconds
        self.slots = slots
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.shuts_after: float | None = 0.4
        self.locks = Lock8A()
        self.coils = CoilVmc(dict.fromkeys((1, 2, 3, 4), 10), turn_s=0.3)
        self.boots = itertools.count(0xB0)
        self.gateway: Gateway | None = None
        self._salts = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self._open())

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it where the gateway runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def start(self) -> None:
        """The power is there."""
        self.call(self._start())

    def stop(self) -> None:
        """The power is gone."""
        self.call(self._stop())

    def close(self) -> None:
        """The end of the test."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def tidy(self) -> None:
        """Doors are shut, nobody is logged in, the power and the network are there."""
        self.shuts_after = 0.4
        self.network(there=True)
        if self.gateway is None:
            self.start()
        self.call(self._tidy())

    def network(self, *, there: bool) -> None:
        """The cloud is reached, or not."""
        self.cloud.before = None if there else unreachable

    def shut(self, lock: int) -> None:
        """Pushes one door shut."""
        self._loop.call_soon_threadsafe(self._shut, lock)

    def records(self, kind: type[T]) -> list[T]:
        """What the journal holds of one kind."""
        return [one for one in self.call(self._records()) if isinstance(one, kind)]

    async def _open(self) -> None:
        self.cloud = new_cloud()
        self.cloud.want(**wanted(self.slots))
        self.line = Line()
        self.line.attach(self.locks)
        self.machine = Line(LineSpec(baud=57600, half_duplex=False))
        self.machine.attach(self.coils)
        self.locks.on_door = self._moved

    async def _start(self) -> None:
        boot = f"{next(self.boots):02x}" * 8
        config = Config.model_validate({
            "gateway": {"name": "Halle 3", "state": self.folder}, "journal": {"demo": True, "ballast_mb": 0},
            "web": {"port": self.port, "logout_seconds": self.logout_seconds},
            "cloud": {"poll_seconds": 1},
            "lines": [
                {"name": "line-1", "port": "memory", "devices": [{"id": CABINET, "kind": "lock_8a"}]},
                {"name": "line-2", "port": "machine", "baud": 57600, "devices": [{"id": COILS, "kind": "coil_vmc"}]},
            ],
        })  # fmt: skip
        ports = Ports(
            system_clock(boot), lambda: f"{next(self._salts):032x}", self._port, no_broker, self.cloud.transport,
        )  # fmt: skip
        self.gateway = create_gateway(config, ports, IDENTITY)
        self._running = asyncio.create_task(self.gateway.run())
        await self.gateway.ready.wait()
        while self.gateway.downlink is None or not self.gateway.downlink.current.version:
            await ports.clock.sleep(0.05)

    def _port(self, settings: SerialSettings) -> MemoryPort:
        return MemoryPort(self.machine if settings.name == "line-2" else self.line, down=LinkDown)

    async def _stop(self) -> None:
        if self.gateway is not None:
            self.gateway.stop()
            await self._running
            self.gateway = None

    async def _tidy(self) -> None:
        for lock in range(1, self.slots + 1):
            self.locks.mend(lock)
            if self.locks.is_open(lock):
                self._shut(lock)
        assert self.gateway is not None
        desk = self.gateway.kiosk
        assert desk is not None
        for cabinet in (CABINET, COILS):
            while desk.state(cabinet).state == "serving":
                await self.gateway.ports.clock.sleep(0.1)
            token = desk.state(cabinet).session
            if token:
                await desk.leave(token)

    async def _records(self) -> list[Record]:
        assert self.gateway is not None
        assert self.gateway.journal is not None
        rows = await self.gateway.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [decode(row[0]) for row in rows]

    def _moved(self, door: DoorMoved) -> None:
        if door.open and self.shuts_after is not None:
            self._loop.call_later(self.shuts_after, self._shut, door.lock)

    def _shut(self, lock: int) -> None:
        self.locks.door_closed(lock, self._loop.time())
        self.line.stir(self.locks)


def fill(shop: Shop) -> None:
    """Stock in every slot: plenty, little, none; and what nobody may have any more this week is taken."""

    async def work() -> None:
        assert shop.gateway is not None
        for n in range(1, shop.slots + 1):
            if str(n) != NUMBERED:
                await shop.gateway.refill(CABINET, str(n), {2: 2, 3: 0, 5: 2}.get(n, 12), "R0001")
        for n in (1, 2, 3, 4):
            await shop.gateway.refill(COILS, str(n), 10, "R0001")
        await shop.gateway.draw(CABINET, "B0019", SPENT)

    shop.call(work())


def write_setup_code(folder: Path) -> None:
    """The code an installer would read on the gateway's command line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "setup-code.json"
    path.write_bytes(msgspec.json.encode({"code": CODE, "secret": "5a" * 32}))
    path.chmod(0o600)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
