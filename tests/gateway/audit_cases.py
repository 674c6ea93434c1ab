"""What `test_drivers.py` puts to devices that count: audits, scales, tag readers, adapters. Their last words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.device_events import AdapterSaid, AuditRead, Event, TagsSeen, Weighed
from tests.gateway.telegram_cases import TelegramCase

FILE = b"DXS*GWT0000001*VA*V0/6*1\r\nST*001*0001\r\nID1*T*M*1\r\nSE*3*0001\r\nDXE*1*1\r\n"
DEX = {"comm_id": "XYZ1234567", "every": 60}
DDCMP = {"socket": "ddcmp", "every": 60}


def said(driver: Any, answer: bytes, now: float) -> bytes:
    """What the driver says to these bytes, its pause before a reply included."""
    driver.feed(answer, now)
    driver.tick(now + 0.02)
    return bytes(driver.outgoing())


def dex_block(head: int, text: bytes, end: int = 3) -> bytes:
    """As the machine frames it; the sum is taken a bit at a time."""
    body = text + bytes((end,))
    return bytes((0x10, head)) + text + bytes((0x10, end)) + arc(body).to_bytes(2, "little")


def ddcmp_message(data: bytes, rr: int, xx: int) -> bytes:
    """The same for the other link."""
    head = bytes((0x81, len(data), 0x40, rr, xx, 1))
    return head + arc(head).to_bytes(2, "little") + data + arc(data).to_bytes(2, "little")


def arc(data: bytes) -> int:
    """CRC-16/ARC without a table."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


def dex_up_to_the_end(driver: Any) -> None:
    """Everything but the machine's last EOT."""
    driver.start(0.0)
    driver.tick(0.02)
    driver.outgoing()
    words = [
        b"\x10\x30", b"\x10\x31", b"\x05", dex_block(1, b"00QRS7654321R00L06"), b"\x04", b"\x05",
        dex_block(2, FILE[:40], 0x17), dex_block(2, FILE[40:]),
    ]  # fmt: skip
    assert [said(driver, word, 0.1 * number) for number, word in enumerate(words)][-1] == b"\x10\x30"


def ddcmp_up_to_the_end(driver: Any) -> None:
    """Everything but the acknowledgement of our FINISH."""
    driver.start(0.0)
    driver.outgoing()
    stack = bytes.fromhex("05 07 40 00 00 01 61 95")
    length = len(FILE).to_bytes(2, "little")
    words = [
        stack, ddcmp_message(b"\x88\xe0\x01" + bytes(18), 1, 1),
        ddcmp_message(b"\x88\xe2\x01\x02\x01\x00\x00" + length, 2, 2),
        ddcmp_message(b"\x99\x00" + FILE[:40], 2, 3), ddcmp_message(b"\x99\x01" + FILE[40:], 2, 4),
    ]  # fmt: skip
    for number, word in enumerate(words):
        assert said(driver, word, 0.1 * number)


def whole(events: Sequence[Event]) -> bool:
    """The file, and nothing else."""
    return list(events) == [AuditRead(FILE)]


TAG = bytes.fromhex("BB 02 22 00 11 C4 30 00 E2 00 00 1D 73 15 01 65 21 40 8F C6 B8 3E C2 7E")


def one_round(driver: Any) -> None:
    """A round in which one tag has answered."""
    driver.inventory(0.0)
    driver.outgoing()
    driver.feed(TAG, 0.1)


def line(topic: str, *fields: str) -> Callable[[Sequence[Event]], bool]:
    """One line of an adapter, and no other."""
    return lambda events: [(one.topic, one.fields) for one in events if isinstance(one, AdapterSaid)] == [
        (topic, fields)
    ]  # fmt: skip


AUDITS: list[TelegramCase] = [
    ("mdb_adapter", "qibixx.line.1", {}, lambda driver: driver, line("vend_request", "1.00", "5")),
    ("mdb_adapter", "qibixx.line.2", {}, lambda driver: driver, line("vended", "SUCCESS")),
    ("mdb_adapter", "qibixx.line.3", {"role": "vmc"}, lambda driver: driver, line("result", "1", "1.20")),
    ("evadts", "dex_link.05", DEX, dex_up_to_the_end, whole),
    ("evadts", "ddcmp.30", DDCMP, ddcmp_up_to_the_end, whole),
    (
        "uhf_r200",
        "uhf_r200.04",
        {"rounds": 1, "needed": 1},
        one_round,
        lambda events: [one.seen for one in events if isinstance(one, TagsSeen)] == [{"E200001D7315016521408FC6": 1}],
    ),
]

BIN = {"piece_mg": 12_350, "echo": "no"}
SCALES: list[TelegramCase] = [
    (
        "weigh_bin", "scale_modbus.02", BIN, lambda driver: driver.request(driver.wants),
        lambda events: [one.milligrams for one in events if isinstance(one, Weighed)] == [1_234_500],
    ),
    (
        "weigh_bin", "scale_modbus.03", {**BIN, "profile": "generic_int32", "weight_in": "mg"},
        lambda driver: driver.request(driver.wants),
        lambda events: [one.milligrams for one in events if isinstance(one, Weighed)] == [-37],
    ),
]  # fmt: skip
