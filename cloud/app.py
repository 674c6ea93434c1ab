"""Puts the cloud together. Only the command line and the simulated world build a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata

from fastapi import FastAPI

import cloud.api.v1
import cloud.web
from cloud import keyring, migrations
from cloud.api import description, health, problems
from cloud.api.body_limit import BodyLimit
from cloud.api.context import Context
from cloud.api.discovery import routers
from cloud.api.fast_lane import FastLane
from cloud.api.v1 import logs
from cloud.clock import Clock
from cloud.cosigner_history import cloud_keys
from cloud.credit import shares
from cloud.database import Store
from cloud.entropy import Entropy
from cloud.fleet.desired import Changes
from cloud.fleet.nonces import Nonces
from cloud.ingest.intake import Intake
from cloud.ingest.receive_batch import Desk
from cloud.ingest.tiles import Tiles
from cloud.invariants.walk import walk_for_ever
from cloud.metering import post_readings
from cloud.metrics import Metrics
from cloud.settings import Settings
from cloud.stock import post_records

LEDGERS = (post_records.post, post_readings.post, shares.post)
DESCRIPTION = "Vending cabinets and meters: what was taken, restocked and billed, each line with its proof."


def create_cloud(settings: Settings, clock: Clock, entropy: Entropy, store: Store) -> FastAPI:
    """The whole cloud as one ASGI application; it brings its database up to date when it starts.

    The application does not close the store: whoever opened it does.
    """
    context = build(settings, clock, entropy, store)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await migrations.migrate(store, clock.now_ms())
        walking = walk_for_ever(store, clock, context.keys, settings.check_seconds) if settings.check_seconds else None
        checking = None if walking is None else asyncio.create_task(walking)
        try:
            yield
        finally:
            if checking is not None:
                checking.cancel()
            dismiss(app)

    app = FastLane(
        title="Tallystick cloud",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.context = context
    app.answering = logs.take
    problems.install(app)
    app.add_middleware(BodyLimit)
    for router in [health.router, *routers(cloud.api.v1), *routers(cloud.web)]:
        app.include_router(router)
    app.openapi = lambda: description.describe(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app


def dismiss(app: FastAPI) -> None:
    """Lets everybody go who waits for news: gateways in a long poll, and open pages."""
    app.state.context.changes.close()
    if hasattr(app.state, "site"):
        app.state.site.boards.close()


def _version() -> str:
    try:
        return metadata.version("tallystick")
    except metadata.PackageNotFoundError:  # a checkout that was never installed
        return "0"


def build(settings: Settings, clock: Clock, entropy: Entropy, store: Store) -> Context:
    """The parts, without the web server."""
    cosigner = keyring.load_or_create(settings.state, settings.cosigner, entropy)
    metrics = Metrics()
    desk = Desk(cosigner, clock, LEDGERS)
    return Context(
        settings=settings,
        clock=clock,
        entropy=entropy,
        store=store,
        cosigner=cosigner,
        intake=Intake(store, desk, metrics, group_records=settings.group_records, max_waiting=settings.max_waiting),
        nonces=Nonces(cosigner, clock, entropy),
        changes=Changes(store, clock),
        metrics=metrics,
        tiles=Tiles(),
        keys=cloud_keys(settings.state, cosigner),
    )
