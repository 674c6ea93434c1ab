"""What a gateway has promised, and whether a journal keeps it: acknowledged records, checkpoints that left the house.

The books are kept outside the gateway, from what it said (``journal_process.py``); the journal is opened as the gateway
itself opens it, so that its recovery is part of what is tested.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gateway.journal import sealing
from gateway.journal.connection import Busy
from gateway.journal.store import Journal
from tests.gateway.desk import ORIGIN
from wire.log import leaf_hash
from wire.records import GatewayEvent, decode

CHECKER = "c" * 16


@dataclass
class Promises:
    """``acknowledged``: events whose device heard "got it". ``sent``: size to root. ``bodies``: what the cloud took."""

    acknowledged: set[int] = field(default_factory=set)
    sent: dict[int, str] = field(default_factory=dict)
    bodies: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def hear(self, said: bytes) -> None:
        """One or more lines of the process."""
        for line in said.decode().splitlines():
            word, *rest = line.split()
            if word == "ack":
                self.acknowledged.add(int(rest[0]))
            elif word == "sent":
                size, root, body = int(rest[0]), rest[1], rest[2]
                if self.sent.setdefault(size, root) != root:
                    self.broken.append(f"two checkpoints of size {size} left the house")
                if body not in self.bodies[-8:]:
                    self.bodies.append(body)

    def copy(self) -> Promises:
        """The same, to go on from."""
        return Promises(set(self.acknowledged), dict(self.sent), list(self.bodies), list(self.broken))


async def check(path: Path, promises: Promises) -> list[str]:
    """Opens the journal of an image, lets it recover, and says which promises are broken."""
    journal = await Journal.open(path, boot=CHECKER, salt=lambda: "0" * 32, demo=True, busy=Busy())
    try:
        found = await journal.change(_look, promises)
        if journal.opened.salvaged is not None and promises.acknowledged:
            found.append(f"the journal was found damaged: {journal.opened.salvaged.why}")
        await journal.append([_event()])
    finally:
        await journal.close()
    return found + promises.broken


def _event() -> GatewayEvent:
    return GatewayEvent(v=1, z="", src="gw-1", ep=CHECKER, n=0, t=1, ts="S", b=CHECKER, m=0, event="boot")


def _look(db: object, promises: Promises) -> list[str]:
    rows = db.execute("SELECT leaf, hash FROM records ORDER BY id").fetchall()  # type: ignore[attr-defined]
    found = [
        f"record {at} is not what was stored" for at, (leaf, hashed) in enumerate(rows) if leaf_hash(leaf) != hashed
    ]
    records = [decode(leaf) for leaf, _ in rows]
    told = Counter(int(one.did.partition("/")[2]) for one in records if one.did)
    lost = sorted(promises.acknowledged - told.keys())
    if lost:
        found.append(f"{len(lost)} acknowledged records are lost, such as event {lost[0]}")
    doubled = [number for number, count in told.items() if count > 1]
    if doubled:
        found.append(f"events {doubled[:5]} are stored twice")
    return found + _gaps([(one.ep, one.src, one.n) for one in records]) + _log(db, promises)


def _gaps(keys: list[tuple[str, str, int]]) -> list[str]:
    last: dict[tuple[str, str], int] = {}
    found = []
    for ep, src, n in sorted(keys):
        if n != last.get((ep, src), 0) + 1:
            found.append(f"{src} of boot {ep} jumps to {n}")
        last[ep, src] = n
    return found


def _log(db: object, promises: Promises) -> list[str]:
    if not promises.sent:
        return []
    state = sealing.open_log(db, ORIGIN)  # type: ignore[arg-type]
    found = []
    for size, root in sorted(promises.sent.items())[-12:]:
        if size > state.sealed:
            found.append(f"a checkpoint of size {size} left the house and the journal has sealed {state.sealed}")
        elif sealing.root_at(db, state, size).hex() != root:  # type: ignore[arg-type]
            found.append(f"the journal contradicts the checkpoint of size {size} that left the house")
    return found
