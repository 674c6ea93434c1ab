"""One serial port: pyserial, driven by one thread of its own that lives as long as the port is open.

The surprise is where the CPU goes: a wake-up of the event loop costs ten times a byte. So the thread collects what
comes until the line is silent for two characters and hands over whole answers, which is what a frame looks like.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import select
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import serial

from gateway.ports import LinkDown, SerialSettings

P = ParamSpec("P")
T = TypeVar("T")

MOST = 4096
SHORTEST_SILENCE = 0.002


class SerialPort:
    """`open_serial` of the real world. One caller at a time."""

    def __init__(self, settings: SerialSettings) -> None:
        self._settings = settings
        bits = 1 + settings.bytesize + (settings.parity != "N") + settings.stopbits
        self._silence = max(2 * bits / settings.baud, SHORTEST_SILENCE)
        self._port: serial.Serial | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Opens the port for ourselves alone; raises LinkDown."""
        self._stop, self._stopper = socket.socketpair()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"line {self._settings.name}")
        self._port = await self._run(self._opened)

    async def write(self, data: bytes) -> None:
        """Returns when the kernel has the bytes; raises LinkDown."""
        await self._run(self._write, data)

    async def read(self, seconds: float) -> bytes:
        """What came in up to the next silence, `b""` after `seconds`; raises LinkDown."""
        if seconds <= 0 and self._port is not None and not self._waiting():
            return b""
        return await self._run(self._read, max(seconds, 0))

    async def speed(self, baud: int) -> None:
        """Changes over after the last bit has left; raises LinkDown."""
        if self._port is not None and self._port.baudrate != baud:
            await self._run(self._change_over, baud)

    async def close(self) -> None:
        """Wakes the thread, which closes the port and ends. Never raises."""
        port, self._port = self._port, None
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopper.close()
            thread.submit(self._closed, port)
            thread.shutdown(wait=False)

    async def _run(self, function: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        if self._thread is None:
            raise LinkDown(f"line {self._settings.name} is closed")
        call = functools.partial(function, *args, **kw)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except (OSError, serial.SerialException) as error:
            raise LinkDown(f"{self._settings.port}: {error}") from error

    def _opened(self) -> serial.Serial:
        settings = self._settings
        return serial.Serial(
            settings.port,
            settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            timeout=0,
            write_timeout=5,
            exclusive=True,
        )

    def _waiting(self) -> int:
        try:
            return self._port.in_waiting if self._port is not None else 0
        except OSError as error:
            raise LinkDown(f"{self._settings.port}: {error}") from error

    def _write(self, data: bytes) -> None:
        assert self._port is not None
        self._port.write(data)

    def _change_over(self, baud: int) -> None:
        assert self._port is not None
        self._port.flush()
        self._port.baudrate = baud

    def _read(self, seconds: float) -> bytes:
        data = b""
        while len(data) < MOST and self._readable(self._silence if data else seconds):
            data += self._port.read(MOST) if self._port is not None else b""
        return data

    def _readable(self, seconds: float) -> bool:
        if self._port is None:
            return False
        port = self._port.fileno()
        ready, _, _ = select.select([port, self._stop.fileno()], [], [], seconds)
        return port in ready

    def _closed(self, port: serial.Serial | None) -> None:
        if port is not None:
            with contextlib.suppress(OSError, serial.SerialException):
                port.close()
        self._stop.close()
