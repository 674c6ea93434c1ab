"""A real MQTT broker for a run: mosquitto where it is installed, else the MQTT side of nats-server.

nats-server counts what is unacknowledged by session and drops (until ``ack_wait`` is over) what its subscriptions
together have beyond that. So who publishes as fast as it can stays ``CREDIT`` messages ahead of the consumer, no more.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import Program, free_port, running
from firmware_sim.processes import nats_server

CREDIT = 1000
# The most that nats-server grants to a session with a subscription for each topic of twenty cabinets.
WINDOW = 1600
ACK_WAIT = "2s"


class Broker(NamedTuple):
    """A running broker."""

    name: str
    port: int
    pid: int


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A broker that lets a consumer have up to ``WINDOW`` messages at once."""
    port = free_port()
    program = _mosquitto(folder, port) or _nats(folder, port)
    with running(program):
        program.await_port(port)
        yield Broker(program.name, port, program.pid)


def _mosquitto(folder: Path, port: int) -> Program | None:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if not found:
        return None
    settings = folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        f"max_queued_messages 0\nmax_inflight_messages {WINDOW}\n"
    )
    return Program("mosquitto", [found, "-c", settings], folder)


def _nats(folder: Path, port: int) -> Program:
    settings = folder / "nats.conf"
    settings.write_text(
        f'server_name: bench\nlisten: "127.0.0.1:{free_port()}"\njetstream {{ store_dir: "{folder}/nats" }}\n'
        f'mqtt {{ listen: "127.0.0.1:{port}", max_ack_pending: {WINDOW}, ack_wait: "{ACK_WAIT}" }}\n'
    )
    return Program("nats-server", [nats_server(), "-c", settings], folder)
