"""What the kiosk's requests say: shapes and limits, nothing else."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=64)]
Record = Annotated[str, Field(min_length=3, max_length=256)]
Serial = Annotated[str, Field(max_length=64, pattern=r"^\S*$")]
Pieces = Annotated[int, Field(ge=0, le=100_000)]


class Body(BaseModel):
    """Unknown keys are mistakes of the page."""

    model_config = ConfigDict(extra="forbid")


class Deed(Body):
    """Something that moves goods, or says so. `request`: an id of the sender's choice, made for each deed; sent again
    with it, it is not done again, and the answer is the same.
    """

    request: str = Field(default="", max_length=64, pattern=r"^[!-~]*$")


class SessionBody(Body):
    """What somebody shows: a badge, or his number, and his PIN where it is asked for."""

    cabinet: Name
    badge: str = Field(default="", max_length=64)
    code: str = Field(default="", max_length=32)
    pin: str = Field(default="", max_length=32)


class DrawBody(Deed):
    """A slot and how many pieces: in a session, or with a badge in one go."""

    session: str = Field(default="", max_length=64)
    cabinet: str = Field(default="", max_length=64)
    badge: str = Field(default="", max_length=64)
    slot: Name
    quantity: int = Field(default=1, ge=1, le=99)
    cost_centre: str = Field(default="", max_length=64)
    job: str = Field(default="", max_length=64)
    serial: Serial = ""
    for_: str = Field(default="", max_length=100, alias="for")


class GoodsBody(Deed):
    """A slot, how many pieces were put in or counted, and by whom."""

    session: str = Field(default="", max_length=64)
    cabinet: str = Field(default="", max_length=64)
    badge: str = Field(default="", max_length=64)
    slot: Name
    quantity: Pieces


class ReportBody(Deed):
    """What was otherwise than the machine says."""

    session: Name
    record: Record
    what: Literal["not_out", "wrong_item", "fewer", "damaged", "other"]
    words: str = Field(default="", max_length=500)


class VerdictBody(Deed):
    """What the owner of an unproven draw has seen."""

    session: Name
    record: Record
    outcome: Literal["confirmed", "not_dispensed"]
    evidence: str = Field(default="", max_length=500)


class ReturnBody(Deed):
    """What comes back of a draw."""

    session: Name
    record: Record
    quantity: int = Field(default=1, ge=1, le=100_000)
    condition: Literal["unused", "used", "damaged"] = "unused"


class UsedBody(Deed):
    """So many used pieces of what a slot holds new; 0: there are none in the box."""

    session: Name
    slot: Name
    quantity: int = Field(default=1, ge=0, le=99)


class LoanBody(Deed):
    """A tool to borrow; `days` shortens the time the rules allow."""

    session: Name
    slot: Name
    days: int = Field(default=0, ge=0, le=3650)
    serial: Serial = ""
    cost_centre: str = Field(default="", max_length=64)
    job: str = Field(default="", max_length=64)


class LoanBackBody(Deed):
    """A borrowed tool comes back."""

    session: Name
    record: Record
    condition: Literal["unused", "used", "damaged"] = "used"


class PickUpBody(Deed):
    """Goods put by: by code at a cabinet, or by name in a session."""

    session: str = Field(default="", max_length=64)
    id: str = Field(default="", max_length=64)
    cabinet: str = Field(default="", max_length=64)
    code: str = Field(default="", max_length=32)
    serial: Serial = ""


class VisitBody(Body):
    """A restocker begins."""

    session: Name


class DoorBody(Deed):
    """A door for the restocker."""

    session: Name
    slot: Name


class FilledBody(Deed):
    """What was done at one slot. `serials`: the numbers of the pieces filled in, where the item has them."""

    session: Name
    slot: Name
    found: int | None = Field(default=None, ge=0, le=100_000)
    filled: Pieces = 0
    removed: Pieces = 0
    spoiled: Pieces = 0
    full: bool = False
    lot: str = Field(default="", max_length=64)
    serial: Serial = ""
    serials: list[Serial] = Field(default=[], max_length=50)
    expires: date | None = Field(default=None, ge=date(2000, 1, 1), le=date(2999, 12, 31))
