"""The cloud's keys over time: beside the secret one, in the state folder, the notes that lead from each to the next.

The surprise: a new key cosigns again what a revoked one cosigned, at the same second; so what honest gateways hold is
never without a cosignature that counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from cloud.billing.bundle import Keys
from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.keyring import FILE, KeyringError, write_key
from wire.hand_over import Revocation, cosigner_of, hand_over, open_hand_over, revocation
from wire.seal import Signer, split_note, verifier

HISTORY = "cosigner.history.json"


class History(msgspec.Struct, frozen=True):
    """The notes, oldest first."""

    hand_overs: list[str] = []
    revocations: list[str] = []


def history(state: Path) -> History:
    """What the state folder holds of it; raises KeyringError."""
    path = state / HISTORY
    try:
        return msgspec.json.decode(path.read_bytes(), type=History)
    except FileNotFoundError:
        return History()
    except (OSError, msgspec.DecodeError) as error:
        raise KeyringError(f"{path} cannot be read ({error}): restore it from the backup") from error


def cloud_keys(state: Path, signer: Signer) -> Keys:
    """The keys as bundles and gateways are told them."""
    kept = history(state)
    return Keys(signer.cosigner_vkey, signer.vkey, kept.hand_overs, kept.revocations)


def rotate(state: Path, name: str, fresh: Callable[[int], bytes], now_s: int, load: Callable[[], Signer]) -> Signer:
    """A new key follows the present one. The old secret stays as ``cosigner.key.N`` until somebody destroys it."""
    old, seed = load(), fresh(32)
    new = Signer(name, seed)
    kept = history(state)
    note = hand_over(old, new, seconds=now_s)
    # The notes first: a crash in between leaves the old key at work, and the next rotation begins anew from it.
    if kept.hand_overs and open_hand_over(kept.hand_overs[-1]).new != old.vkey:
        kept = History(kept.hand_overs[:-1], kept.revocations)
    _write(state, History([*kept.hand_overs, note], kept.revocations))
    (state / FILE).rename(state / f"{FILE}.{len(kept.hand_overs) + 1}")
    write_key(state / FILE, seed)
    return new


def revoke(state: Path, signer: Signer, fingerprint: str, *, since_s: int, reason: str) -> str:
    """Takes an earlier key back from a second on; its signer's verifier key. Raises KeyringError."""
    kept = history(state)
    earlier = [open_hand_over(note).old for note in kept.hand_overs]
    found = [
        vkey for vkey in earlier
        if fingerprint in (verifier(vkey).fingerprint, verifier(cosigner_of(vkey)).fingerprint)
    ]  # fmt: skip
    if not found:
        raise KeyringError(f"no earlier key is {fingerprint}; rotate first: a key cannot revoke itself")
    note = revocation(signer, Revocation(signer.name, found[0], 0, since_s, reason))
    _write(state, History(kept.hand_overs, [*kept.revocations, note]))
    return found[0]


def cosign_again(tx: Tx, signer: Signer, revoked: str, since_s: int) -> int:
    """The present key under every checkpoint that the revoked one cosigned after the second; how many."""
    key, count = verifier(cosigner_of(revoked)), 0
    for place, size, note, cosignature, seconds in logs.pieces_since(tx, since_s):
        if any(one.key_hash == key.key_hash for one in split_note(note + cosignature)[1]):
            logs.replace_cosignature(tx, place, size, signer.cosign(note, seconds))
            count += 1
    return count


def _write(state: Path, kept: History) -> None:
    draft = state / f"{HISTORY}.new"
    with draft.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(kept)))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(state / HISTORY)
