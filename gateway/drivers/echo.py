"""Our own words, heard back by an adapter that echoes: dropped once, exactly. PURE.

The surprise is what an echo looks like to a conversation: its own ENQ is a machine that wants to speak first, and its
own numbered message is the machine's message of that number.
"""

from __future__ import annotations

from gateway.device_events import Counters

# What can be on its way back at once: the longest thing we ever say.
LONGEST = 512


class EchoFilter:
    """`sent` what went out, `strip` what came in. Where nothing echoes, everything passes."""

    def __init__(self, counters: Counters, *, echoes: bool) -> None:
        self._counters = counters
        self._echoes = echoes
        self._due = bytearray()

    def sent(self, data: bytes) -> None:
        """Bytes that leave now."""
        if self._echoes:
            self._due += data
            del self._due[:-LONGEST]

    def strip(self, data: bytes) -> bytes:
        """What the other side said. A byte that is not the echo's next one is theirs, or noise between."""
        if not self._due:
            return data
        kept = bytearray()
        for byte in data:
            if self._due and byte == self._due[0]:
                del self._due[0]
                self._counters.echoes += not self._due
            else:
                kept.append(byte)
        return bytes(kept)

    def forget(self) -> None:
        """An echo that has not come until now does not come."""
        self._due.clear()
