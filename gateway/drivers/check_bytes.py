"""The one-byte checks of vending boards: XOR and sum over what stands before them. PURE."""

from __future__ import annotations


def xor8(data: bytes | bytearray) -> int:
    """All bytes exclusive-ored: lock boards 8A/80 and WKLY, vending controllers FA FB."""
    check = 0
    for byte in data:
        check ^= byte
    return check


def sum8(data: bytes | bytearray) -> int:
    """The low byte of the sum: Kerong lock boards, TCN spring boards."""
    return sum(data) & 0xFF
