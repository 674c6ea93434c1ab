"""The demo as its user meets it: what it says, how it ends, what it leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_sim.demo import run_demo

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A working folder with nothing in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def demo(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "firmware_sim.cli", "demo", "--folder", "shop", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    pipe, merged = subprocess.PIPE, subprocess.STDOUT
    return subprocess.Popen(command, cwd=folder, env=env, text=True, start_new_session=True, stdout=pipe, stderr=merged)


def programs_of(folder: Path) -> list[str]:
    """Command lines of all processes that know the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder / "shop").encode() in words and process.name != str(os.getpid()):
            found.append(process.name)
    return found


@pytest.mark.slow
def test_one_day_from_a_draw_to_a_verified_bill(empty: Path) -> None:
    with demo(empty, "--once") as process:
        said, _ = process.communicate(timeout=240)

    assert process.returncode == 0, said
    assert "confirmed" in said
    assert "please take it" in said
    assert "-> " in said
    assert "order proposed" in said
    assert "on hand and" in said
    assert "kWh" in said
    assert "verified: statement 1" in said
    assert "refused: line 1" in said
    assert [path.name for path in empty.iterdir()] == ["shop"]
    assert not programs_of(empty)


def test_ctrl_c_ends_every_program_and_leaves_no_file_elsewhere(empty: Path) -> None:
    with demo(empty) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Gateway's page"):
                break
        running = programs_of(empty)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)

    assert len(running) >= 3
    assert process.returncode == 0, said
    assert "Stopped" in said
    assert not programs_of(empty)
    assert [path.name for path in empty.iterdir()] == ["shop"]


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letter.txt").write_text("dear")

    code = run_demo("demo", tmp_path, once=True)

    assert code == 1
    assert (tmp_path / "letter.txt").read_text() == "dear"
    assert "--folder" in capsys.readouterr().err
