"""PINs at the cabinet: whose they are, and how often somebody may be wrong. PURE.

The surprise is the power switch: tries that a restart forgets are no limit. Wrong ones are events in the journal, and
those of earlier boots count as if they had been made when this one began, so switching off and on again gains nothing.
"""

from __future__ import annotations

from gateway.rules import Rules
from wire.records import DeviceEvent, Record

WRONG, RIGHT = "pin_wrong", "session"


class Tries:
    """Wrong PINs in a row, by person; for codes that nobody has, by cabinet."""

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._wrong: dict[str, list[int]] = {}

    def apply(self, record: Record) -> None:
        """Counts what the journal holds."""
        if not isinstance(record, DeviceEvent) or record.event not in (WRONG, RIGHT):
            return
        who = record.who or record.src
        if record.event == WRONG:
            self._wrong.setdefault(who, []).append(record.m if record.b == self._boot else 0)
        elif record.data.get("by") != "badge":
            self._wrong.pop(who, None)

    def locked(self, who: str, rules: Rules, mono_ms: int) -> bool:
        """Whether nobody listens to more digits of this person now."""
        since = mono_ms - rules.pin_minutes * 60_000
        recent = [at for at in self._wrong.get(who, ()) if at > since or (at == 0 and since <= 0)]
        if who in self._wrong:
            self._wrong[who] = recent
        return len(recent) >= rules.pin_tries > 0
