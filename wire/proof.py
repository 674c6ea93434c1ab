"""A ``c2sp.org/tlog-proof@v1``: everything one needs to show that a record is in a cosigned log, in one text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from wire.log import ProofError, verify_inclusion
from wire.seal import Checkpoint, Verifier

HEADER = "c2sp.org/tlog-proof@v1"


class Proof(msgspec.Struct, frozen=True):
    """The leaf's index, its inclusion path and the checkpoint note it leads to."""

    index: int
    path: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """The proof as C2SP writes it."""
        path = "".join(base64.b64encode(node).decode() + "\n" for node in self.path)
        return f"{HEADER}\nindex {self.index}\n{path}\n{self.note}"


def proof(index: int, path: Sequence[bytes], note: str) -> Proof:
    """Put the parts together."""
    return Proof(index, tuple(path), note)


def parse(text: str) -> Proof:
    """What ``Proof.text`` wrote; raises ProofError on anything else."""
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 2 or lines[0] != HEADER or not lines[1].startswith("index "):
        raise ProofError(f"a proof begins with {HEADER!r}, an index line, hashes and a blank line")
    number = lines[1].removeprefix("index ")
    if not number.isascii() or not number.isdigit() or len(number) > 16 or str(int(number)) != number:
        raise ProofError("the index is not a number")
    if len(lines) > 2 + 63:
        raise ProofError("no tree is that deep")
    return Proof(int(number), tuple(_hash(line) for line in lines[2:]), note)


def check(text: str, leaf_hash: bytes, key: Verifier) -> Checkpoint:
    """The signed checkpoint a proof leads to, once the leaf hash is shown to be in it; raises ProofError, SealError."""
    found = parse(text)
    checkpoint = key.open(found.note)
    verify_inclusion(found.index, checkpoint.size, leaf_hash, found.path, checkpoint.root)
    return checkpoint


def _hash(line: str) -> bytes:
    try:
        node = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError(f"{line[:60]!r} is not base64") from error
    if len(node) != 32 or base64.b64encode(node).decode() != line:
        raise ProofError(f"{line[:60]!r} is not a hash")
    return node
