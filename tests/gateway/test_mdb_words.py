"""Blocks of nine-bit words on the MDB bus, as captured and published."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.drivers.mdb_words import Agreed, MdbRefusedError, checksum, command, from_device, from_vmc

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/mdb_adapter.toml").read_text())
WORDS = {one["id"]: one for one in VECTORS["frame"] if "words9" in one}
CODES = ("empty", "too_long", "bad_sum", "bad_mode_bit", "unknown")


def said(name: str) -> list[Any]:
    words = [int(word, 16) for word in WORDS[name]["words9"]]
    if WORDS[name]["direction"] == "host>device":
        return [from_vmc(words)]
    agreed = Agreed(**WORDS[name].get("agreed", {}))
    return from_device(words, satellite="USD" in str(WORDS[name]["decoded"]), agreed=agreed)


@pytest.mark.parametrize("name", sorted(WORDS))
def test_every_given_block_of_the_bus(name: str) -> None:
    told, found = WORDS[name]["decoded"], said(name)

    names = told.get("replies") or [told.get("cmd") or told.get("reply") or ("ACK" if "ack" in told else "NAK")]
    assert [one.name for one in found] == [one.partition(" ")[0] for one in names]
    for key, value in told.items():
        if key in ("amount", "level", "currency", "scale", "decimals", "max_response_s", "misc", "row", "col", "item",
                   "price", "addr", "max", "min", "maker", "serial", "model", "version", "media", "payment", "state",
                   "always_idle", "wide_amounts"):  # fmt: skip
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


def test_lengths_are_as_agreed() -> None:
    both = [0x05, 0x00, 0x0C, 0x07, 0x108]  # amount 12, END SESSION; the sum is 0x18
    both[-1] = 0x100 | sum(both[:-1]) & 0xFF
    shown = [0x02, 0x0A, 0x48, 0x49, 0x100 | 0x9D]

    assert [one.name for one in from_device(both)] == ["VEND_APPROVED", "END_SESSION"]
    with pytest.raises(MdbRefusedError, match="unknown"):
        from_device(both, agreed=Agreed(level=3, wide=True))
    assert from_device(shown, agreed=Agreed(letters=2))[0].name == "DISPLAY"
    with pytest.raises(MdbRefusedError, match="unknown"):
        from_device(shown)


@given(level=st.sampled_from([None, 1, 2, 3]), wide=st.booleans(), data=st.binary(min_size=1, max_size=35))
def test_any_block_is_read_whole_or_not_at_all(level: int | None, wide: bool, data: bytes) -> None:
    found: list[Any] = []
    with contextlib.suppress(MdbRefusedError):
        found = from_device([*data, 0x100 | checksum(data)], agreed=Agreed(level=level, wide=wide))

    assert len(found) <= len(data)
