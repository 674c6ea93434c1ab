"""A PIN as it crosses from the cloud to a gateway: slow to try, salted, never the digits.

The surprise: four digits are ten thousand tries, so no hash keeps them from somebody who has it. It keeps them from
whoever reads over a shoulder; what protects the goods is that the gateway stops listening after a few wrong ones.
Source: RFC 7914 (scrypt), with 16 MiB so that a Pi needs a tenth of a second.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac

LOG_N, BLOCK, LANES = 14, 8, 1
LENGTH = 32


def hash_pin(pin: str, salt: bytes) -> str:
    """``scrypt$14$8$1$<salt>$<hash>``, hex; the salt is 16 bytes that nobody else has."""
    return f"scrypt${LOG_N}${BLOCK}${LANES}${salt.hex()}${_derive(pin, salt, LOG_N, BLOCK, LANES).hex()}"


def check_pin(pin: str, stored: str) -> bool:
    """Whether these are the digits. What is stored in another form is nobody's PIN."""
    try:
        name, log_n, block, lanes, salt, expected = stored.split("$")
        cost = (int(log_n), int(block), int(lanes))
        if name != "scrypt" or not 10 <= cost[0] <= 16 or not 1 <= cost[1] * cost[2] <= 16:
            return False
        found = _derive(pin, binascii.unhexlify(salt), *cost)
        return hmac.compare_digest(found, binascii.unhexlify(expected))
    except ValueError:
        return False


def _derive(pin: str, salt: bytes, log_n: int, block: int, lanes: int) -> bytes:
    room = 256 * block * lanes * (1 << log_n)
    return hashlib.scrypt(pin.encode(), salt=salt, n=1 << log_n, r=block, p=lanes, maxmem=room, dklen=LENGTH)
