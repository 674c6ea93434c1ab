"""A cloud with a clock that stands still, and a gateway in a few lines: what the tests of the cloud talk with."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from cloud.api import keys
from cloud.api import repository as api_repository
from cloud.app import create_cloud
from cloud.clock import Clock
from cloud.database import Store, Tx
from cloud.entropy import Entropy
from cloud.open_store import open_store
from cloud.settings import Settings
from wire import batch, enrolment, http_signature, records
from wire.batch import Batch
from wire.ids import log_id
from wire.log import Frontier, leaf_hash
from wire.records import Base, Draw, Reading, Record
from wire.seal import Checkpoint, Signer

NOON_MS = 1_800_000_000_000
NOTHING: Mapping[str, str] = {}
T = TypeVar("T")


class StandingClock(Clock):
    """A clock that moves only when told to, and then wakes who slept that long."""

    def __init__(self) -> None:
        super().__init__(lambda: self.ms / 1000, self._sleep)
        self.ms = NOON_MS
        self._sleepers: list[tuple[int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        """What it shows."""
        return self.ms

    def move(self, seconds: int) -> None:
        """Time passes."""
        self.ms += seconds * 1000
        for due_ms, sleeper in self._sleepers:
            if due_ms <= self.ms and not sleeper.done():
                sleeper.set_result(None)
        self._sleepers = [one for one in self._sleepers if not one[1].done()]

    async def _sleep(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.ms + int(seconds * 1000), sleeper))
        await sleeper


class CloudTwin:
    """A running cloud; ``tenant`` and ``key`` are the first tenant's."""

    def __init__(self, address: str, state: Path) -> None:
        self.address, self.state = address, state
        self.clock = StandingClock()
        self.entropy = Entropy(random.Random(1).randbytes)
        self._runner = asyncio.Runner()
        self.tenant, self.key = "", ""

    def __enter__(self) -> Self:
        self.start()
        self.tenant, self.key = self.add_tenant("acme")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._runner.close()

    def start(self) -> None:
        """Starts the cloud on its database."""
        self.store: Store = open_store(self.address)
        settings = Settings(state=self.state, database=self.address)
        self.app = create_cloud(settings, self.clock, self.entropy, self.store)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://cloud")
        self._life = AsyncExitStack()
        self.wait(self._life.enter_async_context(self.app.router.lifespan_context(self.app)))

    def stop(self) -> None:
        """Ends it; what is in the database stays."""
        self.wait(self._life.aclose())
        self.wait(self.http.aclose())
        self.wait(self.store.close())

    def restart(self) -> None:
        """Another process on the same database."""
        self.stop()
        self.start()

    def wait(self, coming: Awaitable[T]) -> T:
        """Runs the loop until something is done."""
        return self._runner.run(_awaited(coming))

    def run(self, work: Callable[[Tx], T]) -> T:
        """One transaction."""
        return self.wait(self.store.run(work))

    def look(self, work: Callable[[Tx], T]) -> T:
        """One transaction that only reads, and waits for no writer."""
        return self.wait(self.store.read(work))

    def add_tenant(self, name: str, scopes: tuple[str, ...] = keys.SCOPES) -> tuple[str, str]:
        """A tenant and an API key of it."""
        tenant = f"tn-{name}"

        def work(tx: Tx) -> str:
            api_repository.add_tenant(tx, tenant, name, self.clock.ms)
            return keys.create(tx, self.entropy, tenant, name="test", scopes=scopes, now_ms=self.clock.ms)

        return tenant, self.run(work)

    def ask(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] = NOTHING,
        body: bytes | None = None,
    ) -> httpx.Response:
        """One request with an API key ("" for none)."""
        bearer = self.key if key is None else key
        sent = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return self.wait(self.http.request(method, path, json=json, content=body, headers={**sent, **headers}))

    def gateway(
        self, gateway_id: str = "gw-1", *, key: str | None = None, devices: Sequence[str] = ("cab-1", "meter-1")
    ) -> GatewayTwin:
        """A registered and enrolled gateway with its devices."""
        assert self.ask("POST", "/v1/gateways", {"name": "G", "gateway_id": gateway_id}, key=key).status_code == 201
        for device in devices:
            sent = {"device_id": device, "kind": "cabinet", "gateway_id": gateway_id}
            assert self.ask("POST", "/v1/devices", sent, key=key).status_code == 201
        return GatewayTwin(self, gateway_id, key=key)

    def counts(self) -> dict[str, int]:
        """How many rows each table holds."""

        def work(tx: Tx) -> dict[str, int]:
            return {name: tx.all(f"SELECT COUNT(*) FROM {name}")[0][0] for name in tables(tx)}

        return self.run(work)


class GatewayTwin:
    """A gateway's half of the protocol: a journal in a list, and a key."""

    def __init__(self, cloud: CloudTwin, gateway_id: str, *, key: str | None = None, seed: int = 7) -> None:
        self.cloud, self.gateway_id, self.key = cloud, gateway_id, key
        self.seed = random.Random(f"{gateway_id} {seed}").randbytes(32)
        self.leaves: list[bytes] = []
        self.n = 0
        self.epoch = "e" * 16
        self.boot = "b" * 16
        self.enrol()

    def enrol(self) -> None:
        """Becomes known, with an empty log."""
        made = self.cloud.ask("POST", f"/v1/gateways/{self.gateway_id}/enrolment-codes", key=self.key)
        sent = enrolment.request(Signer("new", self.seed), made.json()["code"])
        answer = self.cloud.ask("POST", "/v1/enrolments", {"code": sent.code, "vkey": sent.vkey, "proof": sent.proof})
        assert answer.status_code == 201, answer.text
        self.origin: str = answer.json()["origin"]
        self.cosigner_vkey: str = answer.json()["cosigner_vkey"]
        self.signer = Signer(self.origin, self.seed)
        self.log = log_id(self.origin)

    def base(self, **fields: object) -> dict[str, Any]:
        """What every record says, one counter further."""
        self.n += 1
        mono = self.n * 1000
        said = {"v": 1, "z": f"{self.n:032x}", "src": "cab-1", "ep": self.epoch, "n": self.n, "b": self.boot}
        return said | {"m": mono, "t": NOON_MS - 3_600_000 + mono, "ts": "S"} | fields

    def draw(self, **fields: object) -> Draw:
        """A draw of one piece, as a record."""
        said = {"slot": "1", "item": "bolt", "asked": 1, "qty": 1, "outcome": "confirmed"}
        return Draw(**self.base(**(said | {"actuation": "ok", "confirmation": "door"} | fields)))

    def reading(self, **fields: object) -> Reading:
        """A meter reading, as a record."""
        said = {"src": "meter-1", "register": "1.8.0", "value": 1000 + self.n, "scale": -1, "unit": "kWh"}
        return Reading(**self.base(**(said | fields)))

    def keep(self, *kept: Record | bytes) -> None:
        """Puts records, or raw leaves, at the log's end."""
        for one in kept:
            self.leaves.append(records.encode(one) if isinstance(one, Base) else one)

    def note(self, size: int, leaves: Sequence[bytes] | None = None) -> str:
        """The signed checkpoint at a size."""
        hashes = [leaf_hash(leaf) for leaf in (self.leaves if leaves is None else leaves)[:size]]
        return self.signer.sign(Checkpoint(self.origin, size, Frontier().extend(hashes).root()))

    def body(self, old: int, size: int, *, note: str | None = None, leaves: Sequence[bytes] | None = None) -> bytes:
        """A batch's body; ``note`` and ``leaves`` (the whole log's) may be other than the gateway's."""
        own = list(self.leaves if leaves is None else leaves)
        return batch.encode(Batch(old, self.note(size, own) if note is None else note, own[old:size]))

    def post(self, body: bytes, *, log: str = "", gzipped: bool = False) -> httpx.Response:
        """Posts a body to the log."""
        headers = {"content-encoding": "gzip"} if gzipped else {}
        path = f"/v1/logs/{log or self.log}/entries"
        return self.cloud.ask("POST", path, key="", body=batch.deflate(body) if gzipped else body, headers=headers)

    def send(self, old: int, size: int | None = None) -> httpx.Response:
        """Posts the leaves ``[old, size)`` as an honest gateway does."""
        return self.post(self.body(old, len(self.leaves) if size is None else size))

    def head(self) -> dict[str, Any]:
        """What the cloud says about the log."""
        found: dict[str, Any] = self.cloud.ask("GET", f"/v1/logs/{self.log}/head", key="").json()
        return found

    def signed_get(
        self, path: str, query: str = "", *, nonce: str = "", headers: Mapping[str, str] = NOTHING
    ) -> httpx.Response:
        """A request signed over its path and query with the server's nonce."""
        fresh = nonce or self.head()["nonce"]
        signed = http_signature.sign_request(self.signer, method="GET", path=path, query=query, body=b"", nonce=fresh)
        return self.cloud.ask("GET", f"{path}?{query}" if query else path, key="", headers={**signed, **headers})


def tables(tx: Tx) -> list[str]:
    """The names of all tables."""
    if tx.dialect == "sqlite":
        rows = tx.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    else:
        rows = tx.all("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    return sorted(row[0] for row in rows)


async def _awaited(coming: Awaitable[T]) -> T:
    return await coming
