"""What the words of a case mean (see ``lifecycle``): many names for one thing, numbers and persons at their end. PURE.

The surprise is how few things there are: whoever writes a case invents a word a line, and a draw knows thirty facts.
"""

from __future__ import annotations

import re

# What a word means, without the person or number at its end; None: it changes nothing.
SAME: dict[str, str] = {
    "authorized": "authorised", "auth": "authorised", "allowed": "authorised", "refused": "denied",
    "command_sent": "command", "commanded": "command", "unlock": "command", "unlocked": "command", "drive": "command",
    "intended": "intent", "swipe": "badge", "drop": "drop_seen", "dropped": "drop_seen", "drop_late": "drop_extra_turn",
    "extra_turn": "drop_extra_turn", "drop_none": "no_drop", "drop_not_seen": "no_drop", "jam": "motor_jam",
    "jammed": "motor_jam", "motor_jammed": "motor_jam", "motor_turned": "motor_ok", "motor_ran": "motor_ok",
    "no_motor": "motor_none", "motor_open_circuit": "motor_none", "open_circuit": "motor_none",
    "motor_missing": "motor_none", "no_sensor": "sensor_off", "drop_off": "sensor_off", "light_item": "sensor_off",
    "drop_sensor_off": "sensor_off", "sensor_disabled": "sensor_off", "light_product": "sensor_off",
    "door_closed": "door_close", "door_opened": "door_open", "door_left_open": "door_open_timeout",
    "door_forced": "door_open_unsolicited", "forced_open": "door_open_unsolicited",
    "item_seen": "item_present", "item_still_there": "item_present", "ir_seen": "item_present",
    "ir_blocked": "item_present", "ir_unchanged": "item_present", "ir_present": "item_present",
    "item_absent": "item_gone", "item_taken": "item_gone", "ir_gone": "item_gone", "ir_clear": "item_gone",
    "ir_empty": "item_gone", "lock_failed": "not_opened", "unlock_failed": "not_opened",
    "door_stayed_shut": "not_opened",
    "no_reply": "timeout", "comms_lost": "timeout", "link_lost": "timeout", "no_answer": "timeout",
    "link_back": "quiet", "comms_back": "quiet", "board_reset": "idle_after_reset", "status_idle": "idle_after_reset",
    "power_loss": "power_cut", "crash": "power_cut", "kill": "power_cut", "restart": "boot", "reboot": "boot",
    "unknown": "no_evidence", "no_proof": "no_evidence", "result_ok": "status_ok", "status_done": "status_ok",
    "status_success": "status_ok", "status_dropped": "status_ok", "packno_ok": "status_ok", "same_packno": "quiet",
    "same_packno_ok": "status_ok", "retry_same_packno": "quiet", "status_query": "quiet", "query_status": "quiet",
    "status_failed": "status_no_drop", "status_none": "status_no_drop", "packno_failed": "status_no_drop",
    "same_packno_failed": "status_no_drop", "result_no_drop": "status_no_drop", "result_jam": "status_jam",
    "packno_jam": "status_jam", "duplicate_event": "duplicate", "duplicate_result": "duplicate", "repeat": "duplicate",
    "same_seq": "duplicate", "drop_seen_again": "duplicate", "badge_again": "badge", "double_badge": "badge",
    "same_badge": "badge", "service_open": "restock_open", "service_close": "restock_close",
    "restock_closed": "restock_close", "walk_away": "leave", "cancel": "leave", "cancelled": "leave",
    "return_accepted": "return_authorised", "item_returned": "item_back", "returned": "item_back",
    "no_drop_seen": "no_drop", "two_dropped": "drop_seen", "not_home": "motor_jam", "motor_stuck": "motor_jam",
    "coil_jam": "motor_jam", "door_ajar": "door_open_timeout", "door_still_open": "door_open_timeout",
    "door_shut": "door_close", "door_opened_unsolicited": "door_open_unsolicited", "break_in": "door_open_unsolicited",
    "forced": "door_open_unsolicited", "vmc_reset": "idle_after_reset", "board_restarted": "idle_after_reset",
    "power_cycle": "idle_after_reset", "cabinet_reset": "idle_after_reset", "cabinet_power_cut": "idle_after_reset",
    "cable_pulled": "timeout", "reply_lost": "timeout", "command_reply_lost": "timeout", "answer_lost": "timeout",
    "power_off": "power_cut", "blackout": "power_cut", "gateway_killed": "power_cut", "power_on": "boot",
    "scale_invalid": "no_evidence", "scale_unstable": "no_evidence", "nothing_known": "no_evidence",
    "logout": "leave", "leaves": "leave", "session_over": "leave", "badge_bounce": "badge", "duplicate_badge": "badge",
    "second_badge": "other", "other_badge": "other", "second_person": "other", "tailgate": "other",
    "tail_gate": "other", "tail_gating": "other",
    "disk_full": "journal_full", "sd_full": "journal_full", "write_error": "journal_full",
    "not_stored": "journal_full", "clock_unsynced": "quiet", "clock_wrong": "quiet", "clock_jump": "quiet",
    "price_changed": "quiet", "blocked_meanwhile": "quiet", "card_blocked_meanwhile": "quiet", "quota_overrun": "quiet",
    "offline": "quiet", "online": "quiet", "debounce": "quiet", "alarm": "quiet", "return_denied": "return_refused",
    "return_late": "return_refused", "echo_received": "echo", "snapshot": "quiet", "session": "quiet",
    "vend": "command", "release": "command",
}  # fmt: skip
KNOWN = {
    "badge", "authorised", "denied", "intent", "command", "timeout", "motor_ok", "motor_jam", "motor_none", "drop_seen",
    "drop_extra_turn", "no_drop", "sensor_off", "status_ok", "status_no_drop", "status_jam", "idle_after_reset",
    "item_present", "item_gone", "door_open", "door_close", "door_open_timeout", "door_open_unsolicited", "not_opened",
    "power_cut", "boot", "no_evidence", "duplicate", "echo", "quiet", "restock_open", "restock_close", "confirmed_draw",
    "return_authorised", "return_refused", "item_back", "mdb_strict", "moved", "stood", "leave", "other",
    "journal_full",
}  # fmt: skip
MEASURED = re.compile(
    r"(counter|ctr|scale|weight|tags?|rfid|level|stock|count|inventory)_?(?:says_|delta_)?(plus|minus|same|unchanged|[0-9]+)_?([0-9]+)?$"
)

LONGEST = 64  # characters of a word that are looked at: no number behind them is one of pieces


def meaning(text: str) -> tuple[str, int | None, str]:
    """The meaning of a word, its number, its person."""
    name = text[:LONGEST].strip().lower().replace("-", "_").replace(" ", "_")
    person = ""
    if match := re.fullmatch(r"(.+?)_([a-d])", name):
        name, person = match[1], match[2].upper()
    if match := MEASURED.fullmatch(name):
        return _measured(match[1], match[2], match[3])
    number = None
    if match := re.fullmatch(r"(.+?)_([0-9]+)", name):
        name, number = match[1], int(match[2])
    return SAME.get(name, name), number, person


def _measured(what: str, way: str, number: str | None) -> tuple[str, int | None, str]:
    """A counter, a scale, tags or a count against the snapshot of the intent: pieces that are gone."""
    pieces = int(number or (way if way.isdecimal() else 0)) if way not in ("same", "unchanged") else 0
    sort = "counter" if what in ("counter", "ctr") else "counted" if what in ("count", "inventory") else "sensed"
    grew = way == "plus"
    if sort == "counter":
        return "moved", pieces if way != "minus" else -1, sort
    return "moved", -pieces if grew else pieces, sort
