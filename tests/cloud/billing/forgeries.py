"""Every single change of a JSON document: each field altered, dropped, doubled, swapped, invented."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
Forgery = tuple[str, Any]


def forgeries(document: Any, at: Path = ()) -> Iterator[Forgery]:
    """(what was done, the changed document), one change at a time."""
    yield from _here(document, document, at)


def _here(root: Any, value: Any, at: Path) -> Iterator[Forgery]:
    if isinstance(value, dict):
        yield _with(root, at, {**value, "extra": 1}, "an unknown field")
        for key in value:
            yield _with(root, at, {name: one for name, one in value.items() if name != key}, f"without {key}")
            yield from _here(root, value[key], (*at, key))
    elif isinstance(value, list):
        yield from _list(root, value, at)
    else:
        for changed in altered(value):
            yield _with(root, at, changed, f"{value!r:.40} becomes {changed!r:.40}")


def _list(root: Any, value: list[Any], at: Path) -> Iterator[Forgery]:
    for index, one in enumerate(value):
        yield _with(root, at, value[:index] + value[index + 1 :], f"without entry {index}")
        yield _with(root, at, value[: index + 1] + value[index:], f"entry {index} twice")
        if index and value[index - 1] != one:
            swapped = [*value[: index - 1], one, value[index - 1], *value[index + 1 :]]
            yield _with(root, at, swapped, f"entries {index - 1} and {index} swapped")
        yield from _here(root, one, (*at, index))


def altered(value: str | int | None) -> list[str | int | dict[str, int]]:
    """Other values of the same type, and one of another."""
    if value is None:
        return [0, {"statement": 1, "line": 1}]
    if isinstance(value, bool):
        return [not value, "yes"]
    if isinstance(value, int):
        return [value + 1, value - 1, str(value)]
    middle = len(value) // 2
    flipped = value[:middle] + ("1" if value[middle : middle + 1] == "0" else "0") + value[middle + 1 :]
    return [flipped, value + "0", "" if value else "x", 0]


def _with(root: Any, at: Path, changed: Any, what: str) -> Forgery:
    if not at:
        return f"{what} at the top", changed
    made = copy.copy(root)
    inner = made
    for part in at[:-1]:
        inner[part] = copy.copy(inner[part])
        inner = inner[part]
    inner[at[-1]] = changed
    return f"{'/'.join(map(str, at))}: {what}", made
