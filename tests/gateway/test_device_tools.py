"""The tools of whoever stands in front of a bus: find, test, kinds, new."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.bench import Line, LineSpec, PtyPort
from firmware_sim.devices.dlt645 import Dlt645Meter
from firmware_sim.devices.lock_8a import Lock8A
from firmware_sim.devices.lock_wkly import LockWkly
from firmware_sim.devices.mbus import MbusMeter
from firmware_sim.devices.sdm630 import Sdm630
from gateway.cli import main
from gateway.commands import finding, kinds, scaffold
from gateway.drivers.dlt645 import Dlt645

BUS = LineSpec(baud=19200)
ROOT = Path(__file__).parents[2]
CONFIG = '[[lines]]\nname = "bus"\nport = "{port}"\nbaud = 19200\ndevices = [{devices}]\n'


def on_a_bus(folder: Path, command: list[str], spec: LineSpec = BUS, twins: Sequence[Any] = ()) -> int:
    """Runs a command in a thread while these hang on ``folder / tty``, or a meter at 3 and a lock board at 2."""

    async def play() -> int:
        line = Line(spec)
        usual = (Sdm630(address=3, serial=4711, start_wh=12_340, baud=19200), Lock8A(board=2, locks=4))
        for twin in twins or usual:
            line.attach(twin)
        port = PtyPort(line, folder / "tty")
        await port.open()
        try:
            return await asyncio.to_thread(main, command)
        finally:
            port.close()

    working: Coroutine[Any, Any, int] = play()
    return asyncio.run(working)


def test_a_search_finds_who_is_there_with_address_and_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["devices", "find", str(tmp_path / "tty"), "--kind", "lock_8a", "--kind", "modbus_meter"]

    code = on_a_bus(tmp_path, [*words, "--speed", "19200 8N1", "--json"])

    found = {one["kind"]: one for one in json.loads(capsys.readouterr().out)}
    assert code == 0
    assert found["lock_8a"]["settings"] == {"board": 2}
    assert (found["modbus_meter"]["settings"], found["modbus_meter"]["number"]) == ({"unit": 3}, "4711")
    assert "sdm630" in found["modbus_meter"]["profiles"]


def test_meters_that_answer_at_once_are_told_apart_by_the_digits_of_their_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meters = [MbusMeter(number, address=0, turn_round_s=0.02) for number in (13_000_001, 13_500_002, 70_000_003)]
    words = ["devices", "find", str(tmp_path / "tty"), "--kind", "mbus", "--speed", "38400 8E1", "--json"]
    words += ["--set", "secondary=FFFFFFFF"]

    code = on_a_bus(tmp_path, words, LineSpec(baud=38400, parity="E"), meters)

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [one["settings"]["secondary"] for one in found] == ["13000001", "13500002", "70000003"]


def test_an_address_is_narrowed_by_pairs_from_its_end() -> None:
    narrower = Dlt645.narrower
    (first,) = Dlt645.candidates()

    second = narrower(first)[42]
    third = narrower(second)[3]

    assert (second["address"], third["address"]) == ("AAAAAAAAAA42", "AAAAAAAA0342")
    assert narrower({"address": "151230011061"}) == []


@pytest.mark.slow
def test_billing_meters_that_answer_at_once_are_told_apart_by_the_end_of_their_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meters = [Dlt645Meter(number, turn_round_s=0.02) for number in ("000000000003", "000000000203")]
    words = ["devices", "find", str(tmp_path / "tty"), "--kind", "dlt645", "--speed", "38400 8E1", "--json"]
    words += ["--set", "address=AAAAAAAAAA03"]

    code = on_a_bus(tmp_path, words, LineSpec(baud=38400, parity="E"), meters)

    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert [one["settings"]["address"] for one in found] == ["000000000003", "000000000203"]


def test_a_slow_meter_on_a_slow_line_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Dlt645Meter("151230011061", turn_round_s=0.45)
    meter.baud = 1200  # type: ignore[attr-defined]
    words = ["devices", "find", str(tmp_path / "tty"), "--kind", "dlt645", "--speed", "1200 8E1", "--json"]

    code = on_a_bus(tmp_path, words, LineSpec(baud=1200, parity="E"), [meter])

    (found,) = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["line"], found["settings"]) == ("1200 8E1", {"address": "151230011061"})


def test_boards_that_talk_unasked_beside_each_other_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["devices", "find", str(tmp_path / "tty"), "--kind", "lock_wkly", "--json"]

    code = on_a_bus(tmp_path, words, LineSpec(), [LockWkly(board=3), LockWkly(board=31)])

    assert code == 0
    assert [one["settings"] for one in json.loads(capsys.readouterr().out)] == [{"board": 3}, {"board": 31}]


def test_a_kind_that_cannot_be_searched_for_says_what_it_is_found_as(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = on_a_bus(tmp_path, ["devices", "find", str(tmp_path / "tty"), "--kind", "modbus_unit"])

    told = capsys.readouterr().out
    assert code == 3
    assert "modbus_unit was not searched for" in told
    assert "found as a Modbus device, modbus_meter" in told


def test_a_search_on_a_port_that_is_not_there_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["devices", "find", "/dev/not-there"])

    assert code == 1
    assert "/dev/not-there" in capsys.readouterr().err


def test_a_test_shows_what_each_device_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    devices = '{ id = "m-3", kind = "modbus_meter", unit = 3, registers = { import_wh = 0 } }'
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(port=tmp_path / "tty", devices=devices))

    code = on_a_bus(tmp_path, ["devices", "test", "--config", str(config), "--json"])

    (told,) = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["answers"]
    assert told["readings"] == {"import_wh": "12340 Wh"}


def test_a_device_that_is_silent_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(port=tmp_path / "tty", devices='{ id = "m-9", kind = "modbus_meter", unit = 9 }'))

    code = on_a_bus(tmp_path, ["devices", "test", "--config", str(config), "--seconds", "2"])

    assert code == 3
    assert "m-9 (modbus_meter, line bus): does not answer" in capsys.readouterr().out


def test_a_search_tries_what_a_driver_names_and_else_the_likely_addresses() -> None:
    assert list(finding.candidates("dlt645", all_addresses=False)) == [{"address": "AA" * 6}]
    assert len(list(finding.candidates("modbus_meter", all_addresses=False))) == 16
    assert len(list(finding.candidates("lock_8a", all_addresses=True))) == 32


def test_the_table_of_devices_is_up_to_date() -> None:
    kept = (ROOT / "docs/devices.md").read_text("utf-8")

    assert kept == kinds.table(), "run: ./run tally-gateway devices kinds --table > docs/devices.md"


def test_every_kind_is_explained_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "kinds", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert all(one["about"] and one["settings"]["properties"] for one in document.values())


def test_a_new_device_is_begun_in_four_files_whose_vectors_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("gateway/drivers", "firmware_sim/devices", "tests/vectors", "docs/protocols"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()

    assert main(["devices", "new", "acme_scale", "--folder", str(tmp_path)]) == 0

    driver = loaded(tmp_path / "gateway/drivers/acme_scale.py")
    vectors = tomllib.loads((tmp_path / "tests/vectors/acme_scale.toml").read_text())
    device = driver.AcmeScale(driver.AcmeScale.Settings(**vectors["case"][0]["settings"]))
    assert device.request(device.wants).data == bytes.fromhex(vectors["frame"][0]["hex"])
    (event,) = device.feed(bytes.fromhex(vectors["frame"][1]["hex"]), 0.0)
    assert (event.register, event.value) == ("value", 300)
    assert main(["devices", "new", "acme_scale", "--folder", str(tmp_path)]) == 1
    assert "exists and is kept" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Acme", "lock_8a", "9lives", ""])
def test_a_name_that_cannot_be_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "new", name, "--folder", str(ROOT)]) == 1
    assert name in capsys.readouterr().err


@pytest.mark.slow
def test_a_new_device_passes_every_check_of_the_house(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in (one.decode() for one in tracked if one):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes((ROOT / name).read_bytes())
    done = scaffold.new(argparse_like(name="acme_scale", folder=str(checkout)))
    subprocess.run(["git", "init", "-q"], cwd=checkout, check=True)
    subprocess.run(["git", "add", "-A"], cwd=checkout, check=True)

    files = [path for path in done.document["files"] if path.endswith(".py")]
    checks = [
        [sys.executable, "-m", "ruff", "check", *files],
        [sys.executable, "-m", "ruff", "format", "--check", *files],
        [sys.executable, "-m", "mypy", *files],
        [sys.executable, "-m", "pytest", "-q", "tests/house/test_the_tree.py"],
        [sys.executable, "-m", "pytest", "-q", "tests/gateway/test_drivers.py", "-k", "acme_scale or has_cases"],
    ]
    for check in checks:
        ran = subprocess.run(check, cwd=checkout, env=here(checkout), capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{check}: {ran.stdout[-3000:]}{ran.stderr[-2000:]}"


def here(folder: Path) -> dict[str, str]:
    """The environment of a program that takes its code from ``folder``."""
    import os  # noqa: PLC0415

    return {**os.environ, "PYTHONPATH": str(folder)}


def argparse_like(**given: str) -> Any:
    """What the command line would have made of these."""
    import argparse  # noqa: PLC0415

    return argparse.Namespace(**given)


def loaded(path: Path) -> Any:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def test_a_register_that_counts_in_tens_and_is_at_zero_reads_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    device = '{ id = "w-1", kind = "dlt645", address = "151230011061", registers = { import_wh = 1 } }'
    text = CONFIG.format(port=tmp_path / "tty", devices=device).replace("baud = 19200", 'baud = 38400\nparity = "E"')
    config.write_text(text)
    meter = Dlt645Meter("151230011061", turn_round_s=0.02)

    code = on_a_bus(
        tmp_path, ["devices", "test", "--config", str(config), "--json"], LineSpec(baud=38400, parity="E"), [meter]
    )

    (told,) = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["readings"] == {"import_wh": "0 Wh"}
