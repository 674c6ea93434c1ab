"""What a harness's command says in the end, and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

SHOWN = 20
BROKEN = 3


def told(words: str, findings: Sequence[str]) -> int:
    """Prints what was played and what did not hold; 3 when something did not."""
    sys.stdout.write(f"{words}; {len(findings)} broken promises\n")
    for finding in findings[:SHOWN]:
        sys.stdout.write(f"  {finding}\n")
    return BROKEN if findings else 0
