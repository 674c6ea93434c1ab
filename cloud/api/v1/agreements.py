"""Agreements: what supplier and customer agreed on, its versions, the running bill, and closing a period."""

from __future__ import annotations

from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.agreements import repository
from cloud.agreements.conclude import AgreementClash, AgreementUnknown, amend, conclude
from cloud.agreements.repository import Agreement
from cloud.agreements.sign import SignatureRefused, sign
from cloud.agreements.signatures import AgreementSignature, is_countersigned, signed_text
from cloud.agreements.terms import AgreementError, AgreementTerms, Day
from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, define, responses
from cloud.api.times import rfc3339
from cloud.billing import repository as billing
from cloud.billing.close_period import PeriodNotNext, PeriodNotOver, Wanted, close_period, running
from cloud.billing.view import running_document, state_document, statement_document
from cloud.calendar import CalendarError
from cloud.database import Tx
from cloud.invariants.broken import BillingHeld, InvariantBroken, NotWitnessed
from cloud.invariants.stop_billing import stop_billing

router = APIRouter(prefix="/v1/agreements", tags=["agreements"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Id = Annotated[str, Path(pattern=ID)]

define("bad-terms", 422, "These terms cannot be agreed on", "'detail' names the field and what is accepted there.")
define(
    "bad-agreement-signature",
    422,
    "The signature does not count",
    "Sign the text 'sign_this' of the version with your own key.",
)
define(
    "not-witnessed",
    409,
    "The agreed witnesses have not cosigned a log yet",
    "Let them follow the log (its tiles and checkpoint) and post their cosignatures; then close again.",
)
define("billing-held", 409, "A log of this agreement is on hold", "See GET /v1/holds; a person must decide (release).")
define("period-not-over", 409, "The period has not ended yet", "Close it after its last day, on the agreement's clock.")
define("period-not-next", 409, "Periods follow one another without a gap", "'detail' names the day that is due.")


class AgreementIn(AgreementTerms):
    """An agreement to be concluded. Amounts and prices are texts, never numbers."""

    agreement_id: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")

    def terms(self) -> AgreementTerms:
        """The terms alone."""
        return AgreementTerms.model_validate(self.model_dump(exclude={"agreement_id"}, by_alias=True))


class VersionIn(BaseModel):
    """New terms from a local day on. Parties, currency, zone and start stay."""

    model_config = ConfigDict(extra="forbid")

    first: Day = Field(description="The local day from which the terms count.", examples=["2026-12-01"])
    terms: AgreementTerms


class VersionOut(BaseModel):
    """A version of an agreement's terms."""

    version: int
    first: str
    terms: AgreementTerms
    terms_hash: str = Field(description="SHA-256 of the canonical terms: what both sides sign.")
    sign_this: str = Field(description="The text that supplier and customer sign.")
    options: list[str] = Field(description="Every convention of these terms in words, as statements print them.")


class SignatureIn(BaseModel):
    """A party's signature: a signed note (C2SP) over the version's ``sign_this``, made with the party's own key."""

    model_config = ConfigDict(extra="forbid")

    party_id: str
    vkey: Annotated[str, Field(max_length=512, description="The party's public key, name+hash+key.")]
    note: Annotated[str, Field(max_length=4096)]


class SignatureOut(BaseModel):
    """Who signed a version, with which key, and when."""

    version: int
    party_id: str
    vkey: str
    fingerprint: str
    note: str
    signed_at: str


class AgreementOut(BaseModel):
    """An agreement with all versions of its terms."""

    agreement_id: str
    rounding: str = Field(description="The rounding rule in words, as statements print it.")
    versions: list[VersionOut]


class AgreementList(BaseModel):
    """One piece of the list."""

    items: list[AgreementOut]
    next: str


class PeriodIn(BaseModel):
    """A period to close: local days ``[from, to)``, or a calendar month."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"period": "2026-11"}, {"from": "2026-11-01", "to": "2026-11-08"}]},
    )

    from_: Annotated[str, Field(alias="from")] = ""
    to: str = ""
    period: str = Field("", pattern=r"^([0-9]{4}-[0-9]{2})?$")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.period) == bool(self.from_ and self.to) or bool(self.from_) != bool(self.to):
            raise ValueError("name either the period, or both from and to")
        return self


@router.post(
    "", status_code=201, response_model=AgreementOut, responses=responses("conflict", "bad-terms", "malformed")
)
async def create(body: AgreementIn, call: Writing) -> Response:
    """Concludes an agreement."""
    agreement_id = body.agreement_id or call.context.entropy.new_id("agr")

    def work(tx: Tx) -> AgreementOut:
        try:
            return _shown(conclude(tx, call.tenant, agreement_id, body.terms(), call.now_ms))
        except AgreementClash as error:
            raise Problem("conflict", str(error)) from error
        except AgreementError as error:
            raise Problem("bad-terms", str(error)) from error

    return await call.write(work, 201)


@router.post(
    "/{agreement_id}/versions",
    status_code=201,
    response_model=AgreementOut,
    responses=responses("conflict", "bad-terms", "not-found", "malformed"),
)
async def add_version(agreement_id: Id, body: VersionIn, call: Writing) -> Response:
    """Adds a version of the terms; it may not reach back into a closed period."""

    def work(tx: Tx) -> AgreementOut:
        last = billing.last_statement(tx, call.tenant, agreement_id)
        closed = "" if last is None else last.head.period.end
        version = (body.first, body.terms)
        try:
            made = amend(tx, call.tenant, agreement_id, version, closed_until=closed, now_ms=call.now_ms)
        except AgreementUnknown as error:
            raise Problem("not-found", str(error)) from error
        except AgreementClash as error:
            raise Problem("conflict", str(error)) from error
        except AgreementError as error:
            raise Problem("bad-terms", str(error)) from error
        return _shown(made)

    return await call.write(work, 201)


@router.get("", response_model=AgreementList)
async def listed(call: Reading, page: Paged) -> Response:
    """The agreements, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.page(tx, call.tenant, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.agreement_id,), _shown)

    return await call.read(work)


@router.get("/{agreement_id}", response_model=AgreementOut, responses=responses("not-found"))
async def one(agreement_id: Id, call: Reading) -> Response:
    """One agreement."""

    def work(tx: Tx) -> AgreementOut:
        found = repository.find(tx, call.tenant, agreement_id)
        if found is None:
            raise Problem("not-found", f"There is no agreement {agreement_id}.")
        return _shown(found)

    return await call.read(work)


@router.post(
    "/{agreement_id}/versions/{version}/signatures",
    status_code=201,
    response_model=SignatureOut,
    responses=responses("not-found", "bad-agreement-signature", "malformed"),
)
async def sign_version(agreement_id: Id, version: int, body: SignatureIn, call: Writing) -> Response:
    """Keeps the signature of the supplier or the customer under a version; with both, it is countersigned."""
    told = AgreementSignature(version=version, party_id=body.party_id, vkey=body.vkey, note=body.note)

    def work(tx: Tx) -> SignatureOut:
        try:
            return _signature(sign(tx, call.tenant, agreement_id, told, call.now_ms))
        except AgreementUnknown as error:
            raise Problem("not-found", str(error)) from error
        except SignatureRefused as error:
            raise Problem("bad-agreement-signature", str(error)) from error

    return await call.write(work, 201)


@router.get("/{agreement_id}/signatures", responses=responses("not-found"))
async def signed(agreement_id: Id, call: Reading) -> Response:
    """Who signed which version, and which versions both sides have signed."""

    def work(tx: Tx) -> dict[str, object]:
        found = repository.find(tx, call.tenant, agreement_id)
        if found is None:
            raise Problem("not-found", f"There is no agreement {agreement_id}.")
        made = repository.signatures(tx, call.tenant, agreement_id)
        both = [one.version for one in found.versions if is_countersigned(one.terms, one.version, made)]
        return {"items": [_signature(one).model_dump() for one in made], "countersigned": both}

    return await call.read(work)


@router.get("/{agreement_id}/running", responses=responses("not-found"))
async def bill(agreement_id: Id, call: Reading) -> Response:
    """The open period so far, worked out as if it were closed at the end of today. Nothing is stored."""

    def work(tx: Tx) -> dict[str, object]:
        try:
            found = running(tx, call.tenant, agreement_id, call.now_ms)
        except AgreementUnknown as error:
            raise Problem("not-found", str(error)) from error
        currency = found.agreement.terms.currency
        return running_document(agreement_id, currency, found.period, found.settlement, found.logs)

    return await call.read(work)


@router.post(
    "/{agreement_id}/statements",
    status_code=201,
    responses=responses(
        "not-found", "period-not-over", "period-not-next", "billing-held", "not-witnessed", "malformed"
    ),
)
async def close(agreement_id: Id, body: PeriodIn, call: Writing) -> Response:
    """Closes a period to a statement. Closing it again gives the same statement."""
    wanted = Wanted(first=body.from_, end=body.to, month=body.period)
    signer = call.context.cosigner

    def work(tx: Tx) -> dict[str, object]:
        try:
            made, _ = close_period(tx, call.tenant, agreement_id, wanted, now_ms=call.now_ms, signer=signer)
        except AgreementUnknown as error:
            raise Problem("not-found", str(error)) from error
        except CalendarError as error:
            raise Problem("malformed", str(error)) from error
        except PeriodNotOver as error:
            raise Problem("period-not-over", str(error)) from error
        except PeriodNotNext as error:
            raise Problem("period-not-next", str(error)) from error
        agreement = repository.find(tx, call.tenant, agreement_id)
        return statement_document(made, agreement.versions if agreement else ()) | state_document(None)

    try:
        return await call.write(work, 201)
    except NotWitnessed as error:
        raise Problem("not-witnessed", str(error), log=error.log_id) from error
    except BillingHeld as error:
        raise Problem("billing-held", str(error), log=error.log_id) from error
    except InvariantBroken as error:
        await stop_billing(call.context.store, call.tenant, error, call.now_ms)
        raise Problem("billing-held", f"{error}. The log is on hold from now on.") from error


def _signature(one: AgreementSignature) -> SignatureOut:
    return SignatureOut(
        version=one.version,
        party_id=one.party_id,
        vkey=one.vkey,
        fingerprint=one.fingerprint,
        note=one.note,
        signed_at=rfc3339(one.signed_ms),
    )


def _shown(agreement: Agreement) -> AgreementOut:
    versions = [
        VersionOut(
            version=one.version,
            first=one.first,
            terms=one.terms,
            terms_hash=one.terms.hash,
            sign_this=signed_text(agreement.agreement_id, one.version, one.terms.hash),
            options=one.terms.options(),
        )
        for one in agreement.versions
    ]
    return AgreementOut(
        agreement_id=agreement.agreement_id, rounding=agreement.terms.rounding.in_words(), versions=versions
    )
