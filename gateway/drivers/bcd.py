"""Packed decimals, low byte first, as meters send them: two digits a byte, and a nibble over 9 is damage.

The surprise: a right checksum does not make right digits. A meter whose memory is spoilt signs nonsense too.
"""

from __future__ import annotations


class NoDecimalError(ValueError):
    """A nibble over 9: the bytes are damaged, or they are no decimal."""

    def __init__(self, data: bytes) -> None:
        super().__init__(f"{data.hex(' ')} holds a nibble over 9")
        self.data = data


def decimal(data: bytes) -> int:
    """The number in these bytes. Raises NoDecimalError."""
    digits = data[::-1].hex()
    if not digits.isdecimal():
        raise NoDecimalError(data)
    return int(digits)


def signed_decimal(data: bytes) -> int:
    """The same where the top bit of the last byte is the sign. Raises NoDecimalError."""
    if not data or not data[-1] & 0x80:
        return decimal(data)
    return -decimal(data[:-1] + bytes((data[-1] & 0x7F,)))


def packed(number: int, width: int) -> bytes:
    """A number of at most 2 * `width` digits as `width` bytes, low byte first. Raises ValueError where it is longer."""
    digits = f"{number:0{2 * width}d}"
    if number < 0 or len(digits) > 2 * width:
        raise ValueError(f"{number} does not fit into {2 * width} digits")
    return bytes.fromhex(digits)[::-1]
