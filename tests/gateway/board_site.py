"""One board on a line, its goods and hands, and gateways that come and go over it: memory with virtual time, or a pty.

The truth is what fell or was taken here; the records are what a gateway made of it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firmware_sim.bench import Line, LineSpec, MemoryPort, PtyPort
from firmware_sim.devices.coil_motors import CoilMotors, Dropped
from firmware_sim.devices.coil_tcn import CoilTcn
from firmware_sim.devices.coil_vmc import CoilVmc
from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from firmware_sim.devices.lock_kerong import LockKerong
from firmware_sim.devices.lock_wkly import LockWkly
from firmware_sim.devices.motor_zdm8 import MotorZdm8
from firmware_sim.faults import LineFaults, LinePlan
from firmware_sim.virtual_time import VirtualTimeLoop
from gateway import drivers
from gateway.board_cabinets import Board, MixedCabinet, cabinet_of
from gateway.clock import Clock, system_clock, virtual_clock
from gateway.journal.store import Journal
from gateway.links.serial import SerialPort
from gateway.ports import LinkDown, Ports, SerialSettings
from gateway.premises import Premises
from gateway.recover_draws import recover_draws
from gateway.session import SerialSession
from gateway.shelf import Shelf
from gateway.take_draw import DrawResult, take_draw
from tests.gateway.site import CABINET, MORNING, Told, desired, no_broker
from wire.records import DeviceEvent, Draw, DrawResolved, Intent, Record, decode

PIECES = 40
SLOT = "1"


@dataclass(frozen=True)
class Kind:
    """How a board is met: speed, settings, how its pieces are confirmed, seconds a piece takes."""

    driver: str
    baud: int
    settings: dict[str, Any]
    confirm: str
    half_duplex: bool = True
    doors: bool = False


KINDS = {
    "coil_vmc": Kind("coil_vmc", 57600, {"patience": 12, "counts_stock": True}, "sensor", half_duplex=False),
    "coil_tcn": Kind("coil_tcn", 9600, {"delay": 5}, "sensor"),
    "lock_8a": Kind("lock_8a", 9600, {}, "door", doors=True),
    "lock_kerong": Kind("lock_kerong", 19200, {}, "sensor", doors=True),
    "lock_wkly": Kind("lock_wkly", 9600, {"locks": 4}, "door", doors=True),
    "motor_zdm8": Kind("motor_zdm8", 9600, {"patience": 8}, "sensor"),
}


@dataclass
class Gateway:
    """One run of a gateway: from a boot to a stop or a power cut."""

    clock: Clock
    journal: Journal
    session: SerialSession
    premises: Premises
    cabinet: Board | MixedCabinet
    driver: Any
    ports: Ports
    port: MemoryPort
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def draw(self, quantity: int = 1, slot: str = SLOT) -> DrawResult:
        """Somebody takes something."""
        return await take_draw(self.premises, self.cabinet, "B0017", slot, quantity=quantity)

    def begin_draw(self) -> asyncio.Task[DrawResult]:
        """The same, beside the test."""
        task = asyncio.create_task(self.draw())
        self.tasks.append(task)
        return task

    async def recover(self) -> int:
        """What a boot does with the attempts of the one before."""
        return await recover_draws(self.premises, {CABINET: self.cabinet})

    async def records(self) -> list[Record]:
        """Everything in the journal, in order."""
        rows = await self.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
        return [decode(row[0]) for row in rows]

    async def draws(self) -> list[Draw]:
        """The draws."""
        return [record for record in await self.records() if isinstance(record, Draw)]

    async def events(self) -> list[str]:
        """The names of all device events."""
        return [record.event for record in await self.records() if isinstance(record, DeviceEvent)]

    async def cut_power(self) -> None:
        """Nothing more is written, nothing more is said."""
        await self.journal.abandon()
        await self.stop()

    async def stop(self) -> None:
        """Ends the tasks."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@dataclass
class BoardSite:
    """The line, the board and the hands; they outlive every gateway."""

    kind: Kind
    folder: Path
    line: Line
    twin: Any
    real: bool
    fell: int = 0
    hand_after: float = 3.0
    taking: bool = True
    boots: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def faults(self) -> LineFaults:
        """What went wrong on the wires."""
        return self.line.faults

    @asynccontextmanager
    async def gateway(self, *, settle: float = 2.0) -> AsyncIterator[Gateway]:
        """A gateway on this line, from its boot on; stopped in the end, unless its power was cut."""
        boot = f"{next(self.boots):016x}"
        loop = asyncio.get_running_loop()
        clock = system_clock(boot) if self.real else virtual_clock(boot, loop, origin_ms=MORNING)
        salts = (f"{n:032x}" for n in itertools.count())
        opened: list[Journal] = []
        # The line's time stands still while the disk works, so that a restart is as quick as the test says.
        unwatch = (
            loop.watch(lambda: not opened or opened[0].busy) if isinstance(loop, VirtualTimeLoop) else lambda: None
        )
        journal = await Journal.open(self.folder / "journal.db", boot=boot, salt=lambda: next(salts), demo=True)
        opened.append(journal)
        running = await self._run(clock, journal)
        try:
            await clock.sleep(settle)
            yield running
        finally:
            await running.stop()
            await journal.close()
            unwatch()

    async def _run(self, clock: Clock, journal: Journal) -> Gateway:
        settings = SerialSettings("line-1", str(self.folder / "tty"), self.kind.baud)
        port = MemoryPort(self.line, down=LinkDown)
        ports = Ports(clock, lambda: "", SerialPort if self.real else lambda _: port, no_broker)
        driver = drivers.create(self.kind.driver, self.kind.settings)
        session = SerialSession(settings, {CABINET: driver}, ports, journal)
        premises = Premises(clock, journal, Told(desired(self.kind.confirm)), Shelf())
        cabinet = cabinet_of(CABINET, driver, session, clock, premises)
        session.interpret(CABINET, cabinet)
        return Gateway(
            clock,
            journal,
            session,
            premises,
            cabinet,
            driver,
            ports,
            port,
            [asyncio.create_task(session.run(), name="session")],
        )

    def dropped(self, drop: Dropped) -> None:
        """A piece fell."""
        self.fell += drop.slot == SLOT

    def door(self, moved: DoorMoved) -> None:
        """A door that opens by command brings a hand, which takes the piece, shuts the door and leaves a new one."""
        if moved.open and moved.cause == "command":
            asyncio.get_running_loop().call_later(self.hand_after, self._hand, moved.lock)

    def _hand(self, lock: int) -> None:
        if not self.twin.is_open(lock):
            return
        if self.taking:
            self.fell += 1
            if isinstance(self.twin, LockKerong):
                self.twin.take(lock)
        self.twin.door_closed(lock, self.line.now)
        self.line.stir(self.twin)

    def refill(self) -> None:
        """The next piece lies in the compartment."""
        if isinstance(self.twin, LockKerong):
            self.twin.goods.add(1)

    @property
    def turns(self) -> int:
        """How often the board was really driven."""
        return int(self.twin.pulses[1] if self.kind.doors else self.twin.turns)

    @property
    def coils(self) -> CoilMotors:
        """The mechanics of a coil board."""
        found: CoilMotors = self.twin.coils
        return found


def twin_of(site_kind: str, site: BoardSite, turn_s: float) -> Any:
    """The board of this kind, with its hands."""
    if site_kind == "coil_vmc":
        return CoilVmc({1: PIECES, 2: PIECES}, turn_s=turn_s, on_drop=site.dropped)
    if site_kind == "coil_tcn":
        return CoilTcn({1: PIECES, 2: PIECES}, turn_s=turn_s, on_drop=site.dropped)
    if site_kind == "motor_zdm8":
        return MotorZdm8({1: PIECES, 2: PIECES}, turn_s=turn_s, on_drop=site.dropped)
    if site_kind == "lock_8a":
        return Lock8A(on_door=site.door)
    if site_kind == "lock_kerong":
        return LockKerong(goods=(1, 2), on_door=site.door)
    return LockWkly(locks=4, on_door=site.door)


def on_a_board(
    folder: Path,
    kind: str,
    play: Callable[[BoardSite], Coroutine[Any, Any, None]],
    *,
    plan: LinePlan | None = None,
    seed: str = "board",
    turn_s: float = 2.0,
    **changed: Any,
) -> None:
    """Plays with a board on a loop that owns time. ``changed``: driver settings and the slots' ``confirm``."""

    async def main() -> None:
        await play(make_site(folder, kind, plan, seed, turn_s, real=False, changed=changed))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


@asynccontextmanager
async def on_a_pty(
    folder: Path, kind: str, *, plan: LinePlan, seed: str, turn_s: float, **changed: Any
) -> AsyncIterator[BoardSite]:
    """A board behind a device file, in real time."""
    folder.mkdir()  # noqa: ASYNC240 - a test folder
    site = make_site(folder, kind, plan, seed, turn_s, real=True, changed=changed)
    port = PtyPort(site.line, folder / "tty")
    await port.open()
    try:
        yield site
    finally:
        port.close()


def make_site(
    folder: Path, kind: str, plan: LinePlan | None, seed: str, turn_s: float, *, real: bool, changed: dict[str, Any]
) -> BoardSite:
    """Board and line; call it inside the running loop."""
    met = KINDS[kind]
    confirm = changed.pop("confirm", met.confirm)
    met = Kind(met.driver, met.baud, {**met.settings, **changed}, confirm, met.half_duplex, met.doors)
    line = Line(LineSpec(baud=met.baud, half_duplex=met.half_duplex), faults=LineFaults(plan or LinePlan(), seed))
    site = BoardSite(met, folder, line, None, real)
    site.twin = twin_of(kind, site, turn_s)
    line.attach(site.twin)
    return site


def balance(records: list[Record]) -> tuple[int, int]:
    """Pieces that the records are sure of, and those they leave to a count; no intent may have two ends."""
    ends = [record.intent for record in records if isinstance(record, Draw) and record.intent]
    assert len(ends) == len(set(ends)), "an attempt with two draws"
    assert len(ends) == len([record for record in records if isinstance(record, Draw)]), "a draw nobody asked for"
    decided = {record.ref.key: record for record in records if isinstance(record, DrawResolved)}
    sure = unsure = 0
    for record in records:
        if isinstance(record, Draw):
            end = decided.get(record.key)
            outcome, qty = (end.outcome, end.qty) if end else (record.outcome, record.qty)
            sure += qty if outcome == "confirmed" else 0
            unsure += qty if outcome == "unverified" else 0
    return sure, unsure


def intents(records: list[Record]) -> int:
    """Attempts that were begun."""
    return sum(isinstance(record, Intent) for record in records)
