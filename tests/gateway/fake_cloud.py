"""A cloud of one log, written from the wire alone: what a gateway must get along with, and what it must never accept.

It keeps what it was sent, cosigns honestly, and does on request what networks and restored databases do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import msgspec

from wire import batch
from wire.http_signature import asked_nonce, sign_answer, verify_request
from wire.ids import log_id
from wire.log import Frontier, leaf_hash
from wire.records import Record, decode
from wire.seal import Signer, Verifier

NAME = "cloud.test"
Before = Callable[[httpx.Request], Awaitable[None]]


@dataclass
class FakeCloud:
    """``before`` runs before each request; ``lose`` answers are thrown away after their work is done."""

    vkey: str
    signer: Signer = field(default_factory=lambda: Signer(NAME, b"c" * 32))
    leaves: list[bytes] = field(default_factory=list)
    notes: dict[int, set[str]] = field(default_factory=dict)
    checkpoint: str = ""
    backed_up: int = 0
    lose: int = 0
    seconds: int = 1_793_000_000
    before: Before | None = None
    posts: int = 0
    desired: bytes = b""
    version: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answers: list[tuple[int, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The head."""
        return len(self.leaves)

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """What a gateway's client uses in place of the network."""
        return _Transport(self)

    def want(self, **parts: object) -> None:
        """A new desired document."""
        self.version += 1
        whole = {"tenant_id": "acme", "gateway_id": "gw-1", "version": self.version, "badges": [], "planograms": {}}
        self.desired = msgspec.json.encode({**whole, **parts})
        self.changed.set()

    def records(self) -> list[Record]:
        """What came up, in order."""
        return [decode(leaf) for leaf in self.leaves]

    def restore(self, size: int) -> None:
        """A database from an old backup."""
        del self.leaves[size:]
        note = next(iter(self.notes[size])) if size else ""
        self.checkpoint = note + self.signer.cosign(note, self.seconds) if size else ""

    def frontier(self) -> Frontier:
        """The log as it stands."""
        return Frontier().extend([leaf_hash(leaf) for leaf in self.leaves])

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """One request, its work done and answered as the protocol says."""
        if self.before is not None:
            await self.before(request)
        path = request.url.path
        log = log_id(Verifier(self.vkey).name)
        if path == f"/v1/logs/{log}/head":
            head = batch.Head(self.size, self.checkpoint, self.backed_up, "nonce")
            body = batch.encode_answer(head)
            response = httpx.Response(200, content=body, headers=self._signed(request, body))
        elif path == f"/v1/logs/{log}/entries" and request.method == "POST":
            response = self._take(await request.aread(), request.headers.get("content-encoding") == "gzip")
        elif path == f"/v1/logs/{log}/entries":
            response = self._mirror(request)
        elif path == "/v1/gateways/gw-1/desired" and self.desired:
            response = await self._desired(request)
        else:
            response = _problem(404, "unknown-log")
        self.answers.append((response.status_code, path))
        if self.lose:
            self.lose -= 1
            raise httpx.ReadError("the connection was reset after the answer was written")
        return response

    def _take(self, body: bytes, gzipped: bool) -> httpx.Response:
        self.posts += 1
        sent = batch.decode(batch.inflate(body) if gzipped else body)
        checkpoint = Verifier(self.vkey).open(sent.note)
        self.notes.setdefault(checkpoint.size, set()).add(sent.note)
        if sent.old != self.size:
            if (
                sent.leaves == self.leaves[sent.old : checkpoint.size]
                and self._root(checkpoint.size) == checkpoint.root
            ):
                return self._receipt(sent.note, checkpoint.size)
            return _problem(409, "stale-size", size=self.size)
        grown = self.frontier().extend([leaf_hash(leaf) for leaf in sent.leaves])
        if grown.root() != checkpoint.root:
            return _problem(422, "wrong-root")
        self.leaves += sent.leaves
        answer = self._receipt(sent.note, checkpoint.size)
        self.checkpoint = sent.note + batch.decode_receipt(answer.content).cosignature
        return answer

    def _root(self, size: int) -> bytes:
        return Frontier().extend([leaf_hash(leaf) for leaf in self.leaves[:size]]).root()

    def _receipt(self, note: str, size: int) -> httpx.Response:
        self.seconds += 1
        receipt = batch.Receipt(size, self.signer.cosign(note, self.seconds), self.backed_up)
        return httpx.Response(200, content=batch.encode_answer(receipt))

    async def _desired(self, request: httpx.Request) -> httpx.Response:
        self._check(request)
        etag = f'"{self.version}"'
        if request.headers.get("if-none-match") == etag:
            self.changed.clear()
            try:
                async with asyncio.timeout(float(request.url.params.get("wait", 0))):
                    await self.changed.wait()
            except TimeoutError:
                return httpx.Response(304, headers={"etag": etag})
        signed = self._signed(request, self.desired)
        return httpx.Response(200, content=self.desired, headers={"etag": f'"{self.version}"', **signed})

    def _signed(self, request: httpx.Request, body: bytes) -> dict[str, str]:
        nonce = asked_nonce(request.headers.get("accept-signature", ""))
        return sign_answer(self.signer, status=200, body=body, path=request.url.path, nonce=nonce)

    def _check(self, request: httpx.Request) -> str:
        query, path = request.url.query.decode(), request.url.path
        verify_request(Verifier(self.vkey), request.headers, method="GET", path=path, query=query, body=b"")
        return query

    def _mirror(self, request: httpx.Request) -> httpx.Response:
        query = self._check(request)
        start, end = (int(number) for number in re.findall(r"\d+", query))
        return httpx.Response(200, content=b"".join(leaf + b"\n" for leaf in self.leaves[start:end]))


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, cloud: FakeCloud) -> None:
        self._cloud = cloud

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._cloud.answer(request)


async def hang(_: httpx.Request) -> None:
    """A link that takes a request and never says anything again."""
    await asyncio.Event().wait()


async def unreachable(_: httpx.Request) -> None:
    """No network."""
    raise httpx.ConnectError("no route to host")


def _problem(status: int, slug: str, **fields: int) -> httpx.Response:
    document = {"type": f"/problems/{slug}", "title": slug, "status": status, **fields}
    return httpx.Response(status, content=msgspec.json.encode(document))
