"""What a balancer and a monitoring system ask: alive, ready, and in figures."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from cloud import metrics, migrations
from cloud.api.context import Parts
from cloud.api.problems import Problem, responses
from cloud.ingest import repository as logs
from cloud.invariants import repository
from cloud.migrations import MigrationError

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", response_model=Health)
async def alive() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz", response_model=Health, responses=responses("unavailable"))
async def ready(context: Parts) -> Health:
    """The database answers and has this program's schema."""
    try:
        missing = await migrations.pending(context.store)
    except MigrationError as error:
        raise Problem("unavailable", f"{error}.") from error
    if missing:
        raise Problem("unavailable", f"The database lacks {', '.join(missing)}: run 'tally-cloud migrate'.")
    return Health()


@router.get("/metrics", response_class=PlainTextResponse)
async def figures(context: Parts) -> Response:
    """Prometheus' text form."""
    holds, frozen = await context.store.read(lambda tx: (repository.count_open(tx), logs.count_frozen(tx)))
    context.metrics.holds.set(holds)
    context.metrics.forks.set(frozen)
    return Response(context.metrics.page(), media_type=metrics.CONTENT_TYPE)
