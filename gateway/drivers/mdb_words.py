"""Blocks of the MDB/ICP bus: words of nine bits, and what they say. For whoever speaks MDB through an adapter. PURE.

    VMC      1aa data .. chk            the ninth bit marks the address; aa: 5 bits device, 3 bits command
    device   data .. 1chk               the ninth bit marks the last word; a lone 100 is ACK, 1FF is NAK
    chk      low 8 bits of the sum of address and data; none with ACK 00, NAK FF, RET AA

The surprise: one answer may hold several messages in a row, each as long as its kind says, and a device repeats a block
until it is acknowledged: the same vend may be told twice. And how long a kind is, the two agreed before: level 2 and 3
say more than level 1, amounts have 32 bits where that option was enabled, a display is as long as the VMC said.
Source: MDB/ICP v4.2 sections 2, 3, 7 (cashless) and 9 (universal satellite); vending.md 1.1; lengths by level checked
with a public VMC in Rust (`poll_response_length`) and with Wireshark's packet-mdb.c.
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


class Agreed(msgspec.Struct, frozen=True):
    """What VMC and reader agreed on: `level` 1..3 (None: not seen), `wide` amounts (32 bits), `letters` shown."""

    level: int | None = None
    wide: bool = False
    letters: int = 32


UNSEEN = Agreed()


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


def from_device(words: Sequence[int], *, satellite: bool = False, agreed: Agreed = UNSEEN) -> list[Said]:
    """What a device says, message by message. Raises MdbRefusedError."""
    if len(words) == 1 and words[0] in (0x100, 0x1FF):
        return [Said("ACK" if words[0] == 0x100 else "NAK")]
    data = _data(words)
    if not words[-1] & 0x100 or any(word & 0x100 for word in words[:-1]):
        raise MdbRefusedError("bad_mode_bit", "a device marks its last word and nothing else")
    return replies(data, satellite=satellite, agreed=agreed)


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


# From how many bytes on, with the sub-command, a command's amounts have 32 bits.
_WIDE = {"VEND_REQUEST": 7, "NEGATIVE_VEND_REQUEST": 7, "CASH_SALE": 7, "SETUP_PRICES": 9, "REVALUE_REQUEST": 5}
_OPTIONS = (
    "file_transfer", "wide_amounts", "currencies", "negative_vend", "data_entry", "always_idle", "remote_vend",
    "basket", "coupon", "ask_begin_session", "long_items",
)  # fmt: skip


def _cashless(order: int, rest: bytes, device: int) -> Said:
    sub = rest[0] if order not in (0, 2) and rest else None
    name = _CASHLESS.get((order, sub))
    if name is None:
        raise MdbRefusedError("unknown", f"cashless command {order} {rest.hex(' ')}")
    fields: dict[str, int | str | bool] = {"addr": f"{device:02X}"}
    # A command stands alone in its block: its length says how wide its amounts are.
    wide = 4 if len(rest) >= _WIDE.get(name, LONGEST) else 2
    if name in ("VEND_REQUEST", "NEGATIVE_VEND_REQUEST", "CASH_SALE") and len(rest) >= wide + 3:
        fields |= {"price": _number(rest[1:], wide), "item": _number(rest[1 + wide :], 2)}
    elif name == "VEND_SUCCESS" and len(rest) >= 3:
        fields["item"] = _number(rest[1:], 2)
    elif name == "SETUP_CONFIG" and len(rest) >= 5:
        fields |= {"level": rest[1], "columns": rest[2], "rows": rest[3], "display": rest[4]}
    elif name == "SETUP_PRICES" and len(rest) >= 2 * wide + 1:
        fields |= {"max": _number(rest[1:], wide), "min": _number(rest[1 + wide :], wide)}
    elif name == "REVALUE_REQUEST" and len(rest) >= wide + 1:
        fields["amount"] = _number(rest[1:], wide)
    elif name == "EXPANSION_ID" and len(rest) >= 30:
        fields |= _identity(rest)
    elif name == "EXPANSION_OPTIONS" and len(rest) >= 5:
        fields |= _options(rest[1:5])
    return Said(name, fields)


def _satellite(order: int, rest: bytes) -> Said:
    names = {0: "USD_RESET", 1: "USD_SETUP", 2: "USD_POLL", 3: "USD_VEND", 4: "USD_FUNDS", 5: "USD_CONTROL"}
    subs = {0: "APPROVE", 1: "DENY", 2: "ITEM", 3: "HOME", 4: "STATUS"}
    if order != 3 or not rest or rest[0] not in subs:
        return Said(names.get(order, "USD_EXPANSION"), {"data": rest.hex().upper()})
    name = "USD_ITEM_STATUS" if rest[0] == 4 else f"USD_VEND_{subs[rest[0]]}"
    fields: dict[str, int | str | bool] = {"row": rest[1], "col": rest[2]} if len(rest) >= 3 else {}
    return Said(name, fields)


# Name and length, with the first byte, of what a cashless device says to a POLL; 0: as agreed, see _lengths.
_REPLIES: dict[int, tuple[str, int]] = {
    0x00: ("JUST_RESET", 1), 0x01: ("READER_CONFIG", 8), 0x02: ("DISPLAY", 0), 0x03: ("BEGIN_SESSION", 0),
    0x04: ("SESSION_CANCEL_REQUEST", 1), 0x05: ("VEND_APPROVED", 0), 0x06: ("VEND_DENIED", 1),
    0x07: ("END_SESSION", 1), 0x08: ("CANCELLED", 1), 0x09: ("PERIPHERAL_ID", 0), 0x0A: ("MALFUNCTION", 2),
    0x0B: ("OUT_OF_SEQUENCE", 0), 0x0D: ("REVALUE_APPROVED", 1), 0x0E: ("REVALUE_DENIED", 1),
    0x0F: ("REVALUE_LIMIT", 0), 0x11: ("TIME_REQUEST", 1), 0x12: ("DATA_ENTRY", 2), 0x13: ("DATA_ENTRY_CANCEL", 1),
}  # fmt: skip
_SATELLITE: dict[int, tuple[str, int]] = {
    0x00: ("USD_JUST_RESET", 1), 0x01: ("USD_VEND_REQUEST", 5), 0x02: ("USD_VEND_DONE", 1), 0x03: ("USD_VEND_FAIL", 5),
    0x04: ("USD_SETUP", 7), 0x05: ("USD_PRICE_REQUEST", 3), 0x06: ("USD_ERROR", 3), 0x07: ("USD_PERIPHERAL_ID", 30),
    0x08: ("USD_ITEM_STATUS", 5),
}  # fmt: skip
_FAILURES = ("sold_out", "motor_jam", "no_motor", "invalid_selection", "health")


def replies(data: bytes, *, satellite: bool = False, agreed: Agreed = UNSEEN) -> list[Said]:
    """The messages of one block without sum, in order. Raises MdbRefusedError where one is unknown or cut."""
    cut = _cut(data, agreed, satellite=satellite) if len(data) <= LONGEST else None
    if cut is None:
        raise MdbRefusedError("unknown", f"{data.hex(' ')}: no message, or a cut one")
    known = _SATELLITE if satellite else _REPLIES
    return [Said(known[part[0]][0], _fields(known[part[0]][0], part)) for part in cut]


def _cut(data: bytes, agreed: Agreed, *, satellite: bool) -> list[bytes] | None:
    """The block in messages that fill it; of several ways the one that takes the likelier lengths from the front."""
    ways: list[list[bytes] | None] = [None] * len(data) + [[]]
    for start in range(len(data) - 1, -1, -1):
        for length in _lengths(data[start], agreed, satellite=satellite):
            behind = ways[start + length] if start + length <= len(data) else None
            if behind is not None:
                ways[start] = [data[start : start + length], *behind]
                break
    return ways[0]


def _lengths(kind: int, agreed: Agreed, *, satellite: bool) -> tuple[int, ...]:
    """How long a message of this kind may be, likeliest first."""
    name, length = (_SATELLITE if satellite else _REPLIES).get(kind, ("", 0))
    if not name or length:
        return (length,) if length else ()
    unseen, level = agreed.level is None, agreed.level or 1
    match name:
        case "DISPLAY":
            return (2 + agreed.letters,)
        case "BEGIN_SESSION":
            short = (10, 3, 17) if unseen else (3,) if level == 1 else (10,)
            return (17,) if agreed.wide else short
        case "PERIPHERAL_ID":
            return (34, 30) if unseen else (34,) if level >= 3 else (30,)
        case "OUT_OF_SEQUENCE":
            return (1, 2) if unseen else (1,) if level == 1 else (2,)
        case _:
            return (5,) if agreed.wide else (3, 5) if unseen else (3,)


def _number(data: bytes, width: int) -> int:
    return int.from_bytes(data[:width], "big")


def _identity(data: bytes) -> dict[str, int | str | bool]:
    """Maker, serial number and model behind the first byte, as their letters; version as two bytes of BCD."""
    texts = {"maker": data[1:4], "serial": data[4:16], "model": data[16:28]}
    plain = {name: part.decode("ascii", "replace").strip(" \0") for name, part in texts.items()}
    return {**plain, "version": data[28:30].hex(), **_options(data[30:34])}


def _options(data: bytes) -> dict[str, int | str | bool]:
    bits = int.from_bytes(data, "big")
    return {name: True for at, name in enumerate(_OPTIONS) if bits >> at & 1}


def _fields(name: str, data: bytes) -> dict[str, int | str | bool]:
    found: dict[str, int | str | bool] = {}
    match name:
        case "READER_CONFIG":
            found = {
                "level": data[1], "currency": data[2:4].hex(), "scale": data[4], "decimals": data[5],
                "max_response_s": data[6], "misc": data[7],
            }  # fmt: skip
        case "BEGIN_SESSION":
            wide = 4 if len(data) == 17 else 2
            found = {"amount": _number(data[1:], wide)}
            if len(data) > 3:
                found |= {"media": data[1 + wide : 5 + wide].hex(), "payment": data[5 + wide]}
        case "VEND_APPROVED" | "REVALUE_LIMIT":
            found = {"amount": int.from_bytes(data[1:], "big")}
        case "PERIPHERAL_ID":
            found = _identity(data)
        case "OUT_OF_SEQUENCE" if len(data) == 2:
            found = {"state": data[1]}
        case "MALFUNCTION" | "DATA_ENTRY":
            found = {"code": f"{data[1]:02X}"}
        case "USD_VEND_REQUEST":
            found = {"item": data[1:3].hex(), "price": int.from_bytes(data[3:5], "big")}
        case "USD_VEND_FAIL" | "USD_ITEM_STATUS":
            bits = int.from_bytes(data[3:5], "big")
            found = {"item": data[1:3].hex(), **{one: True for at, one in enumerate(_FAILURES) if bits >> at & 1}}
        case _:
            pass
    return found
