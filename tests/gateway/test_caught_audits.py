"""Audits of real machines, as others published them: each by its own rules, read whole, cut and by DDCMP.

Sources of tests/vectors/audits: Zzzzipper/projects, tests of a vending modem's firmware (FAG JF8900 by DDCMP, with
fewer coin segments; Necta G250; Rhea Luce); a stock program's test message (IDS VCM). The G85 of Necta and IDS match no
rule that we tried, as Kikko's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.audits import AuditRules, Known, assess
from gateway.device_events import Counters
from gateway.drivers import ddcmp_link
from gateway.drivers.crc16_arc import crc16_arc
from gateway.drivers.dts_file import Audit, DtsRefusedError, read_dts

FOLDER = Path(__file__).parents[1] / "vectors" / "audits"


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.txt").read_bytes().replace(b"\n", b"\r\n")


READ: list[tuple[str, Any, dict[str, Any], tuple[int, int, int]]] = [
    # name, profile, what is told of the machine; selections, vends of all together, tests of all together
    ("fag_jf8900", "absent", {"model": "FAG JF8900", "paid": 2}, (5, 0, 0)),
    ("ids_vcm", "ignore", {"serial": "IDS0110000146", "board": "IDS0110000146", "paid": 3538}, (39, 3538, 0)),
    ("rhea_luce", "strict", {"model": "SAGOMAE", "paid": 18312, "power_cycles": 1957}, (14, 18312, 79)),
    ("necta_g250", "ignore", {"asset": "138", "paid": 30055, "free": 1317, "test": 459}, (15, 30055, 459)),
]


@pytest.mark.parametrize(("name", "profile", "told", "sums"), READ)
def test_a_real_audit_says_what_it_says(
    name: str, profile: Any, told: dict[str, Any], sums: tuple[int, int, int]
) -> None:
    audit = read_dts(raw(name), profile)

    assert {key: getattr(audit, key) for key in told} == told
    found = audit.selections.values()
    assert (len(found), sum(one.vends or 0 for one in found), sum(one.test or 0 for one in found)) == sums
    assert audit.reads is not None


@pytest.mark.parametrize("name", [one[0] for one in READ])
def test_a_real_audit_that_is_cut_is_refused(name: str) -> None:
    whole = raw(name)
    end = whole.rindex(b"DXE")

    for length in range(0, end, 97):
        with pytest.raises(DtsRefusedError):
            read_dts(whole[:length], "ignore")


def test_a_machine_without_st_needs_a_profile_that_says_so() -> None:
    with pytest.raises(DtsRefusedError, match="g85_missing"):
        read_dts(raw("fag_jf8900"), "strict")

    assert read_dts(raw("fag_jf8900"), "absent").notes == ("no_st", "g85_missing")


def known(audit: Audit) -> Known:
    return assess(None, audit, "first", AuditRules(), 0).known


def ids(before: str, now: str, count: int) -> Audit:
    """The IDS machine's file, read at another time."""
    text = raw("ids_vcm").decode()
    segment = f"EA3**160716*{now}**160716*{before}***{count}*{count}"
    text = text.replace("EA3**160716*144701**160716*124030***26407*26407", segment)
    start, end = text.index("ST*"), text.index("G85*")
    return read_dts(text.replace("G85*13AB", f"G85*{crc16_arc(text[start:end].encode()):04X}").encode())


@pytest.mark.parametrize(
    ("before", "now", "count", "reasons"),
    [("144701", "160000", 26408, []), ("150000", "160000", 26409, ["chain_broken"]),
     ("144701", "160000", 26407, []), ("144701", "160000", 26410, ["chain_broken"])],
)  # fmt: skip
def test_reads_that_are_counted_in_ea310_alone_make_a_chain(
    before: str, now: str, count: int, reasons: list[str]
) -> None:
    first = ids("124030", "144701", 26407)

    found = assess(known(first), ids(before, now, count), "second", AuditRules(), 60_000)

    assert first.reads is not None
    assert first.reads.count == 26407
    assert (found.kind, [gap.reason for gap in found.gaps]) == ("chain", reasons)


def test_a_payment_device_that_does_not_know_its_money_still_counts_its_vends() -> None:
    # PA706 is 4294967295 in a Necta G250: no value, and nobody multiplies it.
    coffee = read_dts(raw("necta_g250"), "ignore").selections["13"]

    assert (coffee.vends, [(one.device, one.total) for one in coffee.by_device]) == (
        1732, [("CA", 1718), ("TA", 0), ("DA", 14), ("DB", 0)],
    )  # fmt: skip


def test_a_machine_that_speaks_ddcmp_in_its_own_way_is_read_to_the_end() -> None:
    # The JF8900 answers START with rr 02, announces FFFF bytes, and marks its last block with both flags (C0).
    counters = Counters()
    reading = ddcmp_link.DdcmpRead(
        ddcmp_link.who_are_you("0000", "0000", "010319", "201917", "0000", 0x0C), 0.0, counters
    )
    heard = bytearray()

    def say(*messages: bytes) -> None:
        for one in messages:
            reading.feed(one, 0.1)
        for sent in reading.outgoing:
            heard.extend(sent)
        reading.outgoing.clear()

    def summed(data: bytes) -> bytes:
        return data + crc16_arc(data).to_bytes(2, "little")

    def block(number: int, data: bytes, flags: int = 0x40, rr: int = 2) -> bytes:
        return summed(bytes((0x81, len(data), flags, rr, number, 1))) + summed(data)

    say(bytes.fromhex("05 07 40 02 08 01 C7 95"))
    say(bytes.fromhex("05 01 40 01 00 01 B8 55 81 15 40 01 01 01 97 82"))
    say(bytes.fromhex("88 E0 01 00 00 00 00 F5 FD 06 05 04 03 02 01 00 FF 00 00 00 A0 D2 D7"))
    say(block(2, bytes.fromhex("88 E2 01 02 01 00 00 FF FF")))
    text = raw("fag_jf8900")
    pieces = [text[at : at + 140] for at in range(0, len(text), 140)]
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        say(block(3 + number, bytes((0x99, number)) + piece, 0xC0 if last else 0x40))
    say(summed(bytes((0x05, 0x01, 0x40, 3, 0, 1))))

    assert (reading.done, reading.failure) == (True, "")
    assert reading.file == text
    assert read_dts(reading.file, "absent").paid == 2
