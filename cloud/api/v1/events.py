"""Counted events from outside: clicks, views, leads, actions, orders, sales, as CloudEvents 1.0, single (structured or
binary) or in batches. Source: CloudEvents HTTP protocol binding 1.0.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from cloud.api.access import Reading, Writing
from cloud.api.bodies import limited
from cloud.api.cursor import Paged, Piece
from cloud.api.problems import Problem, responses
from cloud.api.times import rfc3339
from cloud.calendar import CalendarError, parse_instant
from cloud.database import Tx
from cloud.events import repository
from cloud.events.count_events import Counted, count_events
from cloud.money import MoneyError, parse_amount
from cloud.rating.events import CountedEvent
from cloud.rating.lines import number

router = APIRouter(prefix="/v1/events", tags=["events"])
MOST = 10_000
MOST_BYTES = 16 * 1024 * 1024


def _amount(text: str) -> str:
    try:
        parse_amount(text)
    except MoneyError as error:
        raise ValueError(str(error)) from error
    return text


def _time(text: str) -> str:
    try:
        when = parse_instant(text)
    except CalendarError as error:
        raise ValueError(str(error)) from error
    if when.tzinfo is None:
        raise ValueError("an event's time names its offset, for example 2026-11-05T10:00:00Z")
    return text


def _printed(text: str) -> str:
    if any(char < " " or char == "\x7f" for char in text):
        raise ValueError("a text of an event has no control characters (CloudEvents 1.0, 3.1 type String)")
    return text


Printed = Annotated[str, AfterValidator(_printed)]
Number = Annotated[str, AfterValidator(_amount)]


class EventData(BaseModel):
    """``quantity`` and ``price`` are texts; every other field is a label (a text), for filters, groups and rules."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[str, Field(max_length=256)]]

    quantity: Number = "1"
    price: Number | None = None


class EventIn(BaseModel):
    """One CloudEvent in structured form. ``(source, id)`` is its key for ever."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "specversion": "1.0", "id": "order-1001", "source": "shop.example/orders", "type": "order",
                    "time": "2026-11-05T10:00:00Z", "subject": "visitor-7",
                    "data": {"quantity": "129.90", "campaign": "autumn"},
                }
            ]
        },
    )  # fmt: skip

    specversion: Annotated[str, Field(pattern=r"^1\.0$")]
    id: Annotated[Printed, Field(min_length=1, max_length=200)]
    source: Annotated[Printed, Field(min_length=1, max_length=200)]
    type: Annotated[Printed, Field(min_length=1, max_length=100)]
    time: Annotated[str, AfterValidator(_time)]
    subject: Annotated[Printed, Field(max_length=200)] = ""
    data: EventData = EventData()

    def counted(self, now_ms: int) -> CountedEvent:
        """The event as it is kept; its serial number comes with the transaction."""
        number = parse_amount(self.data.quantity)
        places = max(-int(number.as_tuple().exponent), 0)
        at = datetime.fromisoformat(self.time).astimezone(UTC)
        return CountedEvent(
            serial=0,
            source=self.source,
            id=self.id,
            type=self.type,
            at=int(at.timestamp()) * 1000 + at.microsecond // 1000,
            received=now_ms,
            subject=self.subject,
            value=int(number.scaleb(places)),
            scale=-places,
            price=self.data.price or "",
            labels=dict(self.data.__pydantic_extra__ or {}),
        )


class EventResult(BaseModel):
    """What became of an event: ``accepted``, ``repeated`` (the same is there), ``conflict`` (another is there)."""

    source: str
    id: str
    status: str
    serial: int


class EventResults(BaseModel):
    """What became of each event, in their order, and how many of each."""

    accepted: int
    repeated: int
    conflicts: int
    results: list[EventResult]


class EventOut(BaseModel):
    """A counted event. ``serial``: its number in the order of arrival."""

    serial: int
    source: str
    id: str
    type: str
    time: str
    received_at: str
    subject: str
    quantity: str
    price: str
    labels: dict[str, str]


class EventList(BaseModel):
    """One piece of the list."""

    items: list[EventOut]
    next: str


_EVENT = EventIn.model_json_schema(mode="validation", ref_template="#/components/schemas/{model}")
_batch: TypeAdapter[list[EventIn]] = TypeAdapter(Annotated[list[EventIn], Field(max_length=MOST)])


@router.post(
    "",
    response_model=EventResults,
    responses=responses("malformed", "too-large"),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": _EVENT},
                "application/cloudevents-batch+json": {"schema": {"type": "array", "maxItems": MOST, "items": _EVENT}},
            },
        }
    },
)
async def count(request: Request, call: Writing) -> Response:
    """Counts one event or a batch. Repeating is safe: an event that is there already is answered ``repeated``.

    Structured, batched, or in binary mode: attributes as headers ``ce-id``, ``ce-source``, .., the body is the data.
    """
    raw = await limited(request, MOST_BYTES)
    try:
        if "ce-specversion" in request.headers:
            told = [EventIn.model_validate(_binary(request.headers, raw))]
        elif raw.lstrip().startswith(b"["):
            told = _batch.validate_json(raw)
        else:
            told = [EventIn.model_validate_json(raw)]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Problem("malformed", f"{where}: {first['msg']}") from error
    events = [one.counted(call.now_ms) for one in told]

    def work(tx: Tx) -> EventResults:
        return _results(count_events(tx, call.tenant, events, call.now_ms))

    return await call.write(work)


def _binary(headers: Mapping[str, str], raw: bytes) -> dict[str, Any]:
    """The event whose attributes are headers (percent-encoded, HTTP binding 3.1.3.2) and whose data is the body."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if raw and kind != "application/json" and not kind.endswith("+json"):
        raise Problem("malformed", f"content-type: the data of an event is JSON, not {kind}")
    found: dict[str, Any] = {}
    for name in ("specversion", "id", "source", "type", "time", "subject"):
        text = headers.get(f"ce-{name}")
        if text is not None:
            found[name] = _attribute(name, text)
    if raw:
        try:
            found["data"] = from_json(raw)
        except ValueError as error:
            raise Problem("malformed", f"data: {error}") from error
    return found


def _attribute(name: str, text: str) -> str:
    plain = text.strip()
    if len(plain) > 1 and plain[0] == plain[-1] == '"':
        plain = re.sub(r"\\(.)", r"\1", plain[1:-1])
    try:
        return unquote(plain, errors="strict")
    except UnicodeDecodeError as error:
        raise Problem("malformed", f"ce-{name}: it is not percent-encoded UTF-8") from error


def _results(counted: list[Counted]) -> EventResults:
    statuses = [one.status for one in counted]
    return EventResults(
        accepted=statuses.count("accepted"),
        repeated=statuses.count("repeated"),
        conflicts=statuses.count("conflict"),
        results=[EventResult(**msgspec.structs.asdict(one)) for one in counted],
    )


@router.get("", response_model=EventList)
async def listed(call: Reading, page: Paged, source: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The counted events in the order of arrival, of one source or all."""

    def work(tx: Tx) -> Piece[Any]:
        rows = repository.page(tx, call.tenant, source, int(str(page.after[0])) if page.after else 0, page.fetch)
        return page.piece(rows, lambda row: (row.serial,), _shown)

    return await call.read(work)


@router.get("/conflicts")
async def contradictions(call: Reading, page: Paged) -> Response:
    """Events whose (source, id) was told before with another content. They are not counted."""

    def work(tx: Tx) -> Piece[Any]:
        after = tuple(str(part) for part in page.after) if page.after else ("", "", "")
        rows = repository.conflicts(tx, call.tenant, (after[0], after[1], after[2]), page.fetch)
        return page.piece(rows, lambda row: row[:3], _conflict)

    return await call.read(work)


def _conflict(row: tuple[str, str, str, str, int]) -> dict[str, object]:
    return {"source": row[0], "id": row[1], "content_hash": row[2], "told": msgspec.Raw(row[3].encode()),
            "seen_at": rfc3339(row[4])}  # fmt: skip


def _shown(event: CountedEvent) -> EventOut:
    quantity = event.use.quantity
    return EventOut(
        serial=event.serial,
        source=event.source,
        id=event.id,
        type=event.type,
        time=rfc3339(event.at),
        received_at=rfc3339(event.received),
        subject=event.subject,
        quantity=number(quantity),
        price=event.price,
        labels=event.labels,
    )
