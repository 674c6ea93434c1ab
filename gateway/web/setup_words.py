"""What the set-up pages call their steps, and the sentences for what a step has found."""

from __future__ import annotations


def _(text: str) -> str:
    """Marks a text for the catalogue; it is translated when it is shown."""
    return text


STEPS = {
    "network": _("Network"),
    "claim": _("Claim code"),
    "devices": _("Adapters and devices"),
    "planogram": _("Planogram"),
    "slots": _("Slots, locks and motors"),
    "report": _("Report"),
}
STATES = {"done": _("done"), "later": _("later"), "open": _("to do"), "locked": _("not yet")}
VERDICTS = {
    "moved": _("It moved"),
    "stuck": _("It did not move"),
    "unknown": _("The board does not know"),
    "busy": _("The cabinet serves someone. Try again."),
    "unreachable": _("The cabinet does not answer"),
    "not_stored": _("It could not be written down, so nothing was moved"),
    "no_item": _("This motor gives goods away: send the planogram first"),
}
SEEN = {"yes": _("seen by a person"), "no": _("a person saw nothing move"), "other": _("another slot moved")}
POLARITY = {
    "right": _("The sensors read right."),
    "turned": _("The sensors read the other way round: the setting was changed."),
    "swap_it": _("The sensors read the other way round, and this board cannot be told so. Swap their contacts."),
    "turn_it": _("The sensors read the other way round. Turn the board's open_is in gateway.toml."),
    "dead": _("The sensor reads the same, open or shut. Check its wires."),
    "silent": _("The board does not answer."),
    "half": _("Read once; now the other position."),
}
TROUBLES = {
    "wrong_code": _("This is not the code of this gateway. Run on it: tally-gateway setup-code"),
    "shut": _("Too many wrong codes. Wait five minutes."),
    "no_url": _("Type the address of the cloud."),
    "bad_url": _("An address begins with https:// (or http:// inside one machine)."),
    "no_port": _("Choose a port, or type one."),
    "port_taken": _("The gateway uses this port already. Remove its devices first, or test them below."),
    "bad_device": _("These settings do not fit"),
    "busy": _("Something is still under way. Wait for its end."),
    "not_tested": _("Test first: the network has not answered yet."),
    "not_enrolled": _("Redeem a code first."),
    "no_devices": _("There is no device yet."),
    "silent_devices": _("These devices do not answer yet"),
    "no_planogram": _("These cabinets have no planogram yet"),
    "slots_left": _("These slots have not been tested and seen"),
    "old_form": _("This form is too old. Do it again."),
}
