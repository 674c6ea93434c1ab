"""The cloud on SQLite killed at its Nth call to the disk, for every N: ingest and closing, and the opening after it.

    ./run python -m tests.reliability.cloud_kills              # 1,000 kill points
    ./run python -m tests.reliability.cloud_kills --points 100

After each kill the cloud lives again; first what was never answered is asked, as gateways and people do, then all of it
once more. Its books must be those of a cloud that was never killed, and what was answered once is answered the same
for ever.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tests.cloud.trade import Trade
from tests.cloud.twins import CloudTwin
from tests.reliability import cloud_case
from tests.reliability.shim import Control, environment
from tests.reliability.verdict import told
from tests.reliability.zygote import Zygote

BUGS = ("answer before commit",)
KILLED = -9


@dataclass
class Result:
    """``points``: kills at a call; ``calls``: how many calls the script makes."""

    points: int = 0
    again: int = 0
    calls: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass
class Cloud:
    """One cloud's folder and everything it ever answered."""

    zygote: Zygote
    control: Control
    home: Path
    template: Path
    key: str
    answers: list[tuple[int, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """As on the first day."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.template, self.home)
        self.answers.clear()
        self.refused.clear()

    def live(self, kill_at: int = 0, *, half: bool = False, repeats: bool = True) -> bool:
        """One life; whether it ended by itself. ``repeats``: what was answered is asked again all the same."""
        first = 0 if repeats else max((number for number, _ in self.answers), default=-1) + 1
        self.control["count"], self.control["kill_at"], self.control["half"] = 0, kill_at, int(half)
        code, said = self.zygote.live("ask", str(first))
        for line in said[: said.rfind(b"\n") + 1].decode().splitlines():
            _, number, status, digest = line.split()
            self.answers.append((int(number), digest))
            if status not in ("200", "201"):
                self.refused.append(f"request {number} was answered {status}")
        if code not in (0, KILLED):
            raise RuntimeError(f"a cloud ended with {code} (killed before call {kill_at}); see above")
        return code == 0

    def books(self) -> dict[str, Any]:
        """What it holds."""
        self.control["kill_at"] = 0
        code, said = self.zygote.live("books", self.key)
        if code:
            raise RuntimeError("the books cannot be shown; see above")
        found: dict[str, Any] = msgspec.json.decode(said)
        return found

    def audit(self, wanted: dict[str, Any]) -> list[str]:
        """What is wrong, in sentences."""
        return [*self.refused, *cloud_case.changed(self.answers), *cloud_case.differences(self.books(), wanted)]


def _template(folder: Path) -> str:
    """A cloud before the first batch, and its script; its API key."""
    folder.mkdir()
    with CloudTwin(f"sqlite:///{folder / 'cloud.db'}", folder / "state") as twin:
        script = cloud_case.script(Trade(twin))
        key = twin.key
    (folder / "script.json").write_bytes(msgspec.json.encode(script))
    return key


def play(points: int, seed: int, bug: str = "") -> Result:
    """So many kill points, spread evenly over all calls; ends at the first finding with a bug."""
    chance, result = random.Random(seed), Result()
    with tempfile.TemporaryDirectory(prefix="tallystick-cloud-kills-") as name:
        folder = Path(name)
        key = _template(folder / "template")
        home, control = folder / "home", Control(folder / "control")
        shutil.copytree(folder / "template", home)
        seen = {**environment(home, control=control), "TALLY_SEEDED_BUG": bug}
        with Zygote("tests.reliability.cloud_process", seen, folder) as zygote:
            cloud = Cloud(zygote, control, home, folder / "template", key)
            cloud.begin()
            cloud.live()
            calls = result.calls = control["count"]
            cloud.live()
            wanted = cloud.books()
            for number in range(points):
                cloud.begin()
                kill_at = 1 + (calls * number + chance.randrange(calls)) // points
                result.points += not cloud.live(kill_at, half=bool(kill_at % 2))
                if chance.random() < 0.25:
                    result.again += not cloud.live(chance.randint(1, 60), repeats=False)
                cloud.live(repeats=False)
                cloud.live()
                where = f"killed before call {kill_at} of {calls}"
                result.findings += [f"{where}: {one}" for one in cloud.audit(wanted)]
                if bug and result.findings:
                    break
    return result


def main() -> int:
    """The command; exit code 3 when something was lost or doubled."""
    parser = argparse.ArgumentParser(description="The cloud (SQLite) killed at every call to its disk")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", default="", choices=("", *BUGS), help="a mistake that must be found")
    given = parser.parse_args()
    result = play(given.points, given.seed, given.bug)
    return told(
        f"{result.points} kill points in {result.calls} calls ({result.again} recoveries killed too)",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
