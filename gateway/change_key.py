"""A gateway's key is followed by another: the same log goes on, signed by the new key from a size on.

Everything is on disk before the cloud hears of it: the new secret, and the very note that both keys signed. So a run
that was cut off is simply run again; it sends the same note, and the cloud takes it once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec

from gateway import cloud_requests, identity
from gateway.identity import Identity
from wire.hand_over import hand_over
from wire.ids import log_id
from wire.seal import Signer, verifier

PENDING = "identity.next"


class Pending(msgspec.Struct, frozen=True):
    """A key change under way: the new secret (hex) and the hand-over note."""

    seed: str
    note: str


class Stand(msgspec.Struct, frozen=True):
    """Up to where the old key has signed: the log's sealed size, its root there."""

    size: int
    root: bytes


async def change_key(
    client: httpx.AsyncClient, folder: Path, who: Identity, stand: Stand, seed: Callable[[], bytes], now_s: int
) -> Identity:
    """Hands the log over to a new key; the identity with it, stored. Raises CloudError, OSError.

    The gateway must not be running: it would go on signing with the old key.
    """
    pending = _pending(folder, who, stand, seed, now_s)
    await cloud_requests.give_hand_over(client, log_id(who.origin), pending.note)
    new = msgspec.structs.replace(who, seed=pending.seed, hand_overs=(*who.hand_overs, pending.note))
    old = folder / f"{identity.FILE}.key-{len(new.hand_overs)}"
    if not old.exists():
        os.link(folder / identity.FILE, old)
    identity.replace(folder, new)
    (folder / PENDING).unlink()
    return new


def _pending(folder: Path, who: Identity, stand: Stand, seed: Callable[[], bytes], now_s: int) -> Pending:
    path = folder / PENDING
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pending)
    except FileNotFoundError:
        secret = seed()
    new = Signer(who.origin, secret)
    note = hand_over(who.signer(), new, size=stand.size, root=stand.root, seconds=now_s)
    pending = Pending(secret.hex(), note)
    identity.write(path, msgspec.json.encode(pending))
    return pending


def fingerprint(who: Identity) -> str:
    """What the operator compares."""
    return verifier(who.signer().vkey).fingerprint
