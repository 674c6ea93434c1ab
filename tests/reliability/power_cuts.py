"""Power cuts at any instant of the journal's life, its recoveries included: nothing acknowledged may be missing.

    ./run python -m tests.reliability.power_cuts                 # 20,000 cuts over 25 generations, some ten minutes
    ./run python -m tests.reliability.power_cuts --cuts 2000 --generations 8 --seed 7

Each generation runs the real journal process on the disk a cut of the generation before has left, with every write and
sync recorded (``shim.c``); then the disk is rebuilt as it may be after a cut at an instant of that record (``disk.py``)
and opened with the real recovery. One of these disks is where the next generation begins.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.disk import FATES, Disk
from tests.reliability.promises import Promises, check
from tests.reliability.shim import FORGET_FOLDER_SYNCS, Control, Op, environment, read_record
from tests.reliability.verdict import told

EVENTS = 40
ROOT = Path(__file__).parents[2]
BUGS = ("ack before sync", "synchronous off", "no folder sync")


@dataclass
class Result:
    """What the cuts found. ``lost``: sentences, each with how to make it again."""

    cuts: int = 0
    generations: int = 0
    acknowledged: int = 0
    in_recovery: int = 0
    findings: list[str] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)


@dataclass
class Run:
    """One chain of generations."""

    seed: int
    folder: Path
    bug: str = ""
    stop_at_first: bool = False
    result: Result = field(default_factory=Result)

    def play(self, cuts: int, generations: int) -> Result:
        """All generations. Raises RuntimeError when the process does not even work."""
        chance = random.Random(self.seed)
        base, promises = self.folder / "base", Promises()
        base.mkdir(parents=True)
        for generation in range(generations):
            before = Disk.of(base)
            ops = self._record(base, promises, generation)
            share = cuts // generations + (generation < cuts % generations)
            promises = asyncio.run(self._cut_often(before, ops, promises, chance, share, base))
            self.result.generations += 1
            if self.stop_at_first and self.result.findings:
                break
        self.result.acknowledged = len(promises.acknowledged)
        return self.result

    def _record(self, base: Path, promises: Promises, generation: int) -> list[Op]:
        """The process lives once on the base; everything it asked of the disk."""
        work, record, kept = self.folder / "work", self.folder / "record", self.folder / "cloud"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(base, work)
        record.unlink(missing_ok=True)
        kept.write_text("".join(f"{body}\n" for body in promises.bodies))
        control = Control(self.folder / "control")
        control["forget"] = FORGET_FOLDER_SYNCS if self.bug == "no folder sync" else 0
        first = max(promises.acknowledged, default=0) + 1
        seen = environment(work, record=record, control=control, mark=1)
        command = [sys.executable, "-m", "tests.reliability.journal_process"]
        done = subprocess.run(
            [*command, str(work), str(kept), str(first), str(EVENTS)],
            env={**os.environ, **seen, "TALLY_SEEDED_BUG": self.bug},
            cwd=ROOT, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode or not done.stdout.endswith(b"closed\n"):
            raise RuntimeError(f"seed {self.seed}, generation {generation}: {done.stderr.decode()[-2000:]}")
        return list(read_record(record))

    async def _cut_often(
        self, disk: Disk, ops: Sequence[Op], promises: Promises, chance: random.Random, cuts: int, base: Path
    ) -> Promises:
        """So many cuts at random instants, those of the opening among them; the base and promises to go on from."""
        opening = next(at for at, op in enumerate(ops) if op.kind == "M")
        instants = sorted(
            chance.randint(0, opening) if chance.random() < 0.25 else chance.randint(0, len(ops)) for _ in range(cuts)
        )
        chosen = chance.randrange(len(instants))
        image, gone = self.folder / "image", 0
        left = promises
        said = promises.copy()
        for number, instant in enumerate(instants):
            for op in ops[gone:instant]:
                if op.kind == "M":
                    said.hear(op.data)
            disk.follow(ops[gone:instant])
            gone = instant
            fate = chance.choice(FATES)
            shutil.rmtree(image, ignore_errors=True)
            disk.cut(chance, fate, image)
            if number == chosen:
                shutil.rmtree(base)
                shutil.copytree(image, base)
                left = said.copy()
            self.result.cuts += 1
            self.result.fates[fate] += 1
            self.result.in_recovery += instant <= opening
            where = f"seed {self.seed}, generation {self.result.generations}, {fate} after {instant} of {len(ops)}"
            self.result.findings += [f"{where}: {finding}" for finding in await self._check(image, said)]
            if self.stop_at_first and self.result.findings:
                break
        return left

    async def _check(self, image: Path, promises: Promises) -> list[str]:
        try:
            return await check(image / "state" / "journal.db", promises)
        except Exception as error:  # noqa: BLE001 - a journal that does not open is a finding
            return [f"the journal does not open: {type(error).__name__}: {error}"]


def play(seed: int, cuts: int, generations: int, bug: str = "", folder: Path | None = None) -> Result:
    """One chain of generations in a scratch folder; in memory where there is some, since every image is written."""
    memory = Path("/dev/shm")
    under = folder or (memory if os.access(memory, os.W_OK) else None)
    scratch = Path(tempfile.mkdtemp(prefix="tallystick-cuts-", dir=under))
    try:
        return Run(seed, scratch, bug, stop_at_first=bool(bug)).play(cuts, generations)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def main() -> int:
    """The command; exit code 3 when a promise was broken."""
    parser = argparse.ArgumentParser(description="Power cuts of the gateway's journal")
    parser.add_argument("--cuts", type=int, default=20_000)
    parser.add_argument("--generations", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", default="", choices=("", *BUGS), help="a mistake that must be found")
    given = parser.parse_args()
    result = play(given.seed, given.cuts, given.generations, given.bug)
    fates = ", ".join(f"{fate} {count}" for fate, count in sorted(result.fates.items()))
    return told(
        f"{result.cuts} cuts ({fates}) over {result.generations} generations, {result.in_recovery} of them while it "
        f"opened; {result.acknowledged} records acknowledged in the end",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
