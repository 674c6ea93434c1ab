"""What `test_drivers.py` puts to badge readers: kind, golden frames, settings, question, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gateway.device_events import BadgeRead, Event

BadgeCase = tuple[str, str, dict[str, Any], Callable[[Any], object], Callable[[Sequence[Event]], bool]]


def badge(number: str) -> Callable[[Sequence[Event]], bool]:
    """True for this badge, once."""
    return lambda events: [event.badge for event in events if isinstance(event, BadgeRead)] == [number]


def nothing(driver: Any) -> object:
    """It talks unasked."""
    return driver


LINE = {"frame": "line", "again": 0}
FAR = {"close": -70, "again": 0}
BADGES: tuple[BadgeCase, ...] = (
    ("badge_ascii", "badge_ascii.01", {"again": 0}, nothing, badge("62E3086CED")),
    ("badge_ascii", "badge_ascii.01", {"again": 0, "gives": "decimal10"}, nothing, badge("3808980205")),
    ("badge_ascii", "badge_ascii.01", {"again": 0, "gives": "facility_card"}, nothing, badge("008:27885")),
    ("badge_ascii", "badge_ascii.02", {"again": 0}, nothing, badge("0200107D0D")),
    ("badge_r200", "badge_r200.01", FAR, nothing, badge("E200001D7315016521408FC6")),
    ("badge_r200", "badge_r200.02", FAR, nothing, badge("E200471BB0006013044509D0")),
)
