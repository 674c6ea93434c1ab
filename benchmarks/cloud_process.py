"""A real cloud in a process of its own, with enrolled gateways and full cabinets: what ingest is sent to."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from benchmarks import samples
from benchmarks.http_load import drive
from benchmarks.measure import ROOT
from benchmarks.processes import Program, free_port, python, running
from benchmarks.signed_requests import Gateway, place_of, seed_of
from wire import enrolment
from wire.seal import Signer


class Cloud:
    """A running cloud and a key of its one tenant."""

    def __init__(self, program: Program, port: int, key: str) -> None:
        self.pid = program.pid
        self.port = port
        headers = {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)

    def ask(self, method: str, path: str, body: object = None) -> dict[str, object]:
        """One request; raises RuntimeError with the problem the cloud states."""
        answer = self._http.request(method, path, json=body)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        found: dict[str, object] = answer.json() if answer.content else {}
        return found

    def raw(self, path: str) -> bytes:
        """What a GET answers, as it came; raises RuntimeError with the problem the cloud states."""
        answer = self._http.get(path)
        if answer.is_error:
            raise RuntimeError(f"GET {path}: {answer.status_code} {answer.text}")
        return answer.content

    def gateways(self, count: int) -> list[Gateway]:
        """So many gateways, enrolled; their cabinets have planograms and are full."""
        made = [self._gateway(number) for number in range(count)]
        drive(self.port, [[one.filling()] for one in made])
        return made

    def _gateway(self, number: int) -> Gateway:
        gateway_id, place = f"gw-{number}", place_of(number)
        self.ask("POST", "/v1/gateways", {"gateway_id": gateway_id, "name": gateway_id})
        slots = [_slot(self, place, at) for at in range(samples.SLOTS)]
        for at in range(samples.CABINETS):
            self._device(gateway_id, place + samples.cabinet(at), "mqtt_cabinet")
            self.ask("PUT", f"/v1/cabinets/{place}{samples.cabinet(at)}/planogram", {"slots": slots})
        for at in range(samples.METERS):
            self._device(gateway_id, place + samples.meter(at), "modbus_meter")
        code = self.ask("POST", f"/v1/gateways/{gateway_id}/enrolment-codes")["code"]
        request = enrolment.request(Signer("new", seed_of(number)), str(code))
        sent = {"code": request.code, "vkey": request.vkey, "proof": request.proof}
        return Gateway(number, str(self.ask("POST", "/v1/enrolments", sent)["origin"]))

    def _device(self, gateway_id: str, device_id: str, kind: str) -> None:
        self.ask("POST", "/v1/devices", {"device_id": device_id, "kind": kind, "gateway_id": gateway_id})


def _slot(cloud: Cloud, place: str, at: int) -> dict[str, object]:
    item_id = place + samples.item(at)
    cloud.ask("POST", "/v1/items", {"item_id": item_id, "name": item_id})
    levels = {"capacity": 100, "min": 10, "max": 100}
    return {"slot": samples.slot(at), "item_id": item_id, "confirm": "sensor", **levels}


@contextmanager
def running_cloud(folder: Path, database: str) -> Iterator[Cloud]:
    """`tally-cloud serve` on a fresh database, with one tenant."""
    port = free_port()
    kind = database.partition(":")[0]
    state = str(folder / f"{kind}-state")
    env = {"TALLY_DATABASE": database, "TALLY_STATE": state, "TALLY_LISTEN": f"127.0.0.1:{port}"}
    command = python("-m", "cloud.cli")
    made = subprocess.run(
        [*command, "create-tenant", "Bench", "--json"], env=env, cwd=ROOT, check=True, capture_output=True
    )
    key = str(msgspec.json.decode(made.stdout)["key"])
    with running(Program(f"cloud-{kind}", [*command, "serve"], folder, env)) as program:
        program.await_port(port)
        yield Cloud(program, port, key)
