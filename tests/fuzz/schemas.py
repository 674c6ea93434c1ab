"""As much of JSON Schema as our OpenAPI document uses: values that fit a schema, and what is wrong with others.

The surprise is that a value is made by the field's name before its type: an ``agreement_id`` of the shop that is being
attacked leads into the use case, a random text only as far as "not found".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

Schema = Mapping[str, Any]
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}  # fmt: skip
# Tried in turn where a pattern stands and the name says nothing.
PATTERNED = (
    "x-1", "2026-11", "2026-11-01", "11-05", "1.00", "EUR", "06:00", "0" * 64, "a" * 64, "1.0", "unmatched", "open",
    "day",
    "x", "X",
)  # fmt: skip
DEEPEST = 6


class Maker:
    """Makes values. ``known``: field name -> values that mean something to the shop."""

    def __init__(self, document: Mapping[str, Any], known: Mapping[str, Sequence[Any]]) -> None:
        self._document = document
        self._known = known

    def make(self, chance: Random, schema: Schema, name: str = "", depth: int = 0) -> Any:
        """A value that the schema lets pass, as far as a schema says it."""
        schema = self.resolved(schema)
        if name in self._known and chance.random() < 0.9:
            return chance.choice(self._known[name])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return chance.choice(schema["enum"])
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return self.make(chance, chance.choice(schema[several]), name, depth + 1)
        return self._of_type(chance, schema, name, depth)

    def resolved(self, schema: Schema) -> Schema:
        """The schema behind a reference."""
        while "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _of_type(self, chance: Random, schema: Schema, name: str, depth: int) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(chance, schema, depth)
            case "array":
                least = schema.get("minItems", 0)
                count = least if depth > DEEPEST else chance.randint(least, max(least, 2))
                return [self.make(chance, schema.get("items", {}), name, depth + 1) for _ in range(count)]
            case "integer":
                low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
                return chance.choice(
                    (low, min(low + 3, schema.get("maximum", low + 3)), schema.get("maximum", low + 1))
                )
            case "number":
                return schema.get("minimum", 1)
            case "boolean":
                return chance.random() < 0.5
            case "null":
                return None
            case _:
                return self._text(chance, schema)

    def _object(self, chance: Random, schema: Schema, depth: int) -> dict[str, Any]:
        made = {}
        for name, inner in schema.get("properties", {}).items():
            if name in schema.get("required", ()) or (depth < DEEPEST and chance.random() < 0.4):
                made[name] = self.make(chance, inner, name, depth + 1)
        extra = schema.get("additionalProperties")
        if isinstance(extra, Mapping) and depth < DEEPEST:
            made["x-1"] = self.make(chance, extra, "", depth + 1)
        return made

    def _text(self, chance: Random, schema: Schema) -> str:
        pattern = schema.get("pattern")
        fitting = [one for one in PATTERNED if pattern is None or re.search(pattern, one)]
        text = chance.choice(fitting or ["x"])
        return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength", 10_000)]

    def faults(self, schema: Schema, value: object, at: str = "") -> Iterator[str]:
        """What is wrong with an answer, by place."""
        schema = self.resolved(schema)
        for several in ("anyOf", "oneOf"):
            if several in schema and all(list(self.faults(one, value, at)) for one in schema[several]):
                yield f"{at or '/'}: {str(value)[:60]!r} fits none of {len(schema[several])} forms"
        wanted = schema.get("type")
        if wanted and not _is(value, wanted):
            yield f"{at or '/'}: {str(value)[:60]!r} is no {wanted}"
            return
        if "const" in schema and value != schema["const"]:
            yield f"{at}: {value!r} is not {schema['const']!r}"
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is none of {schema['enum']}"
        if isinstance(value, dict):
            yield from self._object_faults(schema, value, at)
        elif isinstance(value, list) and "items" in schema:
            for number, one in enumerate(value):
                yield from self.faults(schema["items"], one, f"{at}/{number}")

    def _object_faults(self, schema: Schema, value: Mapping[str, Any], at: str) -> Iterator[str]:
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties", True)
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}/{name} is missing"
        for name, one in value.items():
            if name in properties:
                yield from self.faults(properties[name], one, f"{at}/{name}")
            elif extra is False or (properties and extra is True):
                yield f"{at}/{name} is not declared"
            elif isinstance(extra, Mapping):
                yield from self.faults(extra, one, f"{at}/{name}")


def _is(value: object, wanted: str) -> bool:
    if isinstance(value, bool) and wanted in ("integer", "number"):
        return False
    return isinstance(value, TYPES[wanted])
