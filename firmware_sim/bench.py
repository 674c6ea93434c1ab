"""Where firmware meets the world: the host's end of a serial line, in memory (fast mode) or as a pty (real mode).

Both are the same line with the same twins, timing and faults. The memory port works on loop time, so a virtual-time
loop carries a day in seconds; the pseudo-terminal is a device file that pyserial opens like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from pathlib import Path

from firmware_sim.serial_line import Line, LineSpec

SPEEDS = {
    getattr(termios, f"B{baud}"): baud for baud in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}

__all__ = ["Line", "LineSpec", "MemoryPort", "PtyPort"]


class MemoryPort:
    """The host's end of a line without an operating system: open, write, read, close, all on loop time.

    ``down`` is what ``open``, ``read`` and ``write`` raise while the adapter is unplugged.
    """

    def __init__(self, line: Line, *, down: type[OSError] = OSError) -> None:
        self._line = line
        self._down = down
        self._inbox = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._plugged = True
        self._open = False

    async def open(self) -> None:
        """Takes the line; what was on it before is not heard."""
        self._check(opening=True)
        self._inbox.clear()
        self._line.to_host = self._arrived
        self._open = True

    async def write(self, data: bytes) -> None:
        """Hands the bytes to the line and returns; they take their time there."""
        self._check()
        self._line.send_from_host(data)

    async def read(self, seconds: float) -> bytes:
        """What came in, at least one byte, or ``b""`` after ``seconds``."""
        self._check()
        if not self._inbox:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, self._stir)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._check()
        data = bytes(self._inbox)
        self._inbox.clear()
        return data

    async def speed(self, baud: int) -> None:
        """Changes over when what was sent has left."""
        self._check()
        if baud != self._line.host_speed():
            await asyncio.sleep(self._line.host_busy)
            self._line.host_speed = lambda: baud

    async def close(self) -> None:
        """Lets go of the line. Never raises."""
        if self._line.to_host == self._arrived:
            self._line.to_host = None
        self._open = False

    def unplug(self) -> None:
        """Pulls the adapter out of its socket."""
        self._plugged = False
        if self._line.to_host == self._arrived:
            self._line.to_host = None
        self._stir()

    def plug(self) -> None:
        """Puts it back; the port must be opened again."""
        self._plugged = True
        self._open = False

    def _arrived(self, data: bytes) -> None:
        self._inbox += data
        self._stir()

    def _stir(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _check(self, *, opening: bool = False) -> None:
        if not self._plugged:
            raise self._down("the adapter is unplugged")
        if not self._open and not opening:
            raise self._down("the port is not open")


class PtyPort:
    """The host's end of a line as a pseudo-terminal. ``link`` is the stable name of the device file, made by ``open``.

    Bytes are handed over ``fifo`` at a time, as a UART does. Both sides stay open here: a gateway may come and go.
    """

    def __init__(self, line: Line, link: Path, *, fifo: int = 8) -> None:
        self.link = link
        self._line = line
        self._fifo = fifo
        self._master = self._slave = -1

    async def open(self) -> None:
        """Makes the pty and points ``link`` at it; also what plugging the adapter in again does."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        waiting = self.link.with_name(f".{self.link.name}.new")
        waiting.unlink(missing_ok=True)
        waiting.symlink_to(os.ttyname(self._slave))
        waiting.replace(self.link)
        asyncio.get_running_loop().add_reader(self._master, self._from_host)
        self._line.to_host = self._to_host
        self._line.fifo = self._fifo
        self._line.host_speed = self._speed

    def close(self) -> None:
        """Pulls the adapter: who has the port open gets an error. Does nothing when it is not open."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        self._line.to_host = None
        self.link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
        self._master = self._slave = -1

    def _speed(self) -> int:
        """What the host has set: both ends of a pseudo-terminal share their settings."""
        if self._master < 0:
            return self._line.spec.baud
        return SPEEDS.get(termios.tcgetattr(self._master)[5], self._line.spec.baud)

    def _from_host(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._master, 4096)
            if data:
                self._line.send_from_host(data)

    def _to_host(self, data: bytes) -> None:
        # A full buffer is a host that does not read: a UART loses those bytes too.
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)
