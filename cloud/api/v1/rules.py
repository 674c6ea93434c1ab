"""Who may take what at a site: its rules, what is blocked, and what is lent."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from cloud.api.access import Reading, Writing
from cloud.api.problems import Problem, responses
from cloud.calendar import utc_text
from cloud.database import Tx
from cloud.fleet import repository as fleet
from cloud.site_rules import repository
from cloud.site_rules.set_rules import hashed, set_block, set_rules, shown, stored
from cloud.site_rules.terms import RulesIn

router = APIRouter(tags=["rules"])
_NEXT = re.compile(r"([^~]{1,64})~([0-9]{1,15})~([0-9]{1,15})")
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Blockable = Literal["badges", "persons", "items"]
# A hash takes a twentieth of a second: a request must not take minutes.
MOST_SECRETS = 200
NOWHERE = (-1, -1)


class RulesOut(BaseModel):
    """The rules that hold, without PINs; ``rules`` is what was put, with ``has_pin`` and ``has_code``."""

    gateway_id: str
    version: int
    rules: dict[str, Any]


class VersionOut(BaseModel):
    """When rules were changed, and with which key."""

    version: int
    made_by: str
    at: str


class VersionsOut(BaseModel):
    """The last versions, newest first."""

    gateway_id: str
    versions: list[VersionOut]


class LoanOut(BaseModel):
    """A tool that was lent. ``ended``: how (unused, used, damaged, kept); empty while it is out."""

    device_id: str
    record: str
    person: str
    account: str
    slot: str
    item_id: str
    serial: str
    quantity: int
    scale: int
    unit: str
    lent_at: str
    due_at: str
    overdue: bool
    out: int
    ended: str
    ended_at: str
    evidence_index: int


class LoansOut(BaseModel):
    """Loans in the order of their leaves; ``next`` goes into ``after``."""

    items: list[LoanOut]
    next: str = Field("", description="Empty: there are no more.")


@router.put(
    "/v1/gateways/{gateway_id}/rules",
    response_model=RulesOut,
    responses=responses("not-found", "malformed", "too-large"),
)
async def put(gateway_id: Id, body: RulesIn, call: Writing) -> Response:
    """Replaces the rules of a gateway's site; it gets the new version at once and decides by it, with or without us."""
    named = sum(bool(one.pin) for one in body.persons) + sum(bool(one.code) for one in body.waiting)
    if named > MOST_SECRETS:
        raise Problem("too-large", f"At most {MOST_SECRETS} PINs and codes are set at once; leave out those that stay.")
    digests = await asyncio.to_thread(hashed, body, call.context.entropy)

    def work(tx: Tx) -> RulesOut:
        made = set_rules(tx, call.tenant, gateway_id, body, digests, made_by=call.caller.key_id, now_ms=call.now_ms)
        return _shown(gateway_id, made)

    return await call.write(work)


@router.get("/v1/gateways/{gateway_id}/rules", response_model=RulesOut, responses=responses("not-found"))
async def get(gateway_id: Id, call: Reading) -> Response:
    """The rules that hold; version 0 before the first."""

    def work(tx: Tx) -> RulesOut:
        if fleet.gateway(tx, call.tenant, gateway_id) is None:
            raise Problem("not-found", f"There is no gateway {gateway_id}.")
        return _shown(gateway_id, stored(tx, call.tenant, gateway_id))

    return await call.read(work)


@router.get("/v1/gateways/{gateway_id}/rules/versions", response_model=VersionsOut, responses=responses("not-found"))
async def listed(gateway_id: Id, call: Reading, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
    """Who changed the rules, and when."""

    def work(tx: Tx) -> VersionsOut:
        if fleet.gateway(tx, call.tenant, gateway_id) is None:
            raise Problem("not-found", f"There is no gateway {gateway_id}.")
        rows = repository.versions(tx, call.tenant, gateway_id, limit)
        found = [VersionOut(version=one.version, made_by=one.made_by, at=utc_text(one.at_ms)) for one in rows]
        return VersionsOut(gateway_id=gateway_id, versions=found)

    return await call.read(work)


@router.put(
    "/v1/gateways/{gateway_id}/blocks/{what}/{name}",
    response_model=RulesOut,
    responses=responses("not-found", "malformed"),
)
async def block(
    gateway_id: Id, what: Blockable, name: Annotated[str, Path(min_length=1, max_length=64)], call: Writing
) -> Response:
    """Blocks a lost badge, a person or an item called back."""
    return await _block(call, gateway_id, what, name, blocked=True)


@router.delete(
    "/v1/gateways/{gateway_id}/blocks/{what}/{name}",
    response_model=RulesOut,
    responses=responses("not-found", "malformed"),
)
async def unblock(
    gateway_id: Id, what: Blockable, name: Annotated[str, Path(min_length=1, max_length=64)], call: Writing
) -> Response:
    """Lets it go again."""
    return await _block(call, gateway_id, what, name, blocked=False)


@router.get("/v1/loans", response_model=LoansOut, responses=responses("malformed"))
async def lent(
    call: Reading,
    device_id: Annotated[str, Query(max_length=64)] = "",
    person: Annotated[str, Query(max_length=64)] = "",
    *,
    out: Annotated[bool, Query(description="Only what has not come back.")] = True,
    after: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Tools that are lent: to whom, since when, until when."""
    place = _place(after)

    def work(tx: Tx) -> LoansOut:
        rows = repository.loans(tx, call.tenant, device=device_id, person=person, out=out, after=place, limit=limit + 1)
        items = [_loan(row, call.now_ms) for row in rows[:limit]]
        last = rows[limit - 1] if len(rows) > limit else None
        return LoansOut(items=items, next=f"{last.device_id}~{last.log_no}~{last.idx}" if last else "")

    return await call.read(work)


def _place(after: str) -> tuple[str, int, int]:
    """Where the piece before ended; Problem ``malformed`` when this is no `next` of ours."""
    if not after:
        return ("", *NOWHERE)
    found = _NEXT.fullmatch(after)
    if found is None:
        raise Problem("malformed", "query/after: this is not a cursor of this list")
    return found[1], int(found[2]), int(found[3])


async def _block(call: Writing, gateway_id: str, what: str, name: str, *, blocked: bool) -> Response:
    def work(tx: Tx) -> RulesOut:
        made = set_block(
            tx, call.tenant, gateway_id, what, name, blocked=blocked, made_by=call.caller.key_id, now_ms=call.now_ms
        )
        return _shown(gateway_id, made)

    return await call.write(work)


def _shown(gateway_id: str, document: dict[str, Any] | None) -> RulesOut:
    if document is None:
        raise Problem("not-found", f"There is no gateway {gateway_id}.")
    rules = {key: value for key, value in shown(document).items() if key != "version"}
    return RulesOut(gateway_id=gateway_id, version=int(document.get("version", 0)), rules=rules)


def _loan(row: repository.LoanRow, now_ms: int) -> LoanOut:
    return LoanOut(
        device_id=row.device_id, record=f"{row.device_id}/{row.ep}/{row.n}", person=row.person, account=row.account,
        slot=row.slot, item_id=row.item_id, serial=row.serial, quantity=row.qty, scale=row.scale, unit=row.unit,
        lent_at=utc_text(row.lent_ms), due_at=utc_text(row.due_ms) if row.due_ms else "",
        overdue=bool(row.out_qty and row.due_ms and row.due_ms < now_ms), out=row.out_qty, ended=row.ended,
        ended_at=utc_text(row.ended_ms) if row.ended_ms else "", evidence_index=row.idx,
    )  # fmt: skip
