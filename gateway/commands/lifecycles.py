"""lifecycle: plays cases of a draw's life, as in the vectors; says how each ends and whether that is as expected."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.commands import FINDINGS, FINE, CommandError, Outcome
from gateway.lifecycle import NotACaseError, play

MAX_BYTES = 16 * 1024 * 1024


def lifecycle(arguments: argparse.Namespace) -> Outcome:
    """One case gives its end; several give a list. Exit code 3: an `expect` is not met."""
    document = _read(arguments.case)
    single = isinstance(document, Mapping) and "events" in document
    cases = [document] if single else document
    if isinstance(document, Mapping) and not single:
        cases = document.get("lifecycle") or document.get("cases") or []
    if not isinstance(cases, list) or not cases or not all(_is_case(one) for one in cases):
        raise CommandError(f"{arguments.case} holds no case: a case has `events`, a list of words.")
    try:
        played = [_played(one) for one in cases]
    except NotACaseError as error:
        raise CommandError(f"{arguments.case}: {error}.") from error
    lines = [
        f"{one['id']}: {one['state']}, {one['qty']} pc, billable {one['billable']}, stock {one['stock_delta']}"
        + ("" if one.get("matches", True) else "  NOT AS EXPECTED: " + ", ".join(one["differs"]))
        for one in played
    ]
    met = all(one.get("matches", True) for one in played)
    return Outcome(played[0] if single else played, lines, FINE if met else FINDINGS)


def _read(name: str) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise CommandError(f"{name} has more than {MAX_BYTES} bytes. Play fewer cases at a time.")
        return json.loads(raw)
    except RecursionError as error:
        raise CommandError(f"{name} is nested too deep for a case.") from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{name} cannot be read as JSON ({error}). Give a file with a case.") from error


def _is_case(case: object) -> bool:
    return isinstance(case, Mapping) and isinstance(case.get("events"), list)


def _played(case: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": case.get("id", ""), **msgspec.to_builtins(play(case))}
    expect = case.get("expect")
    if isinstance(expect, Mapping):
        differs = [key for key, value in expect.items() if key in found and found[key] != value]
        found |= {"matches": not differs, "differs": differs}
    return found
