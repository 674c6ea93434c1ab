"""A whole gateway with one lock board, its rules, a hand that shuts doors, and a client of the kiosk's API."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from firmware_sim.bench import Line, MemoryPort
from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.app import Gateway, create_gateway
from gateway.clock import Clock, virtual_clock
from gateway.config import Config
from gateway.ports import Badge, Confirm, Desired, LinkDown, Planogram, Ports, Slot
from gateway.rules import Item, Limit, Person, Rules
from gateway.web.pages import create_pages
from tests.gateway.site import CABINET, MORNING, Told, no_broker
from wire.pin import hash_pin
from wire.records import Record, decode

PIN = hash_pin("1234", b"s" * 16)
RULES = Rules(
    version=12,
    zone="Europe/Berlin",
    help="Ask the foreman, telephone 4711.",
    persons=(
        Person("p-17", name="Li", language="zh-CN", groups=("millers",), cost_centre="CC1"),
        Person("p-18", code="4711", pin=PIN, identify="badge_and_pin"),
        Person("p-19", code="4712", pin=PIN, identify="badge_or_pin"),
    ),
    items=(Item("item-4", loan_days=7, kept_after_days=14),),
    limits=(Limit("two-a-day", "day", quantity=2, items=("item-1",)),),
)
BADGES = {
    "B0017": Badge("B0017", "p-17"),
    "B0018": Badge("B0018", "p-18"),
    "B0020": Badge("B0020", "p-20", ("restocker",)),
    "B0021": Badge("B0021", "p-21", ("storekeeper",)),
}


def told(rules: Rules = RULES, age: int | None = 0, confirm: Confirm = "door") -> Told:
    """The desired document with these rules."""
    slots = tuple(Slot(str(n), f"item-{n}", 10, 2, 10, confirm) for n in range(1, 5))
    return Told(Desired(3, {CABINET: Planogram(CABINET, 7, slots)}, BADGES, rules.version, rules), age)


@dataclass
class Kiosk:
    """What a test holds."""

    gateway: Gateway
    client: httpx.AsyncClient
    clock: Clock
    locks: Lock8A
    line: Line
    shuts_after: float = 3.0
    opened: list[int] = field(default_factory=list)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """An answer that must be one."""
        answer = await self.client.post(f"/kiosk/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> dict[str, Any]:
        """The same for a look."""
        answer = await self.client.get(f"/kiosk/v1/{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def badge(self, badge: str = "B0017", **more: Any) -> str:
        """A session's token."""
        found = await self.post("sessions", cabinet=CABINET, badge=badge, **more)
        return str(found["session"])

    async def slots(self, session: str = "") -> dict[str, dict[str, Any]]:
        """The map, by slot."""
        found = await self.get(f"cabinets/{CABINET}/slots?session={session}")
        return {one["slot"]: one for one in found["slots"]}

    async def records(self) -> list[Record]:
        """The journal."""
        assert self.gateway.journal is not None
        rows = await self.gateway.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [decode(row[0]) for row in rows]

    async def kinds(self, kind: type[Any]) -> list[Any]:
        """The records of one kind."""
        return [one for one in await self.records() if isinstance(one, kind)]

    def rule(self, confirm: Confirm = "door", **changed: Any) -> None:
        """Other rules from now on."""
        assert self.gateway.premises is not None
        self.gateway.premises.desired = told(msgspec.structs.replace(RULES, **changed), confirm=confirm)

    def moved(self, door: DoorMoved) -> None:
        """A hand that takes and shuts."""
        if door.open:
            self.opened.append(door.lock)
            asyncio.get_running_loop().call_later(self.shuts_after, self.shut, door.lock)

    def shut(self, lock: int) -> None:
        """Pushes one door shut."""
        self.locks.door_closed(lock, self.clock.line())
        self.line.stir(self.locks)


def at_the_kiosk(
    folder: Path, play: Callable[[Kiosk], Coroutine[Any, Any, None]], *, boot: str = "b", days: int = 0
) -> None:
    """Plays with a gateway from its start to its stop; the same folder and another boot is the next start."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        line, locks = Line(), Lock8A()
        line.attach(locks)
        salts = itertools.count(1)
        clock = virtual_clock(boot * 16, loop, origin_ms=MORNING + days * 86_400_000)
        ports = Ports(clock, lambda: f"{next(salts):032x}", lambda _: MemoryPort(line, down=LinkDown), no_broker)
        config = Config.model_validate(
            {
                "gateway": {"name": "Halle 3", "state": folder},
                "journal": {"demo": True, "ballast_mb": 0},
                "web": {"enabled": False},
                "lines": [{"name": "line-1", "port": "memory", "devices": [{"id": CABINET, "kind": "lock_8a"}]}],
            }
        )
        gateway = create_gateway(config, ports)
        unwatch = loop.watch(lambda: gateway.busy)
        running = asyncio.create_task(gateway.run())
        await gateway.ready.wait()
        assert gateway.premises is not None
        gateway.premises.desired = told()
        transport = httpx.ASGITransport(app=create_pages(gateway), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            kiosk = Kiosk(gateway, client, clock, locks, line)
            locks.on_door = kiosk.moved
            await clock.sleep(5)
            await play(kiosk)
        gateway.stop()
        await running
        unwatch()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
