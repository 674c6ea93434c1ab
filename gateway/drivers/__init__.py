"""All device protocols; a driver is found by being here. The only place in this folder that reads files (profiles)."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from gateway.drivers.modbus_meter import MeterSettings, ModbusMeter
from gateway.drivers.modbus_profile import Profile, ProfileError, read_profile

# What a driver keeps at most of what came in, in bytes, where it says nothing else: a few frames and its own question.
HOLDS = 1_024


class UnknownKindError(ValueError):
    """The configuration names a kind of device nobody wrote; `known` are those that exist."""

    def __init__(self, kind: str, known: list[str]) -> None:
        super().__init__(f"device kind {kind!r} does not exist; there are {', '.join(known)}")
        self.known = known


class Kinds(Mapping[str, Any]):
    """Kind -> driver class. A kind is read when it is asked for: a gateway with two kinds does not load thirty."""

    def __init__(self) -> None:
        self._modules = [module.name for module in pkgutil.iter_modules(__path__)]
        self._found: dict[str, Any] = {}
        self._all = False

    def __getitem__(self, kind: str) -> Any:  # noqa: ANN401 - driver classes differ in shape
        if kind not in self._found and kind in self._modules and not self._all:
            self._read(kind)
        return self._found[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._everything())

    def __len__(self) -> int:
        return len(self._everything())

    def _everything(self) -> dict[str, Any]:
        if not self._all:
            for module in self._modules:
                self._read(module)
            self._all = True
        return self._found

    def _read(self, module: str) -> None:
        for value in vars(importlib.import_module(f"{__name__}.{module}")).values():
            if isinstance(value, type) and value.__module__.endswith(module) and hasattr(value, "kind"):
                self._found[value.kind] = value


@cache
def discover() -> Kinds:
    """Every class of this folder with `kind`, `link` and `Settings`; its module is named by its kind."""
    return Kinds()


def create(kind: str, settings: Mapping[str, Any], profiles: Path | None = None) -> Any:  # noqa: ANN401 - shapes differ
    """A driver of this kind; `profiles` is a folder of meter profiles beside our own.

    Raises UnknownKindError, pydantic's ValidationError naming the wrong setting, or ProfileError.
    """
    kinds = discover()
    if kind not in kinds:
        raise UnknownKindError(kind, sorted(kinds))
    typed = kinds[kind].Settings(**settings)
    if isinstance(typed, MeterSettings):
        return ModbusMeter(typed, find_profile(typed.profile, profiles))
    return kinds[kind](typed)


def holds(driver: Any) -> int:  # noqa: ANN401 - driver classes differ in shape
    """Bytes of what came in that it keeps at most, whatever comes."""
    return int(getattr(driver, "holds", HOLDS))


def profile_files(own: Path | None = None) -> dict[str, Traversable]:
    """Meter profiles by name: those of the package, and those of the folder `own`, which go first."""
    folders: list[Traversable] = [resources.files(__name__) / "profiles"]
    if own is not None:
        folders.append(own)
    return {
        file.name.removesuffix(".toml"): file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir(), key=lambda one: one.name)
        if file.name.endswith(".toml")
    }


def find_profile(name: str, own: Path | None = None) -> Profile:
    """The profile of this name. Raises ProfileError, with the names that exist or with what is wrong in the file."""
    files = profile_files(own)
    if name not in files:
        where = f" (also looked in {own})" if own else "; your own go into the folder that [gateway] profiles names"
        raise ProfileError(f"meter profile {name!r} does not exist; there are {', '.join(sorted(files))}{where}")
    try:
        document = tomllib.loads(files[name].read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"meter profile {name!r} cannot be read: {error}") from error
    return read_profile(document, name)


def about(driver: Any) -> str:  # noqa: ANN401 - driver classes differ in shape
    """The first line of a driver's module: what the device is."""
    return str(sys.modules[driver.__module__].__doc__ or "").strip().split("\n")[0].removesuffix(" PURE.")
