"""The work behind each word of ``tally-gateway``; nothing here prints."""

from __future__ import annotations

from typing import Any

import msgspec

FINE, FAILED, USAGE, FINDINGS = 0, 1, 2, 3


class Outcome(msgspec.Struct, frozen=True):
    """What a command has to say: one document for ``--json``, lines for people, an exit code."""

    document: Any
    lines: list[str]
    code: int = FINE


class CommandError(Exception):
    """A command could not do its work; the message says what to do next."""
