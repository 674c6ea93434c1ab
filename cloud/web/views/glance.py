"""What needs attention now, in sentences that lead to their place on the page. PURE."""

from __future__ import annotations

from typing import NamedTuple

from cloud.web.facts import Overview
from cloud.web.languages import Words
from cloud.web.views.devices import is_quiet
from cloud.web.views.state import Tone


class Call(NamedTuple):
    """One sentence, the part of the page (or the page) it is about, and its tone."""

    sentence: str
    place: str
    tone: Tone


def calls(words: Words, overview: Overview) -> list[Call]:
    """Everything that asks for a person, the gravest first; empty when nothing does."""
    ngettext = words.ngettext
    slots = [slot for cabinet in overview.cabinets for slot in cabinet.slots if slot.on_hand is not None]
    empty = sum(slot.on_hand <= 0 for slot in slots if slot.on_hand is not None)
    low = sum(0 < slot.on_hand <= slot.minimum for slot in slots if slot.on_hand is not None)
    frozen = len({device.gateway for device in overview.devices if device.log_state == "frozen"})
    quiet = sum(is_quiet(device, overview.now_ms) for device in overview.devices)
    held = overview.quarantined
    orders = sum(order.state == "proposed" for order in overview.orders)
    billed, forks = overview.held, overview.forks
    found: list[tuple[int, str, str, Tone]] = [
        (
            billed,
            ngettext(
                "%(count)s log is not billed: it contradicts itself",
                "%(count)s logs are not billed: they contradict themselves",
                billed,
            ),
            "/alarms",
            "bad",
        ),
        (
            forks,
            ngettext(
                "%(count)s note is kept as evidence of a fork", "%(count)s notes are kept as evidence of forks", forks
            ),
            "/alarms",
            "bad",
        ),
        (frozen, ngettext("%(count)s gateway is frozen", "%(count)s gateways are frozen", frozen), "devices", "bad"),
        (empty, ngettext("%(count)s slot is empty", "%(count)s slots are empty", empty), "stock", "bad"),
        (low, ngettext("%(count)s slot is low", "%(count)s slots are low", low), "stock", "warn"),
        (quiet, ngettext("%(count)s device is quiet", "%(count)s devices are quiet", quiet), "devices", "warn"),
        (held, ngettext("%(count)s record waits aside", "%(count)s records wait aside", held), "devices", "warn"),
        (orders, ngettext("%(count)s order is proposed", "%(count)s orders are proposed", orders), "orders", "good"),
    ]
    return [Call(sentence, place, tone) for count, sentence, place, tone in found if count]
