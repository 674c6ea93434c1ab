"""An outside witness cosigns: it followed the log by its tiles, and says of a checkpoint of ours that it saw it.

Its line (C2SP tlog-cosignature v1) is its own proof, so whoever brings it needs no other credentials; a line of a key
that the tenant has not registered is passed over, as the standard says.
"""

from __future__ import annotations

from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.ingest.incoming import LogIdentity
from cloud.witnesses import repository
from cloud.witnesses.repository import Seen
from wire.seal import COSIGNATURE, SealError, note_size, split_note, verifier


class NotOurs(ValueError):
    """The note is no checkpoint that this log has here."""


class NobodyKnown(ValueError):
    """The note carries no cosignature of a registered witness that fits."""


def take(tx: Tx, log: LogIdentity, note: str) -> list[Seen]:
    """Keeps registered witnesses' cosignatures on a checkpoint of ours; raises NotOurs, NobodyKnown, SealError."""
    size = note_size(note)
    piece = logs.pieces_at(tx, log.place, (size, size)).get(size)
    if piece is None or split_note(piece.note)[0] != split_note(note)[0]:
        raise NotOurs(f"This log has no cosigned checkpoint like that at size {size}; fetch 'checkpoint' anew.")
    found = []
    for witness in repository.listed(tx, log.tenant):
        key = verifier(witness.vkey)
        for line in (one.line for one in split_note(note)[1] if one.key_hash == key.key_hash and one.name == key.name):
            seen = Seen(witness.name, size, line, key.cosigned_at(split_note(note)[0] + "\n" + line))
            repository.keep(tx, log.place, seen)
            found.append(seen)
    if not found:
        raise NobodyKnown("No registered witness cosigned this note: register its key first (POST /v1/witnesses).")
    return found


def witness_key(vkey: str) -> str:
    """The name of a witness's key; raises SealError for anything but a cosigner's key."""
    key = verifier(vkey)
    if key.algorithm != COSIGNATURE:
        raise SealError("bad_key", "a witness's key has algorithm 4 (its base64 begins with B)")
    return key.name
