"""Many leaves at once: the same records as one by one, or a request to look closer."""

from __future__ import annotations

import msgspec
import pytest

from wire import records
from wire.records import GatewayEvent, Note, Record

NOTE = Note(v=1, z="00", src="gw", ep="e", n=1, t=1, ts="S", b="b", m=1, text="fine")
EVENT = GatewayEvent(v=1, z="00", src="gw", ep="e", n=2, t=1, ts="S", b="b", m=1, event="boot", data={"last_n": 7})
LEAVES = [records.encode(record) for record in (NOTE, EVENT, NOTE)]


def test_many_leaves_give_what_each_gives_alone() -> None:
    assert records.decode_all(LEAVES) == [records.decode(leaf) for leaf in LEAVES]


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b" ",
        b"{}",
        b"rubbish",
        LEAVES[0] + b" ",
        LEAVES[0].replace(b'":', b'": ', 1),
        LEAVES[0].replace(b"fine", "f\u00edne".encode()),
        LEAVES[0].replace(b"fine", b'\\"'),
        LEAVES[0].replace(b"fine", b"\\u0041"),
        LEAVES[0].replace(b"fine", b"x" * 5000),
        LEAVES[0].replace(b'"fine"', b'"fine","tex":1'),
        LEAVES[1].replace(b"last_n", b"last-n"),
        LEAVES[1].replace(b"7", b"7.0"),
        LEAVES[0] + LEAVES[1],
    ],
)
def test_one_odd_leaf_asks_for_a_closer_look_at_each(odd: bytes) -> None:
    assert records.decode_all([LEAVES[0], odd, LEAVES[1]]) is None


def test_no_leaves_are_nothing_to_read_together() -> None:
    assert records.decode_all([]) is None


def test_a_record_that_says_a_default_aloud_is_not_taken_for_the_short_one() -> None:
    aloud: dict[str, object] = msgspec.json.decode(LEAVES[0])
    leaf = msgspec.json.encode(aloud | {"who": ""}, order="sorted")
    assert records.decode_all([leaf]) is None
    found: Record = records.decode(leaf)
    assert found == NOTE
