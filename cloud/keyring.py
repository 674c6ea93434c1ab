"""The cosigner's private key: one file of 32 random bytes in hex, made on the first start, readable by its owner only.

All web processes of one cloud share it; whoever has it can acknowledge in the cloud's name, and losing it means that
every gateway must be told a new key. So it belongs into the backup, beside the database and not inside it.
"""

from __future__ import annotations

import os
from pathlib import Path

from cloud import folders
from cloud.entropy import Entropy
from wire.seal import Signer

FILE = "cosigner.key"


class KeyringError(Exception):
    """The key file cannot be used; the message says what to do."""


def load_or_create(state: Path, name: str, entropy: Entropy) -> Signer:
    """The cosigner of the cloud whose state folder this is."""
    path = state / FILE
    try:
        folders.make(state)
        _create(path, entropy)
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyringError(f"the cosigner's key {path} cannot be read or made: {error}") from error
    try:
        seed = bytes.fromhex(text)
    except ValueError as error:
        raise KeyringError(f"{path} is not a key: restore it from the backup") from error
    if len(seed) != 32:
        raise KeyringError(f"{path} has {len(seed)} bytes instead of 32: restore it from the backup")
    return Signer(name, seed)


def write_key(path: Path, seed: bytes) -> None:
    """A new file with a secret, synced, readable by its owner only; FileExistsError rather than overwrite one."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(seed.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _create(path: Path, entropy: Entropy) -> None:
    """Makes the file unless it is there; written whole beside it and linked, so that nobody ever reads half a key."""
    if path.exists():
        return
    draft = path.with_name(f"{FILE}.{entropy.letters(8)}")
    write_key(draft, entropy.key_bytes(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was quicker; its key counts
    finally:
        draft.unlink()
    folders.sync(path.parent)
