"""tests/conftest.py itself, on a folder of its own: nothing is left out quietly, and in CI nothing is left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SLOW = "import pytest\n\n@pytest.mark.slow\ndef test_a_whole_week(): ...\n\ndef test_one_draw(): ...\n"
PAGE = "import pytest\n\n@pytest.mark.browser\ndef test_the_page(): ...\n\ndef test_one_draw(): ...\n"
SKIP = "import pytest\n\ndef test_elsewhere():\n    pytest.skip('no printer')\n\ndef test_one_draw(): ...\n"
WORKERS = ("-p", "xdist", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
MARKERS = "[pytest]\nmarkers =\n    slow\n    browser\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "pytest.ini").write_text(MARKERS)
    return tmp_path


def run(folder: Path, test: str, *words: str, ci: str = "", path: str = "") -> tuple[int, str]:
    """Exit code and output of pytest in that folder, in a world with only these programs on PATH."""
    (folder / "test_it.py").write_text(test)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= {"CI": ci, "PATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_slow_test_left_out_is_named(folder: Path) -> None:
    status, said = run(folder, SLOW)

    assert status == 0
    assert "1 tests DID NOT RUN: slow; `./run test --all` runs them" in said
    assert "test_it.py::test_a_whole_week" in said


@pytest.mark.parametrize("words", [["--all"], ["test_it.py::test_a_whole_week", "test_it.py::test_one_draw"]])
def test_a_slow_test_runs_when_asked_for(folder: Path, words: list[str]) -> None:
    status, said = run(folder, SLOW, *words)

    assert status == 0
    assert "2 passed" in said
    assert "DID NOT RUN" not in said


def test_ci_runs_the_slow_tests(folder: Path) -> None:
    assert "2 passed" in run(folder, SLOW, ci="true")[1]


def test_a_page_test_without_a_browser_is_named(folder: Path) -> None:
    status, said = run(folder, PAGE)

    assert status == 0
    assert "1 tests DID NOT RUN: no Chromium is installed" in said


@pytest.mark.parametrize("words", [(), WORKERS])
def test_a_page_test_without_a_browser_fails_in_ci(folder: Path, words: tuple[str, ...]) -> None:
    status, said = run(folder, PAGE, *words, ci="true")

    assert status == pytest.ExitCode.TESTS_FAILED
    assert "no Chromium: in CI all tests run" in said


def test_a_page_test_runs_where_there_is_a_browser(folder: Path) -> None:
    browser = folder / "programs" / "chromium"
    browser.parent.mkdir()
    browser.touch(0o755)

    assert "2 passed" in run(folder, PAGE, path=str(browser.parent))[1]


@pytest.mark.parametrize(("words", "ci", "status"), [([], "", 0), (["--all"], "", 1), ([], "1", 1)])
def test_a_skipped_test_fails_wherever_everything_was_asked_for(
    folder: Path, words: list[str], ci: str, status: int
) -> None:
    ended, said = run(folder, SKIP, *words, ci=ci)

    assert ended == status
    assert ("FAILED: skipped, where nothing may be" in said) == bool(status)


@pytest.mark.parametrize(
    ("test", "said_of_it"), [(SLOW, "1 tests DID NOT RUN: slow"), (PAGE, "1 tests DID NOT RUN: no")]
)
def test_what_a_worker_left_out_is_named(folder: Path, test: str, said_of_it: str) -> None:
    status, said = run(folder, test, *WORKERS)

    assert status == 0
    assert said_of_it in said


def test_what_a_worker_skipped_fails_the_run(folder: Path) -> None:
    status, said = run(folder, SKIP, *WORKERS, "--all")

    assert status == 1
    assert "FAILED: skipped, where nothing may be" in said


def test_what_is_slow_begins_first(folder: Path) -> None:
    (folder / "test_a.py").write_text("def test_at_once(): ...\n")

    said = run(folder, SLOW, "--all", "-v")[1]

    assert said.index("test_a_whole_week") < said.index("test_at_once")
