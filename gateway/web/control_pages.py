"""The air units and relays on the local pages: what they do and why, and the door for a person's order.

The surprise is that an order is answered only after it was written down, sent and read back once: "taken" means that it
is on disk, and the state beside it says what the unit itself did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway.ports import NotStored
from gateway.run_controls import Ordered, UnitState, UnknownUnitError
from gateway.web.languages import Words
from gateway.web.problems import problem

WEEK = 7 * 86_400


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


WHY = {
    "rule": _("by the measured air"),
    "order": _("by order"),
    "hours": _("outside its hours"),
    "empty_room": _("nobody is there"),
    "blind": _("nothing measures the air"),
    "resting": _("it rests after a change"),
}

REFUSALS = {
    "unknown_badge": _("This badge is not known here. Ask your supervisor."),
    "not_allowed": _("Only the supplier's own staff may switch this relay. Call the supplier."),
    "no_reason": _("Say why: switching this relay stops a customer's supply, and the reason is kept."),
}

TROUBLES = (_("It does not answer."), _("It did not follow its last command."))

TAKEN = _("The order is written down.")
NOT_STORED = _("It could not be written down, so nothing was switched. Call the operator.")


class Steering(Protocol):
    """What these pages show and do."""

    def controlled(self) -> Sequence[UnitState]:
        """Every unit as it is now."""

    async def order_level(self, unit: str, badge: str, level: int | None, reason: str, seconds: int) -> Ordered:
        """A person's order. Raises UnknownUnitError, NotStored."""


class OrderBody(BaseModel):
    """Who wants which level for how long, and why; no level takes the order back."""

    model_config = ConfigDict(extra="forbid")

    badge: Annotated[str, Field(min_length=1, max_length=64)]
    level: int | None = Field(default=None, ge=0, le=9)
    reason: str = Field(default="", max_length=200)
    seconds: int = Field(default=0, ge=0, le=WEEK, description="0: as long as the unit's settings say")


def add_control_pages(pages: FastAPI, gateway: Steering, words: Callable[[Request], tuple[str, Words]]) -> None:
    """`GET /controls/v1` and `POST /controls/v1/{unit}/orders`."""

    @pages.get("/controls/v1")
    async def units() -> Response:
        return JSONResponse({"units": shown(gateway)})

    @pages.post("/controls/v1/{unit}/orders")
    async def order(request: Request, unit: str, body: OrderBody) -> Response:
        _code, language = words(request)
        try:
            answer = await gateway.order_level(unit, body.badge, body.level, body.reason, body.seconds)
        except UnknownUnitError as error:
            return problem(404, "unknown-unit", str(error))
        except NotStored:
            return problem(503, "not-stored", language.gettext(NOT_STORED))
        if answer.reason:
            text = REFUSALS.get(answer.reason)
            return problem(403, answer.reason, language.gettext(text) if text else answer.text)
        state = next((one for one in shown(gateway) if one["unit"] == unit), {})
        return JSONResponse({"sentence": language.gettext(TAKEN), "unit": state})


def shown(gateway: Steering) -> list[dict[str, Any]]:
    """The units as JSON."""
    return [msgspec.to_builtins(one) for one in gateway.controlled()]


def why(code: str, words: Words) -> str:
    """Why a unit is at its level, for a person."""
    return words.gettext(WHY[code]) if code in WHY else code
