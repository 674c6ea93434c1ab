"""Rules about what code may touch: time, chance, floats, the world. They are what lets a test own a whole day."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.house.tree import Source, Tree

CLOCK_READS = {
    *(f"time.{name}" for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")),
    *(f"time.{name}" for name in ("clock_gettime", "clock_gettime_ns", "gmtime", "localtime", "ctime", "process_time")),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
}
CHANCE = re.compile(
    r"(random\.(?!Random$)\w+|secrets\.\w+|os\.(urandom|getrandom)|uuid\.uuid[14]|numpy\.random\.\w+|.*PrivateKey\.generate)$"
)
CHANCE_FILES = ("firmware_sim/faults.py", "firmware_sim/shop.py", "*/entropy.py")

EXACT = (
    "wire", "cloud/money.py", "cloud/stock", "cloud/metering", "cloud/rating", "cloud/billing", "cloud/agreements",
    "cloud/books", "firmware_sim/truth.py", "gateway/shelf.py",
)  # fmt: skip
MEASURE = re.compile(
    r"(^|_)(price|prices|amount|money|quantity|qty|total|fee|due_money|balance|register|reading|wh|kwh|energy|pieces|stock)(_|$)"
)

# Drivers and nouns: what can be called in a REPL with no set-up (docs/architecture.md section 3).
PURE = (
    "wire", "gateway/drivers", "gateway/recording.py", "gateway/vending.py", "gateway/access.py", "gateway/control.py",
    "gateway/shelf.py", "gateway/schedule.py", "gateway/block_reads.py", "gateway/outbox.py", "gateway/health.py",
    "gateway/device_events.py",
    "gateway/driver_ports.py",
    "cloud/money.py", "cloud/calendar.py", "cloud/time_windows.py", "cloud/stock/ledger.py",
    "cloud/replenishment/policies",
    "cloud/metering/usage.py", "cloud/metering/intervals.py",
    "cloud/rating", "cloud/billing/settle.py", "cloud/billing/guarantee.py",
    "cloud/billing/verify.py", "firmware_sim/truth.py", "firmware_sim/run_time.py", "firmware_sim/devices",
)  # fmt: skip
WORLD = {
    "aiosqlite", "asyncio", "fastapi", "ftplib", "http", "httpx", "multiprocessing", "paho", "psycopg", "psycopg_pool",
    "pty", "requests", "select", "selectors", "serial", "shutil", "signal", "socket", "sqlite3", "ssl", "starlette",
    "subprocess", "tempfile", "threading", "urllib.request", "uvicorn",
}  # fmt: skip
# A package's own data files are part of its code.
READS_ITSELF = {"importlib.resources"}
TOUCHES = {"open", "input", "print"}


def the_clock_is_read_in_one_place(tree: Tree) -> Iterator[str]:
    """Prevents a test that cannot own time, and a gateway that trusts a clock which was never set."""
    for source in tree.python():
        if source.path.name == "clock.py":
            continue
        for node in source.nodes:
            if isinstance(node, ast.Attribute | ast.Name) and source.spelled(node) in CLOCK_READS:
                yield source.at(node, f"{source.spelled(node)} reads a clock: take `now` as an argument, or a Clock")
            elif isinstance(node, ast.Call) and _asks_the_loop(node) and not source.within("firmware_sim"):
                # The simulator runs on a loop that owns time (virtual_time.py): asking it is asking the clock.
                yield source.at(node, "the loop's time is a clock: take a Clock")


def _asks_the_loop(call: ast.Call) -> bool:
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "time" and not call.args):
        return False
    return bool(re.search(r"(^|_|\.)loop(\(\))?$", ast.unparse(call.func.value)))


def chance_has_one_door(tree: Tree) -> Iterator[str]:
    """Prevents a run that cannot be repeated: with one seeded door, a seed is a whole day."""
    for source in tree.python():
        if source.within(*CHANCE_FILES):
            continue
        calls = (node for node in source.nodes if isinstance(node, ast.Call))
        for node in calls:
            name = source.spelled(node.func)
            if CHANCE.match(name) or name == "random.Random":
                yield source.at(node, f"{name}: take it as an argument; it is made in faults.py, shop.py or entropy.py")


def what_is_billed_is_exact(tree: Tree) -> Iterator[str]:
    """Prevents 0.1 + 0.2: money, quantities and register values are integers with a scale, or Decimal."""
    for source in tree.python():
        for node in source.nodes:
            if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
                name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
                if MEASURE.search(name) and _says_float(node.annotation):
                    yield source.at(node, f"{name} is a float: use Decimal, or an integer with a scale")
        if source.within(*EXACT):
            yield from _floats_at_all(source)


def _says_float(annotation: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "float" for part in ast.walk(annotation))


def _floats_at_all(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield source.at(node, f"the float {node.value}: in this file everything is exact")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
            yield source.at(node, "float(): in this file everything is exact")
        elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None and _says_float(node.annotation):
            yield source.at(node, "a float annotation: in this file everything is exact")


def what_is_pure_touches_nothing(tree: Tree) -> Iterator[str]:
    """Prevents arithmetic that needs a database to be tested, and a driver that hides a wait."""
    for source in tree.python():
        if not source.within(*PURE):
            continue
        for node, name in source.imports():
            if any(name == module or name.startswith(f"{module}.") for module in WORLD):
                yield source.at(node, f"imports {name}: this file is pure; take what it gives as an argument")
        for called in source.nodes:
            if isinstance(called, ast.Await):
                yield source.at(called, "awaits: this file is pure")
            elif isinstance(called, ast.Call) and source.spelled(called.func) in TOUCHES:
                yield source.at(called, f"{source.spelled(called.func)}(): this file is pure")
