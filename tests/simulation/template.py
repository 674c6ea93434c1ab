"""The shop as it stands on the first evening, made once in a process: every seed begins with copies of these files."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI

from cloud.api import keys
from cloud.api import repository as api_repository
from cloud.app import create_cloud
from cloud.clock import Clock
from cloud.database import Store, Tx
from cloud.entropy import Entropy
from cloud.open_store import open_store
from cloud.settings import Settings
from firmware_sim.installing import Place, gateway_toml
from firmware_sim.office import Office
from firmware_sim.virtual_time import run
from firmware_sim.world import CLOUD, Chance
from gateway import config_file, enrol
from gateway.config import Config
from gateway.identity import Identity
from tests.simulation import site
from tests.simulation.cloud_machine import FILE

TENANT = "sim"
# Seconds between two looks at all doors; rarely here, since each costs a turn of the loop.
WATCH = 120


@dataclass(frozen=True)
class Template:
    """``folder`` holds ``cloud`` and ``gateway`` as they were copied; ``app`` is the application, built once."""

    folder: Path
    app: FastAPI
    key: str
    identity: Identity


def scratch() -> Path:
    """Where runs have their files: in memory where there is such a place, since nobody needs them afterwards."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


@cache
def template() -> Template:
    """The shop, set up; the same in every process."""
    folder = Path(tempfile.mkdtemp(prefix="tally-template-", dir=scratch()))
    return run(_made(folder))


def copy_into(folder: Path) -> None:
    """A seed's own files."""
    for part in ("cloud", "gateway"):
        shutil.copytree(template().folder / part, folder / part)


def config(folder: Path) -> Config:
    """What the installer wrote."""
    scenario = site.the_scenario()
    place = Place(str(folder), CLOUD, {line.name: line.name for line in scenario.line}, broker_port=1883)
    text = gateway_toml(scenario, place).replace("[web]", "[web]\nenabled = false")
    return config_file.parse(text.replace("watch = 5", f"watch = {WATCH}"))


async def _made(folder: Path) -> Template:
    scenario = site.the_scenario()
    now_ms = scenario.ms("12:00")
    chance = Chance(0, "template")
    settings = Settings(state=folder / "cloud")
    async with AsyncExitStack() as stack:
        store = open_store(f"sqlite:///{settings.state / FILE}", inline=True)
        stack.push_async_callback(store.close)
        app = create_cloud(settings, Clock(lambda: now_ms / 1000, asyncio.sleep), Entropy(chance.bytes), store)
        await stack.enter_async_context(app.router.lifespan_context(app))
        key = await _tenant(store, now_ms, Entropy(chance.bytes))
        client = await stack.enter_async_context(
            httpx.AsyncClient(base_url=CLOUD, transport=httpx.ASGITransport(app))
        )  # fmt: skip
        code = await site.set_up(Office(client, key), scenario)
        identity = await enrol.enrol(client, folder / "gateway", code, lambda: chance.bytes(32))
    return Template(folder, app, key, identity)


async def _tenant(store: Store, now_ms: int, entropy: Entropy) -> str:
    def work(tx: Tx) -> str:
        api_repository.add_tenant(tx, TENANT, "Simulated", now_ms)
        return keys.create(tx, entropy, TENANT, name="clerk", scopes=keys.SCOPES, now_ms=now_ms)

    return await store.run(work)
