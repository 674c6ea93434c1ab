"""One serial port: pyserial opens it, one thread of its own does everything on it as long as it is open.

The surprise is where time goes: a wake-up of the event loop costs ten times a byte and half a millisecond of delay. So
a whole exchange (wait for silence, write, sleep until the answer can be there, read) happens in the thread, which asks
the system for exact timers and spins the last instant of a silence. It never keeps less than the
silence: that counts from the moment the last byte was *read*, which is later than it came.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import os
import select
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import serial

from gateway.clock import line_now
from gateway.exchange import LONGEST_NOISE, Ask, Hear, Heard, InTurn, Say, Step, Steps, carried_out
from gateway.ports import LinkDown, SerialSettings

P = ParamSpec("P")
T = TypeVar("T")

MOST = 4096
SHORTEST_SILENCE = 0.002
# The end of a short silence is waited for awake: a sleep ends so much too late. Of a silence that is longer than
# SPUN it is a hundredth, and not worth the processor's time.
SPIN, SPUN = 0.00005, 0.0018
# A sleep below this is not worth being woken from when the line is closed; a plain one is cheaper.
SHORT = 0.1
_PR_SET_TIMERSLACK = 29


class SerialPort:
    """`open_serial` of the real world. One caller at a time."""

    def __init__(self, settings: SerialSettings) -> None:
        self._settings = settings
        bits = 1 + settings.bytesize + (settings.parity != "N") + settings.stopbits
        self._silence = max(2 * bits / settings.baud, SHORTEST_SILENCE)
        self._port: serial.Serial | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._closing: Future[None] | None = None
        self._fd, self._baud = -1, settings.baud
        self._quiet = 0.0

    async def open(self) -> None:
        """Opens the port for ourselves alone; raises LinkDown."""
        self._stop, self._stopper = socket.socketpair()
        self._bell, self._ringer = socket.socketpair()
        self._ringer.settimeout(0)
        name = f"line {self._settings.name}"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name, initializer=_exact_timers)
        self._port = await self._run(self._opened)

    async def perform(self, steps: Steps[T]) -> T:
        """Whole exchanges, in the thread; raises LinkDown."""
        return await self._run(self._perform, steps)

    async def write(self, data: bytes) -> None:
        """Returns when the kernel has the bytes; raises LinkDown."""
        await self._run(self._write, data)

    async def read(self, seconds: float) -> bytes:
        """What came in up to the next silence, `b""` after `seconds`; raises LinkDown."""
        if seconds <= 0 and self._port is not None and not self._waiting():
            return b""
        return await self._run(self._read, max(seconds, 0))

    def nudge(self) -> None:
        """Somebody wants the line: a `read` that still waits for its first byte ends."""
        if self._port is not None:
            with contextlib.suppress(BlockingIOError):  # it has been rung often enough
                self._ringer.send(b"!")

    async def speed(self, baud: int) -> None:
        """Changes over after the last bit has left; raises LinkDown."""
        if self._port is not None and self._baud != baud:
            await self._run(self._change_over, baud)

    async def close(self) -> None:
        """Wakes the thread, which closes the port and ends. Never raises."""
        port, self._port = self._port, None
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopper.close()
            self._closing = thread.submit(self._closed, port)
            thread.shutdown(wait=False)

    async def closed(self) -> None:
        """Waits until `close` has let go of the device file, for whoever opens it again at once."""
        if self._closing is not None:
            await asyncio.wrap_future(self._closing)

    async def _run(self, function: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        if self._thread is None:
            raise LinkDown(f"line {self._settings.name} is closed")
        call = functools.partial(function, *args, **kw)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except LinkDown:
            raise
        except (OSError, serial.SerialException) as error:
            raise LinkDown(f"{self._settings.port}: {error}") from error

    # In the thread

    def _opened(self) -> serial.Serial:
        settings = self._settings
        port = serial.Serial(
            settings.port,
            settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity,
            stopbits=settings.stopbits,
            timeout=0,
            write_timeout=5,
            exclusive=True,
        )
        self._fd, self._baud = port.fileno(), settings.baud
        self._quiet = line_now()
        return port

    def _perform(self, steps: Steps[T]) -> T:
        return carried_out(steps, self._do)

    def _do(self, step: Step) -> Heard:
        if isinstance(step, Say):
            return self._say(step)
        return self._hear(step) if isinstance(step, Hear) else self._in_turn(step)

    def _in_turn(self, step: InTurn) -> Heard:
        """Straight on where all is as usual: whatever is touched after a sleep must be brought back to the processor,
        so this is one function, and says again what `_say` and `_take` do.
        """
        told, fd, read, now = step.told, self._fd, os.read, line_now
        for asked in step.asks:
            if told and step.called():
                break
            say = asked.say
            if say.baud != self._baud:
                self._change_over(say.baud)
            clear = self._quiet + say.quiet
            left = clear - now()
            early = SPIN if say.quiet < SPUN else 0.0
            if left > early:
                self._doze(left - early)
            at = now()
            while at < clear:
                at = now()
            try:
                junk = read(fd, MOST)
            except BlockingIOError:
                junk = b""
            if junk:
                self._quiet = now()
                before = self._say(say, junk)
            else:
                self._write(say.data)
                self._quiet = at + len(say.data) * say.char
                before = Heard(b"", at)
            left = before.at + asked.nap - now()
            if left > 0:
                self._doze(left)
            try:
                data = read(fd, MOST)
            except BlockingIOError:
                data = b""
            self._quiet = at = now()
            heard = Heard(data, at) if len(data) >= asked.whole else self._rest(asked, before.at, Heard(data, at))
            told.append((before, heard))
            if len(heard.data) != asked.whole or not heard.data.startswith(asked.begins):
                break
        return told[-1][1]

    def _rest(self, asked: Ask, start: float, heard: Heard) -> Heard:
        """The usual answer, of which this was there at first; less, where no more came in time."""
        data, at, _ = heard
        while len(data) < asked.whole:
            first = asked.until if data else asked.first
            nap = at + (asked.whole - len(data)) * asked.say.char if data else 0.0
            more, at, _ = self._hear(Hear(start + asked.until, start + first, nap, asked.say.baud))
            if not more:
                break
            data += more
        return Heard(data, at, late=True)

    def _say(self, step: Say, junk: bytes = b"") -> Heard:
        if self._port is None:
            raise LinkDown(f"line {self._settings.name} is closed")
        self._change_over(step.baud)
        limit = line_now() + LONGEST_NOISE
        clear = self._quiet + step.quiet
        while True:
            at = self._wait_until(clear, SPIN if step.quiet < SPUN else 0.0)
            more = self._take()
            if not more or at >= limit:
                break
            junk += more
            at = self._quiet = line_now()
            clear = at + step.quiet
        self._write(step.data)
        self._quiet = at + len(step.data) * step.char
        return Heard(junk, at)

    def _hear(self, step: Hear) -> Heard:
        self._change_over(step.baud)
        limit = min(step.first, step.until)
        now = line_now()
        while True:
            if step.nap > now and limit > now:
                self._doze(min(step.nap, limit) - now)
                ready = False
            else:
                ready = self._readable(max(limit - now, 0.0))
            data = self._take(ready=ready)
            now = line_now()
            if data:
                self._quiet = now
            if data or now >= limit or self._port is None:
                return Heard(data, now)

    def _wait_until(self, clear: float, spin: float) -> float:
        """Sleeps until `spin` seconds before, and is awake then; the time it is."""
        now = line_now()
        if clear - now > spin:
            self._doze(clear - now - spin)
            now = line_now()
        while now < clear:
            now = line_now()
        return now

    def _doze(self, seconds: float) -> None:
        """Sleeps, whatever comes in meanwhile; a long sleep ends early when the line is closed."""
        if seconds < SHORT:
            time.sleep(seconds)
            ended = self._port is None
        else:
            ended = bool(select.select([self._stop.fileno()], [], [], seconds)[0])
        if ended:
            raise LinkDown(f"line {self._settings.name} is closed")

    def _take(self, *, ready: bool = False) -> bytes:
        """What is there, without waiting. A port that is `ready` and has nothing is gone."""
        try:
            data = os.read(self._fd, MOST)
        except BlockingIOError:
            return b""
        if ready and not data:
            raise LinkDown(f"{self._settings.port} went away: is the adapter still plugged in?")
        return data

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                if not select.select([], [self._fd], [], 5)[1]:
                    raise LinkDown(f"{self._settings.port} takes no bytes: is its hardware handshake on?") from None

    def _change_over(self, baud: int) -> None:
        """To another speed, when the last bit of what was written has left: an adapter may say so too early."""
        if self._port is not None and self._baud != baud:
            self._port.flush()
            left = self._quiet - line_now()
            if left > 0:
                self._doze(left)
            self._port.baudrate = self._baud = baud

    def _read(self, seconds: float) -> bytes:
        data = b""
        while len(data) < MOST and self._readable(self._silence if data else seconds, heeds=not data):
            data += self._take(ready=True)
            self._quiet = line_now()
        return data

    def _readable(self, seconds: float, *, heeds: bool = False) -> bool:
        """Whether a byte is there, at the latest after so many seconds; who `heeds` the bell waits no longer."""
        if self._port is None:
            return False
        bell = [self._bell.fileno()] if heeds else []
        ready, _, _ = select.select([self._fd, self._stop.fileno(), *bell], [], [], seconds)
        if heeds and bell[0] in ready:
            self._bell.recv(MOST)
        return self._fd in ready

    def _waiting(self) -> int:
        try:
            return self._port.in_waiting if self._port is not None else 0
        except OSError as error:
            raise LinkDown(f"{self._settings.port}: {error}") from error

    def _closed(self, port: serial.Serial | None) -> None:
        if port is not None:
            with contextlib.suppress(OSError, serial.SerialException):
                port.close()
        self._stop.close()
        self._bell.close()
        self._ringer.close()


def _exact_timers() -> None:
    """Linux lets a thread's timers run 50 microseconds late to save wake-ups; this thread would rather be on time."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
