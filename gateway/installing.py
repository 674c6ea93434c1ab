"""The set-up of a gateway as steps that are done, one after the other; what was found lies in the state folder.

The surprise is that a step is not done because somebody pressed "next": each has a test of its own, and a step that was
passed over is told so in the report for ever.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.site_file import keep

FILE = "setup.json"
STEPS = ("network", "claim", "devices", "planogram", "slots", "report")
# What may be done later: a cabinet works with no network, and its planogram may come from the cloud tomorrow.
LATER = ("network", "claim", "planogram")


class Installation:
    """What was found so far, by step. Every change is on disk when the method returns."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._facts: dict[str, Any] = self._read()

    def of(self, step: str) -> dict[str, Any]:
        """What was found in this step."""
        found: dict[str, Any] = self._facts.get(step, {})
        return found

    def note(self, step: str, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        """Adds to what was found."""
        self._facts[step] = {**self.of(step), **facts}
        self._keep()

    def state(self, step: str) -> str:
        """done, later, open, or locked behind one that is open."""
        if self.of(step).get("done"):
            return "done"
        if self.of(step).get("later"):
            return "later"
        before = STEPS[: STEPS.index(step)]
        return "open" if all(self.state(one) in ("done", "later") for one in before) else "locked"

    def current(self) -> str:
        """The first step that is still to be done; the report when all are."""
        return next((one for one in STEPS if self.state(one) == "open"), "report")

    def restart(self) -> None:
        """Begins anew; devices and the enrolment stay."""
        self._facts = {}
        self._keep()

    def facts(self) -> dict[str, Any]:
        """Everything, for the report."""
        return dict(self._facts)

    def _keep(self) -> None:
        keep(self._path, json.dumps(self._facts, ensure_ascii=False, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
