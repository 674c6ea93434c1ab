"""`run` itself, on small checkouts with an empty lock: prepared once, prepared anew when needed, by one at a time.

The `uv` found first on PATH is a stand-in that notes how it was called, so that these tests need no network.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = '[project.scripts]\ntally-shop = "shop:main"\n'
SHOP = "import sys\n\n\ndef main() -> int:\n    print('open', *sys.argv[1:])\n    return 3\n"
NOTES_CALLS = '#!/bin/sh\necho "$@" >> "{}"\n'
LOCKED = "pip sync --quiet --python {}/.venv/bin/python --require-hashes --only-binary=:all: {}/requirements.lock"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project of one module with one command, and a `uv` beside it that installs nothing."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    shutil.copy(ROOT / "run", folder)
    (folder / "pyproject.toml").write_text(SCRIPTS)
    (folder / "requirements.lock").write_text("")
    (folder / "shop.py").write_text(SHOP)
    uv = tmp_path / "path" / "uv"
    uv.parent.mkdir()
    uv.write_text(NOTES_CALLS.format(tmp_path / "calls"))
    uv.chmod(0o755)
    return folder


def start(checkout: Path, *words: str) -> subprocess.Popen[str]:
    path = f"{checkout.parent / 'path'}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, str(checkout / "run"), *words]
    env = {**os.environ, "PATH": path}
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(checkout: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    process = start(checkout, *words)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def installs(checkout: Path) -> list[str]:
    """How `uv` was called so far."""
    calls = checkout.parent / "calls"
    return calls.read_text().splitlines() if calls.exists() else []


def as_module(path: Path) -> ModuleType:
    loader = SourceFileLoader("run_under_test", str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_a_command_runs_in_a_fresh_checkout_and_its_exit_code_comes_through(checkout: Path) -> None:
    status, out, err = run(checkout, "tally-shop", "early", "and late")

    assert (status, out) == (3, "open early and late\n"), err


def test_the_lock_is_installed_by_hash_and_from_wheels_only(checkout: Path) -> None:
    run(checkout, "setup")

    assert installs(checkout) == [LOCKED.format(checkout, checkout)]


def test_a_prepared_checkout_is_not_prepared_again(checkout: Path) -> None:
    run(checkout, "setup")

    assert run(checkout, "setup") == (0, "", "")
    assert len(installs(checkout)) == 1


def test_a_changed_lock_is_installed(checkout: Path) -> None:
    run(checkout, "setup")
    (checkout / "requirements.lock").write_text("# another one\n")

    run(checkout, "setup")

    assert len(installs(checkout)) == 2


def test_a_set_up_that_was_cut_short_is_done_again(checkout: Path) -> None:
    run(checkout, "setup")
    (checkout / ".venv" / "prepared.json").unlink()
    (checkout / ".venv" / "bin" / "tally-shop").unlink()

    assert run(checkout, "tally-shop")[0] == 3


def test_a_moved_checkout_is_prepared_for_its_new_place(checkout: Path) -> None:
    run(checkout, "setup")
    moved = checkout.rename(checkout.with_name("moved"))

    status, out, _ = run(moved, "tally-shop")

    assert (status, out) == (3, "open\n")
    assert str(moved) in (moved / ".venv" / "bin" / "tally-shop").read_text()


def test_two_terminals_at_once_set_up_once(checkout: Path) -> None:
    both = [start(checkout, "tally-shop") for _ in range(2)]

    said = [process.communicate(timeout=60) for process in both]

    assert [out for out, _ in said] == ["open\n", "open\n"]
    assert len(installs(checkout)) == 1


def test_a_command_that_does_not_exist_names_those_that_do(checkout: Path) -> None:
    status, _, err = run(checkout, "tally-bake")

    assert status == 2
    assert "no command `tally-bake` here. Ours: tally-shop" in err


def test_a_failed_installation_is_no_prepared_checkout(checkout: Path) -> None:
    (checkout / "requirements.lock").write_text("this is no requirement\n")
    (checkout.parent / "path" / "uv").write_text("#!/bin/sh\nexit 7\n")

    status, _, err = run(checkout, "setup")

    assert status == 2
    assert "ended with exit code" in err
    assert not (checkout / ".venv" / "prepared.json").exists()


def test_a_pip_wheel_of_another_hash_is_refused(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(checkout, "setup")
    module = as_module(checkout / "run")
    index = ThreadingHTTPServer(("127.0.0.1", 0), ForgedIndex)
    threading.Thread(target=index.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{index.server_port}/simple")

    with pytest.raises(module.SetupError, match="is not the file this checkout expects"):
        module.fetch_pip()

    index.shutdown()
    index.server_close()
    assert not list((checkout / ".venv").glob("*.whl"))


class ForgedIndex(BaseHTTPRequestHandler):
    """A package index whose pip wheel is somebody else's."""

    def do_GET(self) -> None:
        name = as_module(ROOT / "run").PIP_WHEEL
        body = b"PK forged" if self.path.endswith(".whl") else f'<a href="../../files/{name}#sha256=0">'.encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Quiet."""


@pytest.mark.parametrize(("programs", "installs_it"), [(["apt-get"], True), (["apt-get", "chromium"], False)])
def test_chromium_is_installed_where_pages_are_tested_and_it_may(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, programs: list[str], installs_it: bool
) -> None:
    path = checkout.parent / "path"
    for name in programs:
        (path / name).write_text(NOTES_CALLS.format(checkout.parent / "calls"))
        (path / name).chmod(0o755)
    (checkout / "tests").mkdir()
    (checkout / "tests" / "test_page.py").write_text("@pytest.mark.browser\ndef test_it(): ...\n")
    monkeypatch.setenv("PATH", str(path))

    as_module(checkout / "run").provide_browser()

    install = ["-qq update", "-qq -y install --no-install-recommends chromium"]
    assert installs(checkout) == (install if installs_it and os.geteuid() == 0 else [])


def test_an_old_python_can_read_the_sentence_that_refuses_it() -> None:
    ast.parse((ROOT / "run").read_text(), feature_version=(3, 6))


def test_failures_and_skips_are_counted_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    suite = '<testsuite tests="9" failures="2" errors="1" skipped="1"/>'
    report.write_text(f"<testsuites>{suite}</testsuites>")

    assert as_module(ROOT / "run").count(report) == (5, 3, 1)
    assert as_module(ROOT / "run").count(tmp_path / "never written") == (0, 0, 0)
