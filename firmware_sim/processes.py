"""Real programs of a real run: started in one folder, ended by the pid that was started, nothing left behind.

Each program is the leader of its own process group, so that Ctrl-C reaches the simulator alone and the simulator ends
the others in order; and each dies with the simulator, even when that is killed, where the system can promise it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

_PR_SET_PDEATHSIG = 1


class ProgramError(RuntimeError):
    """A program did not start or ended by itself; the message has the end of its log."""


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """One program, restartable. ``command``: its words; output goes to ``<folder>/<name>.log``."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.command = list(command)
        self.log = folder / f"{name}.log"
        self.kills = 0
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it is not running."""
        return self._process.pid if self.running and self._process else 0

    @property
    def running(self) -> bool:
        """True while it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it; output is appended to its log."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env,
                start_new_session=True, preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )  # fmt: skip

    def kill(self) -> None:
        """``kill -9``: no chance to say goodbye."""
        if self.running and self._process:
            self._process.kill()
            self._process.wait()
            self.kills += 1

    def stop(self, seconds: float = 5.0) -> None:
        """Asks it to end, and insists after ``seconds``."""
        if not self.running or not self._process:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self, characters: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    async def ready(self, url: str, seconds: float = 30.0) -> None:
        """Returns when ``url`` answers 2xx; raises ProgramError when the program ends or is silent for too long."""
        async with httpx.AsyncClient(timeout=2) as client:
            for _ in range(int(seconds / 0.05)):
                if not self.running:
                    raise ProgramError(f"{self.name} ended at its start:\n{self.tail()}")
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(url)).is_success:
                        return
                await asyncio.sleep(0.05)
        raise ProgramError(f"{self.name} did not answer {url} within {seconds:g} s:\n{self.tail()}")

    async def listening(self, port: int, seconds: float = 15.0) -> None:
        """Returns when something accepts connections on the port."""
        for _ in range(int(seconds / 0.05)):
            if not self.running:
                raise ProgramError(f"{self.name} ended at its start:\n{self.tail()}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)
        raise ProgramError(f"{self.name} does not listen on port {port}:\n{self.tail()}")


def free_port() -> int:
    """A TCP port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def python(module: str, *words: str) -> list[str]:
    """The command that runs one of our modules with this Python."""
    return [sys.executable, "-m", module, *words]


def broker(folder: Path, port: int) -> Program:
    """A real MQTT broker on loopback: $NATS_SERVER, the wheel's nats-server, or one on PATH."""
    state = folder / "broker"
    state.mkdir(parents=True, exist_ok=True)
    conf = state / "nats.conf"
    conf.write_text(
        f'server_name: shop\nlisten: "127.0.0.1:{free_port()}"\n'
        f'jetstream {{ store_dir: "{state}/store", sync_interval: always }}\n'
        f'mqtt {{ listen: "127.0.0.1:{port}", max_ack_pending: 1000 }}\n'
    )
    return Program("broker", [nats_server(), "-c", str(conf)], folder)


def nats_server() -> str:
    """Where nats-server is: $NATS_SERVER, the wheel's beside this Python, or one on PATH; raises ProgramError."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    found = os.environ.get("NATS_SERVER") or shutil.which("nats-server", path=beside)
    if not found:
        raise ProgramError("no nats-server found: run through ./run, or name one in NATS_SERVER")
    return found
