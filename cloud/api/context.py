"""What the composition root hands to the routes: the parts of one running cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from cloud.billing.bundle import Keys
from cloud.clock import Clock
from cloud.database import Store
from cloud.entropy import Entropy
from cloud.fleet.desired import Changes
from cloud.fleet.nonces import Nonces
from cloud.ingest.intake import Intake
from cloud.ingest.tiles import Tiles
from cloud.metrics import Metrics
from cloud.settings import Settings
from wire.seal import Signer


@dataclass(frozen=True)
class Context:
    """The parts of one running cloud."""

    settings: Settings
    clock: Clock
    entropy: Entropy
    store: Store
    cosigner: Signer
    intake: Intake
    nonces: Nonces
    changes: Changes
    metrics: Metrics
    tiles: Tiles
    keys: Keys


def context_of(request: Request) -> Context:
    """The context of the application that received this request."""
    return cast("Context", request.app.state.context)


async def the_context(request: Request) -> Context:
    """The same as a dependency: FastAPI sends a plain function through a thread, which costs more than the function."""
    return context_of(request)


Parts = Annotated[Context, Depends(the_context)]
