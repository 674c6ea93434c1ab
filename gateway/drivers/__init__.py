"""All device protocols; a driver is found by being here. The only place in this folder that reads files (profiles)."""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from gateway.drivers.modbus_meter import MeterSettings, ModbusMeter, Profile


class UnknownKindError(ValueError):
    """The configuration names a kind of device nobody wrote; `known` are those that exist."""

    def __init__(self, kind: str, known: list[str]) -> None:
        super().__init__(f"device kind {kind!r} does not exist; there are {', '.join(known)}")
        self.known = known


@cache
def discover() -> dict[str, Any]:
    """Kind -> driver class, for every module of this folder: one class a module with `kind`, `link` and `Settings`."""
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and value.__module__.endswith(module.name) and hasattr(value, "kind"):
                found[value.kind] = value
    return found


def create(kind: str, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - serial and MQTT drivers differ in shape
    """A driver of this kind. Raises UnknownKindError, or pydantic's ValidationError naming the wrong setting."""
    kinds = discover()
    if kind not in kinds:
        raise UnknownKindError(kind, sorted(kinds))
    typed = kinds[kind].Settings(**settings)
    if isinstance(typed, MeterSettings):
        return ModbusMeter(typed, read_profile(typed.profile))
    return kinds[kind](typed)


def read_profile(name: str) -> Profile:
    """A register map of `profiles/`. Raises ValueError with the names that exist."""
    folder = resources.files(__name__) / "profiles"
    known = sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))
    if name not in known:
        raise ValueError(f"meter profile {name!r} does not exist; there are {', '.join(known)}")
    return msgspec.convert(tomllib.loads((folder / f"{name}.toml").read_text("utf-8")), Profile)
