"""``tally-cloud`` and what it reads: settings, the key file, exit codes, one JSON document."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cloud import cli
from cloud.api import keys
from cloud.clock import Clock, demo_clock
from cloud.entropy import Entropy
from cloud.keyring import FILE, KeyringError, load_or_create
from cloud.open_store import open_store
from cloud.settings import SettingsError, from_environment
from tests.cloud.twins import NOON_MS, CloudTwin


@pytest.fixture
def command(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command on an empty database; its exit code and JSON document."""
    monkeypatch.setenv("TALLY_DATABASE", address)
    monkeypatch.setenv("TALLY_STATE", str(tmp_path / "state"))

    def run(*words: str) -> tuple[int, Any]:
        code = cli.main([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_a_tenant_gets_a_key_that_opens_its_door(command: Any, address: str) -> None:
    code, made = command("create-tenant", "Acme", "--id", "acme")
    _, more = command("create-key", "acme", "--scope", "read", "--days", "1")

    assert (code, made["tenant_id"]) == (0, "acme")
    store = open_store(address)

    async def who(key: str, now_ms: int) -> keys.Caller | None:
        return await store.read(lambda tx: keys.authenticate(tx, key, now_ms))

    now = Clock().now_ms()
    with asyncio.Runner() as runner:
        first, second = runner.run(who(made["key"], now)), runner.run(who(more["key"], now))
        late = runner.run(who(more["key"], now + 2 * 86_400_000))
        runner.run(store.close())
    assert first is not None
    assert second is not None
    assert (first.tenant_id, first.scopes, second.scopes, late) == (
        "acme",
        frozenset(keys.SCOPES),
        frozenset({"read"}),
        None,
    )


def test_what_cannot_be_done_fails_and_says_what_to_do(command: Any) -> None:
    command("create-tenant", "Acme", "--id", "acme")

    for words in (
        ("create-tenant", "Acme", "--id", "acme"),
        ("create-tenant", "X", "--id", "a/b"),
        ("create-key", "no"),
    ):
        code, document = command(*words)
        assert code == cli.FAILED
        assert document["error"]


def test_wrong_usage_has_its_own_exit_code(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLY_LISTEN", "nowhere")
    assert command("migrate")[0] == cli.USAGE
    monkeypatch.setenv("TALLY_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("TALLY_DATABASE", "mysql://x")
    assert command("migrate")[0] == cli.USAGE
    with pytest.raises(SystemExit) as ended:
        cli.main(["dance"])
    assert ended.value.code == cli.USAGE


def test_the_doctor_finds_what_is_missing_and_is_content_afterwards(command: Any, tmp_path: Path) -> None:
    code, before = command("doctor")
    load_or_create(tmp_path / "state", "tallystick.cloud", Entropy())
    healthy, after = command("doctor")

    assert (code, before["fine"]) == (cli.FAILED, False)
    assert [check["check"] for check in before["checks"] if not check["fine"]] == ["key"]
    assert (healthy, after["fine"]) == (cli.FINE, True)


def test_the_description_is_written_without_touching_the_state(command: Any, tmp_path: Path) -> None:
    code, document = command("openapi")

    assert (code, document["openapi"][:2]) == (0, "3.")
    assert "/v1/logs/{log}/entries" in document["paths"]
    assert not (tmp_path / "state").exists()


def test_a_backup_counts_only_what_it_was_begun_with(cloud: CloudTwin, command: Any) -> None:
    gateway = cloud.gateway()
    gateway.keep(gateway.draw(), gateway.draw(), gateway.draw())
    gateway.send(0, 2)

    command("backup-mark", "begin")
    receipt = gateway.send(2).json()
    command("backup-mark", "done")

    assert (receipt["backed_up_size"], gateway.head()["backed_up_size"]) == (0, 2)


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "state", "name", Entropy())

    again = load_or_create(tmp_path / "state", "name", Entropy())

    assert again.cosigner_vkey == first.cosigner_vkey
    assert stat.S_IMODE((tmp_path / "state" / FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == [FILE]


@pytest.mark.parametrize("content", ["", "zz", "00" * 31])
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content, encoding="ascii")

    with pytest.raises(KeyringError, match="backup"):
        load_or_create(tmp_path, "name", Entropy())

    assert (tmp_path / FILE).read_text(encoding="ascii") == content


def test_a_misspelt_setting_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SettingsError, match="TALLY_DATABASE"):
        from_environment({"TALLY_DATABSE": "x"})


def test_settings_have_defaults_and_other_programs_variables_are_left_alone() -> None:
    settings = from_environment({"TALLY_SEED": "7", "TALLY_LISTEN": "[::1]:80", "HOME": "/"})

    assert (settings.host, settings.port) == ("::1", 80)
    assert settings.database_address == "sqlite:///tallystick-cloud/cloud.db"


def test_a_demonstrations_clock_starts_where_it_is_told_and_runs_faster() -> None:
    real = Clock().now_ms()

    shown = demo_clock(NOON_MS, real - 1000, 60).now_ms()

    assert NOON_MS + 60_000 <= shown < NOON_MS + 60_000 + 600_000
