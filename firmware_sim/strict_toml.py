"""Tables to dataclasses, strictly: an unknown key, a missing key and a value of the wrong kind are errors. PURE.

Money is written as text ("0.85") or with a decimal point, and is exact either way: the file's digits never become a
binary fraction unless the field is a chance.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class ScenarioError(ValueError):
    """The file cannot be played as it is; the message says where and what to change."""


def build(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """An object of the dataclass ``kind`` from a table of TOML; ``where`` begins each message."""
    hints = get_type_hints(kind)
    known: dict[str, Field[Any]] = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(sorted(known))}"
            raise ScenarioError(f"{where}: unknown key {key!r}; {advice}")
    missing = [
        name
        for name, one in known.items()
        if name not in table and one.default is MISSING and one.default_factory is MISSING
    ]
    if missing:
        raise ScenarioError(f"{where}: {missing[0]!r} is missing")
    return kind(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in table.items()})


def _value(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    origin = get_origin(hint)
    if origin is tuple:
        return _several(get_args(hint)[0], value, where)
    if origin is dict:
        return _mapping(get_args(hint)[1], value, where)
    if origin is Literal:
        if value not in get_args(hint):
            raise ScenarioError(f"{where} is {value!r}; it may be {', '.join(map(repr, get_args(hint)))}")
        return value
    if origin in (Union, types.UnionType):
        raise TypeError("a field of a scenario has one type")
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{where} must be a table")
        return build(hint, value, where)
    return _plain(hint, value, where)


def _several(hint: Any, value: Any, where: str) -> tuple[Any, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        raise ScenarioError(f"{where} must be a list")
    return tuple(_value(hint, one, f"{where}[{place}]") for place, one in enumerate(value))


def _mapping(hint: Any, value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where} must be a table")
    return {key: _value(hint, one, f"{where}: {key}") for key, one in value.items()}


def _plain(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    if hint is Decimal and isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            raise ScenarioError(f"{where} is {value!r}, which is no number") from None
    if hint is float and isinstance(value, Decimal | int) and not isinstance(value, bool):
        return float(value)
    wrong_bool = isinstance(value, bool) and hint is not bool
    wrong_date = hint is date and isinstance(value, datetime)
    if wrong_bool or wrong_date or not isinstance(value, hint):
        written = 'text in quotes, such as "0.85"' if hint is Decimal else hint.__name__
        raise ScenarioError(f"{where} is {value!r}; it must be {written}")
    return value
