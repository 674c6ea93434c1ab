"""The real thing: ``tally-cloud serve`` in its own process, killed and started again on the same files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from wire import batch, enrolment, records
from wire.batch import Batch
from wire.ids import log_id
from wire.log import Frontier, leaf_hash
from wire.records import GatewayEvent
from wire.seal import Checkpoint, Signer

ROOT = Path(__file__).parents[2]
KEY = bytes(range(32))


class Served:
    """A served cloud."""

    def __init__(self, state: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.environment = {**os.environ, "TALLY_STATE": str(state), "TALLY_LISTEN": self.address}
        self.environment.pop("TALLY_DATABASE", None)
        self.http = httpx.Client(base_url=f"http://{self.address}", timeout=30)
        self.start()

    def start(self) -> None:
        """Starts it and waits until it says that it listens."""
        command = [sys.executable, "-m", "cloud.cli", "serve"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "Uvicorn running" in line:
                return
        raise AssertionError("the server ended at once")

    def end(self, how: signal.Signals) -> int:
        """Ends it; its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(20)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def key(self) -> str:
        """A new tenant's API key."""
        command = [sys.executable, "-m", "cloud.cli", "create-tenant", "Acme", "--id", "acme", "--json"]
        made = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True)
        found: str = httpx.Response(200, content=made.stdout).json()["key"]
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A cloud on an empty folder."""
    made = Served(tmp_path)
    yield made
    made.http.close()
    if made.process.poll() is None:
        made.end(signal.SIGKILL)


def enrolled(served: Served) -> tuple[str, Signer]:
    """An enrolled gateway: its log and its key."""
    bearer = {"authorization": f"Bearer {served.key()}"}
    served.http.post("/v1/gateways", json={"name": "G", "gateway_id": "gw-1"}, headers=bearer)
    code = served.http.post("/v1/gateways/gw-1/enrolment-codes", headers=bearer).json()["code"]
    sent = enrolment.request(Signer("new", KEY), code)
    body = {"code": sent.code, "vkey": sent.vkey, "proof": sent.proof}
    origin: str = served.http.post("/v1/enrolments", json=body).json()["origin"]
    return log_id(origin), Signer(origin, KEY)


def piece(signer: Signer) -> bytes:
    """A batch with the gateway's own boot event."""
    event = GatewayEvent(v=1, z="00", src="gw-1", ep="e", n=1, t=1, ts="S", b="b", m=1, event="boot")
    leaf = records.encode(event)
    note = signer.sign(Checkpoint(signer.name, 1, Frontier().extend([leaf_hash(leaf)]).root()))
    return batch.encode(Batch(0, note, [leaf]))


def test_what_was_cosigned_outlives_a_kill_and_a_polite_end_takes_no_time(served: Served) -> None:
    log, signer = enrolled(served)
    first = served.http.post(f"/v1/logs/{log}/entries", content=piece(signer))

    killed = served.end(signal.SIGKILL)
    served.start()
    again = served.http.post(f"/v1/logs/{log}/entries", content=piece(signer))

    assert (first.status_code, again.content) == (200, first.content)
    assert (killed, served.end(signal.SIGTERM)) == (-signal.SIGKILL, 0)
