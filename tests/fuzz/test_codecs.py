"""Nothing that comes from outside makes a codec raise anything but what it declares: 20,000 inputs each.

The long run, a million each, is `python -m tests.fuzz --inputs 1000000`.
"""

from __future__ import annotations

import pytest

from tests.fuzz.codecs import all_codecs
from tests.fuzz.fuzzing import Codec, FoundError, fuzz

INPUTS = 20_000


@pytest.mark.parametrize("codec", list(all_codecs()), ids=lambda codec: codec.name)
def test_no_input_breaks_a_codec(codec: Codec) -> None:
    lines = fuzz(codec, INPUTS, "ci")

    assert lines > 10


def test_a_codec_that_breaks_is_found_and_its_input_is_short() -> None:
    def fragile(data: bytes) -> None:
        if b"\x16\x68" in data:
            raise IndexError("end before begin")

    with pytest.raises(FoundError, match="IndexError") as caught:
        fuzz(Codec("fragile", fragile, [bytes.fromhex("68 01 02 03 16"), b"\x00\x01\x02"]), 20_000, "ci")

    assert caught.value.data == b"\x16\x68"
