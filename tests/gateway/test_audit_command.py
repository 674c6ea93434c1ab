"""`tally-gateway devices audit`: a file from a hand-held, read and judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli import main
from tests.gateway.test_dts_file import GOOD, machine


def test_a_file_tells_its_counters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.dts").write_bytes(GOOD)

    assert main(["devices", "audit", str(tmp_path / "one.dts"), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["serial"], told["selections"]["101"]["paid"]) == ("GWT000000001", 90)


def test_two_files_tell_what_was_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.dts").write_bytes(machine("PA1*7*0*X*50", "PA2*100"))
    (tmp_path / "two.dts").write_bytes(machine("PA1*7*0*X*50", "PA2*104"))

    assert main(["devices", "audit", str(tmp_path / "two.dts"), "--since", str(tmp_path / "one.dts")]) == 0

    assert "7: 4 to bill, 4 gone" in capsys.readouterr().out


def test_a_file_that_is_not_believed_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.dts").write_bytes(machine("PA1*7*0", g85="0000"))

    assert main(["devices", "audit", str(tmp_path / "one.dts")]) == 1
    assert main(["devices", "audit", str(tmp_path / "one.dts"), "--g85", "ignore"]) == 0

    assert "g85_mismatch" in capsys.readouterr().err
