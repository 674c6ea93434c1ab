"""A cloud of the wire alone: it cosigns what it is sent, keeps it in memory, and can be away, hang, falter or be slow.

It is a thread of the benchmark, so that what arrived and when is at hand. While messages fly it does as little as it
can (size, signature); leaves are read and the root is proven afterwards, in `ledger`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from benchmarks.loop_thread import LoopThread
from wire import batch, http_signature
from wire.batch import Batch, Head, Receipt
from wire.ids import log_id
from wire.log import Frontier, leaf_hash
from wire.records import Record, decode
from wire.seal import Signer, Verifier

Behaviour = Literal["up", "away", "hung", "falters", "slow"]
TENANT, GATEWAY = "bench", "gw-bench"
ORIGIN = f"tallystick/{TENANT}/{GATEWAY}/1"
FALTER_EVERY = 3
SLOW_SECONDS = 0.3


class Arrived(NamedTuple):
    """One record in the cloud's ledger, and when its receipt was sent (CLOCK_MONOTONIC, seconds)."""

    record: Record
    receipted: float


class TinyCloud:
    """One gateway's cloud. ``behave`` may be called at any time."""

    def __init__(self, port: int, gateway_vkey: str) -> None:
        self.port = port
        self.requests = 0
        self._cosigner = Signer("tallystick.bench", bytes(31) + b"\x07")
        self._gateway = Verifier(gateway_vkey)
        self._behaviour: Behaviour = "up"
        self._pieces: list[tuple[Batch, float]] = []
        self._head = Head(0, "", 0, "nonce")
        self._loop = LoopThread("tiny cloud")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._answers = asyncio.Event()
        self.behave("up")

    @property
    def cosigner_vkey(self) -> str:
        """The key it cosigns and signs answers with."""
        return self._cosigner.cosigner_vkey

    @property
    def size(self) -> int:
        """How many leaves it has cosigned."""
        return self._head.size

    def behave(self, behaviour: Behaviour) -> None:
        """From now on: up; away (nobody listens); hung (takes requests, never answers); falters (every third request is
        obeyed and the connection closed before the answer); slow (300 ms an answer)."""
        self._loop.run(self._behave(behaviour))

    def close(self) -> None:
        """Ends it."""
        self.behave("away")
        self._loop.close()

    def ledger(self) -> list[Arrived]:
        """Everything that was cosigned, in order; raises RuntimeError when the leaves do not give the signed root."""
        tree = Frontier()
        found: list[Arrived] = []
        for piece, at in list(self._pieces):
            tree = tree.extend([leaf_hash(leaf) for leaf in piece.leaves])
            checkpoint = self._gateway.open(piece.note)
            if (checkpoint.size, checkpoint.root) != (tree.size, tree.root()):
                raise RuntimeError(f"the leaves up to {checkpoint.size} do not give the signed root")
            found += [Arrived(decode(leaf), at) for leaf in piece.leaves]
        return found

    def await_size(self, size: int, patience: float = 30.0) -> bool:
        """Whether so many leaves were cosigned in time."""
        return until(lambda: self.size >= size, patience)

    async def _behave(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        if behaviour == "hung":
            self._answers.clear()
        else:
            self._answers.set()
        if behaviour == "away" and self._server is not None:
            self._server.close()
            self._server = None
            for writer in list(self._writers):
                writer.transport.abort()
        elif behaviour != "away" and self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=1 << 22)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                await self._answer(writer, head[0], headers, body)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    async def _answer(self, writer: asyncio.StreamWriter, line: str, headers: dict[str, str], body: bytes) -> None:
        self.requests += 1
        if self._behaviour == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        await self._answers.wait()
        method, target, _ = line.split(" ")
        falters = self._behaviour == "falters" and self.requests % FALTER_EVERY == 0
        if method == "POST":
            status, answer = self._grow(batch.inflate(body) if headers.get("content-encoding") == "gzip" else body)
        elif target.startswith(f"/v1/logs/{log_id(ORIGIN)}/head"):
            status, answer = 200, batch.encode_answer(self._head)
        elif "/desired" in target:
            status, answer = await self._desired(target)
        else:
            status, answer = 404, b'{"title":"not in a tiny cloud"}'
        if falters:
            raise ConnectionResetError
        path, nonce = target.partition("?")[0], http_signature.asked_nonce(headers.get("accept-signature", ""))
        signed = http_signature.sign_answer(self._cosigner, status=status, body=answer, path=path, nonce=nonce)
        lines = [f"HTTP/1.1 {status} -", f"content-length: {len(answer)}", "content-type: application/json"]
        lines += ['etag: "1"', "tally-nonce: nonce", *(f"{name}: {value}" for name, value in signed.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + answer)
        await writer.drain()

    async def _desired(self, target: str) -> tuple[int, bytes]:
        if "wait=" in target:
            await asyncio.sleep(int(target.split("wait=")[1]))
            return 304, b""
        document = {"tenant_id": TENANT, "gateway_id": GATEWAY, "version": 1, "planograms": {}, "badges": []}
        return 200, msgspec.json.encode(document)

    def _grow(self, body: bytes) -> tuple[int, bytes]:
        sent = batch.decode(body)
        checkpoint = self._gateway.open(sent.note)
        if sent.old != self._head.size or checkpoint.size <= self._head.size:
            return 409, b'{"type":"https://tallystick/problems/stale-size","size":%d}' % self._head.size
        cosignature = self._cosigner.cosign(sent.note, int(time.time()))
        self._pieces.append((sent, time.monotonic()))
        self._head = Head(checkpoint.size, sent.note + cosignature, checkpoint.size, "nonce")
        return 200, batch.encode_answer(Receipt(checkpoint.size, cosignature, checkpoint.size, 0))


def deadline(seconds: float) -> Callable[[], bool]:
    """Something to ask whether so many seconds have passed since now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def until(holds: Callable[[], bool], patience: float) -> bool:
    """Whether something came true within ``patience`` seconds."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
