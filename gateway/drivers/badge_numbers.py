"""One badge, many spellings: what a reader says, and how the list of badges writes it. PURE.

The surprise is that the number printed on a card is rarely the one a reader sends. An EM4100 chip holds five bytes; a
reader sends them as hex, another the low four as ten decimal digits, a Wiegand line the low three as facility and card,
and the print on the card shows two of these. So it is said twice, by name: what comes (`reads`) and what is wanted
(`gives`).

    62E3086CED (hex)  =  decimal 424715775213  =  decimal10 3808980205  =  facility_card 008:27885
Source: EM4100 data sheet (EM Microelectronic); Wiegand SIA AC-01 (26 bit), HID H10306 (34 bit).
"""

from __future__ import annotations

import re
from typing import Literal

Reads = Literal["text", "hex", "decimal", "facility_card", "wiegand26", "wiegand34"]
Gives = Literal["as_read", "hex", "decimal", "decimal10", "facility_card"]
LONGEST = 64
_PAIR = re.compile(r"(\d{1,5})\D(\d{1,10})")
_WIDTHS = {"wiegand26": 26, "wiegand34": 34}


def normal(read: str, reads: Reads = "text", gives: Gives = "as_read") -> str | None:
    """The badge as the list writes it; None: this is no badge of that spelling. At most 64 characters in, never raises.

    `hex` and `decimal` keep their leading zeros in `as_read` only. `facility_card` is FFF:CCCCC, from the low 24 bits.
    """
    text = read.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        return None
    if reads == "text" and gives == "as_read":
        return text
    number = _number(text, reads)
    return None if number is None else _spelled(number, text, reads, gives)


def _spelled(number: int, text: str, reads: Reads, gives: Gives) -> str:
    spellings = {
        "as_read": f"{number >> 16:03d}:{number & 0xFFFF:05d}" if reads in _WIDTHS else text.upper(),
        "hex": f"{number:0{len(text) if reads == 'hex' else 10}X}",
        "decimal": str(number),
        "decimal10": f"{number & 0xFFFFFFFF:010d}",
        "facility_card": f"{number >> 16 & 0xFF:03d}:{number & 0xFFFF:05d}",
    }
    return spellings[gives]


def _number(text: str, reads: Reads) -> int | None:
    if reads == "decimal":
        return int(text) if text.isascii() and text.isdigit() else None
    if reads == "facility_card":
        pair = _PAIR.fullmatch(text)
        if pair is None or int(pair[2]) > 0xFFFF:
            return None
        return int(pair[1]) << 16 | int(pair[2])
    if not re.fullmatch(r"[0-9A-Fa-f]+", text):
        return None
    number = int(text, 16)
    return _without_parity(number, _WIDTHS[reads]) if reads in _WIDTHS else number


def _without_parity(bits: int, width: int) -> int | None:
    """Facility and card of a Wiegand word: the first half has even parity with its first bit, the second half odd."""
    if bits >> width:
        return None
    half = width // 2
    first, second = bits >> half, bits & (1 << half) - 1
    if first.bit_count() % 2 or not second.bit_count() % 2:
        return None
    return bits >> 1 & (1 << width - 2) - 1


class Debounce:
    """A badge that is held to a reader is read many times a second and meant once. `seconds` of line time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: tuple[str, float] | None = None

    def is_new(self, badge: str, now: float) -> bool:
        """False while the same badge goes on being read; each reading prolongs it."""
        last, self._last = self._last, (badge, now)
        return last is None or last[0] != badge or now - last[1] >= self._seconds
