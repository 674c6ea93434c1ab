"""What a person at the cabinet is told, and what an alarm is called: every outcome and reason has its sentence here."""

from __future__ import annotations

from gateway.take_draw import DrawResult
from gateway.web.languages import Words


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


OUTCOMES = {
    "confirmed": _("Taken. Thank you."),
    "not_dispensed": _("It did not come out. Nothing was charged."),
    "jammed": _("The slot is jammed. Nothing was charged; someone will look at it."),
    "not_taken": _("Nothing was taken. Nothing was charged."),
    "unverified": _("We could not see whether it came out. Someone will count the slot."),
    "void": _("Nothing was given. Please try again."),
    "refilled": _("The refill is written down. Thank you."),
    "counted": _("The count is written down. Thank you."),
    "busy": _("Someone is being served. Wait a moment."),
}

REASONS = {
    "no_list": _("This gateway has no list of badges yet. Connect it to the network once."),
    "unknown_cabinet": _("This cabinet has no planogram. Ask the operator to set it up."),
    "unknown_slot": _("There is no such slot in this cabinet."),
    "unknown_badge": _("This badge is not known here. Ask your supervisor."),
    "list_too_old": _("The list of badges is too old to be used. Connect the gateway to the network."),
    "empty": _("This slot is empty."),
    "one_at_a_time": _("This slot gives one piece at a time."),
    "quantity": _("This number of pieces is not possible here."),
    "too_late": _("The request came too late. Please ask again."),
    "unreachable": _("The cabinet cannot be reached. Nothing was given."),
    "journal_full": _("The gateway has no room to write. Nothing was given. Call the operator."),
    "not_stored": _("It could not be written down, so nothing was given. Call the operator."),
}

ALARMS = {
    "journal_full": _("No room for records: nothing is vended"),
    "journal_down": _("Records cannot be written: nothing is vended"),
    "journal_damaged": _("Stored records have changed on the disk"),
    "journal_recovered": _("The journal was damaged and recovered"),
    "disk_low": _("The disk is nearly full"),
    "log_forked": _("Syncing has stopped"),
    "not_enrolled": _("Not enrolled"),
    "cloud_silent": _("The cloud is not reached"),
    "sync_late": _("Records wait for the cloud"),
    "list_old": _("The list of badges is old"),
    "session_stalled": _("A line does not move"),
    "clock_unset": _("The clock was not set"),
    "device_silent": _("A device does not answer"),
}


def sentence(result: DrawResult, words: Words) -> str:
    """The sentence for an outcome; one that we have no words for keeps its own."""
    text = REASONS.get(result.reason) if result.outcome == "refused" else OUTCOMES.get(result.outcome)
    return words.gettext(text) if text else result.sentence


def title(code: str, words: Words) -> str:
    """What an alarm is called."""
    return words.gettext(ALARMS[code]) if code in ALARMS else code
