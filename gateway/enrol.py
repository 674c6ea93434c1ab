"""Becoming known to a cloud: keys are made here and stay here; a one-time code and a proof of the key go out.

The seed is on disk before the request leaves: if the answer is lost, the same request is sent again and gets the same
answer, instead of a key that the cloud knows and nobody holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from gateway import cloud_requests, folders, identity, inherit
from gateway.cloud_requests import Cloud
from gateway.identity import Follows, Identity
from wire import enrolment
from wire.ids import log_id
from wire.seal import Checkpoint, Signer, Verifier, split_note

PENDING = "identity.pending"
NAME = "tally-gateway"
# Entry 0 of a log that follows another one says why; whoever enrols on the page is not asked.
UNSAID = "enrolled anew, on a card that remembers nothing"


class EnrolmentError(Exception):
    """The gateway was not enrolled; the message says what to do."""


class Grounds(msgspec.Struct, frozen=True):
    """Why a gateway that had a log begins another one (a new card, a fork), and who approved."""

    reason: str = ""
    approver: str = ""


async def enrol(
    client: httpx.AsyncClient,
    folder: Path,
    code: str,
    seed: Callable[[], bytes],
    grounds: Grounds | None = None,
) -> Identity:
    """Redeems the code at the client's cloud and stores the identity (0600).

    Raises EnrolmentError, CloudError, FileExistsError.
    """
    if (folder / identity.FILE).exists():
        raise FileExistsError(f"{folder / identity.FILE} exists: this gateway is enrolled already.")
    if len(enrolment.normal(code)) != enrolment.PUBLIC_LETTERS + enrolment.SECRET_LETTERS:
        raise EnrolmentError("A code has 25 letters, shown in groups of five: XXXXX-XXXXX-XXXXX-XXXXX-XXXXX.")
    secret = _pending_seed(folder, seed)
    signer = Signer(NAME, secret)
    answer = await cloud_requests.enrol(client, enrolment.request(signer, code))
    mine = Signer(answer.origin, secret)
    if Verifier(mine.vkey).fingerprint != answer.fingerprint:
        raise EnrolmentError("The cloud answered with another key's fingerprint: somebody is between us. Do not go on.")
    follows = await _log_before(client, answer, seed().hex())
    enrolled = Identity(
        gateway_id=answer.gateway_id,
        tenant_id=answer.tenant_id,
        origin=answer.origin,
        seed=secret.hex(),
        cosigner_vkey=answer.cosigner_vkey,
        cloud_url=str(client.base_url).rstrip("/"),
        reason=grounds.reason if grounds else (UNSAID if follows else ""),
        approver=grounds.approver if grounds else "",
        follows=follows,
    )
    await inherit.fetch(Cloud(client, enrolled), folder)
    identity.save(folder, enrolled)
    (folder / PENDING).unlink()
    return enrolled


async def _log_before(client: httpx.AsyncClient, answer: enrolment.Enrolled, nonce: str) -> Follows | None:
    """Where the gateway's log before this one ends, as the cloud says and signs; None for a first log."""
    place, _, epoch = answer.origin.rpartition("/")
    if epoch == "1":
        return None
    origin = f"{place}/{int(epoch) - 1}"
    head = await cloud_requests.head_of(client, log_id(origin), answer.cosigner_vkey, nonce)
    root = Checkpoint.parse(split_note(head.checkpoint)[0]).root.hex() if head.checkpoint else ""
    return Follows(origin, head.size, root)


def _pending_seed(folder: Path, seed: Callable[[], bytes]) -> bytes:
    """The secret of an enrolment that was begun, or a new one; on disk before anybody hears of its public half."""
    path = folder / PENDING
    folders.make(folder)
    try:
        return bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        secret = seed()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.hex())
        file.flush()
        os.fsync(file.fileno())
    folders.sync(folder)
    return secret
