"""Badges: who may draw at a gateway. The gateway decides alone, from this list."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.api.access import Reading, Writing
from cloud.api.problems import Problem, responses
from cloud.database import Tx
from cloud.fleet import repository as fleet
from cloud.parties import repository
from cloud.parties.repository import BadgeRow
from cloud.parties.set_badges import set_badges

router = APIRouter(prefix="/v1/gateways", tags=["badges"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class Badge(BaseModel):
    """A badge; ``person`` is a pseudonym, never a name."""

    model_config = ConfigDict(extra="forbid")

    badge: str = Field(min_length=1, max_length=64, description="What the reader reads.")
    person: str = Field(min_length=1, max_length=64, description="A pseudonym: the `who` of the person's draws.")
    groups: list[str] = Field(default_factory=list, max_length=50, description="e.g. restocker")


class BadgesIn(BaseModel):
    """All badges of a gateway."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"badges": [{"badge": "B0017", "person": "p-17", "groups": ["restocker"]}]}]},
    )

    badges: list[Badge] = Field(max_length=20_000)

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        names = [one.badge for one in self.badges]
        if len(set(names)) != len(names):
            raise ValueError("a badge is named twice")
        return self


class BadgesOut(BaseModel):
    """The badges of a gateway."""

    gateway_id: str
    badges: list[Badge]


@router.put("/{gateway_id}/badges", response_model=BadgesOut, responses=responses("not-found", "malformed"))
async def put(gateway_id: Annotated[str, Path(pattern=ID)], body: BadgesIn, call: Writing) -> Response:
    """Replaces the badges of a gateway; it gets the new list at once."""

    def work(tx: Tx) -> BadgesOut:
        if fleet.gateway(tx, call.tenant, gateway_id) is None:
            raise Problem("not-found", f"There is no gateway {gateway_id}.")
        rows = [BadgeRow(one.badge, one.person, tuple(one.groups)) for one in body.badges]
        set_badges(tx, call.tenant, gateway_id, rows)
        return BadgesOut(gateway_id=gateway_id, badges=body.badges)

    return await call.write(work)


@router.get("/{gateway_id}/badges", response_model=BadgesOut, responses=responses("not-found"))
async def listed(gateway_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """The badges of a gateway."""

    def work(tx: Tx) -> BadgesOut:
        if fleet.gateway(tx, call.tenant, gateway_id) is None:
            raise Problem("not-found", f"There is no gateway {gateway_id}.")
        rows = repository.badges(tx, call.tenant, gateway_id)
        shown = [Badge(badge=one.badge, person=one.person, groups=list(one.groups)) for one in rows]
        return BadgesOut(gateway_id=gateway_id, badges=shown)

    return await call.read(work)
