"""What cabinets tell in the edge benchmarks: known beforehand, so that what is missing or double can be named.

Event ``number`` of a run comes from cabinet ``number % CABINETS`` as its next ``seq``; ``boot`` tells runs apart.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

CABINETS = 20
START = datetime(2026, 11, 2, 6, tzinfo=UTC)


def cabinet(number: int) -> str:
    """The cabinet's name in its topics, and its device id."""
    return f"cabinet-{number % CABINETS:02d}"


def identity(number: int, boot: int) -> tuple[str, str]:
    """The device and the ``did`` under which the gateway's record of this event is known."""
    seq = number // CABINETS + 1
    return cabinet(number), f"{boot}/{seq}/B{boot}S{seq}"


def payload(number: int, boot: int, *, whole_seconds: bool = False) -> bytes:
    """One autonomous dispense.result of docs/protocols/mqtt_cabinet.md, about 220 bytes."""
    seq = number // CABINETS + 1
    at = START + timedelta(milliseconds=number // 1000 * 1000 if whole_seconds else number)
    event = {
        "v": 1, "mid": f"B{boot}S{seq}", "boot": boot, "seq": seq,
        "t": at.isoformat(timespec="milliseconds")[:23] + "Z", "clk": "synced",
        "type": "dispense.result", "cmd_id": "", "slot": f"1-{1 + seq % 24:02}", "qty": 1,
        "motor": "ok", "drop": "seen", "ms": 3180, "ctr": 8000 + seq, "badge": f"B{number % 400:04}", "auth": "local",
    }  # fmt: skip
    return json.dumps(event, separators=(",", ":")).encode()


def packet(topic: str, body: bytes, packet_id: int) -> bytes:
    """A PUBLISH at QoS 1 (MQTT 3.1.1 section 3.3)."""
    name = topic.encode()
    content = struct.pack("!H", len(name)) + name + struct.pack("!H", packet_id) + body
    length, rest = b"", len(content)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return b"\x32" + length + content


def packets(
    count: int, boot: int, *, prefix: str = "vend/v1", whole_seconds: bool = False, bad_every: int = 0
) -> Iterator[bytes]:
    """So many events as packets; after every ``bad_every`` of them (0: never) one that is no event at all."""
    packet_id = 0
    for number in range(count):
        topic = f"{prefix}/{cabinet(number)}/evt"
        packet_id = packet_id % 60_000 + 1
        yield packet(topic, payload(number, boot, whole_seconds=whole_seconds), packet_id)
        if bad_every and number % bad_every == bad_every - 1:
            packet_id = packet_id % 60_000 + 1
            yield packet(topic, b'{"v":1,"boot":' + b"\xff" * (number % 7), packet_id)
