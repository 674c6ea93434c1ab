"""The gateway as a machine: the real program, its journal on a simulated disk, wires in memory, a clock that may lie.

Whatever it hands to the world (bytes on a line, messages to the broker) is done by the world and lives on when the
process dies: a coil that was told to turn turns.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from firmware_sim.bench import MemoryPort
from firmware_sim.memory_broker import MemoryMqttLink
from firmware_sim.world import Chance
from gateway.app import CardRestoredError, Gateway, create_gateway
from gateway.clock import Clock
from gateway.config import Config
from gateway.identity import Identity
from gateway.ports import BrokerSettings, LinkDown, Message, NotStored, Ports, SerialSettings, Will
from tests.simulation.disk import Disk
from tests.simulation.life import Life, PowerCut, pause
from tests.simulation.network import WORLD, Uplinked
from tests.simulation.stores import SimulatedDisks

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
JOURNAL, DESIRED = "journal.db", "desired.json"
RESTART_S = 2.0
# Seconds between two looks of the watch, and between two ticks of a broker's session.
ROUTINE = (2.0, 5.0)


class GatewayMachine:
    """Start, crash, back up, restore. ``wrong_ms`` and ``synchronised``: what its wall clock is worth.

    ``name``: only the ``gateway`` has devices on its wires and makes promises; a copy of it has not.
    """

    def __init__(
        self,
        world: World,
        folder: Path,
        config: Config,
        identity: Identity,
        chance: Chance,
        *,
        name: str = "gateway",
    ) -> None:
        self.life: Life | None = None
        self.gateway: Gateway | None = None
        self.wrong_ms = 0
        self.synchronised = True
        self.folder = folder
        self.path = folder / JOURNAL
        self.name = name
        self.disk = Disk(world.stream(f"{name} disk"), self._cut)
        self.turn = asyncio.Lock()
        self.identity = identity
        self._world = world
        self._config = config
        self._chance = chance
        self._paces = world.stream(f"{name} paces")

    @property
    def is_up(self) -> bool:
        """Whether the program runs and its use cases work."""
        gateway = self.gateway
        return self.life is not None and self.life.alive and gateway is not None and gateway.ready.is_set()

    def start(self) -> None:
        """A new process on what the disk holds: a new boot."""
        assert self.life is None or not self.life.alive
        life = self.life = Life(self.name)
        self._world.trace.note(self.name, "up")
        life.start(self._supervised(life))

    async def _supervised(self, life: Life) -> None:
        """What systemd does: a program that ended by itself is started again."""
        while True:
            gateway = self.gateway = self._create(life)
            try:
                await gateway.run()
            except (NotStored, ExceptionGroup) as error:
                self._world.trace.note(self.name, "ended", type(error).__name__)
                if not _by_right(error):
                    self._world.trouble(self.name, error)
            except PowerCut:
                raise
            except Exception as error:  # noqa: BLE001 - whatever ends the program is a finding
                self._world.trouble(self.name, error)
            await pause(RESTART_S)

    def boot_id(self) -> str:
        """Never the same twice, whatever the card holds."""
        return self._chance.bytes(8).hex()

    def _create(self, life: Life) -> Gateway:
        world, loop = self._world, asyncio.get_running_loop()
        clock = SparingClock(
            self.boot_id(),
            wall=lambda: max(world.pace.now_ms() + self.wrong_ms, 0),
            line=loop.time,
            synchronised=lambda: self.synchronised,
        )
        wired = self.name == "gateway"
        ports = Ports(
            clock=clock,
            salt=self._chance.salt,
            open_serial=lambda settings: Wire(world, life, settings, wired=wired),
            open_mqtt=lambda settings: Connection(world, life, settings, wired=wired),
            transport=Uplinked(world.network, life),
            disk=SimulatedDisks(self.disk, life, self._paces, world.watcher.committed if wired else _unheard),
        )
        return create_gateway(self._config, ports, self.identity)

    async def crash(self) -> None:
        """The power: the process is gone, what was not durable, and its connection to the broker."""
        if self.life is None:
            return
        await self.life.kill()
        self.disk.power_cut()
        self.life = self.gateway = None
        if self.name == "gateway":
            self._world.broker.cut("tallystick")
        self._world.trace.note(self.name, "down")

    def backup(self) -> dict[str, bytes]:
        """An image of the card."""
        desired = self.folder / DESIRED
        return {JOURNAL: self.disk.image(self.path)} | ({DESIRED: desired.read_bytes()} if desired.exists() else {})

    def put_back(self, image: dict[str, bytes]) -> None:
        """The card is replaced by an older image of it."""
        for file in self.folder.glob("journal.db.damaged*"):
            file.unlink()
        (self.folder / DESIRED).unlink(missing_ok=True)
        if DESIRED in image:
            (self.folder / DESIRED).write_bytes(image[DESIRED])
        self.disk.put_back(self.path, image[JOURNAL])

    def wipe(self) -> None:
        """The card is dead; a new one is empty."""
        for file in self.folder.iterdir():
            file.unlink()
        self.disk = Disk(self._world.stream(f"new {self.name} disk"), self._cut)

    async def use(self, work: Callable[[Gateway], Any]) -> Any:
        """A person at its screen: what ``work`` returns, None when the screen is dark or goes dark meanwhile."""
        life, gateway = self.life, self.gateway
        if not self.is_up or life is None or gateway is None:
            return None
        task = life.start(work(gateway))
        await asyncio.wait([task])
        if not life.alive or task.cancelled():
            return None
        error = task.exception()
        if isinstance(error, PowerCut | NotStored):
            return None
        return task.result()

    def _cut(self) -> None:
        self._world.power_goes(self, "gateway_cut_at_sync")


def _by_right(error: BaseException) -> bool:
    """A journal that cannot be opened ends the program, and a card that got its records back; nothing else does."""
    if isinstance(error, BaseExceptionGroup):
        return all(_by_right(one) for one in error.exceptions)
    return isinstance(error, NotStored | CardRestoredError)


def _unheard(*_: Any) -> None:
    """A copy promises nothing to anybody: no device and no person talks to it."""


def _in_the_world(work: Callable[..., T], *args: Any, **kw: Any) -> T:
    context: contextvars.Context = WORLD.copy()
    return context.run(work, *args, **kw)


class SparingClock(Clock):
    """The program looks at itself every few seconds; a third of that is enough here, since each look costs a turn."""

    async def sleep(self, seconds: float) -> None:
        """Waits, three times as long where it is a matter of routine."""
        await super().sleep(seconds * 3 if seconds in ROUTINE else seconds)


class Wire:
    """A serial line as one process holds it."""

    def __init__(self, world: World, life: Life, settings: SerialSettings, *, wired: bool) -> None:
        self._life = life
        self._wired = wired
        self._port = MemoryPort(world.wired.lines[settings.port], down=LinkDown)
        if wired:
            world.plugged[settings.port] = self._port

    async def open(self) -> None:
        """See ``SerialLink``."""
        self._life.must_live()
        if not self._wired:
            raise LinkDown("nothing is plugged in here")
        await self._port.open()

    async def write(self, data: bytes) -> None:
        """See ``SerialLink``."""
        self._life.must_live()
        _in_the_world(_now, self._port.write(data))

    async def read(self, seconds: float) -> bytes:
        """See ``SerialLink``."""
        self._life.must_live()
        return await self._port.read(seconds)

    async def speed(self, baud: int) -> None:
        """See ``SerialLink``."""
        await self._port.speed(baud)

    async def close(self) -> None:
        """See ``SerialLink``."""
        if self._life.alive and self._wired:
            await self._port.close()


class Connection:
    """A connection to the broker as one process holds it."""

    def __init__(self, world: World, life: Life, settings: BrokerSettings, *, wired: bool) -> None:
        self._life = life
        self._wired = wired
        self._world = world
        self._link = MemoryMqttLink(
            world.broker,
            settings.client_id,
            make=lambda packet: Message(packet.topic, packet.payload, packet.mid, packet.retain),
            mid=lambda message: message.mid,
            down=LinkDown,
            window=settings.window,
        )

    async def open(self, topics: Sequence[str], will: Will | None = None) -> None:
        """See ``MqttLink``."""
        self._life.must_live()
        if not self._wired:
            raise LinkDown("there is no broker here")
        _in_the_world(_now, self._link.open(topics, will))

    async def subscribe(self, topics: Sequence[str]) -> None:
        """See ``MqttLink``."""
        self._life.must_live()
        await self._link.subscribe(topics)

    async def batch(self) -> list[Message]:
        """See ``MqttLink``."""
        self._life.must_live()
        return await self._link.batch()

    async def ack(self, messages: Sequence[Message]) -> None:
        """See ``MqttLink``."""
        self._life.must_live()
        self._world.watcher.acknowledged(messages)
        await self._link.ack(messages)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> None:
        """See ``MqttLink``."""
        self._life.must_live()
        _in_the_world(_now, self._link.publish(topic, payload, retain=retain, qos=qos))

    async def close(self) -> None:
        """See ``MqttLink``."""
        if self._life.alive and self._wired:
            await self._link.close()


def _now(work: Any) -> None:
    """Runs a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("this was to be done at once")
