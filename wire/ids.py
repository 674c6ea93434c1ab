"""Names that never change: a record's key, a log's origin, a log's id in URLs."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class RecordKey(NamedTuple):
    """A record's idempotency key for ever: device, counter epoch (the gateway's boot id), gap-free counter from 1."""

    src: str
    ep: str
    n: int


def origin(tenant: str, gateway: str, epoch: int) -> str:
    """The log's origin line and key name, ``tallystick/<tenant>/<gateway>/<log epoch>``; no host name in it."""
    for part in (tenant, gateway):
        if not _PART.match(part):
            raise ValueError(
                f"{part!r}: an id has 1 to 64 letters, digits, '.', '_' or '-', and starts with one of the first two"
            )
    if epoch < 1:
        raise ValueError("a log epoch counts from 1")
    return f"tallystick/{tenant}/{gateway}/{epoch}"


def log_id(log_origin: str) -> str:
    """How URLs name a log: hex SHA-256 of its origin."""
    return hashlib.sha256(log_origin.encode()).hexdigest()
