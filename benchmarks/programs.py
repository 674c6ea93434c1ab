"""The real programs on a disk of their own: one cloud, gateways enrolled with it; each can be killed and comes back."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import msgspec

from benchmarks import events
from benchmarks.measure import ROOT
from benchmarks.processes import Program, free_port, python
from benchmarks.signed_requests import seed_of
from gateway.identity import Identity, save
from wire import enrolment
from wire.seal import Signer

ZONE = "Europe/Berlin"
MONTH = ("2026-10-01", "2026-11-01")
PRICE = "1.20"


class CloudProgram:
    """`tally-cloud serve` on SQLite, with one tenant and its key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cloud"
        self.folder.mkdir()
        self.port = free_port()
        self.database = self.folder / "cloud.db"
        self._env = {
            "TALLY_DATABASE": f"sqlite:///{self.database}", "TALLY_STATE": str(self.folder / "state"),
            "TALLY_LISTEN": f"127.0.0.1:{self.port}",
        }  # fmt: skip
        words = [str(word) for word in python("-m", "cloud.cli", "create-tenant", "Shop", "--id", "shop", "--json")]
        made = subprocess.run(words, env={**os.environ, **self._env}, cwd=ROOT, check=True, capture_output=True)
        self.key = str(msgspec.json.decode(made.stdout)["key"])
        self.start()

    def start(self, env: Mapping[str, str] | None = None) -> None:
        """Starts it and waits until it listens."""
        command = python("-m", "cloud.cli", "serve")
        self.program = Program("cloud", command, self.folder, {**self._env, **(env or {})})
        self.program.await_port(self.port, 180)

    def kill(self) -> None:
        """As `kill -9`."""
        self.program.stop(signal.SIGKILL)

    def ask(self, method: str, path: str, body: object = None, *, port: int = 0, key: str = "") -> Any:  # noqa: ANN401 -- JSON
        """One request (through another port, if one is given); raises httpx.HTTPError when it has no good answer."""
        headers = {"authorization": f"Bearer {self.key}", **({"idempotency-key": key} if key else {})}
        url = f"http://127.0.0.1:{port or self.port}{path}"
        answer = httpx.request(method, url, json=body, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else {}

    def every(self, path: str) -> list[Any]:
        """All items of a list, page by page; ``path`` has a query."""
        items: list[Any] = []
        after = ""
        while True:
            page = self.ask("GET", f"{path}&limit=200{after}")
            items += page["items"]
            if not page.get("next"):
                return items
            after = f"&after={page['next']}"

    def furnish(self) -> None:
        """Parties and goods."""
        for party in ("sup", "cust"):
            self.ask("POST", "/v1/parties", {"party_id": party, "name": party})
        self.ask("POST", "/v1/items", {"item_id": "drill-8", "name": "drill-8"})

    def enrol(self, number: int, port: int) -> Identity:
        """A gateway with a cabinet, a meter and twenty cabinets behind its broker; it reaches us by ``port``."""
        gateway = f"gw-{number}"
        self.ask("POST", "/v1/gateways", {"gateway_id": gateway, "name": gateway})
        named = [f"{gateway}-cab", f"{gateway}-meter", *(device_of(gateway, at) for at in range(events.CABINETS))]
        for device in named:
            self.ask("POST", "/v1/devices", {"device_id": device, "kind": "cabinet", "gateway_id": gateway})
        levels = {"capacity": 1_000_000, "min": 10, "max": 100, "confirm": "sensor"}
        slots = [{"slot": "1", "item_id": "drill-8", **levels}]
        self.ask("PUT", f"/v1/cabinets/{gateway}-cab/planogram", {"slots": slots})
        charges = [{"kind": "per_piece", "prices": {"drill-8": PRICE}}]
        agreement = {
            "agreement_id": f"agr-{number}", "supplier_id": "sup", "customer_id": "cust", "currency": "EUR",
            "zone": ZONE, "starts": MONTH[0], "devices": [f"{gateway}-cab"], "charges": charges,
        }  # fmt: skip
        self.ask("POST", "/v1/agreements", agreement)
        code = self.ask("POST", f"/v1/gateways/{gateway}/enrolment-codes")["code"]
        sent = enrolment.request(Signer("new", seed_of(number + 1)), str(code))
        made = self.ask("POST", "/v1/enrolments", {"code": sent.code, "vkey": sent.vkey, "proof": sent.proof})
        return Identity(
            gateway, "shop", made["origin"], seed_of(number + 1).hex(), made["cosigner_vkey"],
            f"http://127.0.0.1:{port}",
        )  # fmt: skip

    def told(self) -> Counter[tuple[str, str]]:
        """How often the cloud holds each event, by device and the device's own name of it."""
        found: Counter[tuple[str, str]] = Counter()
        for (leaf,) in self._rows("SELECT leaf FROM leaves"):
            said = json.loads(leaf)
            found[said["src"], said.get("did", "")] += 1
        return found

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self._rows(f"SELECT COUNT(*) FROM {table}")[0][0])

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


def device_of(gateway: str, number: int) -> str:
    """The id of a cabinet behind a gateway's broker: all gateways' brokers know the same topics."""
    return f"{gateway}-{events.cabinet(number)}"


CONFIG = """\
[gateway]
state = "{state}"

[journal]
demo = true
ballast_mb = 1

[web]
port = {web}

[[brokers]]
name = "shop"
host = "127.0.0.1"
port = {broker}
client_id = "{name}"
window = 400
devices = [
{devices}
]
"""


class GatewayProgram:
    """`tally-gateway run` on a folder of its own; ``broker``: the port where its cabinets are."""

    def __init__(self, folder: Path, identity: Identity, broker: int) -> None:
        self.name = identity.gateway_id
        self.folder = folder / self.name
        self.state = self.folder / "state"
        self.state.mkdir(parents=True)
        self.web = free_port()
        self.program: Program | None = None
        save(self.state, identity)
        devices = "\n".join(
            f'  {{ id = "{device_of(self.name, at)}", kind = "mqtt_cabinet", cabinet = "{events.cabinet(at)}" }},'
            for at in range(events.CABINETS)
        )
        text = CONFIG.format(state=self.state, web=self.web, broker=broker, name=self.name, devices=devices)
        (self.folder / "gateway.toml").write_text(text)

    def start(self, within: Sequence[str] = ()) -> None:
        """Starts it; returns at once. ``within``: words before the command."""
        command = [*within, *python("-m", "gateway.cli", "run", "--config", self.folder / "gateway.toml")]
        self.program = Program("gateway", command, self.folder)

    def kill(self) -> None:
        """As `kill -9`."""
        if self.program is not None:
            self.program.stop(signal.SIGKILL)

    def stop(self) -> None:
        """In good order."""
        if self.program is not None:
            self.program.stop()

    def status(self) -> dict[str, Any]:
        """Its own account of itself; empty while its pages are not there."""
        found: dict[str, Any] = {}
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.web}/status", timeout=5) as answer:
            found = json.load(answer)
        return found

    def recorded(self) -> int:
        """How many records its journal holds."""
        db = sqlite3.connect(f"file:{self.state / 'journal.db'}?mode=ro", uri=True)
        try:
            return int(db.execute("SELECT COUNT(*) FROM records").fetchone()[0])
        finally:
            db.close()
