"""The record format as JSON Schema, one file a version; old versions stay for ever."""

from __future__ import annotations

from importlib.resources import files

import msgspec

from wire.records import TYPES, Record


def current() -> bytes:
    """The schema of the records as the code defines them, as the bytes of ``v1.json``."""
    (top,), components = msgspec.json.schema_components([Record], ref_template="#/$defs/{name}")
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://tallystick.example/schema/v1.json",
        "title": "Tallystick record, version 1",
        "description": "One leaf of a gateway's log. Its bytes must be canonical too (see docs/wire.md).",
        **top,
        "$defs": {name: components[name] for name in sorted(components)},
    }
    return msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1) + b"\n"


def stored(version: int = 1) -> bytes:
    """The schema file of a version, as released."""
    return files(__name__).joinpath(f"v{version}.json").read_bytes()


assert len({kind.__struct_config__.tag for kind in TYPES}) == len(TYPES)
