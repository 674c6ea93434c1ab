"""Reads tests/vectors/*.toml: frames that neither the twins nor the drivers have written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True)
class Golden:
    """One frame; `decoded` as in the file."""

    id: str
    direction: str
    data: bytes
    valid: bool
    request: bytes = b""
    decoded: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.id


def golden(name: str, *, direction: str = "") -> list[Golden]:
    """The byte frames of one device, all or of one direction."""
    frames = tomllib.loads((FOLDER / f"{name}.toml").read_text())["frame"]
    return [
        Golden(
            one["id"],
            one["direction"],
            bytes.fromhex(one["hex"]),
            one["valid"],
            bytes.fromhex(one.get("request", "")),
            one.get("decoded", {}),
        )
        for one in frames
        if direction in ("", one["direction"]) and "hex" in one
    ]
