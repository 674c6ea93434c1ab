"""The MQTT broker killed (SIGKILL) while cabinets publish: what it had acknowledged and what it had not, once each.

    ./run python -m tests.reliability.broker_kills               # 40 kills
    ./run python -m tests.reliability.broker_kills --kills 4

A real nats-server with its store on the disk, a real `tally-gateway run`, and cabinets that tell an event again until
the broker has acknowledged it, as their own firmware does. Brokers forget: with one that keeps nothing (``--bug``) the
acknowledged events that nobody had fetched yet are gone, and this harness names them.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks import events
from benchmarks.broker import Broker
from benchmarks.gateway_process import Gateway
from benchmarks.mqtt_publisher import Publisher
from benchmarks.processes import Program, free_port
from benchmarks.publishing import Published
from benchmarks.tiny_cloud import until
from firmware_sim.processes import nats_server

EACH = 120
AT_ONCE = 20
PATIENCE = 60


@dataclass
class Result:
    """``kills`` of the broker; ``sent`` events it acknowledged; what the cloud's ledger lacks or has twice."""

    kills: int
    sent: int
    lost: int
    doubled: int


class Mortal:
    """A broker that can be killed and comes back on the same port, with what it kept. ``forgets``: it keeps nothing."""

    def __init__(self, folder: Path, *, forgets: bool = False) -> None:
        self.port = free_port()
        self._folder, self._forgets = folder, forgets
        self._starts = 0
        self.start()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self._starts += 1
        store = self._folder / (f"nats-{self._starts}" if self._forgets else "nats")
        settings = self._folder / "nats.conf"
        settings.write_text(
            f'server_name: kills\nlisten: "127.0.0.1:{free_port()}"\njetstream {{ store_dir: "{store}" }}\n'
            f'mqtt {{ listen: "127.0.0.1:{self.port}", max_ack_pending: 1600, ack_wait: "2s" }}\n'
        )
        self._program = Program("nats-server", [nats_server(), "-c", settings], self._folder)
        self._program.await_port(self.port)

    def kill(self) -> None:
        """As `kill -9`."""
        self._program.stop(signal.SIGKILL)


class Cabinets:
    """Twenty of them: an event is done when the broker has acknowledged it, and is told again until then."""

    def __init__(self, port: int, boot: int, count: int) -> None:
        self._port, self.boot = port, boot
        self._packets = list(events.packets(count, boot))
        self.sent = 0
        self._publisher: Publisher | None = None

    def publish(self, upto: int) -> None:
        """Goes on to this event; raises OSError when the broker goes, and begins there again the next time."""
        while self.sent < upto:
            if self._publisher is None:
                self._publisher = Publisher(self._port, 500)
            some = self._packets[self.sent : min(upto, self.sent + AT_ONCE)]
            try:
                self._publisher.send(some)
                self._publisher.finish()
            except OSError:
                self._publisher = None
                raise
            self.sent += len(some)

    def insist(self, upto: int) -> None:
        """The same, however often the broker goes."""

        def done() -> bool:
            with suppress(OSError):
                self.publish(upto)
            return self.sent >= upto

        if not until(done, PATIENCE):
            raise RuntimeError(f"the broker takes no event any more; {self.sent} of {upto} are there")


def _instants(kills: int, chance: random.Random) -> Iterator[int]:
    """At which event the broker dies."""
    for number in range(kills):
        yield number * EACH + chance.randrange(1, EACH)


def play(kills: int, seed: int, *, forgets: bool = False) -> Result:
    """So many kills; the gateway is stopped over every second one, so that the broker alone holds what came."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="tallystick-broker-kills-") as name:
        folder = Path(name)
        broker = Mortal(folder, forgets=forgets)
        gateway = Gateway("gateway", folder, Broker("nats-server", broker.port, 0))
        cabinets = Cabinets(broker.port, 1, kills * EACH)
        try:
            gateway.start()
            gateway.await_ready()
            for number, instant in enumerate(_instants(kills, chance)):
                away = number % 2 == 1
                if away:
                    gateway.program.stop()
                cabinets.insist(instant)
                broker.kill()
                with suppress(OSError):
                    cabinets.publish(instant + AT_ONCE)
                broker.start()
                if away:
                    gateway.restart()
            cabinets.insist(kills * EACH)
            sent = Published(1, cabinets.sent, 0.0, 0.0, [])
            judged = gateway.settle([sent], 20 if forgets else PATIENCE)
        finally:
            gateway.close()
            broker.kill()
    return Result(kills, cabinets.sent, judged.lost, judged.doubled)


def main() -> int:
    """The command; exit code 3 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description="The MQTT broker killed while cabinets publish")
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", action="store_true", help="a broker that keeps nothing: its losses must be found")
    given = parser.parse_args()
    result = play(given.kills, given.seed, forgets=given.bug)
    sys.stdout.write(
        f"{result.kills} kills of the broker, {result.sent} events acknowledged by it: {result.lost} lost, "
        f"{result.doubled} doubled\n"
    )
    return 3 if result.lost or result.doubled else 0


if __name__ == "__main__":
    sys.exit(main())
