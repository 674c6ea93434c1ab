"""CRC-16/ARC (8005 reflected = A001, start 0): DEX and DDCMP low byte first, G85 as four digits high first. PURE.

The surprise is that one and the same sum travels both ways round; check value of "123456789" is BB3D.
Source: EVA-DTS 6.2.2 chapters 2 and 5; CRC catalogue.
"""

from __future__ import annotations


def crc16_arc(data: bytes, value: int = 0) -> int:
    """The sum; `value` carries it on from earlier bytes."""
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


_TABLE = tuple(_entry(byte) for byte in range(256))
