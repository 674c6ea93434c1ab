"""Nonces for signed requests, so that freshness does not depend on a gateway's clock.

A nonce carries its own age and log under a key that all processes of a cloud derive alike, so any of them accepts what
another gave out. Each process refuses one it has seen before; that a second process would take it once more within its
five minutes is accepted, since signed requests only read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections import OrderedDict

from cloud.clock import Clock
from cloud.entropy import Entropy
from wire.seal import Signer

VALID_MS = 5 * 60 * 1000
MAX_SEEN = 200_000


class Nonces:
    """Gives out nonces and takes each back once."""

    def __init__(self, cosigner: Signer, clock: Clock, entropy: Entropy) -> None:
        self._key = hashlib.sha256(cosigner.raw_sign(b"tallystick nonce key v1")).digest()
        self._clock = clock
        self._entropy = entropy
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def issue(self, log_id: str) -> str:
        """A nonce for the next signed request of this log's gateway."""
        fresh = struct.pack(">Q", self._clock.now_ms()) + self._entropy.key_bytes(8)
        return base64.urlsafe_b64encode(fresh + self._mark(fresh, log_id)).decode().rstrip("=")

    def spend(self, log_id: str, nonce: str) -> bool:
        """True when the nonce was given out to this log's gateway less than five minutes ago and not used since."""
        try:
            raw = base64.urlsafe_b64decode(nonce + "=" * (-len(nonce) % 4))
        except (binascii.Error, ValueError):
            return False
        fresh, mark = raw[:16], raw[16:]
        if len(raw) != 32 or not hmac.compare_digest(mark, self._mark(fresh, log_id)):
            return False
        now, issued = self._clock.now_ms(), int(struct.unpack(">Q", fresh[:8])[0])
        if not 0 <= now - issued <= VALID_MS or fresh in self._seen:
            return False
        self._forget(now)
        self._seen[fresh] = issued
        return True

    def _mark(self, fresh: bytes, log_id: str) -> bytes:
        return hmac.digest(self._key, fresh + log_id.encode(), "sha256")[:16]

    def _forget(self, now: int) -> None:
        """Drops what is too old to come again; entries are in order of use, so the oldest are at the front."""
        while self._seen:
            first = next(iter(self._seen))
            if len(self._seen) < MAX_SEEN and now - self._seen[first] <= VALID_MS:
                return
            del self._seen[first]
