"""Leaf bytes: JSON restricted until it has one spelling only.

A leaf is hashed, stored and shipped as the bytes that were written once; so a value must have exactly one byte string
in every language. The subset: UTF-8 in NFC, object keys ``[a-z0-9_]`` in order, no control characters, integers with
``|x| < 2**53``, booleans, arrays, objects; no floats, no null; at most 4 containers deep and 4 KiB long. Within it the
bytes equal RFC 8785 (JCS).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

MAX_BYTES = 4096
MAX_DEPTH = 4
MAX_INTEGER = 2**53 - 1

Integer = Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
Scalar = Integer | str | bool
Deepest = Scalar | list[Scalar] | dict[str, Scalar]
Deep = Scalar | list[Deepest] | dict[str, Deepest]
Value = Scalar | list[Deep] | dict[str, Deep]

_KEY = re.compile(r"[a-z0-9_]+\Z")
_decoder = msgspec.json.Decoder(dict[str, Value])
_encoder = msgspec.json.Encoder(order="sorted")


class LeafError(ValueError):
    """These bytes are not a leaf. ``code`` is stable (``not_json``, ``not_canonical``, ``too_long``, ``bad_key``,
    ``bad_text``, ``bad_body``); the message says what to mend."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def serialise(value: object) -> bytes:
    """The sorted, compact JSON of a value, unchecked: for a value not built from checked parts use ``encode``."""
    return _encoder.encode(value)


def serialise_lines(values: Sequence[object]) -> bytes:
    """The same for many values, each with a newline behind it."""
    return _encoder.encode_lines(values)


def encode(value: Mapping[str, object]) -> bytes:
    """The canonical leaf of a JSON object; raises LeafError when the object has none."""
    try:
        leaf = serialise(dict(value))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LeafError("bad_body", f"the value cannot be written as JSON ({error})") from error
    parse(leaf)
    return leaf


def parse(leaf: bytes) -> dict[str, Value]:
    """The object a leaf stands for; raises LeafError unless the bytes are its one canonical spelling."""
    if len(leaf) > MAX_BYTES:
        raise LeafError("too_long", f"{len(leaf)} bytes; a leaf has at most {MAX_BYTES}")
    try:
        value = _decoder.decode(leaf)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LeafError("not_json", str(error)) from error
    if serialise(value) != leaf:
        raise LeafError("not_canonical", "keys unsorted or double, spaces, or another spelling of a string or number")
    check_keys(value)
    if not plain_text(leaf):
        _check_text(value)
    return value


def plain_text(leaf: bytes) -> bool:
    """True when no string inside can break the text rules: pure ASCII, nothing escaped, no DEL."""
    return leaf.isascii() and b"\\" not in leaf and b"\x7f" not in leaf


def check_keys(value: object) -> None:
    """Raises LeafError on a key that is not ``[a-z0-9_]+``, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not _KEY.match(key):
                raise LeafError("bad_key", f"key {key!r}: only a-z, 0-9 and _ are allowed")
            if isinstance(inner, dict | list):
                check_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                check_keys(inner)


def _check_text(value: object) -> None:
    if isinstance(value, str):
        if not unicodedata.is_normalized("NFC", value):
            raise LeafError("bad_text", f"{value!r} is not in Unicode NFC")
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in value):
            raise LeafError("bad_text", f"{value!r} has a control character")
    elif isinstance(value, dict):
        for inner in value.values():
            _check_text(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_text(inner)
