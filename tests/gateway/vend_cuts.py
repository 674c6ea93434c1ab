"""kill -9 at every step of a vend, against a board that goes on living: zero lost, zero doubled, no second turn.

    python -m tests.gateway.vend_cuts --cuts 2000        # the long run; some hours
    python -m tests.gateway.vend_cuts --kind coil_tcn --cuts 60 --json

The board's twin and the hands live here, behind a pseudo-terminal; the gateway is a process of its own that dies. First
one whole draw tells the steps there are, then one round for each: a draw that dies at that step, and a start that ends
what was left open; every fifth time that start dies as well, while it looks back. The truth is what fell here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firmware_sim.faults import LinePlan
from gateway.clock import system_clock
from tests.gateway.board_site import BoardSite, balance, on_a_pty
from wire.records import Draw, Intent, Record, decode

FAMILIES = {"coil": ("coil_vmc", "coil_tcn", "motor_zdm8"), "lock": ("lock_kerong", "lock_wkly")}
QUICK: dict[str, dict[str, Any]] = {
    "coil_vmc": {"patience": 2}, "coil_tcn": {"delay": 0.4}, "motor_zdm8": {"patience": 1.5}, "lock_kerong": {},
    "lock_wkly": {},
}  # fmt: skip
KILLED, DAMAGED, EARLY, ROUNDS = -9, 9, 5, 32
# The controller asks five times a second and tells its stock after a start.
SETTLE = {"coil_vmc": 1.2}
PACE = system_clock("0" * 16)


@dataclass
class Score:
    """What came of the rounds at one board."""

    kind: str
    steps: int = 0
    cuts: int = 0
    fell: int = 0
    sure: int = 0
    unsure: int = 0
    intents: int = 0
    turns: int = 0
    second_turns: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Pieces that fell and stand nowhere."""
        return max(0, self.fell - self.sure - self.unsure)

    @property
    def doubled(self) -> int:
        """Pieces that stand on the bill and never fell."""
        return max(0, self.sure - self.fell)


class Mortal:
    """The process that forks gateways."""

    def __init__(self, process: asyncio.subprocess.Process, site: BoardSite, folder: Path) -> None:
        self._process = process
        self._site = site
        self._folder = folder
        self._boot = 0

    async def live(self, cut: int, *, draw: bool = True, early: bool = False) -> int:
        """One boot; its exit code."""
        self._boot += 1
        kind = self._site.kind
        told = {
            "folder": str(self._folder), "boot": f"{self._boot:016x}", "cut": cut, "driver": kind.driver,
            "baud": kind.baud, "settings": kind.settings, "confirm": kind.confirm, "draw": draw, "early": early,
            "settle": SETTLE.get(kind.driver, 0.2),
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told).encode() + b"\n")
        await self._process.stdin.drain()
        code = int(await self._process.stdout.readline())
        if code == DAMAGED:
            raise AssertionError(f"{kind.driver}: a gateway ended by itself at cut {cut}")
        return code


async def cut_through(folder: Path, kind: str, cuts: int) -> Score:
    """So many ends at one board, and the account afterwards."""
    score = Score(kind)
    async with on_a_pty(folder / kind, kind, plan=LinePlan(), seed=f"kill/{kind}", turn_s=0.1, **QUICK[kind]) as site:
        site.hand_after = 0.3
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.gateway.vend_child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            mortal = Mortal(process, site, folder / kind)
            stock(site)
            assert await mortal.live(0) == 0
            score.steps = len(json.loads((folder / kind / "steps.json").read_text()))
            step = 0
            while score.cuts < cuts:
                step = step % (score.steps + 2) + 1
                await one_round(mortal, site, score, step)
        finally:
            process.kill()
            await process.wait()
            site.line.detach(site.twin)
        settle(score, site, folder / kind / "journal.db")
    return score


async def one_round(mortal: Mortal, site: BoardSite, score: Score, step: int) -> None:
    """A draw that dies at a step, and the starts after it; every fifth time the first of them dies too."""
    stock(site)
    before = site.turns
    score.cuts += await mortal.live(step) == KILLED
    # A hand may still be at the door, a coil in its turn.
    await PACE.sleep(0.5)
    if score.cuts % EARLY == 0:
        score.cuts += await mortal.live(step % 7 + 1, draw=False, early=True) == KILLED
    assert await mortal.live(0, draw=False) == 0
    # One intent a round: whatever turned more than once was driven by a start.
    score.second_turns += max(0, site.turns - before - 1)


def stock(site: BoardSite) -> None:
    """There is always something to take."""
    site.refill()


def settle(score: Score, site: BoardSite, journal: Path) -> None:
    """The journal against what fell."""
    db = sqlite3.connect(journal)
    records: list[Record] = [decode(row[0]) for row in db.execute("SELECT leaf FROM records ORDER BY id")]
    assert db.execute("SELECT count(*) FROM attempts").fetchone() == (0,), "an attempt without an end"
    db.close()
    score.fell, score.turns = site.fell, site.turns
    score.sure, score.unsure = balance(records)
    score.intents = sum(isinstance(one, Intent) for one in records)
    for one in records:
        if isinstance(one, Draw):
            score.outcomes[one.outcome] = score.outcomes.get(one.outcome, 0) + 1
    assert score.intents == sum(score.outcomes.values()), "an attempt with no end, or two"


async def all_of(folder: Path, kinds: Sequence[str], cuts: int) -> list[Score]:
    """The boards beside each other: most of the time they wait. One has goods for some rounds; then comes a new one."""
    scores: list[Score] = []
    left = cuts
    while left > 0:
        part = folder / str(left)
        part.mkdir()
        scores += await asyncio.gather(*(cut_through(part, kind, min(left, ROUNDS)) for kind in kinds))
        left -= ROUNDS
        # Hours long: whoever stops it before its end has what was found so far.
        wrong = sum(one.lost + one.doubled + one.second_turns for one in scores)
        sys.stderr.write(f"{sum(one.cuts for one in scores)} cuts, {wrong} pieces lost, doubled or turned twice\n")
    return [added([one for one in scores if one.kind == kind]) for kind in kinds]


def added(scores: Sequence[Score]) -> Score:
    """The rounds of one board as one."""
    total = Score(scores[0].kind, max(one.steps for one in scores))
    for one in scores:
        for name in ("cuts", "fell", "sure", "unsure", "intents", "turns", "second_turns"):
            setattr(total, name, getattr(total, name) + getattr(one, name))
        for outcome, count in one.outcomes.items():
            total.outcomes[outcome] = total.outcomes.get(outcome, 0) + count
    return total


def main() -> int:
    """The long run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=2000, help="for each board")
    parser.add_argument("--kind", action="append", default=[], help="only this board")
    parser.add_argument("--json", action="store_true")
    words = parser.parse_args()
    kinds = words.kind or [kind for family in FAMILIES.values() for kind in family]
    with tempfile.TemporaryDirectory() as folder:
        scores = asyncio.run(all_of(Path(folder), kinds, words.cuts))
    found = [asdict(one) | {"lost": one.lost, "doubled": one.doubled} for one in scores]
    told = (
        f"{one.kind}: {one.cuts} cuts over {one.steps} steps, {one.fell} pieces fell: {one.lost} lost, "
        f"{one.doubled} doubled, {one.second_turns} second turns, {one.unsure} left to a count; {one.outcomes}"
        for one in scores
    )
    sys.stdout.write((json.dumps(found) if words.json else "\n".join(told)) + "\n")
    return int(any(one.lost or one.doubled or one.second_turns for one in scores))


if __name__ == "__main__":
    sys.exit(main())
