"""Takes out of a text what must not leave the site: badges, persons, names, keys, tokens, codes. PURE.

The surprise is that two nets are used. What we know (every badge of the list, the key, the gateway's own name) is
looked for as it is written; what we cannot know (a token in the text of somebody else's error) is caught by its shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

GONE = "[removed]"
# Keys whose values are about a person or open something, wherever they stand.
PERSONAL = re.compile(
    r"(^|_)(badge|badges|who|person|persons|name|code|pin|token|secret|seed|key|vkey|password|username|user|approver|"
    r"session|cookie|authorization|email|phone|words|for|cost_centre|job)$"
)
SHAPES = (
    re.compile(r"(?i)\bbearer\s+\S+"),
    re.compile(r"\b(?:tsk|gwt|whsec)_[A-Za-z0-9_\-]{6,}"),
    re.compile(r"\b(?:[0-9A-Za-z]{5}-){4}[0-9A-Za-z]{5}\b"),
    re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{32,}(?![0-9a-fA-F])"),
    re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}"),
    re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}=?(?![A-Za-z0-9+/=])"),
    re.compile(r"\$?scrypt\$[^\s\"']+"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    re.compile(r"(?<=//)[^/\s\"'@]+@"),
    re.compile(
        r"(?i)\b(?:badge|token|pin|code|session|password)\b[\"']?\s*[=:]?\s*[\"']?[A-Za-z0-9._\-]*\d[A-Za-z0-9._\-]*"
    ),
)
SHORTEST = 3


def without_persons(value: Any) -> Any:  # noqa: ANN401 - a JSON document
    """A JSON document whose personal keys have no values; empty ones stay empty, so that a gap can be seen."""
    if isinstance(value, Mapping):
        return {
            key: (GONE if inner not in ("", None, [], {}) else inner)
            if PERSONAL.search(str(key).lower().rstrip("_"))
            else without_persons(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_persons(one) for one in value]
    return value


def redact(text: str, known: Iterable[str]) -> str:
    """The text without the known strings and without anything that has a secret's shape."""
    wanted = sorted({one for one in known if len(one) >= SHORTEST}, key=len, reverse=True)
    if wanted:
        anywhere = "|".join(re.escape(one) for one in wanted)
        text = re.sub(rf"(?i)(?<![A-Za-z0-9])(?:{anywhere})(?![A-Za-z0-9])", GONE, text)
    for shape in SHAPES:
        text = shape.sub(GONE, text)
    return text


def strings_in(value: Any) -> set[str]:  # noqa: ANN401 - a JSON document
    """Every text and every number of a JSON document, its keys among them."""
    if isinstance(value, Mapping):
        return {str(key) for key in value}.union(*(strings_in(inner) for inner in value.values()), set())
    if isinstance(value, list | tuple):
        return set[str]().union(*(strings_in(one) for one in value))
    return {value} if isinstance(value, str) else set()
