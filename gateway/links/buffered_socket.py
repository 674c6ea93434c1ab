"""A socket that reads a lot at once and writes once: what lies between paho and the wire.

paho asks for one byte, then one byte, then the rest; here each of them is a slice of a buffer. Writes collect until
`flush`, so a hundred acknowledgements are one packet.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Protocol

CHUNK = 65_536


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

    def fileno(self) -> int:
        """For the event loop; -1 when closed."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket's own signature
        """As of a socket."""
        self._socket.setblocking(flag)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes, fewer at the end of the buffer; raises BlockingIOError when there is nothing."""
        if self._at >= len(self._in):
            self._in = self._socket.recv(CHUNK)
            self._at = 0
        piece = self._in[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def more(self) -> bool:
        """Whether the next `recv` will give something, be it the end of the connection."""
        if self._at < len(self._in):
            return True
        try:
            self._in, self._at = self._socket.recv(CHUNK), 0
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True
        return True

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
