"""What a route below ``/v1/logs/{log}`` begins with: the id in its path, the log itself, a signed note as its body."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request

from cloud.api.access import Call
from cloud.api.bodies import limited
from cloud.api.context import Context
from cloud.api.problems import Problem, define
from cloud.ingest.incoming import LogIdentity
from cloud.ingest.intake import UNKNOWN
from wire.seal import MAX_NOTE, SealError

define("unknown-log", 404, "No gateway is enrolled with this log", "Enrol the gateway again with a new code.")

LogId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="Hex SHA-256 of the log's origin.")]


async def log_of(context: Context, log_id: str) -> LogIdentity:
    """The log with this id; Problem ``unknown-log``."""
    found = await context.intake.log(log_id)
    if found is None:
        raise Problem(UNKNOWN.problem, UNKNOWN.detail)
    return found


async def own_log(call: Call, log_id: str) -> LogIdentity:
    """The same for a caller with a key: another tenant's log is unknown to him."""
    found = await log_of(call.context, log_id)
    if found.tenant != call.tenant:
        raise Problem("unknown-log", "This log is not one of this tenant's.")
    return found


async def note_in(request: Request) -> str:
    """The body as a note; Problem ``too-large`` or ``malformed``."""
    try:
        return (await limited(request, MAX_NOTE)).decode()
    except UnicodeDecodeError as error:
        raise Problem("malformed", "A note is UTF-8 text.") from error


def refused(error: SealError) -> Problem:
    """What is wrong with a note: its signature, or its form."""
    slug = "bad-signature" if error.code in ("bad_signature", "unsigned") else "malformed"
    return Problem(slug, f"{error.detail}.")
