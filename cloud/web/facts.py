"""What the pages show, as plain facts: read once from the ledgers, handed to the views, never changed. PURE.

Instants are milliseconds UTC; quantities and money are Decimal. Names are what people typed and may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from cloud.calendar import Period
from cloud.rating.lines import Line
from wire.records import Record


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device with what its gateway's log says about it.

    ``news``: its latest word about itself, ``silent`` or ``back``; ``heard_ms``: when the gateway last sent, 0: never.
    """

    device_id: str
    kind: str
    name: str
    site: str
    zone: str
    gateway: str
    last_record_ms: int | None = None
    heard_ms: int = 0
    log_state: str = ""
    quarantined: int = 0
    news: str = ""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot of a planogram and what the stock ledger holds for it; ``on_hand`` None: nobody has counted it yet."""

    slot: str
    item: str
    unit: str
    on_hand: Decimal | None
    minimum: Decimal
    maximum: Decimal
    capacity: Decimal
    ordered: Decimal = Decimal(0)
    doubtful: Decimal = Decimal(0)


class Cabinet(msgspec.Struct, frozen=True, kw_only=True):
    """A cabinet's slot map, in the planogram's order."""

    device_id: str
    name: str
    site: str
    slots: tuple[Slot, ...] = ()


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """An open order: what to bring to which slot; the policy's reason as a code, with the numbers it looked at."""

    order_id: str
    cabinet: str
    slot: str
    item: str
    unit: str
    quantity: Decimal
    state: str
    reason: str
    numbers: Mapping[str, Decimal] = {}


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement's period under way, as if it were closed now: ``lines`` of what was used.

    ``unbilled``: how many leaves are kept aside; ``broken``: it cannot be worked out just now.
    """

    agreement_id: str
    customer: str
    currency: str
    zone: str
    period: Period
    total: Decimal
    lines: tuple[Line, ...] = ()
    unbilled: int = 0
    broken: bool = False


class ClosedBill(msgspec.Struct, frozen=True, kw_only=True):
    """A statement in a list: enough to recognise it."""

    statement_id: str
    number: int
    customer: str
    currency: str
    period: Period
    total: Decimal


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it lies in the log: its index is the number that is printed as evidence."""

    at_ms: int
    zone: str
    log_id: str
    index: int
    record: Record


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the live page, read in one transaction at ``now_ms``. ``names``: of devices and items, by id."""

    tenant: str
    now_ms: int
    zone: str
    names: Mapping[str, str]
    devices: tuple[Device, ...] = ()
    quarantined: int = 0
    held: int = 0
    forks: int = 0
    cabinets: tuple[Cabinet, ...] = ()
    orders: tuple[OrderLine, ...] = ()
    bills: tuple[Bill, ...] = ()
    statements: tuple[ClosedBill, ...] = ()
    events: tuple[Event, ...] = ()
