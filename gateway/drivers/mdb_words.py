"""Blocks of the MDB/ICP bus: words of nine bits, and what they say. For whoever speaks MDB through an adapter. PURE.

    VMC      1aa data .. chk            the ninth bit marks the address; aa: 5 bits device, 3 bits command
    device   data .. 1chk               the ninth bit marks the last word; a lone 100 is ACK, 1FF is NAK
    chk      low 8 bits of the sum of address and data; none with ACK 00, NAK FF, RET AA

The surprise: one answer may hold several messages in a row, each as long as its kind says, and a device repeats a block
until it is acknowledged: the same vend may be told twice.
Source: MDB/ICP v4.2 sections 2, 3, 7 (cashless) and 9 (universal satellite); vending.md 1.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

LONGEST = 36
CASHLESS, SATELLITES = (0x10, 0x60), (0x40, 0x48, 0x50)


class MdbRefusedError(ValueError):
    """No block: `code` is `empty`, `too_long`, `bad_sum`, `bad_mode_bit` or `unknown`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Said(msgspec.Struct, frozen=True):
    """One message: its name and its numbers."""

    name: str
    fields: dict[str, int | str | bool] = {}


def checksum(data: bytes) -> int:
    """Low eight bits of the sum."""
    return sum(data) & 0xFF


def from_vmc(words: Sequence[int]) -> Said:
    """What the VMC says: an acknowledgement, or a command with its sum. Raises MdbRefusedError."""
    lone = {0x00: "ACK", 0xAA: "RET", 0xFF: "NAK"}
    if len(words) == 1 and words[0] in lone:
        return Said(lone[words[0]])
    data = _data(words)
    if not words[0] & 0x100 or any(word & 0x100 for word in words[1:]):
        raise MdbRefusedError("bad_mode_bit", "the VMC marks the address and nothing else")
    return command(data)


def from_device(words: Sequence[int], *, satellite: bool = False) -> list[Said]:
    """What a device says, message by message. Raises MdbRefusedError."""
    if len(words) == 1 and words[0] in (0x100, 0x1FF):
        return [Said("ACK" if words[0] == 0x100 else "NAK")]
    data = _data(words)
    if not words[-1] & 0x100 or any(word & 0x100 for word in words[:-1]):
        raise MdbRefusedError("bad_mode_bit", "a device marks its last word and nothing else")
    return replies(data, satellite=satellite)


def _data(words: Sequence[int]) -> bytes:
    """Address and data without the sum behind them."""
    if not words:
        raise MdbRefusedError("empty", "no words")
    if len(words) > LONGEST:
        raise MdbRefusedError("too_long", f"{len(words)} words; a block has at most {LONGEST}")
    data = bytes(word & 0xFF for word in words)
    if len(data) < 2 or checksum(data[:-1]) != data[-1]:
        raise MdbRefusedError("bad_sum", f"{data.hex(' ')}: the last word is not the sum of the others")
    return data[:-1]


def command(data: bytes) -> Said:
    """Address and data of a command, without sum."""
    device, order = data[0] & 0xF8, data[0] & 0x07
    rest = data[1:]
    if device in CASHLESS:
        return _cashless(order, rest, device)
    if device in SATELLITES:
        return _satellite(order, rest)
    return Said("COMMAND", {"addr": f"{device:02X}", "order": order, "data": rest.hex().upper()})


_CASHLESS = {
    (0, None): "RESET", (1, 0): "SETUP_CONFIG", (1, 1): "SETUP_PRICES", (2, None): "POLL", (3, 0): "VEND_REQUEST",
    (3, 1): "VEND_CANCEL", (3, 2): "VEND_SUCCESS", (3, 3): "VEND_FAILURE", (3, 4): "SESSION_COMPLETE",
    (3, 5): "CASH_SALE", (3, 6): "NEGATIVE_VEND_REQUEST", (4, 0): "READER_DISABLE", (4, 1): "READER_ENABLE",
    (4, 2): "READER_CANCEL", (4, 3): "DATA_ENTRY", (5, 0): "REVALUE_REQUEST", (5, 1): "REVALUE_LIMIT",
    (7, 0): "EXPANSION_ID", (7, 3): "EXPANSION_TIME", (7, 4): "EXPANSION_OPTIONS", (7, 0xFF): "DIAGNOSTICS",
}  # fmt: skip


def _cashless(order: int, rest: bytes, device: int) -> Said:
    sub = rest[0] if order not in (0, 2) and rest else None
    name = _CASHLESS.get((order, sub))
    if name is None:
        raise MdbRefusedError("unknown", f"cashless command {order} {rest.hex(' ')}")
    fields: dict[str, int | str | bool] = {"addr": f"{device:02X}"}
    if name in ("VEND_REQUEST", "NEGATIVE_VEND_REQUEST", "CASH_SALE") and len(rest) >= 5:
        fields |= {"price": int.from_bytes(rest[1:3], "big"), "item": int.from_bytes(rest[3:5], "big")}
    elif name == "VEND_SUCCESS" and len(rest) >= 3:
        fields["item"] = int.from_bytes(rest[1:3], "big")
    elif name == "SETUP_CONFIG" and len(rest) >= 5:
        fields |= {"level": rest[1], "columns": rest[2], "rows": rest[3], "display": rest[4]}
    elif name == "SETUP_PRICES" and len(rest) >= 5:
        fields |= {"max": int.from_bytes(rest[1:3], "big"), "min": int.from_bytes(rest[3:5], "big")}
    return Said(name, fields)


def _satellite(order: int, rest: bytes) -> Said:
    names = {0: "USD_RESET", 1: "USD_SETUP", 2: "USD_POLL", 3: "USD_VEND", 4: "USD_FUNDS", 5: "USD_CONTROL"}
    subs = {0: "APPROVE", 1: "DENY", 2: "ITEM", 3: "HOME", 4: "STATUS"}
    if order != 3 or not rest or rest[0] not in subs:
        return Said(names.get(order, "USD_EXPANSION"), {"data": rest.hex().upper()})
    name = "USD_ITEM_STATUS" if rest[0] == 4 else f"USD_VEND_{subs[rest[0]]}"
    fields: dict[str, int | str | bool] = {"row": rest[1], "col": rest[2]} if len(rest) >= 3 else {}
    return Said(name, fields)


# Name and length, with the first byte, of what a cashless device says to a POLL (level 1; amounts of 16 bits).
_REPLIES: dict[int, tuple[str, int]] = {
    0x00: ("JUST_RESET", 1), 0x01: ("READER_CONFIG", 8), 0x02: ("DISPLAY", 34), 0x03: ("BEGIN_SESSION", 3),
    0x04: ("SESSION_CANCEL_REQUEST", 1), 0x05: ("VEND_APPROVED", 3), 0x06: ("VEND_DENIED", 1),
    0x07: ("END_SESSION", 1), 0x08: ("CANCELLED", 1), 0x09: ("PERIPHERAL_ID", 30), 0x0A: ("MALFUNCTION", 2),
    0x0B: ("OUT_OF_SEQUENCE", 1), 0x0D: ("REVALUE_APPROVED", 1), 0x0E: ("REVALUE_DENIED", 1),
    0x0F: ("REVALUE_LIMIT", 3), 0x11: ("TIME_REQUEST", 1), 0x12: ("DATA_ENTRY", 2),
}  # fmt: skip
_SATELLITE: dict[int, tuple[str, int]] = {
    0x00: ("USD_JUST_RESET", 1), 0x01: ("USD_VEND_REQUEST", 5), 0x02: ("USD_VEND_DONE", 1), 0x03: ("USD_VEND_FAIL", 5),
    0x04: ("USD_SETUP", 7), 0x05: ("USD_PRICE_REQUEST", 3), 0x06: ("USD_ERROR", 3), 0x07: ("USD_PERIPHERAL_ID", 30),
    0x08: ("USD_ITEM_STATUS", 5),
}  # fmt: skip
_FAILURES = ("sold_out", "motor_jam", "no_motor", "invalid_selection", "health")


def replies(data: bytes, *, satellite: bool = False) -> list[Said]:
    """The messages of one block without sum, in order. Raises MdbRefusedError where one is unknown or cut."""
    known = _SATELLITE if satellite else _REPLIES
    found: list[Said] = []
    while data:
        name, length = known.get(data[0], ("", 0))
        if data[0] == 0x03 and not satellite and len(data) >= 10:
            # Level 2 and 3: media id, type and data behind the funds.
            length = 10
        if not name or len(data) < length:
            raise MdbRefusedError("unknown", f"{data.hex(' ')}: no message, or a cut one")
        found.append(Said(name, _fields(name, data[:length])))
        data = data[length:]
    return found


def _fields(name: str, data: bytes) -> dict[str, int | str | bool]:
    match name:
        case "READER_CONFIG":
            return {
                "level": data[1], "currency": data[2:4].hex(), "scale": data[4], "decimals": data[5],
                "max_response_s": data[6], "misc": data[7],
            }  # fmt: skip
        case "BEGIN_SESSION" | "VEND_APPROVED" | "REVALUE_LIMIT":
            return {"amount": int.from_bytes(data[1:3], "big")}
        case "MALFUNCTION" | "DATA_ENTRY":
            return {"code": f"{data[1]:02X}"}
        case "USD_VEND_REQUEST":
            return {"item": data[1:3].hex(), "price": int.from_bytes(data[3:5], "big")}
        case "USD_VEND_FAIL" | "USD_ITEM_STATUS":
            bits = int.from_bytes(data[3:5], "big")
            return {"item": data[1:3].hex(), **{one: True for at, one in enumerate(_FAILURES) if bits >> at & 1}}
        case _:
            return {}
