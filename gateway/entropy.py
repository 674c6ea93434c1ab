"""The gateway's randomness: salts, boot ids, key seeds. Handed in as functions, so that a simulator can seed it."""

from __future__ import annotations

import secrets

_POOL = 256
_salts: list[str] = []


def salt() -> str:
    """128 random bits as 32 hex digits: makes a leaf's hash unguessable. Drawn from the system many at a time."""
    try:
        return _salts.pop()
    except IndexError:
        drawn = secrets.token_hex(16 * _POOL)
        _salts.extend(drawn[at : at + 32] for at in range(32, len(drawn), 32))
        return drawn[:32]


def boot_id() -> str:
    """64 random bits as 16 hex digits: a restored image can never repeat one."""
    return secrets.token_hex(8)


def seed() -> bytes:
    """32 random bytes for a private key."""
    return secrets.token_bytes(32)
