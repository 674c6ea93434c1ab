"""A cloud in a process of its own, on its own port and database: what a browser is pointed at.

Its clock stands still (a demonstration's clock at speed 0), so that pages look the same in every run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.cloud.twins import StandingClock

ROOT = Path(__file__).parents[2]
_LISTENS = re.compile(r"running on (http://\S+)")


class RemoteCloud:
    """The cloud behind an address, spoken to as the tests' own cloud is."""

    def __init__(self, address: str, key: str, clock: StandingClock) -> None:
        self.key, self.clock = key, clock
        self.http = httpx.Client(base_url=address)

    def ask(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> httpx.Response:
        """One request with an API key ("" for none)."""
        bearer = self.key if key is None else key
        sent = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return self.http.request(method, path, json=json, content=body, headers={**sent, **(headers or {})})


@contextmanager
def serving(database: str, state: Path, shown_ms: int) -> Iterator[str]:
    """`tally-cloud serve` on a free port: its address. Ends with SIGTERM, and must end well."""
    settings = {"TALLY_DATABASE": database, "TALLY_STATE": str(state), "TALLY_DEMO_CLOCK": f"{shown_ms},0,0"}
    command = [sys.executable, "-m", "cloud.cli", "serve", "--listen", "127.0.0.1:0"]
    environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()
            _, said = process.communicate()
    assert (process.returncode, "Cancel" in said) == (0, False), said


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        found = _LISTENS.search(line)
        if found:
            return found.group(1)
    raise AssertionError("the cloud did not start:\n" + "".join(said))
