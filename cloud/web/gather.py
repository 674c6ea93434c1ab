"""From the ledgers to the facts of the live page, in one reading transaction."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.ingest.decide_time import decide
from cloud.invariants import repository as holds
from cloud.web.facts import Cabinet, Device, Event, OrderLine, Overview, Slot
from cloud.web.gather_bills import closed_bills, running_bills
from cloud.web.repository import overview as rows
from wire.canonical import LeafError
from wire.records import DeviceEvent, Intent, Reading, Runtime, Window, decode

TAIL = 2000
LEAST = 20
SHOWN = 16
MICRO = -6
_DIGITS = re.compile(r"([0-9]{1,18})")


class _Tail(NamedTuple):
    """What the ends of the logs tell: events, newest first; by device its last record and its word about itself."""

    events: tuple[Event, ...]
    last_ms: dict[str, int]
    news: dict[str, str]


def gather(tx: Tx, tenant: str, now_ms: int) -> Overview:
    """Everything on the live page of a tenant."""
    found = rows.devices(tx, tenant)
    items = rows.items(tx, tenant)
    names = {**items, **{device.device_id: device.name or device.device_id for device in found}}
    names |= {device.gateway_id: device.gateway for device in found}
    zones = {device.device_id: device.zone for device in found} | {device.gateway_id: device.zone for device in found}
    tail = _tail(tx, tenant, zones)
    posted, quarantined = rows.last_posted(tx, tenant), rows.quarantined(tx, tenant)
    parties = rows.parties(tx, tenant)
    return Overview(
        tenant=rows.tenant_name(tx, tenant),
        now_ms=now_ms,
        zone=found[0].zone if found else "UTC",
        names=names,
        devices=tuple(_device(row, tail, posted, quarantined) for row in found),
        quarantined=sum(quarantined.values()),
        held=holds.count_open(tx, tenant),
        forks=logs.count_evidence(tx, tenant, "fork"),
        cabinets=_cabinets(tx, tenant, found, names),
        orders=tuple(_order(row, names) for row in rows.open_orders(tx, tenant)),
        bills=tuple(running_bills(tx, tenant, now_ms, parties)),
        statements=tuple(closed_bills(tx, tenant, parties)),
        events=tail.events,
    )


def natural(slot: str) -> tuple[tuple[int, str], ...]:
    """A sort key that puts slot 2 before slot 10, and 1-03 before 1-12."""
    return tuple((int(part), "") if _DIGITS.fullmatch(part) else (-1, part) for part in _DIGITS.split(slot))


def _device(row: rows.DeviceRow, tail: _Tail, posted: Mapping[str, int], quarantined: Mapping[str, int]) -> Device:
    known = [at[row.device_id] for at in (tail.last_ms, posted) if row.device_id in at]
    return Device(
        device_id=row.device_id,
        kind=row.kind,
        name=row.name,
        site=row.site,
        zone=row.zone,
        gateway=row.gateway,
        last_record_ms=max(known, default=None),
        heard_ms=row.heard_ms,
        log_state=row.log_state or "",
        quarantined=quarantined.get(row.device_id, 0),
        news=tail.news.get(row.device_id, ""),
    )


def _cabinets(tx: Tx, tenant: str, devices: list[rows.DeviceRow], names: Mapping[str, str]) -> tuple[Cabinet, ...]:
    by_cabinet: dict[str, list[rows.SlotRow]] = defaultdict(list)
    for row in rows.slots(tx, tenant):
        by_cabinet[row.device_id].append(row)
    return tuple(
        Cabinet(
            device_id=device.device_id,
            name=device.name,
            site=device.site,
            slots=tuple(
                _slot(row, names) for row in sorted(by_cabinet[device.device_id], key=lambda one: natural(one.slot))
            ),
        )
        for device in devices
        if device.device_id in by_cabinet
    )


def _slot(row: rows.SlotRow, names: Mapping[str, str]) -> Slot:
    return Slot(
        slot=row.slot,
        item=names.get(row.item_id, row.item_id),
        unit=row.unit,
        on_hand=None if row.micro is None else _units(row.micro),
        minimum=Decimal(row.min_level),
        maximum=Decimal(row.max_level),
        capacity=Decimal(row.capacity),
        ordered=Decimal(row.ordered),
        doubtful=_units(row.doubtful),
    )


def _order(row: rows.OrderRow, names: Mapping[str, str]) -> OrderLine:
    numbers = {
        name.removesuffix("_micro"): _units(value) if name.endswith("_micro") else Decimal(value)
        for name, value in json.loads(row.facts).items()
    }
    return OrderLine(
        order_id=row.order_id,
        cabinet=names.get(row.device_id, row.device_id),
        slot=row.slot,
        item=names.get(row.item_id, row.item_id),
        unit=row.unit,
        quantity=Decimal(row.quantity),
        state=row.state,
        reason=row.reason,
        numbers=numbers,
    )


def _tail(tx: Tx, tenant: str, zones: Mapping[str, str]) -> _Tail:
    """Reads the last leaves of every open log; what cannot be read is in quarantine and is told of there."""
    events: list[Event] = []
    tails = rows.log_tails(tx, tenant)
    each = max(LEAST, TAIL // max(1, len(tails)))
    for log in tails:
        leaves = logs.leaves(tx, (tenant, log.log_no), max(0, log.size - each), log.size)
        read = []
        for leaf in leaves:
            try:
                read.append((leaf.idx, decode(leaf.leaf)))
            except LeafError:
                continue
        boots = {(tenant, log.gateway_id, record.b) for _, record in read if record.ts != "S"}
        anchors = logs.anchors(tx, boots) if boots else {}
        for index, record in read:
            at_ms, _ = decide(record, anchors.get((tenant, log.gateway_id, record.b)), record.t)
            zone = zones.get(record.src) or zones.get(log.gateway_id, "UTC")
            events.append(Event(at_ms=at_ms, zone=zone, log_id=log.log_id, index=index, record=record))
    last_ms: dict[str, int] = {}
    news: dict[str, str] = {}
    for event in events:
        last_ms[event.record.src] = max(event.at_ms, last_ms.get(event.record.src, event.at_ms))
        if isinstance(event.record, DeviceEvent) and event.record.event in {"silent", "back"}:
            news[event.record.src] = event.record.event
        elif not isinstance(event.record, DeviceEvent):
            news.pop(event.record.src, None)
    told = [event for event in events if not isinstance(event.record, Intent | Reading | Window | Runtime)]
    told.sort(key=lambda event: (event.at_ms, event.index), reverse=True)
    return _Tail(tuple(told[:SHOWN]), last_ms, news)


def _units(micro: int) -> Decimal:
    return Decimal(int(micro)).scaleb(MICRO)
