"""The devices as rows: who is well, who has gone quiet, whose records wait for a person. PURE."""

from __future__ import annotations

from typing import NamedTuple

from cloud.web.facts import Device
from cloud.web.figures import Moment, moment, number
from cloud.web.languages import Words
from cloud.web.views.state import State

QUIET_AFTER_MS = 15 * 60_000


class DeviceRow(NamedTuple):
    """One device in words."""

    device_id: str
    name: str
    kind: str
    site: str
    gateway: str
    state: State
    note: str
    last: Moment | None
    quarantined: str


def device_rows(words: Words, devices: tuple[Device, ...], now_ms: int) -> list[DeviceRow]:
    """All devices, in the order given."""
    return [_row(words, device, now_ms) for device in devices]


def state_of(words: Words, device: Device, now_ms: int) -> tuple[State, str]:
    """The device's state as a word, and the sentence that says what it means ("" when there is nothing to say)."""
    _ = words.gettext
    if device.log_state == "frozen":
        note = _("Two histories of its gateway contradict each other. Nothing is taken in until a person decides.")
        return State(_("Frozen"), "bad"), note
    if not device.heard_ms:
        note = _("No record has come yet. Enrol the gateway %(gateway)s and start it.", gateway=device.gateway)
        return State(_("Not seen yet"), "off"), note
    if is_quiet(device, now_ms):
        return _quiet(words, device)
    if device.quarantined:
        note = _("Some of its records could not be used yet. Mend the cause that is named, then retry them.")
        return State(_("Needs a look"), "warn"), note
    if device.last_record_ms is None:
        note = _("Its gateway is connected; the device itself has told nothing yet.")
        return State(_("Waiting"), "off"), note
    return State(_("Connected"), "good"), ""


def is_quiet(device: Device, now_ms: int) -> bool:
    """Whether a device that was heard before is not heard now."""
    return device.heard_ms > 0 and (now_ms - device.heard_ms > QUIET_AFTER_MS or device.news == "silent")


def _quiet(words: Words, device: Device) -> tuple[State, str]:
    _ = words.gettext
    if device.news == "silent":
        return State(_("Silent"), "warn"), _("It does not answer its gateway. Look at its power and its cable.")
    note = _("Its gateway has sent nothing for a while. What happens there is kept there and comes later.")
    return State(_("Quiet"), "warn"), note


def kind_name(words: Words, kind: str) -> str:
    """The kind of a device in words; a kind that has none is shown as it is."""
    _ = words.gettext
    names = {
        "cabinet": _("Cabinet"),
        "meter": _("Meter"),
        "air": _("Air sensor"),
        "lock_8a": _("Lock cabinet"),
        "lock_kerong": _("Lock cabinet"),
        "lock_wkly": _("Lock cabinet"),
        "coil_vmc": _("Dispensing cabinet"),
        "coil_tcn": _("Dispensing cabinet"),
        "motor_zdm8": _("Dispensing cabinet"),
        "mqtt_cabinet": _("Dispensing cabinet"),
        "modbus_meter": _("Power meter"),
        "pms5003": _("Air sensor"),
    }
    return names.get(kind, kind)


def _row(words: Words, device: Device, now_ms: int) -> DeviceRow:
    state, note = state_of(words, device, now_ms)
    return DeviceRow(
        device_id=device.device_id,
        name=device.name or device.device_id,
        kind=kind_name(words, device.kind),
        site=device.site,
        gateway=device.gateway,
        state=state,
        note=note,
        last=None if device.last_record_ms is None else moment(words, device.last_record_ms, device.zone),
        quarantined=number(words, device.quarantined) if device.quarantined else "",
    )
