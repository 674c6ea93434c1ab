"""Blocks of nine-bit words on the MDB bus, as captured and published."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.mdb_words import MdbRefusedError, checksum, command, from_device, from_vmc

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/mdb_adapter.toml").read_text())
WORDS = {one["id"]: one for one in VECTORS["frame"] if "words9" in one}
CODES = ("empty", "too_long", "bad_sum", "bad_mode_bit", "unknown")


def said(name: str) -> list[Any]:
    words = [int(word, 16) for word in WORDS[name]["words9"]]
    if WORDS[name]["direction"] == "host>device":
        return [from_vmc(words)]
    return from_device(words, satellite="USD" in str(WORDS[name]["decoded"]))


@pytest.mark.parametrize("name", sorted(WORDS))
def test_every_given_block_of_the_bus(name: str) -> None:
    told, found = WORDS[name]["decoded"], said(name)

    names = told.get("replies") or [told.get("cmd") or told.get("reply") or ("ACK" if "ack" in told else "NAK")]
    assert [one.name for one in found] == [one.partition(" ")[0] for one in names]
    for key, value in told.items():
        if key in ("amount", "level", "currency", "scale", "decimals", "max_response_s", "misc", "row", "col", "item",
                   "price", "addr"):  # fmt: skip
            assert found[0].fields[key] == value
    for bit in told.get("bits", {}):
        assert found[0].fields[bit] is True


def test_a_block_with_any_bit_turned_is_no_block() -> None:
    words = [int(word, 16) for word in WORDS["mdb.09"]["words9"]]
    for place in range(len(words) * 9):
        spoilt = list(words)
        spoilt[place // 9] ^= 1 << place % 9

        with pytest.raises(MdbRefusedError, match=r"bad_|unknown"):
            from_device(spoilt)


@given(words=st.lists(st.integers(0, 0x1FF), max_size=40), satellite=st.booleans())
def test_no_words_raise_anything_else(words: list[int], satellite: bool) -> None:
    for read in (lambda: from_vmc(words), lambda: from_device(words, satellite=satellite)):
        try:
            found: Any = read()
        except MdbRefusedError as refused:
            found = refused.code

        assert found in CODES or found


def test_the_other_adapters_frames_have_the_same_sum() -> None:
    waferstar = {one["id"]: bytes.fromhex(one["hex"]) for one in VECTORS["frame"] if "hex" in one}
    setup = waferstar["mdb_adapter_waferstar.01"]

    assert checksum(setup[:-1]) == setup[-1]
    assert command(waferstar["mdb_adapter_waferstar.03"]).fields == {"addr": "08", "order": 4, "data": "FFFFFFFF"}
