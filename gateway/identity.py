"""Who this gateway is: made here, kept in one file that only its user can read, and never printed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from gateway import folders
from wire.seal import Signer, Verifier

FILE = "identity.json"


class NotEnrolledError(Exception):
    """There is no identity yet: the gateway vends and records, but has no cloud. ``tally-gateway enrol`` mends it."""


class Identity(msgspec.Struct, frozen=True):
    """``seed``: hex of the 32 secret bytes. ``cosigner_vkey``: the key the cloud cosigns and signs answers with.

    ``reason`` and ``approver``: why this log follows an earlier one, and who said so.
    """

    gateway_id: str
    tenant_id: str
    origin: str
    seed: str
    cosigner_vkey: str
    cloud_url: str
    reason: str = ""
    approver: str = ""

    def signer(self) -> Signer:
        """The key under the log's name."""
        return Signer(self.origin, bytes.fromhex(self.seed))

    def cosigner(self) -> Verifier:
        """The cloud's key."""
        return Verifier(self.cosigner_vkey)


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
    new = folder / f"{FILE}.new"
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(identity)))
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folders.sync(folder)
    return path
