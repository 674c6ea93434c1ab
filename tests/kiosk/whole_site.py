"""What an installer finds on his first day: two boards on adapters, a gateway out of its box, a cloud far away.

All is real but the boards' copper: `tally-cloud serve` and `tally-gateway run` are processes of their own, and the
twins hang on pseudo-terminals under names that stay, as udev gives them to adapters.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx

from firmware_sim.bench import Line, LineSpec, PtyPort
from firmware_sim.devices.coil_vmc import CoilVmc
from firmware_sim.devices.lock_8a import DoorMoved, Lock8A
from tests.kiosk.cabinet import write_setup_code

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
LOCKS, COILS = "usb-FTDI_locks-if00-port0", "usb-FTDI_coils-if00-port0"
CABINETS = ("locker-1", "coil-1")


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Boards:
    """The boards behind their adapters, on a loop of their own. The lock board's switches read the other way round."""

    def __init__(self, adapters: Path) -> None:
        adapters.mkdir()
        self.locks = Lock8A(closed_reads=0x00, on_door=self._moved)
        self.coils = CoilVmc({1: 5, 2: 5}, turn_s=0.3)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.call(self._open(adapters))

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it where the boards live."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def by_hand(self, lock: int, *, opened: bool) -> None:
        """Somebody opens a door with the key, or shuts it."""
        self._loop.call_soon_threadsafe(self._hand, lock, opened)

    def close(self) -> None:
        """The end."""
        self.call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _open(self, adapters: Path) -> None:
        self._line, machine = Line(), Line(LineSpec(baud=57600, half_duplex=False))
        self._line.attach(self.locks)
        machine.attach(self.coils)
        self._ports = [PtyPort(self._line, adapters / LOCKS), PtyPort(machine, adapters / COILS)]
        for port in self._ports:
            await port.open()

    async def _close(self) -> None:
        for port in self._ports:
            port.close()

    def _moved(self, door: DoorMoved) -> None:
        if door.open and door.cause == "command":
            self._loop.call_later(0.3, self._hand, door.lock, False)

    def _hand(self, lock: int, opened: bool) -> None:
        move = self.locks.door_forced if opened else self.locks.door_closed
        move(lock, self._loop.time())
        self._line.stir(self.locks)


class Process:
    """One of our programs, until its last word that it is ready."""

    def __init__(self, words: list[str], ready: str, **environment: str) -> None:
        self._words, self._ready, self._environment = words, ready, {**os.environ, **environment}
        self.start()

    def start(self) -> None:
        """The power is there."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._words], cwd=ROOT, env=self._environment, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        assert any(self._ready in line for line in self._process.stderr)
        # Nobody reads on, and a pipe that is full would stop it.
        self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """The power is gone."""
        self._process.kill()
        self._process.wait(20)
        self._reader.join(20)
        assert self._process.stderr is not None
        self._process.stderr.close()


class Site:
    """Everything, and the operator's API key."""

    def __init__(self, folder: Path) -> None:
        self.boards = Boards(folder / "by-id")
        self.cloud_url = f"http://127.0.0.1:{(cloud := free_port())}"
        state = {"TALLY_STATE": str(folder / "cloud"), "TALLY_DATABASE": f"sqlite:///{folder}/cloud.db"}
        words = ["cloud.cli", "serve", "--listen", f"127.0.0.1:{cloud}"]
        self._cloud = Process(words, "Uvicorn running", **state)
        made = subprocess.run(
            [sys.executable, "-m", "cloud.cli", "create-tenant", "Acme", "--id", "acme", "--json"],
            cwd=ROOT, env={**os.environ, **state}, check=True, capture_output=True,
        )  # fmt: skip
        key = httpx.Response(200, content=made.stdout).json()["key"]
        self.operator = httpx.Client(base_url=self.cloud_url, headers={"authorization": f"Bearer {key}"}, timeout=30)
        self.url = f"http://127.0.0.1:{(pages := free_port())}"
        write_setup_code(folder / "gateway")
        (folder / "gateway.toml").write_text(
            f'[gateway]\nname = "Halle 3"\nstate = "{folder}/gateway"\nadapters = "{folder}/by-id"\n'
            f"[web]\nport = {pages}\n[cloud]\npoll_seconds = 1\n[journal]\ndemo = true\nballast_mb = 0\n"
        )
        self.gateway = Process(["gateway.cli", "run", "--config", str(folder / "gateway.toml")], '"pages"')

    def close(self) -> None:
        """The end."""
        self.gateway.kill()
        self._cloud.kill()
        self.operator.close()
        self.boards.close()

    def claim_code(self) -> str:
        """The operator registers the gateway and makes its code."""
        assert self.operator.post("/v1/gateways", json={"name": "Halle 3", "gateway_id": "gw-1"}).status_code == 201
        for cabinet in CABINETS:
            sent = {"device_id": cabinet, "kind": "cabinet", "gateway_id": "gw-1"}
            assert self.operator.post("/v1/devices", json=sent).status_code == 201
        return str(self.operator.post("/v1/gateways/gw-1/enrolment-codes").json()["code"])

    def plan(self) -> None:
        """The operator lays out what lies where."""
        self.operator.post("/v1/items", json={"item_id": "drill-8", "name": "Drill 8 mm"})
        for cabinet, slots, confirm in ((CABINETS[0], 2, "door"), (CABINETS[1], 1, "sensor")):
            plan = [
                {"slot": str(n), "item_id": "drill-8", "capacity": 10, "min": 1, "max": 10, "confirm": confirm}
                for n in range(1, slots + 1)
            ]
            answer = self.operator.put(f"/v1/cabinets/{cabinet}/planogram", json={"slots": plan})
            assert answer.status_code == 200, answer.text
