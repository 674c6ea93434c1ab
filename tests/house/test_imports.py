"""The import contracts of pyproject.toml can each be broken: a stray import in the tree's skeleton is found by name."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES

ROOT = Path(__file__).parents[2]
CONTRACTS = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
STRAYS = [
    ("house", "gateway/config.py", "import cloud.database"),
    ("house", "cloud/money.py", "import gateway.clock"),
    ("house", "wire/log.py", "import cloud.money"),
    ("wire-io", "wire/log.py", "import sqlite3"),
    ("simulator", "firmware_sim/devices/lock_8a.py", "import gateway.drivers.lock_8a"),
    ("simulator", "firmware_sim/bench.py", "import wire.records"),
    ("gateway-floors", "gateway/vending.py", "import gateway.journal"),
    ("gateway-floors", "gateway/links/serial.py", "import gateway.uplink"),
    ("drivers", "gateway/drivers/lock_8a.py", "import serial"),
    ("cloud-floors", "cloud/stock/ledger.py", "import cloud.web"),
    ("cloud-floors", "cloud/money.py", "import cloud.database"),
    ("roots", "cloud/web/__init__.py", "import cloud.app"),
]


@pytest.mark.parametrize(("contract", "file", "stray"), STRAYS, ids=[f"{file}: {stray}" for _, file, stray in STRAYS])
def test_a_stray_import_breaks_its_contract(contract: str, file: str, stray: str, tmp_path: Path) -> None:
    skeleton_of_the_packages(tmp_path)
    (tmp_path / file).write_text(f"{stray}\n")

    said = lint(tmp_path)

    assert f"{CONTRACTS[contract]} BROKEN" in said


def test_every_contract_is_shown_to_break() -> None:
    assert {contract for contract, *_ in STRAYS} == CONTRACTS.keys()


def skeleton_of_the_packages(folder: Path) -> None:
    """Every module of the four packages, empty, and those that a stray import needs and that are not built yet."""
    modules = [str(file.relative_to(ROOT)) for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    for module in [*modules, *(file for _, file, _ in STRAYS), "gateway/uplink.py", "cloud/app.py"]:
        (folder / module).parent.mkdir(parents=True, exist_ok=True)
        (folder / module).touch()
    shutil.copy(ROOT / "pyproject.toml", folder)


def lint(folder: Path) -> str:
    """What the linter says about that folder, without its line breaks."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return " ".join((done.stdout + done.stderr).split())
