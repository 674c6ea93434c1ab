"""The wire form of protobuf, as far as Sparkplug needs it: keys, varints, lengths. PURE.

    key = field << 3 | kind; kinds: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes

The surprise is that a field may come that nobody knows, of any kind, and is passed over.
Source: protobuf.dev, encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, EIGHT, LENGTH, FOUR = 0, 1, 2, 5


class BadPayloadError(ValueError):
    """These bytes are no payload; `why` in a word: length, varint, kind, text, size, packed."""

    def __init__(self, why: str) -> None:
        super().__init__(f"no Sparkplug payload: {why}")
        self.why = why


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Field number, kind, and the varint or the bytes. Raises BadPayloadError."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = read_varint(data, at)
            yield key >> 3, kind, value
            continue
        if kind == LENGTH:
            size, at = read_varint(data, at)
        elif kind in (EIGHT, FOUR):
            size = 8 if kind == EIGHT else 4
        else:
            raise BadPayloadError("kind")
        if at + size > len(data):
            raise BadPayloadError("length")
        yield key >> 3, kind, data[at : at + size]
        at += size


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that stands at `at`, of 64 bits at most, and where the next thing stands. Raises BadPayloadError."""
    value = shift = 0
    while at < len(data) and shift < 70:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise BadPayloadError("varint")


def varint(value: int) -> bytes:
    """A number, a negative one by its 64 bits."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def key_of(field: int, kind: int) -> bytes:
    """What stands before a field's value."""
    return varint(field << 3 | kind)


def sized(data: bytes) -> bytes:
    """Bytes with their length before them."""
    return varint(len(data)) + data
