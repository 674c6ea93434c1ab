"""`tally-gateway` as a process: it starts, says it is ready, stops within a second, and its commands work beside it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import cli

STOPS_WITHIN = 1.0
PATIENCE = 30.0


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[gateway]\nstate = "{tmp_path / "state"}"\n[web]\nenabled = false\n[journal]\ndemo = true\n')
    return path


@contextmanager
def running(config: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The process, ready; killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "run", "--config", str(config)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        assert process.stderr is not None
        assert any(json.loads(line)["message"] == "ready" for line in process.stderr)
        yield process
    finally:
        process.kill()
        process.communicate()


def command(capsys: pytest.CaptureFixture[str], words: Sequence[str], code: int = 0) -> Any:
    """One command's JSON document."""
    assert cli.main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_sigterm_ends_it_in_order_and_within_a_second(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(config) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOPS_WITHIN) == 0

    report = command(capsys, ["journal", "verify", "--config", str(config)])
    assert (report["records"], report["findings"]) == (1, [])


def test_systemd_hears_ready_alive_and_stopping(config: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        said: list[str] = []
        with running(config, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="4000000") as process:
            while not any("WATCHDOG=1" in one for one in said):
                said.append(systemd.recv(4096).decode())
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        with selectors.DefaultSelector() as waiting:
            waiting.register(systemd, selectors.EVENT_READ)
            while waiting.select(0):
                said.append(systemd.recv(4096).decode())

    assert any(one.startswith("READY=1") for one in said)
    assert said[-1] == "STOPPING=1"


def test_looking_at_a_journal_does_not_disturb_who_writes_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(config)]
    with running(config):
        (shown,) = command(capsys, ["journal", "tail", *words])
        assert shown["record"]["event"] == "boot"
        assert command(capsys, ["sync", "status", *words]) == []
        assert command(capsys, ["sync", "now", *words])["pid"]
        assert command(capsys, ["backup", "--out", str(tmp_path / "copy.db"), *words])["records"] == 1
        assert command(capsys, ["journal", "export", "--out", str(tmp_path / "all.ndjson"), *words])["records"] == 1
        second = subprocess.run(
            [sys.executable, "-m", "gateway.cli", "run", *words], capture_output=True, text=True, check=False
        )
        assert command(capsys, ["sync", "now", *words])["pid"]

    assert second.returncode == 1
    assert "another process" in second.stderr
    leaf = (tmp_path / "all.ndjson").read_bytes().strip()
    assert json.loads(leaf) == shown["record"]


def test_a_new_card_is_set_up_step_by_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "etc" / "gateway.toml"
    words = ["--config", str(path)]

    command(capsys, ["init", "--state", str(tmp_path / "state"), *words])
    assert cli.main(["init", *words]) == 1
    command(capsys, ["config", "check", *words])
    checks = {check["what"]: check["mark"] for check in command(capsys, ["doctor", *words], 3)}

    assert checks["configuration"] == "✓"
    assert checks["key"] == "!"


def test_the_commands_about_devices_and_configuration_speak_json(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", str(config)]

    assert {"lock_8a", "modbus_meter"} <= set(command(capsys, ["devices", "kinds", *words]))
    assert command(capsys, ["devices", "list", *words]) == []
    assert command(capsys, ["config", "show", *words])["journal"]["demo"] is True
    assert "properties" in command(capsys, ["config", "schema", *words])


def test_a_bad_configuration_is_told_on_stderr_with_exit_code_one(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text("[gatway]\n")

    assert cli.main(["config", "check", "--config", str(config)]) == 1

    assert "did you mean 'gateway'?" in capsys.readouterr().err


def test_no_word_at_all_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert cli.main(["journal"]) == 2
    assert "COMMAND" in capsys.readouterr().err
