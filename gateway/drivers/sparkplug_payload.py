"""Sparkplug B payloads, read and made: the few protobuf fields the specification has, exact numbers, no library.

    Payload  1 timestamp  2 metrics*  3 seq            Metric  1 name  2 alias  3 timestamp  4 datatype  5 is_historical
    key = field << 3 | kind; kinds: 0 varint,                  7 is_null  9 properties  10 int  11 long  12 float
    1 eight bytes, 2 length and bytes, 5 four bytes            13 double  14 boolean  15 string  16 bytes

The surprise is a negative number: it travels as the unsigned one of the same bits, and only the datatype of the *birth*
says so. A float is taken with the digits its maker would print, not with those of its bits.
Source: Eclipse Sparkplug 3.0.0 chapter 6.4; sparkplug_b.proto; docs/adr/0003. PURE.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FLOAT, DOUBLE, BOOLEAN, STRING, DATETIME, TEXT, UUID = range(
    1, 16
)
SIGNED = {INT8: 8, INT16: 16, INT32: 32, INT64: 64}
MOST_METRICS = 5000
VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5
Value = int | Decimal | bool | str | bytes | None


class BadPayloadError(ValueError):
    """These bytes are no payload; `why` in a word: length, varint, kind, text, size."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no Sparkplug payload: {why}")
        self.why = why


class Metric(msgspec.Struct, frozen=True):
    """One value. `name` "" and `alias` None where they did not come; `timestamp` ms UTC; `unit`: property engUnit."""

    name: str = ""
    alias: int | None = None
    timestamp: int | None = None
    datatype: int = 0
    historical: bool = False
    value: Value = None
    unit: str = ""


class Payload(msgspec.Struct, frozen=True):
    """One message."""

    timestamp: int | None
    metrics: tuple[Metric, ...]
    seq: int | None = None


def decode(data: bytes) -> Payload:
    """Raises BadPayloadError, nothing else. Fields nobody knows are passed over."""
    timestamp = seq = None
    metrics: list[Metric] = []
    for field, _, value in _fields(data):
        if field == 1 and isinstance(value, int):
            timestamp = value
        elif field == 2 and isinstance(value, bytes):
            if len(metrics) == MOST_METRICS:
                raise BadPayloadError("size")
            metrics.append(_metric(value))
        elif field == 3 and isinstance(value, int):
            seq = value
    return Payload(timestamp, tuple(metrics), seq)


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
        out += _key(1, VARINT) + _varint(payload.timestamp)
    for metric in payload.metrics:
        out += _key(2, LENGTH) + _sized(_metric_bytes(metric))
    if payload.seq is not None:
        out += _key(3, VARINT) + _varint(payload.seq)
    return bytes(out)


def _metric(data: bytes) -> Metric:
    name, unit, datatype = "", "", 0
    alias = timestamp = None
    historical = null = False
    value: Value = None
    for field, _, found in _fields(data):
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
        elif field >= 10:
            value = _value(field, found, value)
    return Metric(name, alias, timestamp, datatype, historical, None if null else value, unit)


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
    for field, _, found in _fields(data):
        if field == 1 and isinstance(found, bytes):
            keys.append(_text(found))
        elif field == 2 and isinstance(found, bytes):
            texts = [_text(one) for place, _, one in _fields(found) if place == 8 and isinstance(one, bytes)]
            values.append(texts[0] if texts else "")
    return dict(zip(keys, values, strict=False)).get("engUnit", "")[:16]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadPayloadError("text") from error


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Field number, kind, and the varint or the bytes."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _read_varint(data, at)
            yield key >> 3, kind, value
            continue
        if kind == LENGTH:
            size, at = _read_varint(data, at)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise BadPayloadError("kind")
        if at + size > len(data):
            raise BadPayloadError("length")
        yield key >> 3, kind, data[at : at + size]
        at += size


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise BadPayloadError("varint")


def _varint(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


def _metric_bytes(metric: Metric) -> bytes:
    out = bytearray()
    if metric.name:
        out += _key(1, LENGTH) + _sized(metric.name.encode("utf-8"))
    if metric.alias is not None:
        out += _key(2, VARINT) + _varint(metric.alias)
    if metric.timestamp is not None:
        out += _key(3, VARINT) + _varint(metric.timestamp)
    if metric.datatype:
        out += _key(4, VARINT) + _varint(metric.datatype)
    if metric.historical:
        out += _key(5, VARINT) + b"\x01"
    if metric.unit:
        text = _key(1, VARINT) + _varint(STRING) + _key(8, LENGTH) + _sized(metric.unit.encode("utf-8"))
        out += _key(9, LENGTH) + _sized(_key(1, LENGTH) + _sized(b"engUnit") + _key(2, LENGTH) + _sized(text))
    return bytes(out) + _value_bytes(metric)


def _value_bytes(metric: Metric) -> bytes:
    value = metric.value
    if value is None:
        return _key(7, VARINT) + b"\x01"
    if isinstance(value, bool):
        return _key(14, VARINT) + bytes((value,))
    if isinstance(value, str | bytes):
        field, data = (15, value.encode("utf-8")) if isinstance(value, str) else (16, value)
        return _key(field, LENGTH) + _sized(data)
    if metric.datatype == FLOAT:
        return _key(12, FOUR) + struct.pack("<f", value)
    if metric.datatype == DOUBLE or isinstance(value, Decimal):
        return _key(13, EIGHT) + struct.pack("<d", value)
    wide = metric.datatype in (INT64, UINT64, DATETIME)
    return _key(11 if wide else 10, VARINT) + _varint(value if wide else value & 0xFFFF_FFFF)


def bd_seq(metrics: Sequence[Metric]) -> int | None:
    """The number that ties a death to its birth."""
    found = next((one.value for one in metrics if one.name == "bdSeq"), None)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
