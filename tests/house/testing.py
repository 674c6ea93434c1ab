"""Rules about the tests themselves: a test that may be skipped, may wait or may pretend proves nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.purity import CLOCK_READS
from tests.house.tree import PACKAGES, Tree

MOCKS = {"unittest.mock", "mock", "pytest_mock", "asynctest", "freezegun", "time_machine"}
SKIPS = re.compile(
    r"(pytest\.(skip|xfail|importorskip|mark\.(skip|skipif|xfail))|unittest\.(skip\w*|expectedFailure))$"
)
SLEEPS = {"time.sleep", "asyncio.sleep", "gevent.sleep", "anyio.sleep"}


def no_test_pretends(tree: Tree) -> Iterator[str]:
    """Prevents mocks of our own code: they freeze its shape, and they agree with what the author believed."""
    for source in tree.python("tests"):
        for statement, name in source.imports():
            if any(name == module or name.startswith(f"{module}.") for module in MOCKS):
                yield source.at(statement, f"{name}: use a fake that is a small real thing, or a real database")
        for node in source.nodes:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "monkeypatch.setattr" and node.args:
                target = source.spelled(node.args[0]) or str(getattr(node.args[0], "value", ""))
                if target.partition(".")[0] in PACKAGES:
                    yield source.at(node, f"{target} is ours: hand the other thing in as an argument")


def no_test_may_be_skipped(tree: Tree) -> Iterator[str]:
    """Prevents a green run that did not run: a test runs, is slow (`--all`), or does not exist."""
    for source in tree.python("tests"):
        for node in source.nodes:
            if isinstance(node, ast.Attribute | ast.Name) and SKIPS.match(source.spelled(node)):
                yield source.at(node, f"{source.spelled(node)}: make it run everywhere, or mark it slow")


def no_test_sleeps(tree: Tree) -> Iterator[str]:
    """Prevents flaky and slow at once: a test waits for an event or moves a clock of its own.

    On the loop that owns time (firmware_sim/virtual_time.py) a sleep is how the clock is moved, and takes none.
    """
    for source in tree.python("tests"):
        if any(name.startswith("firmware_sim.virtual_time") for name in source.names.values()):
            continue
        for node in source.nodes:
            if isinstance(node, ast.Call) and source.spelled(node.func) in SLEEPS and not _yields_only(node):
                yield source.at(node, f"{source.spelled(node.func)}: wait for the event itself, or move the clock")


def _yields_only(call: ast.Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def no_test_looks_at_the_clock(tree: Tree) -> Iterator[str]:
    """Prevents a test that fails on a busy machine: speed is measured in benchmarks/, as a ratio within one run."""
    for source in tree.python("tests"):
        for node in source.nodes:
            if isinstance(node, ast.Attribute | ast.Name) and source.spelled(node) in CLOCK_READS:
                yield source.at(node, f"{source.spelled(node)}: fix the time in the test; measure in benchmarks/")
