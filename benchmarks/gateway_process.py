"""A real `tally-gateway run` with twenty MQTT cabinets and a tiny cloud; what was published, and what became of it."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import events
from benchmarks.broker import Broker
from benchmarks.processes import Program, free_port, python
from benchmarks.publishing import Published
from benchmarks.tiny_cloud import GATEWAY, ORIGIN, TENANT, TinyCloud, until
from gateway.identity import Identity, save
from gateway.journal.connection import location
from wire.records import Draw
from wire.seal import Signer

SEED = bytes(31) + b"\x05"
CONFIG = """\
[gateway]
state = "{state}"

[cloud]
url = "http://127.0.0.1:{cloud}"

[journal]
demo = {demo}
ballast_mb = {ballast}

[web]
port = {web}

[[brokers]]
name = "shop"
host = "127.0.0.1"
port = {broker}
client_id = "{name}"
window = 400
devices = [
{devices}
]
"""


class Judged(NamedTuple):
    """What a ledger holds of what was published."""

    lost: int
    doubled: int
    disordered: int


class Gateway:
    """One gateway's folder, and its process while it runs. ``within``: words before the command."""

    def __init__(self, name: str, folder: Path, broker: Broker, *, demo: bool = False, ballast_mb: int = 8) -> None:
        self.name = name
        self.folder = folder / name
        self.state = self.folder / "state"
        self.state.mkdir(parents=True)
        self.web = free_port()
        self.cloud = TinyCloud(free_port(), Signer(ORIGIN, SEED).vkey)
        self._demo, self._ballast, self._broker = demo, ballast_mb, broker
        self._program: Program | None = None
        url = f"http://127.0.0.1:{self.cloud.port}"
        self.identity = Identity(GATEWAY, TENANT, ORIGIN, SEED.hex(), self.cloud.cosigner_vkey, url)
        save(self.state, self.identity)
        self._configure(self.state)

    def start(self, within: Sequence[str] = ()) -> float:
        """Starts it; the time (CLOCK_MONOTONIC, seconds). Returns at once."""
        began = time.monotonic()
        command = [*within, *python("-m", "gateway.cli", "run", "--config", self.folder / "gateway.toml")]
        self._program = Program("gateway", command, self.folder)
        return began

    @property
    def program(self) -> Program:
        """The process that was started last."""
        assert self._program is not None, "start() comes first"
        return self._program

    def await_ready(self, patience: float = 20.0) -> None:
        """Returns when it says that its broker is connected."""
        if not until(lambda: '"broker connected"' in self.program.tail(200_000), patience):
            raise RuntimeError(f"the gateway does not connect:\n{self.program.tail()}")

    def kill(self) -> None:
        """Ends it as `kill -9` does."""
        self.program.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Starts it again and waits until its broker is connected."""
        (self.folder / "gateway.log").unlink(missing_ok=True)
        self.start()
        self.await_ready()

    def status(self) -> dict[str, Any]:
        """Its own account of itself; empty while its pages are not there yet."""
        found: dict[str, Any] = {}
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.web}/status", timeout=5) as answer:
            found = json.load(answer)
        return found

    def recorded(self) -> int:
        """How many records its journal has committed."""
        database = sqlite3.connect(location(self.state / "journal.db", "ro"), uri=True)
        try:
            return int(database.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0])
        finally:
            database.close()

    def await_recorded(self, count: int, patience: float = 120.0) -> float:
        """The time at which the journal held so many records."""
        if not until(lambda: self.recorded() >= count, patience):
            raise RuntimeError(f"{self.recorded()} of {count} records in the journal:\n{self.program.tail()}")
        return time.monotonic()

    def settle(self, published: Sequence[Published], patience: float = 60.0) -> Judged:
        """Waits until the cloud has everything, or nothing more comes; what its ledger then holds."""
        wanted = {one for some in published for one in some.identities}
        until(lambda: self.cloud.size >= len(wanted) and wanted <= self._seen(), patience)
        return self.judge(published)

    def judge(self, published: Sequence[Published]) -> Judged:
        """The ledger against what was published; raises RuntimeError when a counter has a gap."""
        counts: Counter[tuple[str, str]] = Counter()
        order: dict[str, list[int]] = {}
        counters: dict[tuple[str, str], int] = {}
        for one in self.cloud.ledger():
            record = one.record
            if record.n != counters.get((record.src, record.ep), 0) + 1:
                raise RuntimeError(f"{record.src} {record.ep}: counter {record.n} is not the next")
            counters[record.src, record.ep] = record.n
            if isinstance(record, Draw):
                counts[record.src, record.did] += 1
                order.setdefault(record.src, []).append(_rank(record.did))
        wanted = {one for some in published for one in some.identities}
        lost = len(wanted - counts.keys())
        doubled = sum(count - 1 for count in counts.values()) + len(counts.keys() - wanted)
        return Judged(lost, doubled, sum(_disorder(some) for some in order.values()))

    def close(self) -> None:
        """Ends process and cloud."""
        if self._program is not None:
            self._program.stop()
        self.cloud.close()

    def _seen(self) -> set[tuple[str, str]]:
        return {(one.record.src, one.record.did) for one in self.cloud.ledger()}

    def _configure(self, state: Path) -> None:
        names = [events.cabinet(number) for number in range(events.CABINETS)]
        devices = "\n".join(f'  {{ id = "{name}", kind = "mqtt_cabinet", cabinet = "{name}" }},' for name in names)
        text = CONFIG.format(
            state=state, cloud=self.cloud.port, demo=str(self._demo).lower(), ballast=self._ballast, web=self.web,
            broker=self._broker.port, name=self.name, devices=devices,
        )  # fmt: skip
        (self.folder / "gateway.toml").write_text(text)


def _rank(did: str) -> int:
    boot, seq, _ = did.split("/")
    return int(boot) * 10**9 + int(seq)


def _disorder(ranks: list[int]) -> int:
    return sum(1 for before, after in pairwise(ranks) if after < before)


@contextmanager
def a_gateway(name: str, folder: Path, broker: Broker) -> Iterator[Gateway]:
    """A gateway that is ready for messages."""
    made = Gateway(name, folder, broker)
    try:
        made.start()
        made.await_ready()
        yield made
    finally:
        made.close()
