"""One record has one spelling; everything else is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import records, schema
from wire.canonical import LeafError, encode, parse
from wire.quantity import Quantity, UnitMismatch

COMMON: dict[str, Any] = {
    "v": 1, "z": "0" * 32, "src": "cab-07", "ep": "e" * 16, "n": 1,
    "t": 1767225600000, "ts": "S", "b": "e" * 16, "m": 5,
}  # fmt: skip
DRAW = records.Draw(
    **COMMON, slot="7", item="M6x20", asked=1, qty=1, outcome="confirmed", actuation="opened", confirmation="door"
)


def leaf(**more: object) -> bytes:
    return json.dumps({**COMMON, **more}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_record_comes_back_as_it_was() -> None:
    assert records.decode(records.encode(DRAW)) == DRAW


def test_the_leaf_is_the_json_that_any_language_writes_with_sorted_keys() -> None:
    plain = json.loads(records.encode(DRAW))

    assert json.dumps(plain, sort_keys=True, separators=(",", ":")).encode() == records.encode(DRAW)


def test_a_spelled_out_default_is_still_the_same_record() -> None:
    found = records.decode(leaf(k="note", text="seen", who=""))

    assert isinstance(found, records.Note)
    assert found.text == "seen"


def test_text_outside_ascii_is_kept() -> None:
    note = records.Note(**COMMON, text="螺丝 ok")

    assert records.decode(records.encode(note)) == note


REFUSED: list[tuple[str, bytes, str]] = [
    ("a float", leaf(k="note", text="x").replace(b'"m":5', b'"m":5.0'), "not_json"),
    ("an exponent", leaf(k="note", text="x").replace(b'"m":5', b'"m":5e0'), "not_json"),
    ("null", leaf(k="note", text="x").replace(b'"m":5', b'"m":null'), "not_json"),
    ("a space", leaf(k="note", text="x").replace(b'"m":5', b'"m": 5'), "not_canonical"),
    ("minus zero", leaf(k="note", text="x").replace(b'"m":5', b'"m":-0'), "not_canonical"),
    ("a double key", leaf(k="note", text="x").replace(b'"m":5', b'"m":5,"m":5'), "not_canonical"),
    ("unsorted keys", leaf(k="note", text="x").replace(b'"ep":', b'"zz":'), "not_canonical"),
    ("an escaped letter", leaf(k="note", text="x").replace(b'"x"', b'"\\u0078"'), "not_canonical"),
    ("2**53", leaf(k="note", text="x").replace(b'"m":5', b'"m":9007199254740992'), "not_json"),
    ("a control character", leaf(k="note", text="x").replace(b'"x"', b'"\\n"'), "bad_text"),
    ("DEL", leaf(k="note", text="x").replace(b'"x"', b'"\x7f"'), "bad_text"),
    ("text not in NFC", leaf(k="note", text="e\u0301"), "bad_text"),
    ("broken UTF-8", leaf(k="note", text="x").replace(b'"x"', b'"\xff"'), "not_json"),
    ("an upper-case key", leaf(k="device_event", event="x", data={"A": 1}), "bad_key"),
    ("five levels", leaf(k="device_event", event="x", data={"a": [[[1]]]}), "not_json"),
    ("too long", leaf(k="note", text="x", q=["y" * 100] * 60), "too_long"),
    ("an unknown field", leaf(k="note", text="x", colour="red"), "bad_body"),
    ("an unknown kind", leaf(k="gift", text="x"), "bad_body"),
    ("an unknown version", leaf(k="note", text="x", v=2), "bad_body"),
    ("a missing field", leaf(k="reading", register="r"), "bad_body"),
    ("a negative quantity", leaf(k="refill", slot="1", item="i", qty=-1), "bad_body"),
    ("an array", b"[]", "not_json"),
    ("nothing", b"", "not_json"),
    ("a newline behind it", leaf(k="note", text="x") + b"\n", "not_canonical"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_leaf_that_is_not_one_is_refused_by_name(raw: bytes, code: str) -> None:
    with pytest.raises(LeafError) as caught:
        records.decode(raw)

    assert caught.value.code == code


@given(st.binary(max_size=300))
def test_rubbish_is_refused_with_our_own_error(raw: bytes) -> None:
    with pytest.raises(LeafError):
        records.decode(raw)


@given(st.integers(0, 8 * len(records.encode(DRAW)) - 1))
def test_a_flipped_bit_is_refused_or_is_another_canonical_leaf(bit: int) -> None:
    raw = bytearray(records.encode(DRAW))
    raw[bit // 8] ^= 1 << bit % 8

    try:
        found = records.decode(bytes(raw))
    except LeafError:
        return

    assert records.encode(found) == bytes(raw)
    assert found != DRAW


scalars = st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.text('aé螺"\\ ', max_size=5)
keys = st.text("abc_0", min_size=1, max_size=3)


@given(
    st.dictionaries(
        keys, scalars | st.lists(scalars, max_size=3) | st.dictionaries(keys, scalars, max_size=3), max_size=5
    )
)
def test_any_value_has_one_spelling_and_python_agrees(value: dict[str, Any]) -> None:
    raw = encode(value)

    assert parse(raw) == value
    assert raw == json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_record_that_breaks_the_text_rules_is_never_written() -> None:
    with pytest.raises(LeafError):
        records.encode(records.Note(**COMMON, text="line\nbreak"))
    with pytest.raises(LeafError):
        records.encode(msgspec.structs.replace(DRAW, before={"Level": 3}))


def test_the_schema_file_is_the_one_the_code_defines() -> None:
    assert schema.stored(1) == schema.current(), (
        "run: python -c 'from wire import schema; ...' and bump v if it is released"
    )


def test_every_kind_of_the_wire_is_there() -> None:
    assert set(records.KINDS) == {
        "draw", "intent", "draw_resolved", "reversal", "refill", "count", "return", "loan", "loan_back",
        "reading", "window", "runtime", "device_event", "gateway_event", "note",
    }  # fmt: skip


def test_quantities_are_exact() -> None:
    assert Quantity(1, -1, "kWh") + Quantity(2, -1, "kWh") == Quantity(3, -1, "kWh")
    assert str(Quantity(125, -2, "kWh") - Quantity(1, 0, "kWh")) == "0.25 kWh"
    with pytest.raises(UnitMismatch):
        Quantity(1, 0, "kWh") + Quantity(1, 0, "pc")
    with pytest.raises(ValueError, match="rounding"):
        Quantity(125, -2, "kWh").at_scale(0)
