"""A UHF module at the cabinet's front, used to read the card somebody holds up.

It is the module of `uhf_r200`; what differs is the air: a card at the front is loud, the goods behind the steel are
faint, and both are in one round.

Source: as `uhf_r200`; docs/protocols/badge_r200.md. PURE.
"""

from __future__ import annotations

from firmware_sim.devices.twin import Transmit
from firmware_sim.devices.uhf_r200 import framed, gen2_crc

_ROUND_S, _BETWEEN_S = 0.03, 0.004


class BadgeR200:
    """One module. ``near`` and ``far``: EPCs (hex) held up, and lying about."""

    def __init__(self) -> None:
        self.near: set[str] = set()
        self.far: set[str] = set()
        self._heard = bytearray()
        self._powered = True

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        """See ``Twin``: a round for each question."""
        if not self._powered:
            return []
        self._heard += data
        said: list[Transmit] = []
        question, stop = framed(0, 0x22, b""), framed(0, 0x28, b"")
        while (at := self._heard.find(0x7E)) >= 0:
            words = bytes(self._heard[: at + 1])
            del self._heard[: at + 1]
            if words.endswith(question):
                said += self._round(now)
            elif words.endswith(stop):
                said.append(Transmit(now, framed(1, 0x28, b"\0")))
        return said

    def _round(self, now: float) -> list[Transmit]:
        at = now + _ROUND_S
        said = []
        for epcs, signal in ((self.near, 0xDC), (self.far, 0xBA)):
            for epc in sorted(epcs):
                held = (0x0800 * (len(epc) // 4)).to_bytes(2, "big") + bytes.fromhex(epc)
                said.append(Transmit(at, framed(2, 0x22, bytes((signal,)) + held + gen2_crc(held))))
                at += _BETWEEN_S
        return said or [Transmit(at, framed(1, 0xFF, b"\x15"))]

    def due(self) -> float | None:
        """See ``Twin``."""
        return None

    def wake(self, now: float) -> list[Transmit]:  # noqa: ARG002 - it only answers
        """See ``Twin``."""
        return []

    def power_off(self, now: float) -> None:  # noqa: ARG002 - it forgets the same at any time
        """See ``Twin``."""
        self._powered = False
        self._heard.clear()

    def power_on(self, now: float) -> None:  # noqa: ARG002 - as above
        """See ``Twin``."""
        self._powered = True
