"""The gateway killed at its Nth call to the disk, for every N: ingest, seal, sign, sync, and the recovery after it.

    ./run python -m tests.reliability.gateway_kills              # 1,000 kill points, some minutes
    ./run python -m tests.reliability.gateway_kills --points 150

The shim counts the calls that touch the gateway's folder or its cloud's, and kills before the Nth (every second time
in the middle of its write). Then the gateway lives again, one time in four to be killed once more, devices tell again
what nobody had acknowledged, and in the end the books must agree: journal and cloud hold each event once.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.journal_process import cloud_of
from tests.reliability.promises import Promises, check
from tests.reliability.shim import Control, environment
from tests.reliability.verdict import told
from tests.reliability.zygote import Zygote
from wire.records import decode

EVENTS = 16
KILLED = -9
BUGS = ("ack before sync",)


@dataclass
class Result:
    """``points``: kills at a call; ``calls``: how many there are, by scenario."""

    points: int = 0
    again: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


class Gateway:
    """One gateway's folder, its cloud's memory, and what was promised so far."""

    def __init__(self, zygote: Zygote, control: Control, home: Path) -> None:
        self._zygote, self._control = zygote, control
        self.home, self.kept = home, home / "cloud"
        self.promises = Promises()

    def live(self, events: int = EVENTS, kill_at: int = 0, *, half: bool = False) -> bool:
        """One life; whether it ended by itself. Raises RuntimeError when it failed in another way."""
        first = max(self.promises.acknowledged, default=0) + 1
        self._control["count"], self._control["kill_at"], self._control["half"] = 0, kill_at, int(half)
        code, said = self._zygote.live(str(self.home), str(self.kept), str(first), str(events))
        self.promises.hear(said[: said.rfind(b"\n") + 1])
        if code not in (0, KILLED):
            raise RuntimeError(f"a gateway ended with {code} (killed before call {kill_at}); see above")
        return code == 0

    @property
    def calls(self) -> int:
        """Calls of the last life."""
        return self._control["count"]

    def audit(self) -> list[str]:
        """What is wrong in the books."""
        found = asyncio.run(check(self.home / "state" / "journal.db", self.promises))
        records = [decode(leaf) for leaf in cloud_of(self.kept).leaves]
        told = Counter(one.did for one in records if one.did)
        lost = {f"e/{number}" for number in self.promises.acknowledged} - told.keys()
        doubled = [did for did, count in told.items() if count > 1]
        keys = Counter(one.key for one in records)
        if lost:
            found.append(f"{len(lost)} acknowledged events are not in the cloud")
        if doubled or max(keys.values(), default=1) > 1:
            found.append(f"the cloud holds {doubled[:3]} twice")
        return found


def first_boot(_: Gateway) -> None:
    """An empty card."""


def later_boot(gateway: Gateway) -> None:
    """A journal with a past."""
    gateway.live()


def backlog(gateway: Gateway) -> None:
    """Records that no cloud has: the life before was killed at its first sync."""
    gateway.live()
    gateway.live(kill_at=gateway.calls // 2)


def restored_cloud(gateway: Gateway) -> None:
    """A cloud that has forgotten its second half."""
    gateway.live()
    gateway.live()
    lines = gateway.kept.read_bytes().splitlines(keepends=True)
    gateway.kept.write_bytes(b"".join(lines[: len(lines) // 2]))


SCENARIOS = (first_boot, later_boot, backlog, restored_cloud)


@contextmanager
def killed_gateways(bug: str) -> Iterator[tuple[Zygote, Control, Path]]:
    """A zygote under the shim, and the folder its gateways live in."""
    with tempfile.TemporaryDirectory(prefix="tallystick-kills-") as name:
        folder = Path(name)
        home = folder / "home"
        control = Control(folder / "control")
        seen = {**environment(home, control=control), "TALLY_SEEDED_BUG": bug}
        with Zygote("tests.reliability.journal_process", seen, folder) as zygote:
            yield zygote, control, home


def play(points: int, seed: int, bug: str = "") -> Result:
    """So many kill points, spread evenly over the calls of all scenarios; ends at the first finding with a bug."""
    chance, result = random.Random(seed), Result()
    with killed_gateways(bug) as (zygote, control, home):
        for at, scenario in enumerate(SCENARIOS):
            start = home.with_name(f"start-{at}")
            home.mkdir()
            begun = Gateway(zygote, control, home)
            scenario(begun)
            shutil.copytree(home, start)
            past = begun.promises.copy()
            begun.live()
            calls = result.calls[scenario.__name__] = begun.calls
            share = points // len(SCENARIOS) + (at < points % len(SCENARIOS))
            for number in range(share):
                shutil.rmtree(home)
                shutil.copytree(start, home)
                gateway = Gateway(zygote, control, home)
                gateway.promises = past.copy()
                kill_at = 1 + (calls * number + chance.randrange(calls)) // share
                found = _kill(gateway, kill_at, chance, result)
                where = f"{scenario.__name__}, killed before call {kill_at} of {calls}"
                result.findings += [f"{where}: {one}" for one in found]
                if bug and result.findings:
                    return result
            shutil.rmtree(home)
    return result


def _kill(gateway: Gateway, kill_at: int, chance: random.Random, result: Result) -> list[str]:
    """One kill point, perhaps one more in the recovery, and the audit after a life that was left in peace."""
    ended = gateway.live(kill_at=kill_at, half=bool(kill_at % 2))
    result.points += not ended
    if chance.random() < 0.25:
        result.again += not gateway.live(kill_at=chance.randint(1, 40), half=bool(kill_at % 2))
    gateway.live()
    return gateway.audit()


def main() -> int:
    """The command; exit code 3 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description="The gateway killed at every call to its disk")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", default="", choices=("", *BUGS), help="a mistake that must be found")
    given = parser.parse_args()
    result = play(given.points, given.seed, given.bug)
    return told(
        f"{result.points} kill points ({result.again} recoveries killed too) in {result.calls}",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
