"""The cloud's only source of randomness: ids, codes, keys. The simulator hands in a seeded one."""

from __future__ import annotations

import secrets
from collections.abc import Callable

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u; 5 bits a letter


class Entropy:
    """Where random bytes come from; ``source(count)`` gives that many."""

    def __init__(self, source: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._source = source

    def key_bytes(self, count: int) -> bytes:
        """That many secret random bytes."""
        return self._source(count)

    def letters(self, count: int) -> str:
        """That many random letters of Crockford's alphabet, 5 bits each."""
        return "".join(ALPHABET[byte & 31] for byte in self._source(count))

    def new_id(self, prefix: str) -> str:
        """An id nobody can guess, ``<prefix>_`` and 80 bits."""
        return f"{prefix}_{self.letters(16)}"
