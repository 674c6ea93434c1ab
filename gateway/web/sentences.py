"""What a person at the cabinet is told, and what an alarm is called: every outcome and reason has its sentence here."""

from __future__ import annotations

from collections.abc import Mapping

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
    "lent": _("Lent to you. Bring it back here."),
    "returned": _("The return is written down. Thank you."),
    "brought_back": _("The tool is back. Thank you."),
    "reported": _("Written down. Someone will count the slot."),
    "picked_up": _("Picked up. Thank you."),
    "opened": _("The door is closed again."),
    "used_taken": _("Take it out of the box for used goods. It costs nothing."),
    "used_missing": _("Written down: the box holds no used piece of this."),
    "decided": _("The decision is written down. Thank you."),
}

# The same outcome, where more is known of it.
CLOSER = {
    ("not_dispensed", "not_opened"): _("The door did not open. Nothing was charged."),
    ("busy", "recovering"): _("The cabinet has just started and looks at what it gave last. Wait a moment."),
}

REASONS = {
    "no_list": _("This gateway has no list of badges yet. Connect it to the network once."),
    "unknown_cabinet": _("This cabinet has no planogram yet."),
    "unknown_slot": _("There is no such slot in this cabinet."),
    "unknown_badge": _("This badge is not known here."),
    "list_too_old": _("The list of badges is too old to be used. Connect the gateway to the network."),
    "empty": _("This slot is empty."),
    "no_used": _("There is no used piece of this here."),
    "one_at_a_time": _("This slot gives one piece at a time."),
    "quantity": _("This number of pieces is not possible here."),
    "too_late": _("The request came too late. Please ask again."),
    "unreachable": _("The cabinet cannot be reached. Nothing was given."),
    "journal_full": _("The gateway has no room to write. Nothing was given. Call the operator."),
    "not_stored": _("It could not be written down, so nothing was given. Call the operator."),
    "badge_blocked": _("This badge is blocked."),
    "person_blocked": _("You are blocked from drawing at present."),
    "person_inactive": _("This person is not active any more."),
    "item_blocked": _("This item is called back and not given out."),
    "not_your_item": _("This item is not for your group."),
    "needs_job": _("Say for which job it is."),
    "unknown_job": _("This job is not open, or not yours."),
    "needs_cost_centre": _("Say for which cost centre it is."),
    "unknown_cost_centre": _("This cost centre is not open, or not yours."),
    "not_essential": _("The rules are too old; until they are confirmed only essential items are given."),
    "limit_quantity": _("The limit is reached: %(used)s of %(allowed)s pieces in this period."),
    "limit_value": _("The limit of money for this period is reached."),
    "credit": _("The credit agreed for this cabinet is used up."),
    "slot_off": _("This slot is out of order. Take another one."),
    "slot_reserved": _("What lies here is put by for somebody."),
    "pickup_over": _("The time for picking this up is over."),
    "picked_up_before": _("This was picked up before."),
    "lot_expired": _("What lies here is past its date."),
    "serial_needed": _("Say which one you take: its serial number."),
    "serial_unknown": _("By the books this serial number does not lie here. Take one that does."),
    "is_a_loan": _("This is a tool to borrow: take it as a loan."),
    "door_open": _("A door is still open. Close it first."),
    "service_mode": _("The cabinet is being refilled. Wait until that is done."),
    "recovering": _("The cabinet has just started and looks at what it gave last. Wait a moment."),
    "pin_needed": _("Type your PIN."),
    "pin_wrong": _("This PIN is not right."),
    "pin_locked": _("Too many wrong PINs. Wait a while."),
    "pin_unset": _("You have no PIN yet, and this cabinet asks for one."),
    "unknown_code": _("This number is not known here."),
    "lot_needed": _("Say the lot: it stands on the package."),
    "serials_needed": _("Say the serial number of each piece that was put in."),
    "serial_twice": _("This serial number lies there already. Read it again."),
    "role_needed": _("This is for whoever looks after the cabinet."),
    "not_yours": _("This was not drawn by you."),
    "return_late": _("The time for bringing this back is over."),
    "nothing_to_return": _("There is nothing left of this to bring back."),
    "not_a_loan": _("This was not lent."),
    "other_cabinet": _("This was drawn at another cabinet. Bring it back there."),
    "slot_changed": _("Something else lies in this slot by now."),
    "not_open": _("This draw is not open: nobody has to decide it."),
    "not_your_verdict": _("Somebody else decides this draw."),
    "own_draw": _("Who has drawn it cannot decide it himself."),
    "no_evidence": _("Say what the verdict stands on."),
}

# Whom a refused person is sent to; the words of `access.WHOM`.
ASKS = (
    _("Ask your supervisor."),
    _("Ask the supplier of this cabinet."),
    _("Ask whoever refills this cabinet."),
)

ALARMS = {
    "journal_full": _("No room for records: nothing is vended"),
    "journal_down": _("Records cannot be written: nothing is vended"),
    "journal_damaged": _("Stored records have changed on the disk"),
    "journal_recovered": _("The journal was damaged and recovered"),
    "disk_low": _("The disk is nearly full"),
    "log_forked": _("Syncing has stopped"),
    "answer_played_back": _("Old answers of the cloud are played back"),
    "not_enrolled": _("Not enrolled"),
    "cloud_silent": _("The cloud is not reached"),
    "sync_late": _("Records wait for the cloud"),
    "list_old": _("The list of badges is old"),
    "session_stalled": _("A line does not move"),
    "clock_unset": _("The clock was not set"),
    "device_silent": _("A device does not answer"),
    "draw_unproven": _("A draw was not proven in time"),
    "slot_off": _("A slot is out of order"),
}


def sentence(result: DrawResult, words: Words) -> str:
    """The sentence for an outcome; one that we have no words for keeps its own."""
    if result.outcome == "refused":
        return say(result.reason, result.facts, words) or result.sentence
    text = CLOSER.get((result.outcome, result.reason)) or OUTCOMES.get(result.outcome)
    return words.gettext(text) if text else result.sentence


def say(reason: str, facts: Mapping[str, int], words: Words) -> str:
    """The sentence for a refusal's reason, with its numbers; empty for one that has none."""
    text = REASONS.get(reason)
    return words.gettext(text) % {"used": 0, "allowed": 0, **facts} if text else ""


def ask_whom(result: DrawResult, words: Words) -> str:
    """Whom to ask; a site's own words are as it wrote them."""
    return words.gettext(result.ask) if result.ask else ""


def title(code: str, words: Words) -> str:
    """What an alarm is called."""
    return words.gettext(ALARMS[code]) if code in ALARMS else code
