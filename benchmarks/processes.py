"""Processes under measurement: started here, ended by the pid that was started, looked at through /proc (Linux)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.measure import ROOT


class DiedError(RuntimeError):
    """A process ended, or did not listen in time; the text carries the end of its log."""


class Program:
    """One process of ours, its output in ``folder/name.log``."""

    def __init__(
        self, name: str, command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                env={**os.environ, **(env or {})},
            )  # fmt: skip
        self.pid = self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def stop(self, sign: signal.Signals = signal.SIGTERM, patience: float = 15.0) -> float:
        """Ends it; how many seconds that took. One that does not go is killed after ``patience``."""
        begun = time.perf_counter()
        if self.is_running:
            self._process.send_signal(sign)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return time.perf_counter() - begun

    def send(self, sign: signal.Signals) -> None:
        """Sends a signal, such as STOP and CONT."""
        self._process.send_signal(sign)

    def await_port(self, port: int, patience: float = 60.0) -> None:
        """Returns when it listens; raises DiedError."""
        end = time.monotonic() + patience
        while time.monotonic() < end and self.is_running:
            if listens(port):
                return
            time.sleep(0.02)
        raise DiedError(f"{self.name} does not listen on port {port}:\n{self.tail()}")

    def tail(self, characters: int = 3000) -> str:
        """The end of its log."""
        with suppress(OSError):
            return self.log.read_text(errors="replace")[-characters:]
        return ""


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """The program for the length of a block."""
    try:
        yield program
    finally:
        program.stop()


def python(*words: str | Path) -> list[str | Path]:
    """A command line for this Python."""
    return [sys.executable, *words]


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.3):
        return True
    return False


def cpu_seconds(*pids: int) -> float:
    """CPU time of whole processes from the scheduler's own clock: nanoseconds, waiting for a core not counted."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def family(pid: int) -> list[int]:
    """A process and its descendants: a database server does its work in children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, []))
    return found


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory of a process in MiB: now, and at its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024
