"""``tally-verify`` as a person meets it: sentences, exit codes, keys."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.billing.verify_cli import main
from tests.cloud.databases import Databases
from tests.cloud.trade import FIRST, Trade
from tests.cloud.twins import CloudTwin
from wire.seal import Signer


class Sample:
    """A bundle on disk, and the true keys."""

    def __init__(self, cloud: CloudTwin, folder: Path) -> None:
        trade = Trade(cloud)
        trade.read(0)
        trade.draw(qty=5)
        trade.read(1000)
        trade.send()
        self.path = folder / "bundle.json"
        self.path.write_bytes(trade.bundle(trade.close(FIRST, "2026-11-02")))
        self.gateway, self.cosigner = trade.gateway.signer.vkey, trade.gateway.cosigner_vkey


@pytest.fixture(scope="module")
def sample(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("verify")
    with databases.fresh("sqlite") as address, CloudTwin(address, folder / "state") as cloud:
        return Sample(cloud, folder)


def test_a_true_bundle_is_verified_with_the_keys_from_the_labels(
    sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(sample.path), "--key", sample.gateway, "--cosigner", sample.cosigner])

    said = capsys.readouterr().out
    assert code == 0
    assert "verified: statement 1 of agr-1, 2026-11-01/2026-11-02, 16.85 EUR; 3 lines from 3 leaves" in said
    assert "came from the bundle" not in said


def test_without_keys_it_says_where_they_came_from_and_prints_fingerprints(
    sample: Sample, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([str(sample.path)])

    said = capsys.readouterr().out
    assert code == 0
    assert "the keys came from the bundle itself" in said
    assert said.count("tallystick/tn-acme/gw-1/1") == 1


def test_a_tampered_copy_is_refused_with_the_line_named(
    sample: Sample, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = tmp_path / "forged.json"
    forged.write_text(sample.path.read_text().replace('"amount":"6.00"', '"amount":"7.00"'))

    code = main([str(forged)])

    said = capsys.readouterr().out
    assert code == 1
    assert "refused: line 1 (5 pc drill-8 at cab-1, each 1.20 = 7.00): amount says '7.00', '6.00' follows" in said
    assert "verified" not in said


def test_another_key_than_the_gateways_is_refused(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    stranger = Signer("tallystick/tn-acme/gw-1/1", b"s" * 32).vkey

    code = main([str(sample.path), "--key", stranger])

    assert code == 1
    assert "not among those you gave" in capsys.readouterr().out


def test_json_is_one_document(sample: Sample, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(sample.path), "--json"])

    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (document["verified"], document["findings"], document["keys_from_bundle"]) == (True, [], True)


@pytest.mark.parametrize("arguments", [["/nowhere/bundle.json"], ["x", "--key", "rubbish"]])
def test_what_cannot_be_used_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = main(arguments)

    assert code == 2
    assert capsys.readouterr().err.startswith("tally-verify: ")


def test_a_file_that_is_no_bundle_is_refused_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rubbish = tmp_path / "rubbish.json"
    rubbish.write_bytes(b"[" * 1000)

    code = main([str(rubbish)])

    assert code == 1
    assert "refused: bundle:" in capsys.readouterr().out


def test_the_check_needs_neither_network_nor_database_nor_web_server() -> None:
    program = "import sys, cloud.billing.verify_cli; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    unwanted = {"sqlite3", "psycopg", "fastapi", "httpx", "uvicorn", "asyncio", "cloud.database", "cloud.clock"}
    assert not unwanted & set(loaded)
