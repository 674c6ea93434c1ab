"""The requests a gateway makes of the cloud, one function each; what can go wrong is sorted by what to do about it.

Batches carry their own proof (the signed note). Everything else is signed over method, path, query and digest with a
nonce of the cloud's, so that neither a balancer's rewriting nor our own wrong clock can get in the way. What the cloud
says of our log is signed together with a nonce of ours: an old head, played back to a card that was just restored,
would make it give out numbers that are in use.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec

from gateway.entropy import salt
from gateway.identity import Identity, replace
from gateway.outbox import Failure
from wire.batch import BatchError, Head, Receipt, decode_head, decode_receipt
from wire.enrolment import Enrolled, Request
from wire.hand_over import MAX_KEYS, open_hand_over, signer_form
from wire.http_signature import NotFreshError, SignatureError, ask_bound, sign_request, verify_answer
from wire.ids import log_id
from wire.seal import SealError, verifier

CONNECT_SECONDS = 5.0
ASK_SECONDS = 10.0
SEND_SECONDS = 20.0
# The largest honest answers: 4,096 leaves of a mirror, and the people and rules of a large site.
MAX_ANSWER, CHUNK = 32 * 1024 * 1024, 65_536
UNPACKED = ("content-encoding", "content-length", "transfer-encoding")
NONCE_HEADER = "tally-nonce"
NOT_FRESH = "not-fresh"
T = TypeVar("T")
_KINDS: dict[int, Failure] = {
    400: "wrong", 401: "refused", 403: "refused", 404: "refused", 409: "stale", 410: "refused", 413: "too_large",
    422: "wrong", 423: "wrong", 429: "busy", 503: "busy",
}  # fmt: skip


class CloudError(Exception):
    """A request did not do its work. ``kind`` says what to do next, ``slug`` is the cloud's name of the problem."""

    def __init__(
        self, kind: Failure, detail: str, *, slug: str = "", retry_after: float = 0.0, nonce: str = ""
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.slug = slug
        self.retry_after = retry_after
        self.nonce = nonce


class _Problem(msgspec.Struct):
    type: str = ""
    title: str = ""
    detail: str = ""


class Inherited(msgspec.Struct, frozen=True):
    """A record of a card before this one: number of its log, index there, leaf."""

    log: int
    idx: int
    leaf: str


class Inheritance(msgspec.Struct, frozen=True):
    """A piece of such records: behind the cursor ``after``; ``next`` is "" where there are no more."""

    after: str
    next: str
    records: list[Inherited]


class AnswerError(ValueError):
    """An answer is not what was asked for, or no JSON, or nested too deep to be any."""


def read(body: bytes, wanted: type[T]) -> T:
    """The document in an answer; raises AnswerError. Nothing is believed here of whoever answers."""
    try:
        return msgspec.json.decode(body, type=wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AnswerError(str(error)) from error
    except RecursionError as error:
        raise AnswerError("it is nested too deep") from error


def open_client(url: str, *, ca: str = "", transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """A client with one connection for the uplink and one for the long poll. TLS is loaded only where it is used."""
    secure = url.startswith("https:")
    verify: bool | str = (ca or True) if secure else False
    return httpx.AsyncClient(
        base_url=url,
        verify=verify,
        transport=transport,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=4, max_keepalive_connections=2),
        headers={"user-agent": "tally-gateway"},
        follow_redirects=False,
    )


class _CloudKeys(msgspec.Struct):
    hand_overs: list[str] = []
    cosigner: str = ""


class Cloud:
    """The cloud as one gateway sees it. ``nonce`` makes what was never said before; ``played_back`` counts the answers
    that were genuine and not to our question."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        identity: Identity,
        folder: Path | None = None,
        nonce: Callable[[], str] = salt,
    ) -> None:
        self._client = client
        self._identity = identity
        self._folder = folder
        self._signer = identity.signer()
        self.cosigners = identity.cosigners()
        self._gateway = identity.gateway_id
        self._log = log_id(identity.origin)
        self._nonce = ""
        self._fresh = nonce
        self.played_back = 0

    async def head(self) -> Head:
        """What the cloud says it last cosigned of our log, signed for this question; the checkpoint is unverified."""
        path, nonce = f"/v1/logs/{self._log}/head", self._fresh()
        answer = await self._exchange("GET", path, seconds=ASK_SECONDS, headers=ask_bound(nonce))
        await self._verified(answer, path, nonce)
        try:
            head = decode_head(answer.content)
        except BatchError as error:
            raise CloudError("bad_answer", str(error)) from error
        self._nonce = head.nonce
        return head

    async def send(self, body: bytes, *, gzipped: bool) -> Receipt:
        """Sends one batch; the receipt is not verified yet. Raises CloudError."""
        headers = {"content-type": "application/octet-stream"}
        if gzipped:
            headers["content-encoding"] = "gzip"
        path = f"/v1/logs/{self._log}/entries"
        answer = await self._exchange("POST", path, seconds=SEND_SECONDS, content=body, headers=headers)
        if answer.status_code == httpx.codes.ACCEPTED:
            raise CloudError("busy", "the cloud has received the batch and not applied it yet", retry_after=0.5)
        try:
            return decode_receipt(answer.content)
        except BatchError as error:
            raise CloudError("bad_answer", str(error)) from error

    async def entries(self, start: int, end: int) -> list[bytes]:
        """Entries ``[start, end)`` of our own log from the cloud's mirror, unproven. Raises CloudError."""
        path = f"/v1/logs/{self._log}/entries"
        answer = await self.signed_get(path, {"from": str(start), "to": str(end)}, seconds=SEND_SECONDS)
        leaves = answer.content.split(b"\n")
        if leaves.pop():
            raise CloudError("bad_answer", "the mirror's answer does not end in a newline: it was cut")
        return leaves

    async def desired(self, etag: str, wait: int) -> httpx.Response:
        """What we should be (200, the cloud's signature checked), or 304 after ``wait`` seconds. Raises CloudError."""
        nonce = self._fresh()
        headers = ask_bound(nonce) | ({"if-none-match": etag} if etag else {})
        query = {"wait": str(wait)} if wait else {}
        path = desired_path(self._gateway)
        answer = await self.signed_get(path, query, seconds=ASK_SECONDS + wait, headers=headers)
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return answer
        await self._verified(answer, path, nonce)
        return answer

    async def inheritance(self, after: str) -> Inheritance:
        """A piece of what earlier cards recorded at our cabinets, signed by the cloud. Raises CloudError."""
        path, nonce = f"/v1/gateways/{self._gateway}/inheritance", self._fresh()
        query = {"after": after} if after else {}
        answer = await self.signed_get(path, query, seconds=SEND_SECONDS, headers=ask_bound(nonce))
        await self._verified(answer, path, nonce)
        try:
            piece = read(answer.content, Inheritance)
        except AnswerError as error:
            raise CloudError("bad_answer", f"what this card inherits cannot be read ({error})") from error
        if piece.after != after or (piece.next and piece.next == after):
            raise CloudError("bad_answer", "the cloud answered with another piece of the inheritance than we asked for")
        return piece

    async def signed_get(
        self, path: str, query: Mapping[str, str], *, seconds: float, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """A signed GET. A nonce that has become too old is replaced once."""
        text = urlencode(query)
        for attempt in (1, 2):
            if not self._nonce:
                await self.head()
            signed = sign_request(self._signer, method="GET", path=path, query=text, body=b"", nonce=self._nonce)
            target = f"{path}?{text}" if text else path
            self._nonce = ""
            try:
                answer = await self._exchange("GET", target, seconds=seconds, headers={**signed, **(headers or {})})
            except CloudError as error:
                if error.slug != "stale-nonce" or attempt == 2:
                    raise
                self._nonce = error.nonce
            else:
                self._nonce = answer.headers.get(NONCE_HEADER, "")
                return answer
        raise AssertionError("unreachable")

    async def _verified(self, answer: httpx.Response, path: str, nonce: str) -> None:
        """Raises CloudError unless our cloud signed this answer to this question, with the key we know or one that
        followed it."""
        try:
            self._verify(answer, path, nonce)
        except NotFreshError as error:
            raise self._old(error) from error
        except SignatureError as error:
            if not await self._learn_keys():
                raise CloudError("bad_answer", f"this answer is not signed by our cloud: {error}") from error
            try:
                self._verify(answer, path, nonce)
            except NotFreshError as old:
                raise self._old(old) from old
            except SignatureError as still:
                raise CloudError("bad_answer", f"this answer is not signed by our cloud: {still}") from still

    def _old(self, error: NotFreshError) -> CloudError:
        self.played_back += 1
        return CloudError("bad_answer", f"{error} (or the cloud is older than this program)", slug=NOT_FRESH)

    def _verify(self, answer: httpx.Response, path: str, nonce: str) -> None:
        key = verifier(self.cosigners[-1].vkey)
        verify_answer(key, answer.headers, status=answer.status_code, body=answer.content, path=path, nonce=nonce)

    async def _learn_keys(self) -> bool:
        """Asks which keys followed the cloud's key; believed is only what the key we know has signed."""
        answer = await self._exchange("GET", "/v1/keys", seconds=ASK_SECONDS)
        try:
            told = read(answer.content, _CloudKeys)
            first = self._identity.cosigners()[0].vkey
            links = told.hand_overs[:MAX_KEYS]
            olds = [open_hand_over(note).old for note in links]
            start = olds.index(first) if first in olds else None
            if start is None or tuple(links[start:]) == self._identity.cloud_hand_overs:
                return False
            known = msgspec.structs.replace(self._identity, cloud_hand_overs=tuple(links[start:]))
            self.cosigners = known.cosigners()
        except (AnswerError, SealError):
            return False
        self._identity = known
        if self._folder is not None:
            replace(self._folder, known)
        return True

    async def _exchange(self, method: str, path: str, *, seconds: float, **rest: Any) -> httpx.Response:  # noqa: ANN401
        return await exchange(self._client, method, path, seconds=seconds, **rest)


def desired_path(gateway: str) -> str:
    """Where the cloud keeps what a gateway should be."""
    return f"/v1/gateways/{gateway}/desired"


async def greet(client: httpx.AsyncClient) -> str:
    """The fingerprint of the cloud that answers at this address. Raises CloudError: nobody does, or somebody else."""
    answer = await exchange(client, "GET", "/v1/keys", seconds=ASK_SECONDS)
    try:
        return verifier(signer_form(read(answer.content, _CloudKeys).cosigner)).fingerprint
    except (AnswerError, SealError) as error:
        raise CloudError("bad_answer", "somebody answers at this address, and it is no Tallystick cloud") from error


async def give_hand_over(client: httpx.AsyncClient, log: str, note: str) -> None:
    """Tells the cloud that another key follows ours; the same note may be sent again. Raises CloudError."""
    headers = {"content-type": "text/plain; charset=utf-8"}
    path = f"/v1/logs/{log}/keys"
    await exchange(client, "POST", path, seconds=ASK_SECONDS, content=note.encode(), headers=headers)


async def enrol(client: httpx.AsyncClient, request: Request) -> Enrolled:
    """Redeems a one-time code. Raises CloudError."""
    body = msgspec.json.encode(request)
    headers = {"content-type": "application/json"}
    answer = await exchange(client, "POST", "/v1/enrolments", seconds=ASK_SECONDS, content=body, headers=headers)
    try:
        return read(answer.content, Enrolled)
    except AnswerError as error:
        raise CloudError("bad_answer", f"the answer to the enrolment cannot be read ({error})") from error


async def head_of(client: httpx.AsyncClient, log: str, cosigner: str, nonce: str) -> Head:
    """What the cloud with this key says now of any log; the checkpoint is not verified. Raises CloudError."""
    path = f"/v1/logs/{log}/head"
    answer = await exchange(client, "GET", path, seconds=ASK_SECONDS, headers=ask_bound(nonce))
    status, body = answer.status_code, answer.content
    try:
        verify_answer(verifier(signer_form(cosigner)), answer.headers, status=status, body=body, path=path, nonce=nonce)
        return decode_head(body)
    except (SignatureError, BatchError) as error:
        raise CloudError("bad_answer", f"the cloud's word on the log before is not its own: {error}") from error


async def exchange(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    *,
    seconds: float,
    **rest: Any,  # noqa: ANN401
) -> httpx.Response:
    """One request and its whole answer within ``seconds`` of line time: a hung link ends here. Raises CloudError."""
    try:
        async with asyncio.timeout(seconds):
            answer = await _whole(client, method, path, **rest)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise CloudError("timeout", f"the cloud did not answer within {seconds:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CloudError("network", f"the cloud cannot be reached: {str(error) or type(error).__name__}") from error
    if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
        return answer
    raise _problem(answer)


async def _whole(client: httpx.AsyncClient, method: str, path: str, **rest: Any) -> httpx.Response:  # noqa: ANN401
    """The answer with its body, unpacked to at most ``MAX_ANSWER``: whoever answers in the cloud's place must not fill
    a Pi's memory. Raises CloudError.
    """
    async with client.stream(method, path, **rest) as answer:
        parts, size = [], 0
        async for part in answer.aiter_bytes(CHUNK):
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER:
                raise CloudError("bad_answer", f"the cloud's answer has more than {MAX_ANSWER} bytes; it is not read")
    headers = [(name, value) for name, value in answer.headers.multi_items() if name not in UNPACKED]
    return httpx.Response(answer.status_code, headers=headers, content=b"".join(parts), request=answer.request)


def _problem(answer: httpx.Response) -> CloudError:
    status = answer.status_code
    try:
        problem = read(answer.content, _Problem)
    except AnswerError:
        problem = _Problem()
    after = answer.headers.get("retry-after", "")
    return CloudError(
        _KINDS.get(status, "server" if status >= 500 else "wrong"),
        f"the cloud answered {status}: {problem.detail or problem.title or 'no reason given'}",
        slug=problem.type.rpartition("/")[2],
        retry_after=float(after) if re.fullmatch(r"[0-9]{1,6}", after) else 0.0,
        nonce=answer.headers.get(NONCE_HEADER, ""),
    )
