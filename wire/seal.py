"""Checkpoints of a log, signed and cosigned: the two halves of the tally stick.

Formats are C2SP's, byte for byte: ``signed-note`` (text, blank line, ``— name base64`` lines), ``tlog-checkpoint``
(origin, size, root) and ``tlog-cosignature`` v1 (a timestamped Ed25519 signature, algorithm 0x04). Keys are handed in;
nothing here reads a file or a clock. https://c2sp.org
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ED25519 = 0x01
COSIGNATURE = 0x04
MAX_NOTE = 16_384
MAX_SIGNATURES = 16
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NAME = re.compile(r"[^\s+]+\Z")


class SealError(ValueError):
    """A note, key or signature cannot be accepted.

    ``code``: ``bad_key``, ``bad_note``, ``unsigned``, ``bad_signature``, ``bad_checkpoint``."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Checkpoint(msgspec.Struct, frozen=True):
    """A log's origin, size and root: the three lines that are signed."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's body, ending in a newline."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint in a note's body (extension lines are refused: we write none and read none)."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise SealError("bad_checkpoint", "a checkpoint has three lines: origin, size, root")
        name, size, root, _ = lines
        if not size.isascii() or not size.isdigit() or (size != "0" and size[0] == "0") or len(size) > 16:
            raise SealError("bad_checkpoint", f"{size!r} is not a tree size")
        digest = _unb64(root, "bad_checkpoint")
        if len(digest) != 32 or not name:
            raise SealError("bad_checkpoint", "the origin is empty or the root is not 32 bytes")
        return cls(name, int(size), digest)


class NoteSignature(msgspec.Struct, frozen=True):
    """One ``— name base64`` line: 4 bytes of key hash and the signature."""

    name: str
    key_hash: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line, ending in a newline."""
        return f"— {self.name} {_b64(self.key_hash + self.signature)}\n"


class Verifier:
    """Somebody's public key, read from its ``name+hash+key`` form; algorithm 1 signs notes, 4 cosigns checkpoints."""

    def __init__(self, vkey: str) -> None:
        parts = vkey.strip().split("+", 2)
        if len(parts) != 3 or not _good_name(parts[0]) or len(parts[1]) != 8:
            raise SealError("bad_key", "a verifier key looks like name+1a2b3c4d+base64")
        raw = _unb64(parts[2], "bad_key")
        if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
            raise SealError("bad_key", "only Ed25519 keys (algorithm 1 or 4) are known here")
        self.name = parts[0]
        self.algorithm = raw[0]
        self.key_hash = _key_hash(self.name, raw)
        if self.key_hash.hex() != parts[1]:
            raise SealError("bad_key", "the key's hash does not fit its name and bytes: a digit was mistyped")
        self.vkey = f"{parts[0]}+{parts[1]}+{parts[2]}"
        self._public = Ed25519PublicKey.from_public_bytes(raw[1:])

    @property
    def fingerprint(self) -> str:
        """What two people compare over the phone: SHA-256 of the key, first 20 hex digits in groups of four."""
        digest = hashlib.sha256(self.vkey.encode()).hexdigest()[:20]
        return "-".join(digest[at : at + 4] for at in range(0, 20, 4))

    def as_algorithm(self, algorithm: int) -> str:
        """The verifier key of the same public key for another use (another hash: the algorithm is part of it)."""
        raw = bytes([algorithm]) + self._public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"{self.name}+{_key_hash(self.name, raw).hex()}+{_b64(raw)}"

    def check(self, message: bytes, signature: bytes) -> None:
        """Raises SealError unless this key signed the message."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature as error:
            raise SealError("bad_signature", f"the signature of {self.name} does not fit") from error

    def open(self, note: str) -> Checkpoint:
        """The checkpoint of a note that this key signed; its origin must be the key's name."""
        text, signatures = split_note(note)
        self.check(text.encode(), self._mine(signatures).signature)
        checkpoint = Checkpoint.parse(text)
        if checkpoint.origin != self.name:
            raise SealError("bad_checkpoint", f"{self.name} signed a checkpoint of {checkpoint.origin}")
        return checkpoint

    def cosigned_at(self, note: str) -> int:
        """Unix seconds at which this cosigner cosigned the note; raises SealError when it did not."""
        text, signatures = split_note(note)
        blob = self._mine(signatures).signature
        if self.algorithm != COSIGNATURE or len(blob) != 72:
            raise SealError("bad_signature", f"{self.name}'s line is not a cosignature")
        seconds = int(struct.unpack(">Q", blob[:8])[0])
        self.check(_cosigned_message(text, seconds), blob[8:])
        return seconds

    def _mine(self, signatures: tuple[NoteSignature, ...]) -> NoteSignature:
        for signature in signatures:
            if signature.name == self.name and signature.key_hash == self.key_hash:
                return signature
        raise SealError("unsigned", f"the note carries no signature of {self.name} with this key")


class Signer:
    """A private key with its name. ``seed``: 32 secret bytes."""

    def __init__(self, name: str, seed: bytes) -> None:
        if not _good_name(name):
            raise SealError("bad_key", f"{name!r}: a key name has no spaces and no '+'")
        self.name = name
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self._raw = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._note_hash = _key_hash(name, bytes([ED25519]) + self._raw)
        self._cosigner_hash = _key_hash(name, bytes([COSIGNATURE]) + self._raw)

    @property
    def vkey(self) -> str:
        """The verifier key of this key as a note signer."""
        return self._vkey(ED25519)

    @property
    def cosigner_vkey(self) -> str:
        """The verifier key of this key as a cosigner (another hash: the algorithm is part of it)."""
        return self._vkey(COSIGNATURE)

    def _vkey(self, algorithm: int) -> str:
        raw = bytes([algorithm]) + self._raw
        return f"{self.name}+{_key_hash(self.name, raw).hex()}+{_b64(raw)}"

    def raw_sign(self, message: bytes) -> bytes:
        """The bare 64-byte Ed25519 signature, for requests that carry no checkpoint."""
        return self._private.sign(message)

    def sign(self, checkpoint: Checkpoint) -> str:
        """The signed note of a checkpoint. Ed25519 is deterministic: the same checkpoint gives the same bytes."""
        return self.sign_text(checkpoint.text)

    def sign_text(self, text: str) -> str:
        """A signed note over any text that ends in a newline."""
        if not text.endswith("\n"):
            raise SealError("bad_note", "a note's text ends in a newline")
        return f"{text}\n{NoteSignature(self.name, self._note_hash, self._private.sign(text.encode())).line}"

    def cosign(self, note: str, seconds: int) -> str:
        """The cosignature line for a note, given at ``seconds`` Unix time; append it to the note."""
        text, _ = split_note(note)
        signature = self._private.sign(_cosigned_message(text, seconds))
        return NoteSignature(self.name, self._cosigner_hash, struct.pack(">Q", seconds) + signature).line


def open_text(note: str, verifier: Verifier) -> str:
    """The text of any note that the key signed (for notes that are not checkpoints)."""
    text, signatures = split_note(note)
    verifier.check(text.encode(), verifier._mine(signatures).signature)  # noqa: SLF001 - same module
    return text


@lru_cache(maxsize=1024)
def split_note(note: str) -> tuple[str, tuple[NoteSignature, ...]]:
    """A note's text and its signature lines; raises SealError when it is not a signed note.

    Kept for a while: who receives a note reads its size, then its signature, then cosigns it.
    """
    if len(note) > MAX_NOTE or not note.endswith("\n"):
        raise SealError("bad_note", "a note is at most 16 KiB and ends in a newline")
    if _CONTROL.search(note):
        raise SealError("bad_note", "a note has no control characters but newlines")
    head, blank, tail = note.rpartition("\n\n")
    if not blank:
        raise SealError("bad_note", "a blank line must part the text from the signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise SealError("bad_note", f"more than {MAX_SIGNATURES} signatures")
    return head + "\n", tuple(_signature(line) for line in lines)


def note_size(note: str) -> int:
    """The tree size a checkpoint note speaks of, unverified."""
    return Checkpoint.parse(split_note(note)[0]).size


@lru_cache(maxsize=4096)
def verifier(vkey: str) -> Verifier:
    """The Verifier of a key, kept: reading a key costs more than a hash."""
    return Verifier(vkey)


def _signature(line: str) -> NoteSignature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _good_name(parts[1]):
        raise SealError("bad_note", "a signature line looks like '— name base64'")
    blob = _unb64(parts[2], "bad_note")
    if len(blob) < 5:
        raise SealError("bad_note", "a signature line is too short")
    return NoteSignature(parts[1], blob[:4], blob[4:])


def _cosigned_message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _key_hash(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


def _good_name(name: str) -> bool:
    return _NAME.match(name) is not None and name.isprintable()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str, code: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealError(code, f"{text[:80]!r} is not base64") from error
    if _b64(data) != text:
        raise SealError(code, f"{text[:80]!r} is not the canonical base64 of its bytes")
    return data
