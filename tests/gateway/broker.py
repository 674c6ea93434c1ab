"""A real MQTT broker for tests: nats-server out of its wheel, on a port and in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def broker(folder: Path, port: int) -> Iterator[int]:
    """Runs until the block ends; what it stored stays in the folder for the next one. Yields the port."""
    conf = folder / "nats.conf"
    conf.write_text(
        f'server_name: test\nlisten: "127.0.0.1:-1"\njetstream {{ store_dir: "{folder}/store" }}\n'
        f'mqtt {{ listen: "127.0.0.1:{port}", max_ack_pending: 1000, ack_wait: "1s" }}\n'
    )
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = os.environ.get("NATS_SERVER") or shutil.which("nats-server", path=beside)
    assert program, "no nats-server: the environment of ./run setup has one"
    with subprocess.Popen([program, "-c", str(conf)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Server is ready" in line:
                break
        try:
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=20)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
