"""A 125 kHz badge reader that talks text: RDM6300 and ID-12 frames, or lines as Wiegand adapters send them.

The surprise is that it does not stop: while a card is in the field the whole number comes again every `repeat` seconds.

::

    rdm6300   02  ten hex digits, two of their XOR  03
    id12      02  ten hex digits, two of their XOR  0D 0A 03
    hex       ten hex digits 0D
    decimal   the low 32 bits as ten digits 0D 0A
    wiegand   facility "," card 0D 0A

Source: RDM6300 specification (Itead); ID-2/12/20 data sheet (ID Innovations); docs/protocols/badge_ascii.md. PURE.
"""

from __future__ import annotations

from functools import reduce

from firmware_sim.devices.twin import Transmit


def spelled(card: int, dialect: str) -> bytes:
    """One number of five bytes as the reader sends it."""
    held = card.to_bytes(5, "big")
    digits = held.hex().upper()
    if dialect in ("rdm6300", "id12"):
        check = f"{reduce(lambda one, other: one ^ other, held):02X}"
        return b"\x02" + (digits + check).encode() + (b"\r\n\x03" if dialect == "id12" else b"\x03")
    if dialect == "decimal":
        return f"{card & 0xFFFFFFFF:010d}\r\n".encode()
    if dialect == "wiegand":
        return f"{card >> 16 & 0xFF},{card & 0xFFFF}\r\n".encode()
    return f"{digits}\r".encode()


class BadgeAscii:
    """One reader. ``show`` a card, and ``take_away``."""

    def __init__(self, dialect: str = "rdm6300", *, repeat: float = 0.1) -> None:
        self._dialect = dialect
        self._repeat = repeat
        self._card: int | None = None
        self._next: float | None = None
        self._powered = True

    def show(self, card: int, now: float) -> None:
        """A card comes into the field."""
        self._card = card
        self._next = now if self._powered else None

    def take_away(self) -> None:
        """It leaves."""
        self._card = self._next = None

    def receive(self, data: bytes, now: float) -> list[Transmit]:  # noqa: ARG002 - it has no receiver
        """See ``Twin``."""
        return []

    def due(self) -> float | None:
        """See ``Twin``."""
        return self._next

    def wake(self, now: float) -> list[Transmit]:
        """See ``Twin``: the number once more."""
        if self._next is None or self._card is None or now < self._next:
            return []
        self._next = now + self._repeat
        return [Transmit(now, spelled(self._card, self._dialect))]

    def power_off(self, now: float) -> None:  # noqa: ARG002 - it forgets the same at any time
        """See ``Twin``."""
        self._powered, self._next = False, None

    def power_on(self, now: float) -> None:
        """See ``Twin``: a card that lies there is read at once."""
        self._powered = True
        self._next = now if self._card is not None else None
