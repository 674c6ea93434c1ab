"""Finds the routers: every module of a package that has one, in order of their names. Nobody keeps a list."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from fastapi import APIRouter


def routers(package: ModuleType) -> list[APIRouter]:
    """The ``router`` of each module in a package."""
    found = []
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        router = getattr(importlib.import_module(f"{package.__name__}.{module}"), "router", None)
        if isinstance(router, APIRouter):
            found.append(router)
    return found
