"""What the set-up wizard was told about the wires: `site.toml` in the state folder, read beside gateway.toml.

The surprise is that there are two files. gateway.toml belongs to the person who writes it and is never touched; what a
browser has said lies here. A line or a device may be in one of the two only, and the check that finds doubles says so.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = "site.toml"
HEAD = "# Written by the set-up pages. What you write by hand belongs into gateway.toml.\n"


def read(folder: Path) -> dict[str, Any]:
    """The document; empty where there is none. Raises tomllib.TOMLDecodeError."""
    try:
        return tomllib.loads((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}


def write(folder: Path, document: Mapping[str, Any]) -> None:
    """Whole or not at all, on disk when it returns."""
    keep(folder / FILE, HEAD + _toml(document))


def keep(path: Path, text: str, mode: int = 0o600) -> None:
    """A small file, replaced in one step, that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def with_device(document: Mapping[str, Any], line: Mapping[str, Any], device: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a device on the line of this port; the line is made where there is none yet."""
    lines = [dict(one) for one in document.get("lines", [])]
    found = next((one for one in lines if one["port"] == line["port"]), None)
    if found is None:
        lines.append({**line, "devices": [dict(device)]})
    else:
        found["devices"] = [*found["devices"], dict(device)]
    return {**document, "lines": lines}


def without_device(document: Mapping[str, Any], device: str) -> dict[str, Any]:
    """The document without this device, and without a line that has none left."""
    lines = [
        {**line, "devices": [one for one in line["devices"] if one["id"] != device]}
        for line in document.get("lines", [])
    ]
    return {**document, "lines": [line for line in lines if line["devices"]]}


def changed_device(document: Mapping[str, Any], device: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The document in which this device has these settings too."""
    lines = [
        {**line, "devices": [{**one, **settings} if one["id"] == device else one for one in line["devices"]]}
        for line in document.get("lines", [])
    ]
    return {**document, "lines": lines}


def _toml(document: Mapping[str, Any]) -> str:
    parts = [
        f"[{key}]\n" + "".join(f"{name} = {_value(one)}\n" for name, one in value.items())
        for key, value in document.items()
        if isinstance(value, Mapping)
    ]
    for line in document.get("lines", []):
        rest = "".join(f"{key} = {_value(value)}\n" for key, value in line.items() if key != "devices")
        devices = "".join(f"  {_value(device)},\n" for device in line["devices"])
        parts.append(f"[[lines]]\n{rest}devices = [\n{devices}]\n")
    return "\n".join(parts)


def _value(value: Any) -> str:  # noqa: ANN401 - a TOML value
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
