"""Answers to a question that is put again and again: how they are cut, and what each value was worth last. PURE.

The surprise is why: a busy line asks for the same forty registers every few milliseconds, and what a register's bytes
mean costs more than their way over the wire does. So what does not change from one answer to the next is worked out
once, and a register that has not moved says what it said.
Source: IEEE 754-2008 for the floats, rounded to nearest, ties to even, as `modbus_profile.scaled` does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import msgspec

from gateway.device_events import Event, Measured, Want
from gateway.drivers.modbus_profile import Order, Register, power_of_ten, scaled

# Address, function and byte count stand before the registers.
HEAD = 3
CODES = {1: "H", 2: "I", 4: "Q"}
UNSIGNED = ("uint16", "uint32", "uint64")


class Place(msgspec.Struct):
    """One want of the question: where it stands, what it said last, and how another number of it is read.

    `decode` None: only the driver knows (a value may be marked, refused or sampled).
    """

    want: Want
    at: slice
    decode: Callable[[int], int | None] | None
    scale: int
    unit: str
    q: tuple[str, ...]
    word: int = -1
    value: int = 0


class Repeats:
    """One question, from register `first` on. `wants` in the order of the events; `known`: of a want all of whose
    values are recorded alike, how the number is read, its scale, unit and marks.
    """

    def __init__(
        self,
        wants: Sequence[Want],
        first: int,
        known: Callable[[Want], tuple[Callable[[int], int | None] | None, int, str, tuple[str, ...]]],
    ) -> None:
        self.wants = wants
        begins = [HEAD + 2 * (want.address - first) for want in wants]
        self._places = [
            Place(want, slice(at, at + 2 * want.width), *known(want)) for want, at in zip(wants, begins, strict=True)
        ]
        self._words = _words(wants, first)

    def events(
        self, frame: bytes, value: Callable[[Want, bytes, bytes], list[Event]], *, anew: bool = False
    ) -> list[Event]:
        """What the frame says. `value`: works one want out, from its bytes and the frame; `anew`: all of them."""
        events: list[Event] = []
        if self._words is None or anew:
            for place in self._places:
                events += value(place.want, frame[place.at], frame)
            return events
        for word, place in zip(self._words.unpack_from(frame, HEAD), self._places, strict=True):
            if word != place.word:
                number = None if place.decode is None else place.decode(word)
                if number is None:
                    events += value(place.want, frame[place.at], frame)
                    continue
                place.word, place.value = word, number
            events.append(Measured(place.want.name, place.value, place.scale, place.unit, frame, place.q))
        return events


def reader(register: Register, order: Order, factor: int) -> Callable[[int], int | None] | None:
    """How the register's number, as it travels, becomes a scaled integer times `factor`; None where nothing is simple
    about it. The reader says None for a number that has to be looked at.
    """
    if register.none or order not in ("ABCD", "CDAB"):
        return None
    swapped = order == "CDAB" and register.width > 1
    times = power_of_ten(register.decimals) * factor
    if register.type == "float32":
        return _float32(register, factor, swapped=swapped)
    if register.type not in UNSIGNED or (swapped and register.width > 2):
        return None
    if swapped:
        return lambda word: (word >> 16 | (word & 0xFFFF) << 16) * times
    return lambda word: word * times


def _float32(register: Register, factor: int, *, swapped: bool) -> Callable[[int], int | None]:
    decimals, energy = register.decimals, register.energy

    def number(word: int) -> int | None:
        found = scaled(word >> 16 | (word & 0xFFFF) << 16 if swapped else word, decimals)
        return None if found is None or (energy and found < 0) else found * factor

    return number


def _words(wants: Sequence[Want], first: int) -> struct.Struct | None:
    """How the registers are cut into one number a want; None where some registers are wanted twice."""
    cut, at = ">", first
    for want in wants:
        if want.address < at or want.width not in CODES:
            return None
        cut += f"{2 * (want.address - at)}x{CODES[want.width]}"
        at = want.address + want.width
    return struct.Struct(cut)
