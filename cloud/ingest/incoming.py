"""PURE: a batch at the door. Its form and its signature are checked here, before any database is asked for anything."""

from __future__ import annotations

import msgspec

from wire import batch as wire_batch
from wire.batch import Batch, BatchError
from wire.log import leaf_hashes
from wire.records import Record, decode_all
from wire.seal import Checkpoint, SealError, verifier


class LogIdentity(msgspec.Struct, frozen=True, gc=False):
    """A log as it was opened: whose it is and whose key signs it. None of this ever changes."""

    tenant: str
    log_no: int
    log_id: str
    gateway: str
    origin: str
    vkey: str

    @property
    def place(self) -> tuple[str, int]:
        """The log's key in every table."""
        return (self.tenant, self.log_no)


class Refusal(msgspec.Struct, frozen=True):
    """Why a batch was not taken: the problem's name, a sentence, and the cloud's size where the gateway needs it."""

    problem: str
    detail: str
    size: int | None = None


class Incoming(msgspec.Struct, frozen=True):
    """A batch whose note this log's key has signed; whether its leaves are what the note says is not yet known.

    ``read``: its leaves' hashes and records, worked out ahead; None: nobody has, or one of them needs a closer look.
    """

    log: LogIdentity
    batch: Batch
    checkpoint: Checkpoint
    hashes: list[bytes] | None = None
    records: list[Record] | None = None

    def ahead(self) -> Incoming:
        """The same with what needs no database worked out: it does not keep the writer waiting there."""
        leaves = self.batch.leaves
        return msgspec.structs.replace(self, hashes=leaf_hashes(leaves), records=decode_all(leaves))


def admit(log: LogIdentity, body: bytes, *, gzipped: bool) -> Incoming | Refusal:
    """The batch in a request body, or why it cannot even be looked at."""
    try:
        batch = wire_batch.decode(wire_batch.inflate(body) if gzipped else body)
    except BatchError as error:
        return Refusal("too-large" if error.code == "too_large" else "bad-batch", error.detail)
    try:
        checkpoint = verifier(log.vkey).open(batch.note)
    except SealError as error:
        return Refusal("bad-signature", f"This log's key did not sign the checkpoint: {error.detail}.")
    return Incoming(log, batch, checkpoint)
