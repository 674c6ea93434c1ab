"""A log's key changes: handed over by the key itself, or taken back by us because somebody else may have it.

A hand-over is refused unless both keys signed it and the size it names is not below what is cosigned. A revocation ends
the key at what was cosigned by an instant; what came later stays where it is, disputed: its log is on hold.
"""

from __future__ import annotations

from typing import NamedTuple

from cloud.database import Tx
from cloud.fleet import repository
from cloud.ingest import repository as logs
from cloud.ingest.incoming import LogIdentity
from cloud.invariants import repository as holds
from wire.hand_over import Revocation, open_hand_over, revocation
from wire.seal import Signer, verifier


class KeyRefused(ValueError):
    """The hand-over or revocation does not fit what is stored; the message says why."""


class Revoked(NamedTuple):
    """What a revocation did: the key, the last size that counts, how many leaves behind it are disputed."""

    fingerprint: str
    size: int
    disputed: int


def rotate(tx: Tx, log: LogIdentity, note: str, now_ms: int) -> str:
    """Makes the new key of a hand-over the log's key; its fingerprint. The same note again changes nothing.

    Raises KeyRefused, SealError.
    """
    head = logs.lock_heads(tx, [log.place])[log.place]
    log = logs.identity_of(tx, *log.place)
    link = open_hand_over(note)
    new = verifier(link.new)
    if note in log.hand_overs:
        return new.fingerprint
    newest = log.keys[-1]
    if link.name != log.origin or link.old != newest.vkey:
        raise KeyRefused("The old key is not this log's newest key.")
    if newest.code:
        raise KeyRefused("The old key was revoked; enrol the gateway anew with a new code.")
    if link.size < head.size:
        raise KeyRefused(f"The hand-over names size {link.size} and {head.size} leaves are cosigned; ask for the head.")
    if link.size == head.size and link.root != head.root:
        raise KeyRefused("The hand-over names another root than the one that is cosigned at that size.")
    repository.add_key(tx, log.place, len(log.hand_overs) + 2, link.new, note, now_ms)
    return new.fingerprint


def revoke(
    tx: Tx, log: LogIdentity, by: Signer, *, since_ms: int, who: str, reason: str, now_ms: int, fingerprint: str = ""
) -> Revoked:
    """Takes a key of a log back from an instant on: the newest, or the one with this fingerprint.

    Raises KeyRefused, SealError.
    """
    head = logs.lock_heads(tx, [log.place])[log.place]
    log = logs.identity_of(tx, *log.place)
    wanted = [key for key in log.keys if not fingerprint or verifier(key.vkey).fingerprint == fingerprint]
    if not wanted:
        raise KeyRefused(f"The log {log.origin} has no key {fingerprint}.")
    key = wanted[-1]
    if any(one.vkey == key.vkey for one in log.revocations):
        raise KeyRefused("This key is revoked already.")
    size = logs.cosigned_until(tx, log.place, since_ms // 1000)
    if key.code == "retired_key":
        size = min(size, key.size)
    note = revocation(by, Revocation(log.origin, key.vkey, size, since_ms // 1000, reason))
    repository.add_revocation(tx, log.place, key.vkey, note, who, now_ms)
    signed = min(head.size, key.size) if key.code else head.size
    disputed = max(0, signed - size)
    if disputed:
        detail = f"leaves {size} to {signed - 1} came after the key was no longer trusted ({reason[:200]})"
        holds.put_hold(tx, log.place, "key-revoked", detail, now_ms)
    return Revoked(verifier(key.vkey).fingerprint, size, disputed)
