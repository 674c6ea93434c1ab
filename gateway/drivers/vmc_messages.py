"""What the FA FB vending controller's messages say, one by one: command byte and text to events. PURE.

    02 status sel(2)                                      a selection, asked for
    04 status sel(2) [microwave]                          dispensing
    11 sel(2) price(4) stock capacity product(2) status   a selection, told by itself
    12 sel price(4) | 13 sel stock | 14 sel capacity | 15 sel product(2)     somebody typed it in at the machine
    17 "fully loaded" pressed | 05 sel chosen, 0 cancelled | 21 mode amount(4) money in | 23 amount(4) credit
    52, 54 machine status (which byte is the door differs from model to model, so it is kept as bytes)

The surprise is status 03: "jammed" and "nothing fell" are one code. All numbers are high byte first.
Source: vending.md 1.4 A; the VMC - Upper Computer protocol of XY/JSK; docs/protocols/coil_vmc.md.
"""

from __future__ import annotations

from gateway.device_events import DeviceFault, Dispensed, Event, MotorState, Scalar, SelectionInfo

SELECTION = {
    0x01: "normal", 0x02: "out_of_stock", 0x03: "does_not_exist", 0x04: "paused", 0x05: "product_in_elevator",
    0x06: "delivery_door_open", 0x07: "elevator_error", 0x08: "elevator_self_check", 0x09: "oven_door_closing",
    0x10: "oven_inlet_opening", 0x11: "oven_inlet_closing", 0x12: "no_box", 0x13: "heating", 0x14: "oven_door_opening",
    0x15: "take_box_out", 0x16: "staypole_return", 0x17: "main_motor", 0x18: "translation_motor", 0x19: "staypole_push",
    0x20: "oven_entering", 0x21: "oven_leaving", 0x22: "pushrod_push", 0x23: "pushrod_return",
}  # fmt: skip
DONE = {0x02: "dispensed", 0x24: "dispensed, box to be taken out"}
MOVING = frozenset({0x01, 0x10, 0x11, 0x14, 0x16, 0x18, 0x19, 0x22, 0x23, 0x26})
NO_MOTOR, TERMINATED = 0x06, 0xFF
STUCK = {
    0x03: "jammed or nothing fell", 0x04: "the motor does not stop", 0x07: "elevator fault",
    0x12: "elevator ascending", 0x13: "elevator descending", 0x15: "oven door closing", 0x17: "oven inlet opening",
    0x20: "oven inlet closing", 0x21: "no box in the oven", 0x25: "staypole return", 0x28: "staypole push",
    0x29: "oven entering", 0x30: "oven leaving", 0x31: "pushrod push", 0x32: "pushrod return",
}  # fmt: skip
TYPED = {0x12: ("price", 4), 0x13: ("stock", 1), 0x14: ("capacity", 1), 0x15: ("product", 2)}
# Understood, and nothing to write down: change given, display lines, menus, card balances, ovens.
QUIET = frozenset({0x26, 0x24, 0x62, 0x63, 0x66, 0x71})


class NoSuchLayoutError(ValueError):
    """The check is right and the length is none this message has."""


def events_of(command: int, text: bytes, raw: bytes, *, sensor: bool) -> list[Event] | None:
    """What a message says; None: a command nobody knows. `sensor`: the drop sensor was on. Raises NoSuchLayoutError."""
    if command in QUIET:
        return []
    if command == 0x04:
        return _dispensing(text, raw, sensor=sensor)
    if command in (0x02, 0x11, *TYPED):
        return _selection(command, text, raw)
    if command in (0x17, 0x05, 0x21, 0x23):
        return _hand(command, text, raw)
    if command in (0x52, 0x54):
        return [DeviceFault("machine_status", data={"cmd": f"{command:02X}", "bytes": text[:40].hex()}, raw=raw)]
    return None


def _dispensing(text: bytes, raw: bytes, *, sensor: bool) -> list[Event]:
    _need(text, 3, 4)
    code, slot = text[0], str(int.from_bytes(text[1:3], "big"))
    if code in MOVING:
        return [MotorState(running=True, raw=raw)]
    if code in DONE:
        drop = "seen" if sensor else "off"
        return [Dispensed("", "", slot, 1, "ok", drop, raw=raw)]
    if code == NO_MOTOR:
        return [Dispensed("", "", slot, 0, "none", "none", reason="no motor", raw=raw)]
    if code in STUCK:
        return [Dispensed("", "", slot, 0, "jam", "none" if sensor else "off", reason=STUCK[code], raw=raw)]
    if code == TERMINATED:
        return [Dispensed("", "", slot, 0, "unknown", "off", reason="terminated", raw=raw)]
    return [DeviceFault("status_unknown", slot, {"status": code}, raw)]


def _selection(command: int, text: bytes, raw: bytes) -> list[Event]:
    if command == 0x02:
        _need(text, 3)
        status = SELECTION.get(text[0], f"status_{text[0]:02X}")
        return [SelectionInfo(str(int.from_bytes(text[1:3], "big")), status, raw=raw)]
    if command == 0x11:
        _need(text, 11)
        slot, price = str(int.from_bytes(text[:2], "big")), int.from_bytes(text[2:6], "big")
        product = int.from_bytes(text[8:10], "big")
        status = {0: "normal", 1: "paused"}.get(text[10], f"status_{text[10]:02X}")
        return [SelectionInfo(slot, status, text[6], text[7], price, product, raw)]
    what, width = TYPED[command]
    _need(text, 2 + width)
    number, value = int.from_bytes(text[:2], "big"), int.from_bytes(text[2:], "big")
    # 0 is the whole machine, 1000 to 1009 a tray: a claim about many, so no selection's own stock.
    told: list[Event] = [DeviceFault("selection_set", str(number), {what: value}, raw)]
    if what == "stock" and 0 < number < 1000:
        told.append(SelectionInfo(str(number), "", value, raw=raw))
    return told


def _hand(command: int, text: bytes, raw: bytes) -> list[Event]:
    if command == 0x17:
        _need(text, 0)
        return [DeviceFault("fully_loaded", raw=raw)]
    if command == 0x05:
        _need(text, 2)
        number = int.from_bytes(text, "big")
        return [DeviceFault("selected" if number else "cancelled", str(number) if number else "", raw=raw)]
    if command == 0x23:
        _need(text, 4)
        return [DeviceFault("credit", data={"amount": int.from_bytes(text, "big")}, raw=raw)]
    if len(text) < 5:
        raise NoSuchLayoutError
    data: dict[str, Scalar] = {"mode": text[0], "amount": int.from_bytes(text[1:5], "big")}
    return [DeviceFault("money", data=data, raw=raw)]


def _need(text: bytes, *lengths: int) -> None:
    if len(text) not in lengths:
        raise NoSuchLayoutError
