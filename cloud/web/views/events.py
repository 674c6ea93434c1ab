"""The latest events as sentences, each with its place in the log. PURE.

Readings, windows and intents are left out: they are many, and what they come to stands in the bill and the stock.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from cloud.web.facts import Event
from cloud.web.figures import Moment, moment, quantity
from cloud.web.languages import Words
from wire import records


class EventRow(NamedTuple):
    """One event: when, at which device, what happened, who, and its place in which log (the id's first letters)."""

    at: Moment
    device: str
    sentence: str
    who: str
    log: str
    place: int


def event_rows(words: Words, events: tuple[Event, ...], names: Mapping[str, str]) -> list[EventRow]:
    """The events that have a sentence, in the order given."""
    rows = []
    for event in events:
        sentence = sentence_of(words, event.record, names)
        if sentence:
            at = moment(words, event.at_ms, event.zone)
            device = names.get(event.record.src, event.record.src)
            rows.append(EventRow(at, device, sentence, event.record.who, event.log_id[:12], event.index))
    return rows


def sentence_of(words: Words, record: records.Record, names: Mapping[str, str]) -> str:
    """What the record says, as a sentence; "" for kinds that are not events."""
    match record:
        case records.Draw():
            return _draw(words, record, names)
        case records.Refill() | records.Count() | records.Return() | records.Loan() | records.LoanBack():
            return _goods(words, record, names)
        case records.DeviceEvent():
            return _device_event(words, record)
        case records.GatewayEvent():
            return _gateway_event(words, record)
        case _:
            return _correction(words, record)


def _correction(words: Words, record: records.Record) -> str:
    _ = words.gettext
    if isinstance(record, records.DrawResolved):
        return _("Settled afterwards: %(quantity)s left the slot", quantity=_amount(words, record))
    if isinstance(record, records.Reversal):
        return _("%(quantity)s taken back: %(reason)s", quantity=_amount(words, record), reason=record.reason)
    return _("Note: %(text)s", text=record.text) if isinstance(record, records.Note) else ""


def _draw(words: Words, draw: records.Draw, names: Mapping[str, str]) -> str:
    _ = words.gettext
    told = {
        "quantity": _amount(words, draw),
        "item": names.get(draw.item, draw.item),
        "slot": draw.slot,
    }
    sentences = {
        "confirmed": _("%(quantity)s of %(item)s taken from slot %(slot)s", **told),
        "unverified": _("Slot %(slot)s opened for %(item)s; it is not confirmed that it was taken", **told),
        "not_dispensed": _("Slot %(slot)s did not give %(item)s out", **told),
        "not_taken": _("Slot %(slot)s was opened; %(item)s was not taken", **told),
        "jammed": _("Slot %(slot)s is jammed; %(item)s did not come out", **told),
        "denied": _("%(item)s in slot %(slot)s was asked for and not allowed", **told),
        "cancelled": _("Taking %(item)s from slot %(slot)s was called off", **told),
        "void": _("Taking %(item)s from slot %(slot)s does not count", **told),
    }
    return sentences.get(draw.outcome, draw.outcome)


def _goods(words: Words, record: records.Goods, names: Mapping[str, str]) -> str:
    _ = words.gettext
    told = {
        "quantity": _amount(words, record),
        "item": names.get(record.item, record.item),
        "slot": record.slot,
    }
    if isinstance(record, records.Refill):
        return _("%(quantity)s of %(item)s filled into slot %(slot)s", **told)
    if isinstance(record, records.Count):
        return _("Slot %(slot)s counted: %(quantity)s of %(item)s", **told)
    if isinstance(record, records.Return):
        return _("%(quantity)s of %(item)s brought back to slot %(slot)s", **told)
    if isinstance(record, records.Loan):
        return _("%(quantity)s of %(item)s lent from slot %(slot)s", **told)
    return _("%(quantity)s of %(item)s came back from a loan to slot %(slot)s", **told)


def _device_event(words: Words, record: records.DeviceEvent) -> str:
    _ = words.gettext
    sentences = {
        "silent": _("The device does not answer"),
        "back": _("The device answers again"),
        "door_forced": _("The door was opened without permission"),
        "door_open": _("The door was left open"),
        "draw_refused": _("A draw was not allowed"),
        "not_opened": _("The door did not open"),
        "jam": _("Something is stuck"),
        "lost": _("Some of the device's own events are missing"),
        "replaced": _("The device was replaced by another one"),
        "identified": _("The device told its number"),
        "fault": _("The device reports a fault"),
    }
    sentence = sentences.get(record.event) or _("The device reports: %(event)s", event=record.event.replace("_", " "))
    return _("%(sentence)s, slot %(slot)s", sentence=sentence, slot=record.slot) if record.slot else sentence


def _gateway_event(words: Words, record: records.GatewayEvent) -> str:
    _ = words.gettext
    sentences = {
        "boot": _("The gateway started"),
        "clock_set": _("The gateway's clock was set"),
        "config_applied": _("The gateway took over a new configuration"),
        "key_rotated": _("The gateway signs with a new key"),
        "journal_recovered": _("The gateway recovered its journal"),
    }
    return sentences.get(record.event) or _("The gateway reports: %(event)s", event=record.event.replace("_", " "))


def _amount(words: Words, record: records.Draw | records.Goods | records.DrawResolved | records.Reversal) -> str:
    return quantity(words, Decimal(record.qty).scaleb(record.scale), record.unit)
