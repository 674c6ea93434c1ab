"""PURE: a batch at the door. Its form and its signature are checked here, before any database is asked for anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import msgspec

from cloud.ingest.plain import Plain, Whose, plain
from wire import batch as wire_batch
from wire.batch import Batch, BatchError
from wire.hand_over import Ended, KeyEndedError, Revocation, chain, signer_of
from wire.log import leaf_hashes
from wire.records import Record, decode_all
from wire.seal import Checkpoint, SealError, verifier


class LogIdentity(msgspec.Struct, frozen=True, gc=False):
    """A log as it was opened: whose it is, and its first key. None of that ever changes.

    ``hand_overs``: notes that lead to its later keys; ``revocations``: of keys that were taken back; ``edition`` counts
    those changes.
    """

    tenant: str
    log_no: int
    log_id: str
    gateway: str
    origin: str
    vkey: str
    edition: int = 0
    hand_overs: tuple[str, ...] = ()
    revocations: tuple[Revocation, ...] = ()

    @property
    def keys(self) -> list[Ended]:
        """Every key of this log, oldest first, with where it ends."""
        return keys_of(self.vkey, self.hand_overs, self.revocations)

    def open(self, note: str) -> Checkpoint:
        """The checkpoint that a key of this log signed and may; raises SealError, KeyEndedError."""
        if not self.edition:
            return verifier(self.vkey).open(note)
        return signer_of(note, self.keys).open(note)

    @property
    def place(self) -> tuple[str, int]:
        """The log's key in every table."""
        return (self.tenant, self.log_no)


@lru_cache(maxsize=1024)
def keys_of(first: str, hand_overs: tuple[str, ...], revocations: tuple[Revocation, ...]) -> list[Ended]:
    """The chain of a log's keys, kept: its signatures are checked once."""
    return chain(first, hand_overs, revocations)


class Refusal(msgspec.Struct, frozen=True):
    """Why a batch was not taken: the problem's name, a sentence, and the cloud's size where the gateway needs it."""

    problem: str
    detail: str
    size: int | None = None


class Letter(NamedTuple):
    """A request body on its way to a log; nobody has looked into it yet."""

    log: LogIdentity
    body: bytes
    gzipped: bool


class Incoming(msgspec.Struct, frozen=True):
    """A batch whose note this log's key has signed; whether its leaves are what the note says is not yet known.

    ``hashes`` and ``records``: of its leaves, worked out ahead, so that no writer waits for it; ``records`` is None
    when nobody has, or when one of them cannot be read; ``plain`` when one of them needs a closer look.
    """

    log: LogIdentity
    batch: Batch
    checkpoint: Checkpoint
    hashes: list[bytes] | None = None
    records: list[Record] | None = None
    plain: Plain | None = None


def admit(log: LogIdentity, body: bytes, *, gzipped: bool) -> Incoming | Refusal:
    """The batch in a request body, or why it cannot even be looked at."""
    try:
        batch = wire_batch.decode(wire_batch.inflate(body) if gzipped else body)
    except BatchError as error:
        return Refusal("too-large" if error.code == "too_large" else "bad-batch", error.detail)
    try:
        checkpoint = log.open(batch.note)
    except KeyEndedError as error:
        return Refusal(error.code.replace("_", "-"), f"{error.detail[:1].upper()}{error.detail[1:]}.")
    except SealError as error:
        return Refusal("bad-signature", f"This log's key did not sign the checkpoint: {error.detail}.")
    return Incoming(log, batch, checkpoint)


def open_letters(letters: Sequence[Letter]) -> list[Incoming | Refusal]:
    """What is in these bodies, in their order; what can be worked out without a database is."""
    found = [admit(letter.log, letter.body, gzipped=letter.gzipped) for letter in letters]
    admitted = [one for one in found if isinstance(one, Incoming)]
    together = decode_all([leaf for one in admitted for leaf in one.batch.leaves]) if len(admitted) > 1 else None
    read = iter(together or ())
    ahead = (
        _worked_out(one, list(islice(read, len(one.batch.leaves))) if together else decode_all(one.batch.leaves))
        for one in admitted
    )
    return [next(ahead) if isinstance(one, Incoming) else one for one in found]


def _worked_out(one: Incoming, records: list[Record] | None) -> Incoming:
    log, batch, hashes = one.log, one.batch, leaf_hashes(one.batch.leaves)
    whose = Whose(log.tenant, log.log_no, log.log_id, log.gateway)
    ready = None if records is None else plain(whose, batch.old, batch.leaves, hashes, records)
    return Incoming(log, batch, one.checkpoint, hashes, records, ready)
