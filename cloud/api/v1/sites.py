"""Sites: places of a party, each with its time zone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.agreements.terms import Zone
from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.parties import repository
from cloud.parties.repository import SiteRow

router = APIRouter(prefix="/v1/sites", tags=["sites"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class SiteIn(BaseModel):
    """A place where cabinets and meters stand."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"site_id": "hall-3", "name": "Hall 3", "party_id": "cust-1", "zone": "Europe/Berlin"}]
        },
    )

    site_id: str = Field(
        "", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$", description="Left out: the cloud gives one."
    )
    name: str = Field(min_length=1, max_length=200)
    party_id: str = Field(pattern=ID, description="Whose place it is.")
    zone: Zone = Field(description="IANA time zone, e.g. Asia/Shanghai.")


class SiteOut(BaseModel):
    """A site."""

    site_id: str
    name: str
    party_id: str
    zone: str
    created_at: str


class SiteList(BaseModel):
    """One piece of the list."""

    items: list[SiteOut]
    next: str


@router.post("", status_code=201, response_model=SiteOut, responses=responses("conflict", "not-found", "malformed"))
async def create(body: SiteIn, call: Writing) -> Response:
    """Adds a site of a party."""
    site_id = body.site_id or call.context.entropy.new_id("site")
    new = SiteRow(site_id, body.name, body.party_id, body.zone, call.now_ms)

    def work(tx: Tx) -> SiteOut:
        if repository.party(tx, call.tenant, body.party_id) is None:
            raise Problem("not-found", f"There is no party {body.party_id}.")
        if not repository.add_site(tx, call.tenant, new):
            raise Problem("conflict", f"There is a site {site_id} already.")
        return _shown(new)

    return await call.write(work, 201)


@router.get("", response_model=SiteList)
async def listed(call: Reading, page: Paged) -> Response:
    """The sites, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.sites(tx, call.tenant, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.site_id,), _shown)

    return await call.read(work)


@router.get("/{site_id}", response_model=SiteOut, responses=responses("not-found"))
async def one(site_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """One site."""

    def work(tx: Tx) -> SiteOut:
        row = repository.site(tx, call.tenant, site_id)
        if row is None:
            raise Problem("not-found", f"There is no site {site_id}.")
        return _shown(row)

    return await call.read(work)


def _shown(row: SiteRow) -> SiteOut:
    return SiteOut(
        site_id=row.site_id, name=row.name, party_id=row.party_id, zone=row.zone, created_at=rfc3339(row.created_ms)
    )
