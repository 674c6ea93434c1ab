"""How many bytes of what it was fed a driver keeps, wherever in it they are."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec


def held(thing: object) -> int:
    """Bytes in a driver and in everything of ours that it is made of."""
    return _held(thing, set())


def _held(thing: Any, seen: set[int]) -> int:
    if isinstance(thing, bytes | bytearray | memoryview):
        return len(thing)
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, dict):
        return sum(_held(one, seen) for pair in thing.items() for one in pair)
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return sum(_held(one, seen) for one in thing)
    if isinstance(thing, type) or not type(thing).__module__.startswith("gateway"):
        return 0
    if isinstance(thing, msgspec.Struct):
        return sum(_held(getattr(thing, name), seen) for name in thing.__struct_fields__)
    return sum(_held(one, seen) for one in vars(thing).values()) if hasattr(thing, "__dict__") else 0
