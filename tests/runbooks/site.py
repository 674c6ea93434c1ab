"""A served cloud and a gateway's commands, all as processes, and runbooks read as the commands they tell."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cloud import cli as cloud_cli
from gateway import cli as gateway_cli
from tests.cloud.test_process import ROOT, Served
from wire.ids import log_id

RUNBOOKS = ROOT / "docs" / "runbooks"
TRIES = 3000
PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {"tally-gateway": gateway_cli.main, "tally-cloud": cloud_cli.main}


def commands(runbook: str) -> list[str]:
    """The command lines of a runbook, in order."""
    text = (RUNBOOKS / f"{runbook}.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


class Site:
    """A cloud with one tenant, and one enrolled gateway."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cloud = Served(folder / "cloud")
        self.http = self.cloud.http
        self.http.headers["authorization"] = f"Bearer {self.cloud.key()}"
        self.config, self.state = folder / "gateway.toml", folder / "gateway"
        self.config.write_text(
            f'[gateway]\nstate = "{self.state}"\n[cloud]\nurl = "http://{self.cloud.address}"\n[web]\nenabled = false\n'
            "[journal]\ndemo = true\n"
        )
        assert self.http.post("/v1/gateways", json={"name": "G", "gateway_id": "gw-1"}).status_code == 201
        self.told("tally-gateway enrol CODE --config GATEWAY.toml", CODE=self.code())

    def close(self) -> None:
        """Ends the cloud."""
        if self.cloud.process.poll() is None:
            self.cloud.end(signal.SIGTERM)
        self.http.close()

    def code(self, gateway: str = "gw-1") -> str:
        """A one-time code."""
        return str(self.http.post(f"/v1/gateways/{gateway}/enrolment-codes").json()["code"])

    @property
    def identity(self) -> dict[str, Any]:
        """The gateway's identity file."""
        found: dict[str, Any] = json.loads((self.state / "identity.json").read_bytes())
        return found

    @property
    def log(self) -> str:
        """The gateway's present log."""
        return log_id(self.identity["origin"])

    def size(self) -> int:
        """How much of it is cosigned."""
        return int(self.http.get(f"/v1/logs/{self.log}/head").json()["size"])

    def told(self, line: str, code: int = 0, **values: str) -> Any:
        """Runs one command line of a runbook; its JSON document."""
        words = self._words(line, values)
        said, kept = io.StringIO(), dict(os.environ)
        os.environ.update({name: value for name, value in self.cloud.environment.items() if name.startswith("TALLY_")})
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                found = PROGRAMS[words[0]]([*words[1:], "--json"])
        finally:
            os.environ.clear()
            os.environ.update(kept)
        assert found == code, f"{line}: {found} {said.getvalue()}"
        shown = said.getvalue().strip()
        return json.loads(shown.splitlines()[-1]) if shown else None

    def play(self, runbook: str, codes: Mapping[str, int] | None = None, **values: str) -> list[Any]:
        """Every command of a runbook in its order; what each said. ``run`` works until all is cosigned."""
        said: list[Any] = []
        for line in commands(runbook):
            if line.startswith("tally-gateway run"):
                self.run()
                said.append(self.size())
            elif line == "tally-cloud serve":
                self.cloud.start()
                said.append("served")
            else:
                said.append(self.told(line, (codes or {}).get(line.split()[1], 0), **values))
        return said

    def run(self) -> None:
        """The gateway works until what it recorded is cosigned; then it is stopped."""
        before = self.size()
        with running(self.config):
            for _ in range(TRIES):
                if self.size() > before:
                    return
        raise AssertionError("nothing was cosigned")

    def _words(self, line: str, values: Mapping[str, str]) -> Sequence[str]:
        known = {"GATEWAY.toml": str(self.config), "TENANT": "acme", **values}
        return [known.get(word, word) for word in shlex.split(line)]


@contextmanager
def running(config: Path) -> Iterator[subprocess.Popen[str]]:
    """``tally-gateway run``, ready; stopped in order at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "run", "--config", str(config)],
        stderr=subprocess.PIPE, text=True, env=dict(os.environ), cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert any(json.loads(line)["message"] == "ready" for line in process.stderr)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
