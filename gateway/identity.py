"""Who this gateway is: made here, kept in one file that only its user can read, and never printed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gateway import folders
from wire.hand_over import Ended, chain, cosigner_of, open_hand_over, signer_form
from wire.seal import Signer, Verifier

FILE = "identity.json"


class NotEnrolledError(Exception):
    """There is no identity yet: the gateway vends and records, but has no cloud. ``tally-gateway enrol`` mends it."""


class Follows(msgspec.Struct, frozen=True):
    """The log before this one as the cloud had it at the enrolment: its origin, its cosigned size, the root in hex."""

    origin: str
    size: int
    root: str


class Identity(msgspec.Struct, frozen=True):
    """``seed``: hex of the 32 secret bytes. ``cosigner_vkey``: the key the cloud cosigns and signs answers with.

    ``reason`` and ``approver``: why this log follows an earlier one, and who said so; ``follows``: which one, for a
    card that remembers nothing. ``hand_overs``: notes that lead from this log's first key to the present one;
    ``cloud_hand_overs``: from ``cosigner_vkey`` to later ones.
    """

    gateway_id: str
    tenant_id: str
    origin: str
    seed: str
    cosigner_vkey: str
    cloud_url: str
    reason: str = ""
    approver: str = ""
    follows: Follows | None = None
    hand_overs: tuple[str, ...] = ()
    cloud_hand_overs: tuple[str, ...] = ()

    def signer(self) -> Signer:
        """The key under the log's name."""
        return Signer(self.origin, bytes.fromhex(self.seed))

    def cosigner(self) -> Verifier:
        """The cloud's newest key that is known here."""
        return Verifier(cosigner_of(self.cosigners()[-1].vkey))

    def own_keys(self) -> list[Ended]:
        """Every key this log has had, oldest first, with where it ended; raises SealError."""
        first = open_hand_over(self.hand_overs[0]).old if self.hand_overs else self.signer().vkey
        return chain(first, self.hand_overs)

    def cosigners(self) -> list[Ended]:
        """The cloud's keys from the first known here on; raises SealError."""
        return chain(signer_form(self.cosigner_vkey), self.cloud_hand_overs)


def load(folder: Path) -> Identity:
    """The identity in a state folder; raises NotEnrolledError, or ValueError for a spoilt or open file."""
    path = folder / FILE
    try:
        stat = path.stat()
        data = path.read_bytes()
    except FileNotFoundError as error:
        message = f"{path} does not exist: this gateway is not enrolled. Run: tally-gateway enrol CODE"
        raise NotEnrolledError(message) from error
    if stat.st_mode & 0o077:
        raise ValueError(f"{path} holds the private key and others may read it. Run: chmod 600 {path}")
    try:
        return msgspec.json.decode(data, type=Identity)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} cannot be read ({error}). Enrol this gateway again as a new log epoch.") from error


def retire(folder: Path) -> Path | None:
    """Puts the present identity beside, so that a new log epoch can begin; where it is now. Nothing is overwritten."""
    path = folder / FILE
    if not path.exists():
        return None
    epoch = load(folder).origin.rpartition("/")[2]
    aside = folder / f"{FILE}.epoch-{epoch}"
    if aside.exists():
        raise FileExistsError(f"{aside} exists already; move it away by hand if it is not needed as evidence.")
    path.rename(aside)
    return aside


def save(folder: Path, identity: Identity) -> Path:
    """Writes the file (0600), synced and in one step; refuses to overwrite another key."""
    path = folder / FILE
    if path.exists():
        raise FileExistsError(f"{path} exists: this gateway is enrolled already. Its key is never overwritten.")
    folders.make(folder)
    return write(path, msgspec.json.format(msgspec.json.encode(identity)))


def replace(folder: Path, identity: Identity) -> Path:
    """The same gateway with another key, its own or the cloud's; the caller has kept the old file."""
    return write(folder / FILE, msgspec.json.format(msgspec.json.encode(identity)))


def write(path: Path, data: bytes) -> Path:
    """A secret file (0600), synced and in one step."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folders.sync(path.parent)
    return path
