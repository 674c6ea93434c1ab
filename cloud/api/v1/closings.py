"""Closing everything that is due, and taking a statement back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import JSON, Writing
from cloud.api.idempotency import to_json
from cloud.api.problems import Problem, define, responses
from cloud.billing.close_due import close_due
from cloud.billing.void_statement import NotVoidable, StatementUnknown
from cloud.database import Tx
from cloud.invoices.issue import take_back

router = APIRouter(tags=["closing"])
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
define("not-voidable", 409, "The statement cannot be taken back", "'detail' says what stands on it.")


class VoidIn(BaseModel):
    """Why a statement is taken back, and by whom."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=400)
    who: str = Field(min_length=1, max_length=200)


@router.post("/v1/closing-runs", status_code=201)
async def run(call: Writing) -> Response:
    """Closes every period that is over: a draft in its days of grace, final after them. Repeat it as you like."""
    context = call.context
    done = await close_due(context.store, call.tenant, call.now_ms, context.cosigner)
    return Response(to_json({"items": done}), 201, media_type=JSON)


@router.post("/v1/statements/{statement_id}/void", responses=responses("not-found", "not-voidable"))
async def void(statement_id: Id, body: VoidIn, call: Writing) -> Response:
    """Takes a statement back: it stays in its chain, its invoice is cancelled, its period can be closed anew."""

    def work(tx: Tx) -> dict[str, object]:
        try:
            statement, cancelled = take_back(
                tx, call.tenant, statement_id, reason=body.reason, who=body.who, now_ms=call.now_ms
            )
        except StatementUnknown as error:
            raise Problem("not-found", str(error)) from error
        except NotVoidable as error:
            raise Problem("not-voidable", str(error)) from error
        return {
            "statement_id": statement_id,
            "number": statement.head.number,
            "state": "void",
            "cancelled_by": "" if cancelled is None else cancelled.document_id,
        }

    return await call.write(work)
