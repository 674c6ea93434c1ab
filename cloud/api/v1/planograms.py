"""Planograms: what lies where in a cabinet, and from which level on it is ordered."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.api.access import Reading, Writing
from cloud.api.problems import Problem, responses
from cloud.database import Tx
from cloud.fleet import repository as fleet
from cloud.goods import repository
from cloud.goods.repository import PlanogramRow, SlotRow
from cloud.goods.set_planogram import set_planogram

router = APIRouter(prefix="/v1/cabinets", tags=["planograms"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Level = Annotated[int, Field(ge=0, le=1_000_000)]


class Slot(BaseModel):
    """One slot. ``confirm``: how it is known that a piece has left (``motor``: the
    motor's word is taken; ``none``: such draws are unverified)."""

    model_config = ConfigDict(extra="forbid")

    slot: str = Field(min_length=1, max_length=64, description="As the device names it, e.g. 7 or 1-03.")
    item_id: str = Field(pattern=ID)
    capacity: Level = Field(description="The most that fits.")
    min: Level = Field(0, description="At or below this position an order is proposed.")
    max: Level = Field(0, description="The order brings the position up to this; 0: never ordered.")
    confirm: Literal["door", "sensor", "motor", "none"] = "none"

    @model_validator(mode="after")
    def _levels_fit(self) -> Self:
        if self.max and self.min >= self.max:
            raise ValueError(f"slot {self.slot}: min ({self.min}) must be below max ({self.max})")
        if self.max > self.capacity:
            raise ValueError(f"slot {self.slot}: max ({self.max}) is more than fits ({self.capacity})")
        return self


class PlanogramIn(BaseModel):
    """All slots of a cabinet."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"slots": [{"slot": "1", "item_id": "drill-8", "capacity": 10, "min": 2, "max": 10, "confirm": "door"}]}
            ]
        },
    )

    slots: list[Slot] = Field(max_length=2000)

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        names = [one.slot for one in self.slots]
        if len(set(names)) != len(names):
            raise ValueError("a slot is named twice")
        return self


class PlanogramOut(BaseModel):
    """A cabinet's newest planogram."""

    device_id: str
    version: int
    slots: list[Slot]


@router.put("/{device_id}/planogram", response_model=PlanogramOut, responses=responses("not-found", "malformed"))
async def put(device_id: Annotated[str, Path(pattern=ID)], body: PlanogramIn, call: Writing) -> Response:
    """Replaces a cabinet's planogram; its gateway gets the new version at once."""

    def work(tx: Tx) -> PlanogramOut:
        device = fleet.device(tx, call.tenant, device_id)
        if device is None:
            raise Problem("not-found", f"There is no device {device_id}.")
        unknown = [one.item_id for one in body.slots if repository.item(tx, call.tenant, one.item_id) is None]
        if unknown:
            raise Problem("not-found", f"There is no item {unknown[0]}; create it first.")
        slots = [SlotRow(one.slot, one.item_id, one.capacity, one.min, one.max, one.confirm) for one in body.slots]
        return _shown(set_planogram(tx, call.tenant, device.gateway_id, device_id, slots, now_ms=call.now_ms))

    return await call.write(work)


@router.get("/{device_id}/planogram", response_model=PlanogramOut, responses=responses("not-found"))
async def one(device_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """A cabinet's newest planogram."""

    def work(tx: Tx) -> PlanogramOut:
        row = repository.planogram(tx, call.tenant, device_id)
        if row is None:
            raise Problem("not-found", f"{device_id} has no planogram yet.")
        return _shown(row)

    return await call.read(work)


def _shown(row: PlanogramRow) -> PlanogramOut:
    slots = [
        Slot.model_construct(
            slot=one.slot,
            item_id=one.item_id,
            capacity=one.capacity,
            min=one.min_level,
            max=one.max_level,
            confirm=one.confirm,
        )
        for one in row.slots
    ]
    return PlanogramOut(device_id=row.device_id, version=row.version, slots=slots)
