"""Which devices may hang on one line. PURE: what stands in ``gateway.toml``, and every reason why it cannot work.

The surprise is how quiet a mistake here would be. Two meters with one address answer together, mostly as noise and
sometimes as one of them; a device that is asked by "whoever you are" takes its neighbour's answer for its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from gateway import drivers
from gateway.config import Config, Device

# Settings that say whom a question reaches and what it asks for; a kind without any of them has its line to itself.
WHOM = ("unit", "board", "address", "secondary", "manufacturer", "version", "medium")
WHAT = ("profile", "table", "at", "first", "high", "mid", "low")
# Addresses to which everybody answers.
EVERYBODY: dict[str, dict[str, tuple[object, ...]]] = {
    "dlt645": {"address": ("A" * 12,)},
    "cjt188": {"address": ("A" * 14,)},
    "iec62056": {"address": ("",)},
    "mbus": {"address": (254, 255)},
}


def strangers(config: Config) -> Iterator[tuple[str, str]]:
    """Devices that cannot share a line: another protocol's frames, one that talks when it likes, one address twice."""
    kinds = drivers.discover()
    for index, line in enumerate(config.lines):
        known = {place: device for place, device in enumerate(line.devices) if device.kind in kinds}
        made = {place: _made(device, config) for place, device in known.items()}
        for number, device in known.items():
            place = f"lines[{index}].devices[{number}]"
            for earlier in range(number):
                if earlier in known and (why := _quarrel(made[earlier], made[number])):
                    other = known[earlier]
                    who = f"{device.id!r} ({device.kind}) and {other.id!r} ({other.kind})"
                    yield place, f"{who} cannot share a line: {why}"
                    break
            else:
                if len(known) > 1 and (heard := _everybodys(made[number])):
                    what = (
                        f"everybody on the line answers to {heard}. Find out its own: tally-gateway devices find PORT"
                    )
                    yield place, what


def _made(device: Device, config: Config) -> Any:  # noqa: ANN401 - driver classes differ in shape
    """The driver; its class where the settings are wrong, which is said elsewhere."""
    try:
        return drivers.create(device.kind, device.settings, config.gateway.profiles)
    except (ValidationError, ValueError):
        return drivers.discover()[device.kind]


def _quarrel(one: Any, other: Any) -> str:  # noqa: ANN401 - as above
    """Why these two may not be on one line, and what to do; empty when they may."""
    apart = "Give one of them a line and an adapter of its own"
    for driver in (one, other):
        # Boards of one kind whose frames name their board may talk unasked beside each other.
        if getattr(driver, "listens", False) and not (one.kind == other.kind and getattr(driver, "shares", False)):
            return f"a {driver.kind} talks unasked. {apart}"
    mine, theirs = getattr(one, "bus", one.kind), getattr(other, "bus", other.kind)
    if mine != theirs:
        return f"they speak {mine} and {theirs}, and each takes the other's frames for noise. {apart}"
    asked = _asked(one)
    if one.kind != other.kind or asked is None or asked != _asked(other):
        return ""
    if not asked.keys() & set(WHOM):
        return f"a {one.kind} has no address, so both would answer. {apart}"
    whom = ", ".join(f"{name} = {value!r}" for name, value in asked.items() if name in WHOM and value)
    return f"both are asked the same ({whom or 'no address'}), so one's answer would count for both. Give each its own"


def _asked(driver: Any) -> dict[str, object] | None:  # noqa: ANN401 - as above
    settings = getattr(driver, "settings", None)
    return {name: getattr(settings, name) for name in (*WHOM, *WHAT) if hasattr(settings, name)} if settings else None


def _everybodys(driver: Any) -> str:  # noqa: ANN401 - as above
    """The setting to which every device of this kind answers, as it stands in the file; empty when it has its own."""
    settings = getattr(driver, "settings", None)
    for name, values in EVERYBODY.get(driver.kind, {}).items():
        value = getattr(settings, name, None)
        if value in values and not getattr(settings, "secondary", ""):
            return f"{name} = {value!r}".replace("'", '"')
    return ""
