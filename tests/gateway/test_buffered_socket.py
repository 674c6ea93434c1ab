"""MQTT packets taken out of a stream of bytes, in whatever pieces it comes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.links.buffered_socket import BufferedSocket, puback
from gateway.ports import Message


class Wire:
    """A socket that gives what it was given, piece by piece, and then blocks or ends."""

    def __init__(self, pieces: list[bytes], *, ends: bool = False) -> None:
        self.pieces = pieces
        self.ends = ends
        self.sent = b""
        self.takes = 1 << 20

    def fileno(self) -> int:
        return -1

    def setblocking(self, flag: bool, /) -> None:
        pass

    def recv(self, _size: int, /) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        if self.ends:
            return b""
        raise BlockingIOError

    def send(self, data: bytearray, /) -> int:
        if not self.takes:
            raise BlockingIOError
        taken = bytes(data[: self.takes])
        self.takes -= len(taken)
        self.sent += taken
        return len(taken)

    def close(self) -> None:
        pass


def publish(topic: str, payload: bytes, mid: int, *, qos: int = 1, retain: bool = False, v5: bool = False) -> bytes:
    content = len(topic).to_bytes(2, "big") + topic.encode()
    content += mid.to_bytes(2, "big") if qos else b""
    content += b"\x02\x01\x01" if v5 else b""
    content += payload
    length, rest = b"", len(content)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes((digit | (0x80 if rest else 0),))
        if not rest:
            return bytes((0x30 | qos << 1 | retain,)) + length + content


SUBACK = bytes.fromhex("90 03 00 01 01")
MESSAGES = [
    Message("a/b", b"{}", 7),
    Message("a/b", b"x" * 300, 8, retain=True),
    Message("c", b"", 0, qos=0),
    Message("d", b"y" * 20_000, 65_535),
]


def stream(*, v5: bool) -> bytes:
    packets = [publish(m.topic, m.payload, m.mid, qos=m.qos, retain=m.retain, v5=v5) for m in MESSAGES]
    return packets[0] + SUBACK + b"".join(packets[1:]) + SUBACK


def read(buffer: BufferedSocket, *, v5: bool) -> tuple[list[Message], bytes]:
    """All messages, and what was left to paho."""
    messages: list[Message] = []
    others = b""
    filled = True
    while filled:
        filled = buffer.fill()
        messages += buffer.messages(properties=v5)
        while buffer.packet() and not buffer.ended:
            others += buffer.recv(1) + buffer.recv(1) + buffer.recv(3)
            messages += buffer.messages(properties=v5)
    return messages, others


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 20_400), max_size=12), v5=st.booleans())
def test_messages_come_out_whole_and_the_rest_is_pahos(cuts: list[int], v5: bool) -> None:
    data = stream(v5=v5)
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges) if start < end]

    messages, others = read(BufferedSocket(Wire(pieces)), v5=v5)

    assert messages == MESSAGES
    assert others == SUBACK * 2


def test_an_unfinished_packet_is_kept_from_paho() -> None:
    buffer = BufferedSocket(Wire([SUBACK[:3]]))
    buffer.fill()

    assert not buffer.packet()
    assert buffer.messages(properties=False) == []


def test_paho_hears_nothing_and_then_the_end() -> None:
    quiet, ended = BufferedSocket(Wire([])), BufferedSocket(Wire([], ends=True))
    quiet.fill()
    ended.fill()

    with pytest.raises(BlockingIOError):
        quiet.recv(1)
    assert ended.packet()
    assert ended.recv(1) == b""


@pytest.mark.parametrize("nonsense", ["30 FF FF FF 7F", "30 FF FF FF FF", "32 02 FF FF"])
def test_a_packet_beyond_reason_ends_the_connection(nonsense: str) -> None:
    buffer = BufferedSocket(Wire([bytes.fromhex(nonsense)]))
    buffer.fill()

    assert buffer.messages(properties=False) == []
    assert buffer.packet()
    assert buffer.ended


def test_acknowledgements_leave_together_and_wait_for_a_full_kernel() -> None:
    wire = Wire([])
    wire.takes = 6
    buffer = BufferedSocket(wire)

    buffer.send(puback([7, 258]))

    assert buffer.flush() == 2
    wire.takes = 100
    assert buffer.flush() == 0
    assert wire.sent == bytes.fromhex("40 02 00 07 40 02 01 02")
