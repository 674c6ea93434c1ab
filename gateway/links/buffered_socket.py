"""A socket that reads a lot at once and writes once: what lies between paho and the wire.

paho asks for one byte, then one byte, then the rest, and builds ten objects for each message; half the CPU of a burst
was spent there. So the messages themselves are taken out of the buffer here, whole, and paho is given the packets that
need its memory (CONNACK, SUBACK, PUBACK, PINGRESP). It never sees a piece of a packet.

    PUBLISH  0011 dup qos qos retain | remaining length (1-4 bytes, 7 bits each) | topic length (2) topic
             packet id (2, QoS 1 and 2) | MQTT 5: length of properties, properties | payload
    PUBACK   40 02 packet id (2)

Source: MQTT 3.1.1 sections 2.2 and 3.3, MQTT 5.0 section 3.3.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Protocol

from gateway.ports import Message

CHUNK = 65_536
LARGEST = 1 << 20
PUBLISH = 0x30
# Names kept as text; patterns of descriptions bring those of every device there is.
TOPICS = 10_000


class _Socket(Protocol):
    def fileno(self) -> int: ...
    def setblocking(self, flag: bool, /) -> None: ...  # noqa: FBT001 - the socket's own signature
    def recv(self, size: int, /) -> bytes: ...
    def send(self, data: bytearray, /) -> int: ...
    def close(self) -> None: ...


class BufferedSocket:
    """As much of a socket as paho uses; the socket underneath must not block once `setblocking(False)` was called."""

    def __init__(self, plain: _Socket) -> None:
        self._socket = plain
        self._in = b""
        self._at = 0
        self._out = bytearray()
        self._topics: dict[bytes, str] = {}
        self.ended = False

    def fileno(self) -> int:
        """For the event loop; -1 when closed."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket's own signature
        """As of a socket."""
        self._socket.setblocking(flag)

    def fill(self) -> bool:
        """Reads what has come; whether that was anything. `ended` is set when nothing will come any more."""
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            data = b""
        self.ended = self.ended or not data
        self._in = self._in[self._at :] + data if self._at < len(self._in) else data
        self._at = 0
        return bool(data)

    def recv(self, size: int) -> bytes:
        """For paho: at most `size` bytes of what is there, b"" at the end; BlockingIOError when there is none."""
        if self._at >= len(self._in) and not self.ended:
            raise BlockingIOError
        piece = self._in[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def packet(self) -> bool:
        """Whether a whole packet that is not a message is in front; a packet beyond all reason ends the connection."""
        start, end = self._front()
        if end - start > LARGEST:
            self.ended = True
        return self.ended or (0 < end <= len(self._in) and not self._is_message())

    def messages(self, *, properties: bool) -> list[Message]:
        """The whole messages in front. `properties`: the connection speaks MQTT 5."""
        found: list[Message] = []
        while True:
            start, end = self._front()
            if not 0 < end <= len(self._in) or not self._is_message():
                return found
            try:
                found.append(self._message(start, end, properties=properties))
            except IndexError:
                self.ended = True
                return found
            self._at = end

    def send(self, data: bytes | bytearray) -> int:
        """Keeps the bytes for `flush`."""
        self._out += data
        return len(data)

    def flush(self) -> int:
        """Writes what the kernel takes; how many bytes are left. Raises OSError when the connection is gone."""
        while self._out:
            try:
                sent = self._socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            del self._out[:sent]
        return len(self._out)

    def close(self) -> None:
        """Out of the event loop, then closed. Twice does no harm."""
        descriptor = self._socket.fileno()
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                self.flush()
            with contextlib.suppress(RuntimeError):
                loop = asyncio.get_running_loop()
                loop.remove_reader(descriptor)
                loop.remove_writer(descriptor)
            self._socket.close()

    def _is_message(self) -> bool:
        """A PUBLISH of QoS 0 or 1; we never ask for 2, and paho knows what to do with what we did not ask for."""
        first = self._in[self._at]
        return first & 0xF0 == PUBLISH and first & 0x04 == 0

    def _front(self) -> tuple[int, int]:
        """Where the content of the packet in front starts and ends; (0, 0) while its length has not come whole."""
        held, at = self._in, self._at + 1
        length = shift = 0
        while at < len(held):
            digit = held[at]
            at += 1
            length |= (digit & 0x7F) << shift
            if digit < 0x80:
                return at, at + length
            shift += 7
            if shift > 21:
                return at, at + LARGEST + 1
        return 0, 0

    def _message(self, start: int, end: int, *, properties: bool) -> Message:
        held, first = self._in, self._in[self._at]
        at = start + 2 + (held[start] << 8 | held[start + 1])
        name = held[start + 2 : at]
        mid = 0
        if first & 0x02:
            mid = held[at] << 8 | held[at + 1]
            at += 2
        if properties:
            length = shift = 0
            while held[at] >= 0x80:
                length |= (held[at] & 0x7F) << shift
                shift += 7
                at += 1
            at += 1 + (length | held[at] << shift)
        topic = self._topics.get(name)
        if topic is None:
            if len(self._topics) >= TOPICS:
                self._topics.clear()
            topic = self._topics[name] = name.decode("utf-8", "replace")
        return Message(topic, held[at:end], mid, bool(first & 1), 1 if first & 0x02 else 0)


def puback(messages: list[int]) -> bytes:
    """Acknowledgements for these packet ids, in order."""
    return b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in messages)
