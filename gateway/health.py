"""How the gateway is, as alarms: states go in, sentences a technician can act on come out. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.ports import DeviceStatus

Severity = Literal["warning", "critical"]

STALE_SECONDS = 900
LOW_DISK_BYTES = 64 * 1024 * 1024
OLD_LIST_SECONDS = 7 * 86_400
PLAYED_BACK_SECONDS = 3600


class Unproven(msgspec.Struct, frozen=True):
    """A draw that nobody has proven in time."""

    record: str
    place: str
    item: str
    owner: str


class Facts(msgspec.Struct, frozen=True):
    """What is known now. Seconds are None where nobody can tell."""

    journal: Literal["ok", "full", "down", "closed"] = "ok"
    journal_why: str = ""
    damaged: int = 0
    salvaged: str = ""
    clock: Literal["U", "I", "S", "R"] = "S"
    enrolled: bool = True
    pending: int = 0
    pending_seconds: int | None = None
    cloud_trouble: str = ""
    cloud_silent_seconds: int | None = None
    frozen: str = ""
    played_back_seconds: int | None = None
    list_version: int = 1
    list_seconds: int | None = None
    free_bytes: int | None = None
    stalled: tuple[str, ...] = ()
    devices: tuple[DeviceStatus, ...] = ()
    unproven: tuple[Unproven, ...] = ()
    off: tuple[tuple[str, str, int], ...] = ()


class Alarm(msgspec.Struct, frozen=True):
    """One thing a person should know. ``code`` and ``about`` together are its identity."""

    code: str
    severity: Severity
    text: str
    about: str = ""


def alarms(facts: Facts) -> list[Alarm]:
    """What is wrong now, the worst first."""
    found = [*_journal(facts), *_cloud(facts), *_site(facts)]
    return sorted(found, key=lambda alarm: alarm.severity != "critical")


def may_vend(facts: Facts) -> bool:
    """Nothing may be given that cannot be written down."""
    return facts.journal == "ok"


def changed(before: Sequence[Alarm], now: Sequence[Alarm]) -> tuple[list[Alarm], list[Alarm]]:
    """What was raised and what was cleared, by code and subject: a text that changes is not a new alarm."""
    had = {(alarm.code, alarm.about) for alarm in before}
    have = {(alarm.code, alarm.about) for alarm in now}
    raised = [alarm for alarm in now if (alarm.code, alarm.about) not in had]
    cleared = [alarm for alarm in before if (alarm.code, alarm.about) not in have]
    return raised, cleared


def _journal(facts: Facts) -> list[Alarm]:
    found: list[Alarm] = []
    if facts.journal == "full":
        text = (
            f"The journal has no room ({facts.journal_why}). Nothing is vended. Make room or raise [journal] quota_mb."
        )
        found.append(Alarm("journal_full", "critical", text))
    elif facts.journal == "down":
        text = f"The journal cannot be written ({facts.journal_why}). Nothing is vended. Check the disk or card."
        found.append(Alarm("journal_down", "critical", text))
    if facts.damaged:
        text = f"{facts.damaged} stored records have changed on the disk. Replace the card soon; keep the old one."
        found.append(Alarm("journal_damaged", "critical", text))
    if facts.salvaged:
        text = f"The journal was damaged and moved to {facts.salvaged}. Keep that file; replace the card soon."
        found.append(Alarm("journal_recovered", "critical", text))
    if facts.free_bytes is not None and facts.free_bytes < LOW_DISK_BYTES:
        text = f"Only {facts.free_bytes // 1_048_576} MiB are free on the journal's disk. Make room before it is full."
        found.append(Alarm("disk_low", "warning", text))
    return found


def _cloud(facts: Facts) -> list[Alarm]:
    found: list[Alarm] = []
    if facts.frozen:
        text = f"Syncing has stopped for good: {facts.frozen}. Records are kept; the operator must open a new log."
        found.append(Alarm("log_forked", "critical", text))
    if facts.played_back_seconds is not None and facts.played_back_seconds < PLAYED_BACK_SECONDS:
        text = (
            "Old answers of the cloud are played back to this gateway; they are refused and records are kept. Look who "
            "stands between it and the cloud: a proxy that caches, or somebody who lies. An outdated cloud looks alike."
        )
        found.append(Alarm("answer_played_back", "critical", text))
    if not facts.enrolled:
        text = "This gateway is not enrolled: records stay here. Run: tally-gateway enrol CODE"
        found.append(Alarm("not_enrolled", "warning", text))
    elif facts.cloud_trouble and not facts.frozen and (facts.cloud_silent_seconds or STALE_SECONDS) >= STALE_SECONDS:
        text = f"The cloud has not been reached for long ({facts.cloud_trouble}). {facts.pending} records are kept."
        found.append(Alarm("cloud_silent", "warning", text))
    if facts.pending_seconds is not None and facts.pending_seconds > STALE_SECONDS and not facts.frozen:
        text = f"{facts.pending} records wait, the oldest for {facts.pending_seconds // 60} minutes."
        found.append(Alarm("sync_late", "warning", text))
    if facts.enrolled and facts.list_version and (facts.list_seconds or 0) > OLD_LIST_SECONDS:
        text = (
            f"The list of badges is {(facts.list_seconds or 0) // 86_400} days old. Connect the gateway to the network."
        )
        found.append(Alarm("list_old", "warning", text))
    return found


def _site(facts: Facts) -> list[Alarm]:
    found = [
        Alarm("session_stalled", "critical", f"The loop of {name} does not move. It is restarted by systemd.", name)
        for name in facts.stalled
    ]
    if facts.clock == "U":
        text = "The clock was never set since power-on: times are repaired later. Connect the network or a clock."
        found.append(Alarm("clock_unset", "warning", text))
    for device in facts.devices:
        if device.answered is False:
            text = f"{device.device} on {device.line} does not answer. Check its power, its wires and its address."
            found.append(Alarm("device_silent", "warning", text, device.device))
    for one in facts.unproven:
        who = f"{one.owner} must" if one.owner else "Somebody must"
        text = (
            f"{one.item} from {one.place}: nobody has proven in time whether it left. {who} count the slot or decide."
        )
        found.append(Alarm("draw_unproven", "warning", text, one.record))
    for cabinet, slot, jams in facts.off:
        why = f"jammed {jams} times in a row" if jams else "has no motor, or its wire is broken"
        text = f"Slot {slot} of {cabinet} {why} and gives nothing more. Mend it, then refill or count it."
        found.append(Alarm("slot_off", "warning", text, f"{cabinet}/{slot}"))
    return found
