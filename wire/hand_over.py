"""One key follows another, or ends: signed notes that anybody can check without asking who keeps the keys.

A **hand-over** is signed by both keys: the old one says who comes after it, the new one that it exists. From then on
the old key signs nothing beyond the size (of a log) or the second (of a cosigner) that the hand-over names. So whoever
knows any key of the chain knows all of them. A **revocation** is signed by another key (the cloud's, or a cosigner's
successor), and takes back what the key signs beyond a size or a second, because somebody else may have it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from wire.log import EMPTY_ROOT
from wire.seal import SealError, Signer, Verifier, note_size, open_text, split_note, verifier

HAND_OVER = "tallystick/hand-over/1"
REVOCATION = "tallystick/revocation/1"
MAX_KEYS = 64


class KeyEndedError(SealError):
    """A genuine signature by a key that may not sign this any more. ``code``: ``retired_key`` or ``revoked_key``."""


class HandOver(msgspec.Struct, frozen=True):
    """``old`` and ``new``: verifier keys (algorithm 1) of one name. ``size``, ``root``: the last of a log that the old
    key signs (0 and the empty root for a cosigner). ``seconds``: Unix time from which the new key signs.
    """

    name: str
    old: str
    new: str
    size: int
    root: bytes
    seconds: int

    @property
    def text(self) -> str:
        """What both keys sign."""
        root = base64.b64encode(self.root).decode()
        return f"{HAND_OVER}\n{self.name}\n{self.old}\n{self.new}\n{self.size}\n{root}\n{self.seconds}\n"


class Revocation(msgspec.Struct, frozen=True):
    """``vkey`` signs nothing beyond ``size`` (a log's) or after ``seconds`` (a cosigner's) that counts."""

    name: str
    vkey: str
    size: int
    seconds: int
    reason: str

    @property
    def text(self) -> str:
        """What the other key signs."""
        return f"{REVOCATION}\n{self.name}\n{self.vkey}\n{self.size}\n{self.seconds}\n{self.reason}\n"


class Ended(msgspec.Struct, frozen=True):
    """A key of a chain and where it ends: ``code`` "" (it is the newest), ``retired_key`` or ``revoked_key``."""

    vkey: str
    code: str = ""
    size: int = 0
    seconds: int = 0


def hand_over(old: Signer, new: Signer, *, size: int = 0, root: bytes = EMPTY_ROOT, seconds: int) -> str:
    """The note with both signatures."""
    text = HandOver(old.name, old.vkey, new.vkey, size, root, seconds).text
    return old.sign_text(text) + new.sign_text(text).rpartition("\n\n")[2]


def open_hand_over(note: str) -> HandOver:
    """The hand-over in a note that both its keys signed; raises SealError."""
    lines = split_note(note)[0].split("\n")
    if len(lines) != 8 or lines[0] != HAND_OVER:
        raise SealError("bad_note", f"a hand-over has seven lines and begins with {HAND_OVER}")
    _, name, old, new, size, root, seconds, _ = lines
    found = HandOver(name, old, new, _number(size), _root(root), _number(seconds))
    keys = verifier(old), verifier(new)
    if any(key.name != name or key.algorithm != 1 for key in keys) or keys[0].key_hash == keys[1].key_hash:
        raise SealError("bad_key", "a hand-over names two signing keys of one name")
    for key in keys:
        open_text(note, key)
    return found


def revocation(by: Signer, revoked: Revocation) -> str:
    """The note of a revocation."""
    if "\n" in revoked.reason or not revoked.reason.isprintable():
        raise SealError("bad_note", "the reason is one line")
    return by.sign_text(revoked.text)


def open_revocation(note: str, by: Sequence[Verifier]) -> Revocation:
    """The revocation in a note that one of these keys signed; raises SealError."""
    lines = split_note(note)[0].split("\n")
    if len(lines) != 7 or lines[0] != REVOCATION:
        raise SealError("bad_note", f"a revocation has six lines and begins with {REVOCATION}")
    _, name, vkey, size, seconds, reason, _ = lines
    signers = [key for key in by if _carries(note, key) and key.vkey != vkey]
    if not signers:
        raise SealError("unsigned", "the revocation is not signed by a key that may revoke")
    open_text(note, signers[0])
    return Revocation(name, verifier(vkey).vkey, _number(size), _number(seconds), reason)


def read_revocation(note: str) -> Revocation:
    """What a revocation says, its signature unchecked: for a note of our own database."""
    _, name, vkey, size, seconds, reason, _ = split_note(note)[0].split("\n")
    return Revocation(name, vkey, int(size), int(seconds), reason)


def chain(first: str, hand_overs: Sequence[str], revocations: Sequence[Revocation] = ()) -> list[Ended]:
    """The keys from ``first`` on, each with where it ends, oldest first; raises SealError where a link does not hold.

    A key that was revoked before it handed over has no successor that counts.
    """
    if len(hand_overs) > MAX_KEYS:
        raise SealError("bad_key", f"more than {MAX_KEYS} keys")
    revoked = {one.vkey: one for one in revocations}
    keys: list[Ended] = []
    at = verifier(first).vkey
    for note in hand_overs:
        link = open_hand_over(note)
        if link.old != at or any(link.new == key.vkey for key in keys):
            raise SealError("bad_key", "the hand-overs are not one chain from the first key")
        end = revoked.get(at)
        if end is not None and link.size and link.size > end.size:
            raise SealError("revoked_key", f"a revoked key of {link.name} handed over beyond size {end.size}")
        keys.append(_ended(at, end, link))
        at = link.new
    last = revoked.get(at)
    return [*keys, Ended(at) if last is None else Ended(at, "revoked_key", last.size, last.seconds)]


def _ended(vkey: str, revoked: Revocation | None, link: HandOver) -> Ended:
    if revoked is None:
        return Ended(vkey, "retired_key", link.size, link.seconds)
    size, seconds = min(link.size, revoked.size), min(link.seconds, revoked.seconds)
    return Ended(vkey, "revoked_key", size, seconds)


def signer_of(note: str, keys: Sequence[Ended]) -> Verifier:
    """The key of a log's chain that signed this checkpoint and may; raises KeyEndedError, SealError.

    A retired or revoked key signs up to its size, and what it signed there stays good.
    """
    ended: KeyEndedError | None = None
    for key in reversed(keys):
        found = verifier(key.vkey)
        if not _carries(note, found):
            continue
        found.open(note)
        size = note_size(note)
        if not key.code or size <= key.size:
            return found
        word = "revoked" if key.code == "revoked_key" else "followed by another"
        detail = f"the key {found.fingerprint} was {word} at size {key.size} and signed size {size}"
        ended = KeyEndedError(key.code, detail)
    raise ended or SealError("unsigned", f"the note carries no signature of a key of {verifier(keys[-1].vkey).name}")


def cosigned_by(note: str, keys: Sequence[Ended]) -> tuple[Verifier, int]:
    """The cosigner of a chain whose cosignature the note carries, with its second; raises KeyEndedError, SealError."""
    ended: KeyEndedError | None = None
    for key in reversed(keys):
        found = verifier(cosigner_of(key.vkey))
        if not _carries(note, found):
            continue
        seconds = found.cosigned_at(note)
        if not key.code or seconds <= key.seconds:
            return found, seconds
        word = "revoked" if key.code == "revoked_key" else "followed by another"
        ended = KeyEndedError(key.code, f"the key {found.fingerprint} was {word} and cosigned after that")
    raise ended or SealError("unsigned", f"the note carries no cosignature of {verifier(keys[-1].vkey).name}")


def cosigner_of(vkey: str) -> str:
    """The same public key in its form for cosigning (algorithm 4)."""
    return _as(vkey, 4)


def signer_form(vkey: str) -> str:
    """The same public key in its form for signing notes (algorithm 1)."""
    return _as(vkey, 1)


def _as(vkey: str, algorithm: int) -> str:
    return verifier(vkey).as_algorithm(algorithm)


def _carries(note: str, key: Verifier) -> bool:
    return any(one.name == key.name and one.key_hash == key.key_hash for one in split_note(note)[1])


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or str(int(text[:17])) != text:
        raise SealError("bad_note", f"{text[:40]!r} is not a number")
    return int(text)


def _root(text: str) -> bytes:
    try:
        root = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealError("bad_note", "the root is not base64") from error
    if len(root) != 32 or base64.b64encode(root).decode() != text:
        raise SealError("bad_note", "the root is not 32 bytes")
    return root
