"""Documents that are almost right: a JSON-like tree with one to four of its parts replaced, dropped, doubled or buried.

The surprise is where most was found: not in rubbish, which any parser refuses,
    but in a value of the right type that is
beyond all reason (a year 0001 with an offset, 1e9999999, digits of another script).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

# What stands in for a part of a document: each has hurt some program somewhere.
TEXTS = (
    "", " ", "\x00", "a\x00b", "\x1b[31m", "\u202egnp.exe", "\ufeff", "\u0662\u0663", "\u00b2", "\ud800",
    "\U0001f9ee" * 3, "NaN", "Infinity", "-Infinity", "1e999", "1e9999999", "1e-9999999", "-0", "+1", "01", "1_000",
    " 1", "0x10", "9" * 15,
    "9" * 40, "9" * 5000, "0." + "0" * 11 + "1", "1.2.3", "1,5",
    "0000-01-01", "0001-01-01", "9999-12-31", "2999-12-31", "1971-01-01", "2026-02-30", "2026-W01-1", "20261101",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-05T10:00:00",
    "2026-11-05T10:00:00+23:59:59.999999", "2026-11-05T24:00:00Z", "2026-11-0\u0665T10:00:00Z", "00:00", "24:00",
    "0\u0663:00",
    "Mars/Olympus", "../../etc/passwd", "Europe", "__init__.py", "=cmd|'/C calc'!A0", "' OR 1=1 --", "%00", "%s%n",
    "{0}", "${jndi:ldap://x}", "a/b", "..", "x" * 65, "x" * 300, "x" * 5000, "\n\nold 0\n", "EUR", "XXX", "JPY",
)  # fmt: skip
NUMBERS = (
    0, 1, -1, 2, 7, 255, 256, 65_536, 2**31, -(2**31) - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64,
    10**18, 10**30, 10**400, 0.5, -0.0, 1e308, 5e-324,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": ""}, {"a": {"a": {"a": {}}}}, [0] * 50)


def nasty(chance: Random) -> Any:
    """A value that somebody did not think of."""
    kind = chance.randrange(8)
    if kind < 4:
        return chance.choice(TEXTS)
    if kind < 6:
        return chance.choice(NUMBERS)
    return copy.deepcopy(chance.choice(OTHERS))


def mutated(chance: Random, document: Any) -> Any:
    """The document, wrong in one to four places."""
    held = {"": copy.deepcopy(document)}
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        places = list(_places(held))
        if not places:
            break
        owner, key = chance.choice(places)
        _hurt(chance, owner, key, places)
    return held.get("")


def _hurt(chance: Random, owner: Any, key: Any, places: Sequence[tuple[Any, Any]]) -> None:
    match chance.randrange(10):
        case 0:
            del owner[key]
        case 1:
            other_owner, other_key = chance.choice(places)
            owner[key] = copy.deepcopy(other_owner.get(other_key) if isinstance(other_owner, dict) else other_owner)
        case 2:
            owner[key] = [owner[key]] * chance.choice((1, 2, 3))
        case 3 if isinstance(owner, dict):
            owner[chance.choice(TEXTS)] = owner[key]
        case 4 if isinstance(owner[key], list):
            owner[key] = owner[key] * chance.choice((2, 20))
        case 5 if isinstance(owner[key], str):
            at = chance.randrange(len(owner[key]) + 1)
            owner[key] = owner[key][:at] + chance.choice(TEXTS)[:400] + owner[key][at:]
        case 6 if isinstance(owner[key], int):
            owner[key] += chance.choice((-1, 1, 2**31, -(2**63)))
        case _:
            owner[key] = nasty(chance)


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value, as (what holds it, key or index)."""
    waiting = [tree]
    while waiting:
        owner = waiting.pop()
        for key in list(owner) if isinstance(owner, dict) else range(len(owner)):
            yield owner, key
            if isinstance(owner[key], dict | list):
                waiting.append(owner[key])
