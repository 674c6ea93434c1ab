"""One test over all entrances: only what they declare comes out, within their limits; and none is left out.

The long run is `python -m tests.fuzz --entrances 20000`. CPU time is what is limited, not the clock on the wall: an
input that takes longer than this on any machine is a hang.
"""

from __future__ import annotations

import pytest

from tests.fuzz.attack import CPU_SECONDS, TooSlowError, attack, within
from tests.fuzz.entrances import ENTRANCES, Entrance
from tests.fuzz.fuzzing import FoundError
from tests.fuzz.read_in import READ_IN, decoding_files

INPUTS = 250


@pytest.mark.parametrize("one", ENTRANCES, ids=lambda one: one.name)
def test_only_what_is_declared_comes_out_of_an_entrance(one: Entrance) -> None:
    assert attack(one, INPUTS, "ci") >= INPUTS


@pytest.mark.parametrize("one", [one for one in ENTRANCES if one.limit], ids=lambda one: one.name)
def test_what_is_longer_than_its_limit_is_refused_before_it_is_read(one: Entrance) -> None:
    with within(CPU_SECONDS), pytest.raises(one.declared):
        one.run(bytes(one.limit + 1))


def test_every_file_that_calls_a_decoder_says_who_attacks_it() -> None:
    found = decoding_files()

    assert sorted(found.keys() - READ_IN.keys()) == [], "decodes foreign bytes: write an Entrance, add it to READ_IN"
    assert sorted(READ_IN.keys() - found.keys()) == [], "these decode nothing any more"


def test_every_entrance_that_a_file_names_exists() -> None:
    known = {one.name for one in ENTRANCES}

    named = {name for told in READ_IN.values() if not told.startswith(("own: ", "by: ")) for name in told.split(", ")}

    assert named <= known


def test_a_parser_that_lets_another_error_out_is_found() -> None:
    def fragile(raw: bytes) -> object:
        return 1 / (len(raw) - 3)

    with pytest.raises(FoundError, match="ZeroDivisionError"):
        attack(Entrance("fragile", fragile, (ValueError,), lambda: [b"ab", b"abcd"]), 200, "ci")


def test_a_parser_that_hangs_is_found() -> None:
    def slow(_: bytes) -> object:
        while True:
            pass

    with pytest.raises(TooSlowError), within(0.05):
        slow(b"")
