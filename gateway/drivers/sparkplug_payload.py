"""Sparkplug B payloads, read and made: the few protobuf fields the specification has, exact numbers, no library.

    Payload  1 timestamp  2 metrics*  3 seq            Metric  1 name  2 alias  3 timestamp  4 datatype  5 is_historical
             4 uuid  5 body: a packed payload                  7 is_null  9 properties  10 int  11 long  12 float
    Template  2 metrics*  5 is_definition                      13 double  14 boolean  15 string  16 bytes  18 template

The surprise is a negative number: it travels as the unsigned one of the same bits, and only the datatype of the *birth*
says so. A float is taken with the digits its maker would print, not with those of its bits. A packed payload is in
zlib's wrapping or gzip's, whatever its algorithm is called; what it unpacks to is bounded, and it holds no packed one.
Source: Eclipse Sparkplug 3.0.0 chapter 6.4; sparkplug_b.proto; docs/adr/0003. PURE.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from gateway.drivers.protobuf_wire import EIGHT, FOUR, LENGTH, VARINT, BadPayloadError, fields, key_of, sized, varint

__all__ = ["BadPayloadError"]

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID = range(
    1, 16
)
SIGNED = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}
MOST_METRICS = 5000
# Bytes that a packed payload unpacks to at most, and templates within templates.
UNPACKED, DEEPEST = 1_048_576, 4
PACKED = b"SPBV1.0_COMPRESSED"
Value = int | Decimal | bool | str | bytes | None


class Metric(msgspec.Struct, frozen=True):
    """One value. `name` "" and `alias` None where they did not come; `timestamp` ms UTC; `unit`: property engUnit.

    `members`: those of a template, whose names count below this one's; `definition`: it only says what they will be.
    """

    name: str = ""
    alias: int | None = None
    timestamp: int | None = None
    datatype: int = 0
    historical: bool = False
    value: Value = None
    unit: str = ""
    members: tuple[Metric, ...] = ()
    definition: bool = False


class Payload(msgspec.Struct, frozen=True):
    """One message."""

    timestamp: int | None
    metrics: tuple[Metric, ...]
    seq: int | None = None


def decode(data: bytes) -> Payload:
    """One message, unpacked. Raises BadPayloadError, nothing else. Fields nobody knows are passed over."""
    outer, packed = _payload(data)
    if packed is None:
        return outer
    inner, again = _payload(_unpacked(packed))
    if again is not None:
        raise BadPayloadError("packed")
    # Some say time and number outside, some inside.
    timestamp, seq = (
        there if there is not None else here
        for there, here in ((inner.timestamp, outer.timestamp), (inner.seq, outer.seq))
    )
    return Payload(timestamp, inner.metrics, seq)


def _payload(data: bytes) -> tuple[Payload, bytes | None]:
    """A payload, and the packed one in it."""
    timestamp = seq = body = None
    packed = False
    metrics: list[Metric] = []
    room = [MOST_METRICS]
    for field, _, value in fields(data):
        if field == 1 and isinstance(value, int):
            timestamp = value
        elif field == 2 and isinstance(value, bytes):
            metrics.append(_metric(value, room, 0))
        elif field == 3 and isinstance(value, int):
            seq = value
        elif field == 4:
            packed = value == PACKED
        elif field == 5 and isinstance(value, bytes):
            body = value
    return Payload(timestamp, tuple(metrics), seq), (body or b"") if packed else None


def _unpacked(data: bytes) -> bytes:
    # 32 above the usual window: zlib's wrapping and gzip's are told apart by their first bytes.
    machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        found = machine.decompress(data, UNPACKED)
    except zlib.error as error:
        raise BadPayloadError("packed") from error
    if not machine.eof:
        raise BadPayloadError("size" if machine.unconsumed_tail else "length")
    return found


def typed(metric: Metric, datatype: int) -> Value:
    """A value as the datatype of its birth reads it."""
    value = metric.value
    if isinstance(value, int) and not isinstance(value, bool):
        bits = SIGNED.get(datatype)
        if bits is not None:
            value &= (1 << bits) - 1
            return value - (1 << bits) if value >> (bits - 1) else value
        if datatype == BOOLEAN:
            return bool(value)
    return value


def encode(payload: Payload) -> bytes:
    """The bytes of a message."""
    out = bytearray()
    if payload.timestamp is not None:
        out += key_of(1, VARINT) + varint(payload.timestamp)
    for metric in payload.metrics:
        out += key_of(2, LENGTH) + sized(_metric_bytes(metric))
    if payload.seq is not None:
        out += key_of(3, VARINT) + varint(payload.seq)
    return bytes(out)


def _metric(data: bytes, room: list[int], depth: int) -> Metric:
    """`room`: how many metrics there may still be, of all depths."""
    room[0] -= 1
    if room[0] < 0 or depth > DEEPEST:
        raise BadPayloadError("size")
    name, unit, datatype = "", "", 0
    alias = timestamp = None
    historical = null = definition = False
    value: Value = None
    members: tuple[Metric, ...] = ()
    for field, _, found in fields(data):
        if field == 1 and isinstance(found, bytes):
            name = _text(found)
        elif field == 2 and isinstance(found, int):
            alias = found
        elif field == 3 and isinstance(found, int):
            timestamp = found
        elif field == 4 and isinstance(found, int):
            datatype = found
        elif field == 5:
            historical = bool(found)
        elif field == 7:
            null = bool(found)
        elif field == 9 and isinstance(found, bytes):
            unit = _unit(found)
        elif field == 18 and isinstance(found, bytes):
            members, definition = _template(found, room, depth + 1)
        elif field >= 10:
            value = _value(field, found, value)
    return Metric(
        name, alias, timestamp, datatype, historical, None if null else value, unit, members, definition
    )  # fmt: skip


def _template(data: bytes, room: list[int], depth: int) -> tuple[tuple[Metric, ...], bool]:
    members: list[Metric] = []
    definition = False
    for field, _, found in fields(data):
        if field == 2 and isinstance(found, bytes):
            members.append(_metric(found, room, depth))
        elif field == 5:
            definition = bool(found)
    return tuple(members), definition


def _value(field: int, found: int | bytes, known: Value) -> Value:
    if isinstance(found, int):
        return found if field in (10, 11) else bool(found) if field == 14 else known
    if field == 12 and len(found) == 4:
        return _printed(format(struct.unpack("<f", found)[0], ".7g"))
    if field == 13 and len(found) == 8:
        return _printed(repr(struct.unpack("<d", found)[0]))
    return _text(found) if field == 15 else found if field == 16 else known


def _printed(words: str) -> Decimal | None:
    number = Decimal(words)
    return number if number.is_finite() else None


def _unit(data: bytes) -> str:
    """The property engUnit, if it is a text."""
    keys: list[str] = []
    values: list[str] = []
    for field, _, found in fields(data):
        if field == 1 and isinstance(found, bytes):
            keys.append(_text(found))
        elif field == 2 and isinstance(found, bytes):
            texts = [_text(one) for place, _, one in fields(found) if place == 8 and isinstance(one, bytes)]
            values.append(texts[0] if texts else "")
    return dict(zip(keys, values, strict=False)).get("engUnit", "")[:16]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPayloadError("text") from error


def _metric_bytes(metric: Metric) -> bytes:
    out = bytearray()
    if metric.name:
        out += key_of(1, LENGTH) + sized(metric.name.encode("utf-8"))
    if metric.alias is not None:
        out += key_of(2, VARINT) + varint(metric.alias)
    if metric.timestamp is not None:
        out += key_of(3, VARINT) + varint(metric.timestamp)
    if metric.datatype:
        out += key_of(4, VARINT) + varint(metric.datatype)
    if metric.historical:
        out += key_of(5, VARINT) + b"\x01"
    if metric.unit:
        text = key_of(1, VARINT) + varint(STRING) + key_of(8, LENGTH) + sized(metric.unit.encode("utf-8"))
        out += key_of(9, LENGTH) + sized(key_of(1, LENGTH) + sized(b"engUnit") + key_of(2, LENGTH) + sized(text))
    return bytes(out) + _value_bytes(metric)


def _value_bytes(metric: Metric) -> bytes:
    value = metric.value
    if value is None:
        return key_of(7, VARINT) + b"\x01"
    if isinstance(value, bool):
        return key_of(14, VARINT) + bytes((value,))
    if isinstance(value, str | bytes):
        field, data = (15, value.encode("utf-8")) if isinstance(value, str) else (16, value)
        return key_of(field, LENGTH) + sized(data)
    if metric.datatype == FLOAT:
        return key_of(12, FOUR) + struct.pack("<f", value)
    if metric.datatype == DOUBLE or isinstance(value, Decimal):
        return key_of(13, EIGHT) + struct.pack("<d", value)
    wide = metric.datatype in (INT64, UINT64, DATETIME)
    return key_of(11 if wide else 10, VARINT) + varint(value if wide else value & 0xFFFF_FFFF)


def bd_seq(metrics: Sequence[Metric]) -> int | None:
    """The number that ties a death to its birth."""
    found = next((one.value for one in metrics if one.name == "bdSeq"), None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
