"""Parties: suppliers and customers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.parties import repository
from cloud.parties.details import PartyDetails
from cloud.parties.repository import PartyRow

router = APIRouter(prefix="/v1/parties", tags=["parties"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class PartyIn(BaseModel):
    """A supplier or customer."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"party_id": "sup-1", "name": "Bolt Ltd"}]}
    )

    party_id: str = Field(
        "", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$", description="Left out: the cloud gives one."
    )
    name: str = Field(min_length=1, max_length=200, description="As on a statement.")


class PartyOut(BaseModel):
    """A party."""

    party_id: str
    name: str
    created_at: str


class PartyList(BaseModel):
    """One piece of the list."""

    items: list[PartyOut]
    next: str


@router.post("", status_code=201, response_model=PartyOut, responses=responses("conflict", "malformed"))
async def create(body: PartyIn, call: Writing) -> Response:
    """Adds a party."""
    new = PartyRow(body.party_id or call.context.entropy.new_id("party"), body.name, call.now_ms)

    def work(tx: Tx) -> PartyOut:
        if not repository.add_party(tx, call.tenant, new):
            raise Problem("conflict", f"There is a party {new.party_id} already.")
        return _shown(new)

    return await call.write(work, 201)


@router.get("", response_model=PartyList)
async def listed(call: Reading, page: Paged) -> Response:
    """The parties, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.parties(tx, call.tenant, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.party_id,), _shown)

    return await call.read(work)


@router.get("/{party_id}", response_model=PartyOut, responses=responses("not-found"))
async def one(party_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """One party."""

    def work(tx: Tx) -> PartyOut:
        row = repository.party(tx, call.tenant, party_id)
        if row is None:
            raise Problem("not-found", f"There is no party {party_id}.")
        return _shown(row)

    return await call.read(work)


@router.get("/{party_id}/details", response_model=PartyDetails, responses=responses("not-found"))
async def details(party_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """A party's address, tax numbers and account."""

    def work(tx: Tx) -> PartyDetails:
        _must_exist(tx, call.tenant, party_id)
        return repository.details(tx, call.tenant, party_id)

    return await call.read(work)


@router.put("/{party_id}/details", response_model=PartyDetails, responses=responses("not-found", "malformed"))
async def set_details(party_id: Annotated[str, Path(pattern=ID)], body: PartyDetails, call: Writing) -> Response:
    """Sets all of them; what is left out is empty afterwards."""

    def work(tx: Tx) -> PartyDetails:
        _must_exist(tx, call.tenant, party_id)
        repository.set_details(tx, call.tenant, party_id, body.model_dump_json(), call.now_ms)
        return body

    return await call.write(work)


def _must_exist(tx: Tx, tenant: str, party_id: str) -> None:
    if repository.party(tx, tenant, party_id) is None:
        raise Problem("not-found", f"There is no party {party_id}.")


def _shown(row: PartyRow) -> PartyOut:
    return PartyOut(party_id=row.party_id, name=row.name, created_at=rfc3339(row.created_ms))
