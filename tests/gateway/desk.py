"""A journal and an uplink on a loop that owns time, with nothing else of a gateway around them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.clock import Clock, virtual_clock
from gateway.cloud_requests import Cloud, open_client
from gateway.identity import Identity
from gateway.journal.connection import Busy
from gateway.journal.store import Journal
from gateway.uplink import Uplink
from tests.gateway.fake_cloud import FakeCloud
from wire.records import Draw, Intent, Reading, Record, Refill
from wire.seal import Signer

T = TypeVar("T")
START = 1_793_000_000_000
ORIGIN = "tallystick/acme/gw-1/1"
SEED = b"g" * 32
BOOT = "b" * 16
IDENTITY = Identity(
    gateway_id="gw-1",
    tenant_id="acme",
    origin=ORIGIN,
    seed=SEED.hex(),
    cosigner_vkey=Signer("cloud.test", b"c" * 32).cosigner_vkey,
    cloud_url="http://cloud.test",
)


def play(main: Coroutine[Any, Any, T], busy: Busy | None = None) -> T:
    """Runs it in virtual time; the loop waits in earnest only for the journal's threads."""
    counted = busy or WATCHED
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(lambda: counted.jobs)) as runner:
        return runner.run(main)


WATCHED = Busy()


def new_cloud() -> FakeCloud:
    """A cloud that knows this gateway's key."""
    return FakeCloud(Signer(ORIGIN, SEED).vkey)


def a_clock(boot: str = BOOT) -> Clock:
    """A synchronised clock on the running loop."""
    return virtual_clock(boot, asyncio.get_running_loop(), origin_ms=START)


@asynccontextmanager
async def a_journal(folder: Path, boot: str = BOOT, **options: Any) -> AsyncIterator[Journal]:
    """The journal of a folder, closed as SIGTERM would."""
    salts = (f"{n:032x}" for n in itertools.count())
    journal = await Journal.open(
        folder / "journal.db", boot=boot, salt=lambda: next(salts), demo=True, busy=WATCHED, **options
    )
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def an_uplink(journal: Journal, cloud: FakeCloud, identity: Identity = IDENTITY) -> AsyncIterator[Uplink]:
    """An uplink at work."""
    client = open_client("http://cloud.test", transport=cloud.transport)
    uplink = Uplink(journal, identity, Cloud(client, identity), a_clock(journal.boot), lambda: 0.5)
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.aclose()


async def pass_time(seconds: float) -> None:
    """Virtual seconds go by."""
    await a_clock().sleep(seconds)


async def cosigned(uplink: Uplink, size: int, within: float = 600) -> None:
    """Waits until the cloud has cosigned so much."""
    async with asyncio.timeout(within):
        while uplink.status().cosigned < size:
            await pass_time(0.05)


def reading(number: int, *, src: str = "meter-1", boot: str = BOOT, did: str = "") -> Reading:
    """A register value, never the same twice."""
    return Reading(
        v=1, z="", src=src, ep=boot, n=0, t=START + number, ts="S", b=boot, m=number, did=did,
        register="total_wh", value=number, scale=0, unit="Wh",
    )  # fmt: skip


def readings(count: int, *, first: int = 0, boot: str = BOOT) -> list[Record]:
    """So many."""
    return [reading(number, boot=boot) for number in range(first, first + count)]


def intent(boot: str = BOOT, slot: str = "7") -> Intent:
    """Somebody is about to get something."""
    return Intent(
        v=1, z="", src="cab-1", ep=boot, n=0, t=START, ts="S", b=boot, m=0, slot=slot, item="gloves", asked=1
    )  # fmt: skip


def refill(qty: int, boot: str = BOOT) -> Refill:
    """Somebody put so many pieces in."""
    return Refill(
        v=1, z="", src="cab-1", ep=boot, n=0, t=START, ts="S", b=boot, m=0, slot="7", item="gloves", qty=qty
    )  # fmt: skip


def draw(named: str = "", boot: str = BOOT, did: str = "") -> Draw:
    """Somebody got something; ``named``: its intent as "ep/n"."""
    return Draw(
        v=1, z="", src="cab-1", ep=boot, n=0, t=START, ts="S", b=boot, m=0, did=did, slot="7", item="gloves", asked=1,
        qty=1, outcome="confirmed", actuation="ok", confirmation="sensor", intent=named,
    )  # fmt: skip


def numbers(cloud: FakeCloud) -> list[tuple[str, int]]:
    """(epoch's first letter, n) of what the cloud holds."""
    return [(record.ep[0], record.n) for record in cloud.records()]


def once_each(cloud: FakeCloud) -> bool:
    """Nothing doubled, and never two notes of one size."""
    keys = [record.key for record in cloud.records()]
    return len(keys) == len(set(keys)) and all(len(notes) == 1 for notes in cloud.notes.values())


async def deliver(folder: Path, cloud: FakeCloud, size: int, boot: str = BOOT) -> None:
    """A gateway at work until so much is cosigned."""
    async with a_journal(folder, boot) as journal, an_uplink(journal, cloud) as uplink:
        await cosigned(uplink, size)
