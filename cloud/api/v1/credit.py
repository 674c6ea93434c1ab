"""Use first, pay later: credit lines, decisions before a draw, and what gateways may let go on their own."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.agreements import repository as agreements
from cloud.agreements.terms import AgreementTerms
from cloud.api.access import Reading, Writing
from cloud.api.problems import Problem, define, responses
from cloud.credit import repository
from cloud.credit.accrue import accrue, accrue_all
from cloud.credit.decide import (
    Asked,
    Granted,
    NoCredit,
    decide,
    end_decision,
    exposure_of,
    owner_of,
)
from cloud.credit.recount import recount
from cloud.credit.repository import CreditLine
from cloud.credit.shares import share_out, share_out_again, write_off
from cloud.database import Tx
from cloud.invoices.minor import to_minor
from cloud.invoices.view import credit_document, money
from cloud.money import MoneyError

router = APIRouter(tags=["credit"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
define("no-credit", 404, "There is no credit to decide about", "Agree on credit terms and grant a credit line first.")
define("credit-limit", 409, "The draw may not happen on credit", "'reason' says why, 'available' what still fits.")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LineIn(_Body):
    """A customer's credit: score, and a limit of its own where the grade's is not wanted."""

    score: int = Field(ge=0, le=1000)
    limit: str | None = Field(None, max_length=32, description="In the agreement's currency; left out: the grade's.")
    state: Literal["active", "stopped"] = "active"
    reason: str = Field("", max_length=400)


class AskedIn(_Body):
    """A draw that is about to happen. ``intent`` is the device's own name for it ("epoch/n" of its intent record)."""

    device_id: str = Field(max_length=64)
    item_id: str = Field(max_length=64)
    quantity: int = Field(ge=1, le=1_000_000)
    unit: str = Field("pc", max_length=32)
    intent: str = Field("", max_length=128)


@router.get("/v1/credit-lines")
async def listed(call: Reading) -> Response:
    """All credit lines, with what is owed and what is available."""

    def work(tx: Tx) -> dict[str, object]:
        return {"items": [_shown(tx, call.tenant, line, call.now_ms) for line in repository.lines(tx, call.tenant)]}

    return await call.read(work)


@router.put("/v1/agreements/{agreement_id}/credit-line", responses=responses("not-found", "no-credit", "malformed"))
async def grant(agreement_id: Id, body: LineIn, call: Writing) -> Response:
    """Grants, changes or stops the credit of an agreement's customer; its devices' draws count from now on."""

    def work(tx: Tx) -> dict[str, object]:
        terms = _terms(tx, call.tenant, agreement_id)
        owner = owner_of(terms)
        try:
            limit = None if body.limit is None else to_minor(body.limit, terms.currency)
        except MoneyError as error:
            raise Problem("malformed", f"body/limit: {error}") from error
        repository.line(tx, call.tenant, owner, lock=True)
        made = CreditLine(*owner, body.score, limit, body.state, body.reason, 0, 0, 0, call.now_ms)
        repository.put(tx, call.tenant, made)
        repository.devices_on_credit(tx, call.tenant, agreement_id, terms.devices, on=True)
        recount(tx, call.tenant, owner)
        accrue(tx, call.tenant, agreement_id, call.now_ms, only_old=True)
        share_out_again(tx, call.tenant, owner, call.now_ms)
        return _shown(tx, call.tenant, recount(tx, call.tenant, owner) or made, call.now_ms)

    return await call.write(work)


@router.get("/v1/agreements/{agreement_id}/credit-line", responses=responses("not-found", "no-credit"))
async def one(agreement_id: Id, call: Reading) -> Response:
    """The credit of an agreement's customer."""

    def work(tx: Tx) -> dict[str, object]:
        line = repository.line(tx, call.tenant, owner_of(_terms(tx, call.tenant, agreement_id)))
        if line is None:
            raise Problem("no-credit", f"The customer of {agreement_id} has no credit line.")
        return _shown(tx, call.tenant, line, call.now_ms)

    return await call.read(work)


@router.post(
    "/v1/agreements/{agreement_id}/credit-decisions",
    status_code=201,
    responses=responses("no-credit", "credit-limit"),
)
async def decided(agreement_id: Id, body: AskedIn, call: Writing) -> Response:
    """Whether a draw may happen on credit. A yes holds its money until the draw is told or the decision runs out."""
    asked = Asked(agreement_id, body.device_id, body.item_id, Fraction(body.quantity), body.unit, body.intent)
    reservation = call.context.entropy.new_id("crd")

    # Apart, so that the figure stays when the draw is refused.
    await call.context.store.run(lambda tx: accrue(tx, call.tenant, agreement_id, call.now_ms, only_old=True))

    def work(tx: Tx) -> dict[str, object]:
        try:
            found = decide(tx, call.tenant, asked, reservation, call.now_ms)
        except NoCredit as error:
            raise Problem("no-credit", str(error)) from error
        currency = _terms(tx, call.tenant, agreement_id).currency
        if not isinstance(found, Granted):
            shown = money(found.available, currency)
            detail = f"The draw may not happen on credit ({found.reason}); {shown['amount']} {currency} is available."
            raise Problem("credit-limit", detail, reason=found.reason, available=shown["amount"])
        return {
            "decision_id": found.reservation_id,
            "amount": money(found.minor, currency),
            "paid_at_order": money(found.at_order_minor, currency),
            "expires_ms": found.expires_ms,
        }

    return await call.write(work, 201)


@router.delete("/v1/credit-decisions/{decision_id}", responses=responses("no-credit"))
async def void(decision_id: Id, call: Writing) -> Response:
    """The draw does not happen: its money is free again."""

    def work(tx: Tx) -> dict[str, object]:
        try:
            return {"ended": end_decision(tx, call.tenant, decision_id, state="void")}
        except NoCredit as error:
            raise Problem("no-credit", str(error)) from error

    return await call.write(work)


@router.post("/v1/agreements/{agreement_id}/credit-shares", responses=responses("not-found", "no-credit"))
async def shares(agreement_id: Id, call: Writing) -> Response:
    """Fills the gateways' shares for deciding offline, as far as the limit allows; they count as used.

    A share that gets smaller is free only when its gateway's log says that it has taken that over.
    """

    def work(tx: Tx) -> dict[str, object]:
        terms = _terms(tx, call.tenant, agreement_id)
        try:
            share_out(tx, call.tenant, agreement_id, call.now_ms, anew=True)
        except NoCredit as error:
            raise Problem("no-credit", str(error)) from error
        line = repository.line(tx, call.tenant, owner_of(terms))
        assert line is not None, "it was locked just now"
        return _shown(tx, call.tenant, line, call.now_ms)

    return await call.write(work)


@router.delete(
    "/v1/agreements/{agreement_id}/credit-shares/{gateway_id}", responses=responses("not-found", "no-credit")
)
async def written_off(agreement_id: Id, gateway_id: Id, call: Writing) -> Response:
    """The gateway is lost and will never give anything again: its share is free at once, on your word."""

    def work(tx: Tx) -> dict[str, object]:
        terms = _terms(tx, call.tenant, agreement_id)
        try:
            write_off(tx, call.tenant, agreement_id, gateway_id, call.now_ms)
        except NoCredit as error:
            raise Problem("no-credit", str(error)) from error
        line = repository.line(tx, call.tenant, owner_of(terms))
        assert line is not None, "it has shares"
        return _shown(tx, call.tenant, line, call.now_ms)

    return await call.write(work)


@router.post("/v1/credit-runs")
async def run(call: Writing) -> Response:
    """Counts anew what services have run up under every agreement on credit, and fills or takes back shares."""
    return await call.write(lambda tx: {"items": accrue_all(tx, call.tenant, call.now_ms)})


def _terms(tx: Tx, tenant: str, agreement_id: str) -> AgreementTerms:
    found = agreements.find(tx, tenant, agreement_id)
    if found is None:
        raise Problem("not-found", f"There is no agreement {agreement_id}.")
    return found.terms


def _shown(tx: Tx, tenant: str, line: CreditLine, now_ms: int) -> dict[str, object]:
    owner = (line.supplier_id, line.customer_id, line.currency)
    exposure = exposure_of(tx, tenant, line, agreements.newest_terms(tx, tenant, owner), now_ms)
    return credit_document(line, exposure, repository.delegations(tx, tenant, owner))
