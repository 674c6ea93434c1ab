r"""A slice of the log, sealed, on its way up; and what the cloud answers.

    old 128\n
    \n
    tallystick/acme/gw-1/1\n        the checkpoint note: origin, size, root ...
    256\n
    qg3...=\n
    \n
    — tallystick/acme/gw-1/1 ...\n  ... and its signature
    \n
    {"b":...}\n                     size - old leaves, one a line, in order, exactly as stored

Reading checks form only: signatures and roots are the business of who receives it.
"""

from __future__ import annotations

import zlib

import msgspec

from wire.seal import SealError, note_size

MAX_LEAVES = 4096
MAX_BODY = 20 * 1024 * 1024
MAX_SIZE = 2**53 - 1


class BatchError(ValueError):
    """These bytes are not a batch. ``code``: ``bad_batch`` or ``too_large``."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Batch(msgspec.Struct, frozen=True):
    """Leaves ``[old, size)`` of a log and the checkpoint note at ``size``."""

    old: int
    note: str
    leaves: list[bytes]


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cloud's half: its cosignature line on the note at ``size``; how far its own backups reach; how many leaves of
    this piece it stored but could not use yet."""

    size: int
    cosignature: str
    backed_up_size: int = 0
    quarantined: int = 0


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the cloud last cosigned of a log: the note with its cosignature ("" at size 0), and a nonce for signed
    requests."""

    size: int
    checkpoint: str
    backed_up_size: int
    nonce: str


_receipts = msgspec.json.Decoder(Receipt)
_heads = msgspec.json.Decoder(Head)


def encode(batch: Batch) -> bytes:
    """The batch as a request body."""
    leaves = b"".join(leaf + b"\n" for leaf in batch.leaves)
    return b"old %d\n\n" % batch.old + batch.note.encode() + b"\n" + leaves


def decode(body: bytes) -> Batch:
    """The batch in a request body; raises BatchError. The number of leaves is checked against the note's size."""
    if len(body) > MAX_BODY:
        raise BatchError("too_large", f"a batch has at most {MAX_BODY} bytes")
    parts = body.split(b"\n\n", 3)
    if len(parts) != 4 or not parts[0].startswith(b"old "):
        raise BatchError("bad_batch", "a batch is 'old N', a blank line, a checkpoint note, a blank line, leaves")
    digits = parts[0][4:]
    if not digits.isdigit() or len(digits) > 16 or (digits[:1] == b"0" and digits != b"0"):
        raise BatchError("bad_batch", "the old size is not a number")
    try:
        note = (parts[1] + b"\n\n" + parts[2] + b"\n").decode()
        size = note_size(note)
    except (UnicodeDecodeError, SealError) as error:
        raise BatchError("bad_batch", f"the checkpoint note cannot be read ({error})") from error
    leaves = parts[3].split(b"\n")
    if leaves.pop():
        raise BatchError("bad_batch", "the last leaf does not end in a newline: the body was cut")
    old = int(digits)
    if old > size or size > MAX_SIZE:
        raise BatchError("bad_batch", f"the old size {old} is larger than the checkpoint's {size}")
    if size - old > MAX_LEAVES:
        raise BatchError("too_large", f"a batch has at most {MAX_LEAVES} leaves; send the backlog in pieces")
    if len(leaves) != size - old:
        raise BatchError("bad_batch", f"{size - old} leaves are announced and {len(leaves)} sent")
    return Batch(old, note, leaves)


def inflate(body: bytes, limit: int = MAX_BODY) -> bytes:
    """A gzip body, inflated to at most ``limit`` bytes; raises BatchError on more, on rubbish and on a cut stream."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise BatchError("bad_batch", f"the body is not gzip ({error})") from error
    if len(plain) > limit:
        raise BatchError("too_large", f"the body inflates to more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise BatchError("bad_batch", "the gzip body is cut or has a tail")
    return plain


def deflate(body: bytes) -> bytes:
    """The body as gzip, the same bytes each time (no time stamp in the header)."""
    deflater = zlib.compressobj(level=5, wbits=31)
    return deflater.compress(body) + deflater.flush()


def encode_answer(answer: Receipt | Head) -> bytes:
    """A receipt or head as JSON."""
    return msgspec.json.encode(answer)


def decode_receipt(body: bytes) -> Receipt:
    """The receipt in an answer; raises BatchError."""
    try:
        return _receipts.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchError("bad_batch", f"the answer is not a receipt ({error})") from error


def decode_head(body: bytes) -> Head:
    """The head in an answer; raises BatchError."""
    try:
        return _heads.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BatchError("bad_batch", f"the answer is not a head ({error})") from error
