"""What runs, and what is said about what did not: a run that left something out says so, and never quietly.

Tests marked `slow` run with `--all` (or when named), tests marked `browser` where a Chromium is installed, those
marked `go` where Go is. In CI everything runs: a missing browser, or a single skipped test, fails the run there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A property is judged by what comes out: a machine that is busy for a second has not broken it.
settings.register_profile("house", settings.default, deadline=None)
settings.load_profile("house")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
GO_LIBRARY = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog")
GO_INSTALL = "apt install golang-go golang-golang-x-mod-dev"
SAID_AT_ONCE = 3000  # characters, the last ones
LEFT_OUT = pytest.StashKey[dict[str, list[str]]]()
SKIPPED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all` is the only option of ours."""
    parser.addoption("--all", action="store_true", help="run the slow tests too; a skipped test is then a failure")


def pytest_configure(config: pytest.Config) -> None:
    """Begin two lists: what is left out, and what was skipped."""
    config.stash[LEFT_OUT] = {}
    config.stash[SKIPPED] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for, and remember it."""
    browser = _has_browser() or _in_ci()
    left_out: dict[str, list[str]] = {}
    for item in items:
        if item.get_closest_marker("browser") and not browser:
            left_out.setdefault("no Chromium is installed; `apt install chromium` makes them run", []).append(
                item.nodeid
            )
        elif item.get_closest_marker("go") and not (shutil.which("go") and GO_LIBRARY.is_dir()):
            left_out.setdefault(f"no Go is installed; `{GO_INSTALL}` makes them run", []).append(item.nodeid)
        elif item.get_closest_marker("slow") and not _everything(config) and not _named(config, item):
            left_out.setdefault("slow; `./run test --all` runs them", []).append(item.nodeid)
    away = {nodeid for nodeids in left_out.values() for nodeid in nodeids}
    if away:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in away])
        items[:] = [item for item in items if item.nodeid not in away]
    config.stash[LEFT_OUT] = left_out
    # What takes longest begins first: at the end no worker waits long for another.
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """In CI a page is not left out where no browser is: its test fails and says what to install."""
    if item.get_closest_marker("browser") and not _has_browser():
        pytest.fail("a browser test, and no Chromium: in CI all tests run (`apt-get install chromium`)", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember every skip, whatever its reason."""
    report = yield
    if report.skipped:
        item.config.stash[SKIPPED].append(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A skipped test is a failure wherever everything was asked for. A worker of xdist tells whoever started it."""
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["left_out"], told["skipped"] = session.config.stash[LEFT_OUT], session.config.stash[SKIPPED]
    elif session.config.stash[SKIPPED] and exitstatus == pytest.ExitCode.OK and _everything(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker left out, which is the same for each of them, and what it skipped."""
    told = getattr(node, "workeroutput", {})  # nothing of one that broke down: its test has failed
    node.config.stash[LEFT_OUT].update(told.get("left_out", {}))
    node.config.stash[SKIPPED].extend(told.get("skipped", []))


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failure at once and say why: a run that is cut before its summary has told it all the same."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        sys.stdout.write(f"\nFAILED {report.nodeid} ({report.when})\n{report.longreprtext[-SAID_AT_ONCE:]}\n")
        sys.stdout.flush()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what did not run, and why, where nobody can overlook it."""
    for reason, nodeids in config.stash[LEFT_OUT].items():
        terminalreporter.section(f"{len(nodeids)} tests DID NOT RUN: {reason}", yellow=True, bold=True)
        for nodeid in sorted({nodeid.partition("[")[0] for nodeid in nodeids}):
            terminalreporter.line(nodeid)
    if config.stash[SKIPPED] and _everything(config):
        terminalreporter.section("FAILED: skipped, where nothing may be", red=True, bold=True)
        for nodeid in config.stash[SKIPPED]:
            terminalreporter.line(nodeid)


def _has_browser() -> bool:
    return any(map(shutil.which, BROWSERS))


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _everything(config: pytest.Config) -> bool:
    return bool(config.getoption("--all")) or _in_ci()


def _named(config: pytest.Config, item: pytest.Item) -> bool:
    return any("::" in word and item.nodeid.startswith(word.partition("[")[0]) for word in config.args)
