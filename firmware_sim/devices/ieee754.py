"""Binary floating point for meters that speak it, built from integers. PURE.

The surprise: no Python float takes part, so what stands in a register is the exact quotient rounded once (to nearest,
ties to even), as IEEE 754-2019 clause 4.3.1 says, and nothing else.
"""

from __future__ import annotations

_SIGNIFICANT_BITS = 24
_BIAS = 127


def float32(numerator: int, denominator: int = 1) -> bytes:
    """``numerator / denominator`` as four bytes, sign and exponent first ("ABCD"); too large becomes infinity."""
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    sign = 0x8000_0000 if numerator < 0 else 0
    size = abs(numerator)
    if size == 0:
        return bytes(4)
    # The power of two of the last bit kept. The estimate may be one too small or too large; rounding may carry over.
    power = max(size.bit_length() - denominator.bit_length() - _SIGNIFICANT_BITS, -149)
    while (significand := _rounded(size, denominator, power)) >= 1 << _SIGNIFICANT_BITS:
        power += 1
    exponent = power + _SIGNIFICANT_BITS - 1 + _BIAS if significand >> (_SIGNIFICANT_BITS - 1) else 0
    if exponent >= 255:
        return (sign | 0x7F80_0000).to_bytes(4, "big")
    return (sign | exponent << 23 | significand & 0x7F_FFFF).to_bytes(4, "big")


def _rounded(size: int, denominator: int, power: int) -> int:
    if power >= 0:
        denominator <<= power
    else:
        size <<= -power
    whole, rest = divmod(size, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole & 1))
