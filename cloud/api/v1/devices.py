"""Devices: cabinets and meters, each at the gateway whose log may speak for it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from cloud.api.access import Reading, Writing
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.database import Tx
from cloud.fleet import desired, repository
from cloud.fleet.repository import DeviceRow

router = APIRouter(prefix="/v1/devices", tags=["devices"])
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class DeviceIn(BaseModel):
    """A device to be registered."""

    model_config = ConfigDict(extra="forbid")

    device_id: str = Field(pattern=ID, description="As in the gateway's configuration: the `src` of its records.")
    kind: str = Field(min_length=1, max_length=64, description="cabinet, meter, air, ...", examples=["cabinet"])
    gateway_id: str = Field(pattern=ID, description="The gateway it hangs on.")
    name: str = Field("", max_length=200)
    site_id: str = Field("", max_length=64)


class DeviceMove(BaseModel):
    """Where a device hangs now."""

    model_config = ConfigDict(extra="forbid")

    gateway_id: str = Field(pattern=ID)


class DeviceOut(BaseModel):
    """A device."""

    device_id: str
    kind: str
    name: str
    gateway_id: str
    site_id: str
    created_at: str


class DeviceList(BaseModel):
    """One piece of the list."""

    items: list[DeviceOut]
    next: str


@router.post("", status_code=201, response_model=DeviceOut, responses=responses("conflict", "not-found", "malformed"))
async def create(body: DeviceIn, call: Writing) -> Response:
    """Registers a device at a gateway; records it sent before wait in quarantine and can be retried now."""

    def work(tx: Tx) -> DeviceOut:
        _gateway_exists(tx, call.tenant, body.gateway_id)
        row = DeviceRow(body.device_id, body.kind, body.name, body.gateway_id, body.site_id, call.now_ms)
        if body.device_id == body.gateway_id or not repository.add_device(tx, call.tenant, row):
            raise Problem("conflict", f"There is a device {body.device_id} already.")
        return _shown(row)

    return await call.write(work, 201)


@router.patch("/{device_id}", response_model=DeviceOut, responses=responses("not-found", "malformed"))
async def move(device_id: Annotated[str, Path(pattern=ID)], body: DeviceMove, call: Writing) -> Response:
    """Hangs a device on another gateway; what the old one has recorded of it may still come."""

    def work(tx: Tx) -> DeviceOut:
        _gateway_exists(tx, call.tenant, body.gateway_id)
        old = _device(tx, call.tenant, device_id).gateway_id
        repository.move_device(tx, call.tenant, device_id, body.gateway_id, call.now_ms)
        desired.hand_over(tx, call.tenant, device_id, old, body.gateway_id)
        return _device(tx, call.tenant, device_id)

    return await call.write(work)


@router.get("", response_model=DeviceList)
async def listed(
    call: Reading, page: Paged, gateway_id: Annotated[str, Query(max_length=64, description="Of one gateway.")] = ""
) -> Response:
    """The devices, in order of their ids."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.devices(tx, call.tenant, gateway_id, str(page.after[0]) if page.after else "", page.fetch)
        return page.piece(rows, lambda row: (row.device_id,), _shown)

    return await call.read(work)


@router.get("/{device_id}", response_model=DeviceOut, responses=responses("not-found"))
async def one(device_id: Annotated[str, Path(pattern=ID)], call: Reading) -> Response:
    """One device."""
    return await call.read(lambda tx: _device(tx, call.tenant, device_id))


def _gateway_exists(tx: Tx, tenant: str, gateway_id: str) -> None:
    if repository.gateway(tx, tenant, gateway_id) is None:
        raise Problem("not-found", f"There is no gateway {gateway_id}.")


def _device(tx: Tx, tenant: str, device_id: str) -> DeviceOut:
    row = repository.device(tx, tenant, device_id)
    if row is None:
        raise Problem("not-found", f"There is no device {device_id}.")
    return _shown(row)


def _shown(row: DeviceRow) -> DeviceOut:
    return DeviceOut(
        device_id=row.device_id,
        kind=row.kind,
        name=row.name,
        gateway_id=row.gateway_id,
        site_id=row.site_id,
        created_at=rfc3339(row.created_ms),
    )
