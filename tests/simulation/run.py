"""Plays seeds: ``python tests/simulation/run.py --seeds 300 [--start S] [--hours H] [--bug NAME] [--trace]``.

Prints each seed with its trace hash, its faults and its records, and for a violation how to replay it. The exit code is
1 when something was found; with ``--bug`` that is what is hoped for. The long run is 10,000 seeds.
"""

# ruff: noqa: T201 - a command; it may be started from anywhere
from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.simulation.bugs import BUGS
from tests.simulation.play import Outcome, play


def main() -> int:
    """0: nothing was found."""
    options = _arguments()
    seeds = range(options.start, options.start + options.seeds)
    faults: Counter[str] = Counter()
    records = bad = 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for outcome in pool.map(partial(_one, hours=options.hours, bug=options.bug), seeds):
            faults += outcome.faults
            records += outcome.records
            bad += bool(outcome.findings)
            _tell(outcome, options)
    about = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items()))
    print(
        f"{len(seeds)} seeds of {options.hours:g} h: {records} records, {faults.total()} faults ({about}); "
        f"{bad} seeds with violations",
        flush=True,
    )
    return 1 if bad else 0


def _one(seed: int, *, hours: float, bug: str) -> Outcome:
    return play(seed, hours=hours, bug=BUGS[bug] if bug else None)


def _tell(outcome: Outcome, options: argparse.Namespace) -> None:
    lost = f", {outcome.lost} lost with a card that was put back" if outcome.lost else ""
    print(f"seed {outcome.seed}  {outcome.hash}  {outcome.faults.total()} faults, {outcome.records} records{lost}")
    for finding in outcome.findings:
        print(f"  VIOLATION: {finding}")
    if outcome.findings:
        bug = f" --bug {options.bug}" if options.bug else ""
        again = f"--seeds 1 --start {outcome.seed} --hours {options.hours:g}{bug} --trace"
        print(f"  replay: python tests/simulation/run.py {again}")
    if options.trace:
        print("\n".join(f"    {line}" for line in outcome.last))
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Plays seeds of the deterministic simulator.")
    parser.add_argument("--seeds", type=int, default=60, help="how many (the long run: 10000)")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--hours", type=float, default=2.0, help="simulated hours of misfortune for each seed")
    parser.add_argument("--bug", choices=sorted(BUGS), default="", help="a mistake to make in every run")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--trace", action="store_true", help="print the end of each run's trace")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
