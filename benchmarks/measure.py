"""Measuring: alternating rounds, machine facts, and the one document that a benchmark prints.

No figure means anything alone on a shared machine: its disk drifts by a factor of ten within an hour. So the product
and its limit take turns, the ratio is formed within a turn, and the turn with the median ratio is what is reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

ROOT = Path(__file__).resolve().parent.parent
M = TypeVar("M")


class Options(NamedTuple):
    """How a benchmark was called. ``folder`` is made for the run, on the disk that counts, and removed after it."""

    quick: bool
    rounds: int
    folder: Path
    extra: frozenset[str] = frozenset()

    def size(self, full: int, quick: int) -> int:
        """How much to do: a figure wants ``full``, a test of the benchmark itself only ``quick``."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Goal:
    """What a figure should reach: at least, or at most, and whether that is said of the value or of the ratio."""

    bound: Literal["min", "max"]
    figure: float
    of: Literal["value", "ratio"]

    def is_met(self, value: float, ratio: float | None) -> bool:
        """Whether the figure reached it; no ratio reaches nothing."""
        measured = value if self.of == "value" else ratio
        if measured is None:
            return False
        return measured >= self.figure if self.bound == "min" else measured <= self.figure


@dataclass(frozen=True)
class Row:
    """One measured figure. ``limit`` is the bare limit or peer of the same run, ``ratio`` is value / limit."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    goal: Goal | None = None

    def as_dict(self) -> dict[str, object]:
        """The row as the document shows it, rounded to what was measured."""
        goal = {self.goal.bound: _round(self.goal.figure), "of": self.goal.of} if self.goal else None
        figures = {"value": _round(self.value), "limit": _round(self.limit), "ratio": _round(self.ratio)}
        return {"name": self.name, "unit": self.unit, **figures, "goal": goal}


class Turn(NamedTuple):
    """A value and its limit, taken one right after the other."""

    value: float
    limit: float

    @property
    def ratio(self) -> float:
        """How much of the limit was reached."""
        return self.value / self.limit


@dataclass
class Report:
    """The rows of one run, told on stderr as they come."""

    rows: list[Row] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, *, limit: float | None = None, goal: Goal | None = None) -> None:
        """Adds a row; the ratio follows from value and limit."""
        row = Row(name, value, unit, limit, value / limit if limit else None, goal)
        self.rows.append(row)
        say(_line(row))

    def add_turn(self, name: str, turn: Turn, unit: str, goal: Goal | None = None) -> None:
        """Adds a value with its limit."""
        self.add(name, turn.value, unit, limit=turn.limit, goal=goal)


def alternate(
    options: Options, prepare: Callable[[], M], product: Callable[[M], float], limit: Callable[[M], float]
) -> Turn:
    """Gives the same material to product and limit, each first every second time; the turn with the median ratio."""
    turns: list[Turn] = []
    for number in range(options.rounds):
        material = prepare()
        await_quiet(options)
        if number % 2:
            bare = limit(material)
            turns.append(Turn(product(material), bare))
        else:
            value = product(material)
            turns.append(Turn(value, limit(material)))
        say(f"      {turns[-1].value:,.0f} of {turns[-1].limit:,.0f} = {turns[-1].ratio:.2f}")
    return median_turn(turns)


def median_turn(turns: Sequence[Turn]) -> Turn:
    """The turn with the median ratio (of an even number, the lower one)."""
    return sorted(turns, key=lambda turn: turn.ratio)[(len(turns) - 1) // 2]


def median(options: Options, measure: Callable[[], float]) -> float:
    """The median of as many rounds as were asked for."""
    values = []
    for _ in range(options.rounds):
        await_quiet(options)
        values.append(measure())
    return statistics.median(values)


def await_quiet(options: Options, seconds: float = 6.0) -> None:
    """Waits, not for ever, until the others who share this machine leave it three quarters idle."""
    end = time.monotonic() + (0 if options.quick else seconds)
    while time.monotonic() < end:
        busy, total = _jiffies()
        time.sleep(0.2)
        busy_now, total_now = _jiffies()
        if (busy_now - busy) * 4 < total_now - total:
            return


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def sync_times(folder: Path, seconds: float = 0.5) -> list[float]:
    """How long the disk takes to keep 4 KiB (append + fdatasync), in ms, tried for some time."""
    took: list[float] = []
    path = folder / "sync-probe"
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    try:
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end or not took:
            os.write(handle, b"x" * 4096)
            os.fdatasync(handle)
            took.append((time.perf_counter() - begun) * 1000)
    finally:
        os.close(handle)
        path.unlink()
    return took


def machine(folder: Path) -> dict[str, object]:
    """What the figures were measured on."""
    syncs = sync_times(folder)
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "folder": str(folder.parent),
        "fdatasync_ms_p50": round(percentile(syncs, 0.5), 3),
        "fdatasync_ms_p99": round(percentile(syncs, 0.99), 3),
        "load_average": round(os.getloadavg()[0], 2),
    }


def run(title: str, benchmark: Callable[[Options, Report], None], switches: Sequence[str] = ()) -> int:
    """A benchmark as a command. ``--json`` prints one document on stdout; all talk is on stderr."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it works, measures nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout")
    parser.add_argument("--rounds", type=int, help="turns of product and limit (default 5; 1 with --quick)")
    parser.add_argument("--folder", type=Path, help="where to write (default: the system's folder for temporary files)")
    for switch in switches:
        parser.add_argument(f"--{switch}", action="store_true")
    given = parser.parse_args()
    rounds = given.rounds or (1 if given.quick else 5)
    with scratch(given.folder) as folder:
        facts = machine(folder)
        say(f"{title}\n  on " + ", ".join(f"{name} {fact}" for name, fact in facts.items()))
        report = Report()
        options = Options(given.quick, rounds, folder, frozenset(name for name in switches if vars(given)[name]))
        benchmark(options, report)
    if given.json:
        document = {"machine": facts, "rows": [row.as_dict() for row in report.rows]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return 0


@contextmanager
def scratch(under: Path | None) -> Iterator[Path]:
    """A folder for the length of a run. Others may enter it: a database server may have to run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="tallystick-bench-", dir=under))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(text: str) -> None:
    """Talk goes to stderr: stdout belongs to the document."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _line(row: Row) -> str:
    text = f"  {row.name:<58} {_plain(row.value):>12} {row.unit:<10}"
    if row.limit is not None and row.ratio is not None:
        text += f" of {_plain(row.limit):>11} = {row.ratio:.3f}"
    if row.goal is not None:
        sign = ">=" if row.goal.bound == "min" else "<="
        verdict = "ok" if row.goal.is_met(row.value, row.ratio) else "MISSED"
        text += f"   [{row.goal.of} {sign} {row.goal.figure:g}: {verdict}]"
    return text


def _plain(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:,.3g}"


def _round(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.6g}")


def _jiffies() -> tuple[int, int]:
    try:
        fields = [int(one) for one in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return 0, 1
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
