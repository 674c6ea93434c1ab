"""The gateway's randomness: salts, boot ids, key seeds. Handed to the rest as functions, so that a simulator can seed it."""

from __future__ import annotations

import secrets


def salt() -> str:
    """128 random bits as 32 hex digits: makes a leaf's hash unguessable."""
    return secrets.token_hex(16)


def boot_id() -> str:
    """64 random bits as 16 hex digits: a restored image can never repeat one."""
    return secrets.token_hex(8)


def seed() -> bytes:
    """32 random bytes for a private key."""
    return secrets.token_bytes(32)
