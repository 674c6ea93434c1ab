"""Sixty seeds of two simulated hours, and the same seed twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


def run(*options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """The command, as anybody would start it."""
    return subprocess.run(
        [sys.executable, str(RUN), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    once, again = (run("--seeds", "2", "--start", "7", "--jobs", "1", hash_seed=one) for one in ("1", "2"))

    assert re.findall(r"seed \d+  [0-9a-f]{16}", once.stdout) == re.findall(r"seed \d+  [0-9a-f]{16}", again.stdout)
    assert once.stdout == again.stdout, once.stderr
    assert once.returncode == 0


@pytest.mark.slow
def test_sixty_seeds_of_two_hours_break_nothing() -> None:
    done = run("--seeds", "60", "--hours", "2")

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    total = re.search(r"60 seeds of 2 h: \d+ records, (\d+) faults", done.stdout)
    assert total is not None
    assert int(total[1]) >= 60 * 50
