"""What a meter says of itself in its events: its number, an exchange, and what it knows of its registers. PURE.

The surprise: bill and live view read these events with this one function, so that neither calls a fall what the other
books as a wrap. What a meter says is taken when it is a number and ignored when it is not.
"""

from __future__ import annotations

from cloud.metering.usage import Identified
from cloud.money import MoneyError, parse_amount
from cloud.rating.lines import LeafRef
from wire.records import DeviceEvent

# One without a number of its own says "meter_facts".
METER_EVENTS = ("identified", "replaced", "meter_facts")


def identified_by(leaf: LeafRef, record: DeviceEvent, register: str) -> Identified:
    """An exchange, or the meter's own number with what it knows of this register."""
    if record.event == "replaced":
        return Identified(leaf, "")
    registers = record.data.get("registers")
    known = registers.get(register) if isinstance(registers, dict) else None
    said = known if isinstance(known, dict) else {}
    modulus, max_kw, factor = (_positive(said.get(name)) for name in ("modulus", "max_kw", "factor"))
    if record.event == "meter_facts":
        return Identified(leaf, "", modulus, max_kw, nameless=True, factor=factor)
    return Identified(leaf, str(record.data.get("number", "")), modulus, max_kw, factor=factor)


def registers_named(record: DeviceEvent) -> list[str]:
    """The registers that an event says something of."""
    registers = record.data.get("registers")
    return sorted(registers) if isinstance(registers, dict) else []


def _positive(value: object) -> str:
    """A positive number in plain digits, as the log says it; "" for anything else: nothing is billed on a guess."""
    try:
        return value if isinstance(value, str) and parse_amount(value) > 0 else ""
    except MoneyError:
        return ""
