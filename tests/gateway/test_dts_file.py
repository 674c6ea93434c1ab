"""EVA-DTS files: the given ones, the quirks of real machines, and everything that must be refused."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.drivers.crc16_arc import crc16_arc
from gateway.drivers.dts_file import LONGEST, Audit, DtsRefusedError, read_dts
from tests.gateway.audit_cases import arc

VECTORS = tomllib.loads((Path(__file__).parents[1] / "vectors/evadts.toml").read_text())
FILES: dict[str, dict[str, Any]] = {one["id"]: one for one in VECTORS["file"]}
GOOD = FILES["evadts.synthetic.01"]["text"].encode()


def machine(*segments: str, version: str = "V0/6", swapped: bool = False, g85: str | None = None) -> bytes:
    """A file with these data segments, right in everything else."""
    body = ["ST*001*0001", "ID1*GWT1*T", *segments]
    total = arc("".join(f"{line}\r\n" for line in body).encode("latin-1"))
    told = g85 if g85 is not None else f"{total & 0xFF:02X}{total >> 8:02X}" if swapped else f"{total:04X}"
    lines = [f"DXS*GWT0000001*VA*{version}*1", *body, f"G85*{told}", f"SE*{len(body) + 2}*0001", "DXE*1*1"]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def refusal(raw: bytes, profile: Any = "strict") -> str:
    with pytest.raises(DtsRefusedError) as caught:
        read_dts(raw, profile)
    return caught.value.code


def test_the_check_value_of_the_sum() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_given_files(name: str) -> None:
    one = FILES[name]
    if not one["accept"]:
        assert refusal(one["text"].encode()) == one["error"]
        return

    audit = read_dts(one["text"].encode())

    expect = FILES["evadts.synthetic.01"]["expect"]
    assert audit.serial == expect["serial"]
    assert audit.reads is not None
    assert audit.reads.count == expect["ea3_reads"]
    names = {"paid_init": "paid", "free_init": "free", "min": "minimum"}
    for selection, values in expect["selections"].items():
        found = audit.selections[selection]
        assert {key: getattr(found, names.get(key, key)) for key in values} == values


def test_the_whole_of_a_file_is_there() -> None:
    audit = read_dts(GOOD)

    assert (audit.model, audit.location, audit.asset, audit.board) == ("TOOLCAB24", "BAY 3", "CAB0001", "GWB000000001")
    assert (audit.paid, audit.paid_interval, audit.power_cycles) == (137, 5, 9)
    assert audit.selections["101"].product == "INSERT CNMG"
    assert (audit.selections["102"].sold_out, audit.selections["102"].presses) == ("260106 0815", 0)
    assert [(one.code, one.total) for one in audit.events] == [("EJC_102", 1)]
    assert audit.notes == ()


def test_every_digit_is_covered_by_the_sum() -> None:
    start, end = GOOD.index(b"ST*"), GOOD.index(b"G85")
    for place in range(start, end):
        if chr(GOOD[place]).isdigit():
            spoilt = GOOD[:place] + bytes((GOOD[place] ^ 1,)) + GOOD[place + 1 :]
            assert refusal(spoilt) == "g85_mismatch"


def test_a_file_cut_anywhere_is_refused_by_every_profile() -> None:
    for length in range(len(GOOD) - len(b"DXE*1*1\r\n")):
        for profile in ("strict", "ignore", "absent"):
            assert refusal(GOOD[:length], profile) in ("empty", "no_start", "truncated")


@pytest.mark.parametrize("ends", ["\n", "\r", "\r\n", "\n\r"])
def test_line_ends_that_tools_changed_are_put_back(ends: str) -> None:
    raw = GOOD.replace(b"\r\n", ends.encode())

    assert read_dts(raw).selections["101"].paid == 90


def test_lower_case_and_a_swapped_sum_of_old_machines() -> None:
    body = machine("PA1*1*0", "PA2*7")
    lower = body.replace(
        body[body.index(b"G85*") :][:8], body[body.index(b"G85*") :][:8].lower().replace(b"g85", b"G85")
    )

    assert read_dts(lower).selections["1"].paid == 7
    assert read_dts(machine("PA1*1*0", "PA2*7", version="V0/5", swapped=True)).notes == ("g85_swapped",)
    assert refusal(machine("PA1*1*0", "PA2*7", version="V0/6", swapped=True)) == "g85_mismatch"


def test_the_profile_says_what_a_sum_is_worth() -> None:
    wrong, none = machine("PA1*1*0", g85="0000"), GOOD.replace(b"G85*AC4A\r\n", b"")

    assert refusal(wrong, "strict") == refusal(wrong, "absent") == "g85_mismatch"
    assert read_dts(wrong, "ignore").notes == ("g85_mismatch",)
    assert refusal(none, "strict") == "g85_missing"
    assert "g85_missing" in read_dts(none, "absent").notes
    assert "g85_missing" in read_dts(none, "ignore").notes
    assert refusal(machine("PA1*1*0", g85="XYZ"), "strict") == "g85_malformed"


def test_a_count_of_segments_is_noted_and_never_judged() -> None:
    assert read_dts(GOOD.replace(b"SE*15", b"SE*35")).notes == ("se01",)


def test_the_words_of_a_capture_around_a_file_are_left_out() -> None:
    audit = read_dts(b"port open 9600\r\nRX: ok\r\n" + GOOD + b"\x04closed\r\n")

    assert audit.selections["101"].paid == 90
    assert audit.notes == ("wrapped",)


def test_a_capture_may_stand_on_the_very_lines_of_the_file() -> None:
    audit = read_dts(b"\x02RX> " + GOOD.rstrip() + b"\x03")

    assert (audit.selections["101"].paid, audit.notes) == (90, ("wrapped",))


def test_a_selection_told_twice_is_told_by_neither() -> None:
    audit = read_dts(machine("PA1*1*0", "PA2*7", "PA1*2*0", "PA2*5", "PA1*1*0", "PA2*9"))

    assert (set(audit.selections), audit.notes) == ({"2"}, ("selection_twice",))


def test_segments_nobody_knows_do_no_harm() -> None:
    assert read_dts(machine("EA250705*1*2", "DB1*x", "PA1*1*0", "PA2*7")).selections["1"].paid == 7


def test_payments_by_device_where_there_is_no_pa2() -> None:
    audit = read_dts(machine("PA1*1*50", "PA7*1*CA*1*50*419*20650*417*20650", "PA7*1*DA*1*50*9*450", "PA8*1*1*2"))

    selection = audit.selections["1"]
    assert selection.vends == 419 + 9 - 2
    assert [(one.device, one.list, one.price, one.interval) for one in selection.by_device] == [
        ("CA", "1", 50, 417), ("DA", "1", 50, None),
    ]  # fmt: skip


def test_the_quirks_of_real_machines() -> None:
    audit = read_dts(machine(
        "PA1**1*5", "PA2***129*0", "PA1*2*10*A^2A^B^0D^", "PA2*0*0*84*4200", "PA4*175*447*23",
        "EA3*71*191230*145009*0000*191230*144906*0000", "VA3*17078*8510*1275*1275", "PA1*3*5*\xe9t\xe9", "PA2*1x",
    ))  # fmt: skip

    assert (audit.selections["1"].shifted, audit.selections["1"].paid, audit.selections["1"].paid_interval) == (
        True, None, 129,
    )  # fmt: skip
    assert audit.selections["2"].product == "A*B"
    assert (audit.selections["2"].free, audit.selections["2"].free_interval, audit.free) == (175, 23, 8510)
    assert audit.selections["3"].paid is None
    assert audit.reads is not None
    assert (audit.reads.now, audit.reads.before) == (("191230", "1450"), ("191230", "1449"))


def test_stamps_without_their_zeros_are_the_same_stamps() -> None:
    padded = read_dts(machine("EA3*3*20260106*073000*GW*060105*0730*GW"))
    bare = read_dts(machine("EA3*3*260106*73000*GW*60105*730*GW"))

    assert padded.reads is not None
    assert bare.reads is not None
    assert (padded.reads.now, padded.reads.before) == (bare.reads.now, bare.reads.before)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "empty"), (b" \r\n", "empty"), (b"hello\r\n", "no_start"), (b"D" * (LONGEST + 1), "too_long"),
        (GOOD.replace(b"ID1*", b"ID\x011*"), "not_text"), (GOOD.replace(b"ID1*", b"id1*"), "bad_segment"),
        (GOOD.replace(b"ST*001", b"ST*001*0001\r\nST*001"), "several_sets"),
        (GOOD.replace(b"ID1*", b"ID1" + b"*x" * 200 + b"*"), "bad_segment"),
    ],
)  # fmt: skip
def test_what_is_no_audit_is_refused_by_name(raw: bytes, code: str) -> None:
    assert refusal(raw, "ignore") == code


@settings(max_examples=300, deadline=None)
@given(at=st.integers(0, len(GOOD)), junk=st.binary(max_size=30), cut=st.integers(0, 40))
def test_no_bytes_raise_anything_else(at: int, junk: bytes, cut: int) -> None:
    raw = GOOD[:at] + junk + GOOD[at + cut :]

    for profile in ("strict", "ignore", "absent"):
        try:
            found: Audit | None = read_dts(raw, profile)
        except DtsRefusedError:
            found = None

        assert found is None or found.segments
