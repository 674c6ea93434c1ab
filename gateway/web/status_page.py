"""`/status`: how the gateway is, for the installer in front of it and for a script, and the support bundle to mail.

It is a page for a browser and JSON for everything else. A light says in colour, shape and word whether a person is
needed; below it stand the facts it is made of.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from gateway import support
from gateway.config import Config
from gateway.footing import Footing, footing
from gateway.identity import Identity
from gateway.journal.store import Journal
from gateway.open_questions import Question, questions
from gateway.ports import DesiredSource, Ports, Quality
from gateway.premises import Premises
from gateway.redacting import redact, without_persons
from gateway.status import Status
from gateway.uplink import Uplink
from gateway.web.control_pages import Steering, shown, why
from gateway.web.languages import Words
from gateway.web.rendering import Rendering, wants_a_page
from gateway.web.sentences import title

LATE, VERY_LATE = 300, 86_400
MINUTE, HOUR, DAY = 60, 3600, 86_400


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


LIGHTS = {
    "current": ("good", _("Up to date"), _("The cloud has countersigned every record.")),
    "syncing": ("good", _("Syncing"), _("New records are on their way.")),
    "waiting": ("warn", _("Waiting for the cloud"), _("Records are kept here until it is reached. Nothing is lost.")),
    "alone": ("warn", _("Not enrolled"), _("Records stay here until a claim code is redeemed.")),
    "late": ("bad", _("Far behind"), _("Records have waited for more than a day. Connect the network.")),
    "refused": ("bad", _("Needs a person"), _("The cloud put records aside. The operator must look at them.")),
    "frozen": ("bad", _("Syncing has stopped"), _("The log and the cloud disagree. Call the operator; do not go on.")),
}
CLOCKS = {
    "S": ("good", _("synchronised")),
    "I": ("warn", _("looks right, but nobody vouches for it")),
    "U": ("bad", _("was not set since power-on")),
    "R": ("warn", _("set by a device")),
}
JOURNALS = {
    "ok": ("good", _("takes records")),
    "full": ("bad", _("full: nothing is given out")),
    "down": ("bad", _("cannot be written: nothing is given out")),
    "closed": ("warn", _("is being opened")),
}


class Watched(Steering, Protocol):
    """What the status page looks at."""

    config: Config
    ports: Ports
    identity: Identity | None
    journal: Journal | None
    uplink: Uplink | None
    premises: Premises | None

    def status(self) -> Status:
        """How it is now."""


def sync_light(now: Status) -> str:
    """The word of `LIGHTS` for the state of syncing."""
    if now.uplink.frozen:
        return "frozen"
    if not now.enrolled:
        return "alone"
    if now.uplink.quarantined:
        return "refused"
    waits = now.pending_seconds or 0
    if waits > VERY_LATE:
        return "late"
    if waits > LATE or now.uplink.trouble:
        return "waiting"
    return "syncing" if now.pending else "current"


def add_status(pages: FastAPI, gateway: Watched, rendering: Rendering) -> None:
    """`/`, `/status` and `/status/support-bundle`."""

    @pages.get("/")
    async def home() -> Response:
        return RedirectResponse("/status")

    @pages.get("/status")
    async def status(request: Request) -> Response:
        now, stands = gateway.status(), await _stands(gateway)
        if not wants_a_page(request):
            facts = {**msgspec.to_builtins(now), "doubtful": doubtful(gateway), "units": shown(gateway)}
            facts["unproven"] = [msgspec.to_builtins(one) for one in unproven(gateway)]
            lines = [_cleaned(gateway, line) for line in stands.log]
            return JSONResponse({**facts, "sync": sync_light(now), "footing": _plain(stands, lines)})
        return rendering.page("status.html", request, _values(gateway, now, stands, rendering.spoken(request)[1]))

    @pages.get("/status/support-bundle")
    async def bundle() -> Response:
        now, stands = gateway.status(), await _stands(gateway)
        made = support.bundle(now, stands, gateway.config, _secrets(gateway))
        told = {"Content-Disposition": f'attachment; filename="{support.NAME}"'}
        return Response(made, media_type="application/zip", headers=told)


async def _stands(gateway: Watched) -> Footing:
    return await footing(gateway.journal, gateway.uplink, gateway.ports.clock.offset_us())


def _plain(stands: Footing, lines: list[dict[str, Any]]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(stands)
    return {**plain, "log": lines}


def _secrets(gateway: Watched) -> set[str]:
    source: DesiredSource | None = gateway.premises.desired if gateway.premises else None
    return support.secrets_of(gateway, source.current if source else None)


def _cleaned(gateway: Watched, line: dict[str, Any]) -> dict[str, Any]:
    """A line of the log as anybody may see it."""
    cleaned: dict[str, Any] = msgspec.json.decode(
        redact(msgspec.json.encode(without_persons(line)).decode(), _secrets(gateway))
    )
    return cleaned


def _values(gateway: Watched, now: Status, stands: Footing, words: Words) -> dict[str, Any]:
    light = sync_light(now)
    tone, word, says = LIGHTS[light]
    reached = now.uplink.reached
    ago = functools.partial(spell, words=words)
    return {
        "now": now,
        "stands": stands,
        "light": {"tone": tone, "word": words.gettext(word), "says": words.gettext(says)},
        "clock": _told(CLOCKS, now.clock, words),
        "journal": _told(JOURNALS, now.journal.state, words),
        "reached": ago(now.up_seconds - reached // 1000) if reached else "",
        "waits": ago(now.pending_seconds) if now.pending_seconds is not None else "",
        "up": ago(now.up_seconds),
        "devices": [_device(one, ago) for one in now.devices],
        "units": gateway.controlled(),
        "doubtful": doubtful(gateway),
        "unproven": unproven(gateway),
        "moment": _moment,
        "wall": _moment(now.wall_ms),
        "lines": [_line(gateway, one) for one in reversed(stands.log)],
        "title": functools.partial(title, words=words),
        "why": functools.partial(why, words=words),
        "size": size,
        "unknown": LOW_DISK,
    }


LOW_DISK = 256 * 1024 * 1024


def _told(table: dict[str, tuple[str, str]], key: str, words: Words) -> dict[str, str]:
    tone, word = table.get(key, ("warn", key))
    return {"tone": tone, "word": words.gettext(word)}


def _device(one: Any, ago: Callable[[int], str]) -> dict[str, Any]:  # noqa: ANN401 - a DeviceStatus
    quality: Quality | None = one.quality
    if quality is None:
        return {"status": one, "quality": None, "bad": 0, "ago": "", "share": ""}
    bad = sum(quality.rejected.values()) + quality.noise
    missed = quality.silence + quality.noise + quality.refused
    share = f"{100 * (quality.asked - missed) / quality.asked:.1f}\u202f%" if quality.asked else ""
    heard = ago(quality.quiet_ms // 1000) if quality.quiet_ms is not None else ""
    return {"status": one, "quality": quality, "bad": bad, "ago": heard, "share": share}


def _line(gateway: Watched, line: dict[str, Any]) -> dict[str, str]:
    cleaned = _cleaned(gateway, line)
    rest = {key: value for key, value in cleaned.items() if key not in ("at", "level", "logger", "message", "trace")}
    facts = "  ".join(f"{key}={value}" for key, value in rest.items())
    at = cleaned.get("at")
    moment = _moment(int(at * 1000))[11:] if isinstance(at, int | float) else ""
    return {
        "at": moment,
        "level": str(cleaned.get("level", "")),
        "text": str(cleaned.get("message", "")),
        "facts": facts,
    }


def doubtful(gateway: Watched) -> list[dict[str, Any]]:
    """Slots that someone should count."""
    if gateway.premises is None:
        return []
    return [{"cabinet": cabinet, "slot": slot} for cabinet, slot in gateway.premises.shelf.doubtful()]


def unproven(gateway: Watched) -> list[Question]:
    """Draws that wait for their owner's word, without whose they are: the page is open to whoever stands there."""
    if gateway.premises is None:
        return []
    return [msgspec.structs.replace(one, person="") for one in questions(gateway.premises)]


def spell(seconds: int, words: Words) -> str:
    """A span in its largest unit, as a person says it."""
    for unit, text in (
        (DAY, _("%(count)s d")),
        (HOUR, _("%(count)s h")),
        (MINUTE, _("%(count)s min")),
    ):
        if seconds >= unit:
            return words.gettext(text) % {"count": seconds // unit}
    return words.gettext(_("%(count)s s")) % {"count": max(0, seconds)}


def size(count: int) -> str:
    """Bytes as a person reads them."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
