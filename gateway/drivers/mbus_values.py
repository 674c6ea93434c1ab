"""What a value information field (VIF) of M-Bus means: quantity, power of ten, unit. Tables only. PURE.

Source: EN 13757-3:2018 tables 10 to 16; devices.md section 4.
"""

from __future__ import annotations

import msgspec


class Meaning(msgspec.Struct, frozen=True):
    """A quantity in 10**scale unit; `factor` where the unit is no power of ten (minutes as seconds)."""

    quantity: str
    scale: int = 0
    unit: str = ""
    factor: int = 1


SECONDS = (1, 60, 3600, 86_400)
# First VIF, how many follow it, quantity, scale of the first, unit.
PRIMARY = (
    (0x00, 8, "energy", -3, "Wh"), (0x08, 8, "energy", 0, "J"), (0x10, 8, "volume", -6, "m3"),
    (0x18, 8, "mass", -3, "kg"), (0x28, 8, "power", -3, "W"), (0x30, 8, "power", 0, "J/h"),
    (0x38, 8, "flow", -6, "m3/h"), (0x40, 8, "flow", -7, "m3/min"), (0x48, 8, "flow", -9, "m3/s"),
    (0x50, 8, "mass_flow", -3, "kg/h"), (0x58, 4, "flow_temperature", -3, "degC"),
    (0x5C, 4, "return_temperature", -3, "degC"), (0x60, 4, "temperature_difference", -3, "K"),
    (0x64, 4, "external_temperature", -3, "degC"), (0x68, 4, "pressure", -3, "bar"),
    (0x6C, 1, "date", 0, "date"), (0x6D, 1, "time", 0, "time"), (0x6E, 1, "heat_cost_units", 0, "1"),
    (0x78, 1, "fabrication_number", 0, ""), (0x79, 1, "identification", 0, ""), (0x7A, 1, "bus_address", 0, ""),
)  # fmt: skip
PRIMARY_TIMES = ((0x20, "on_time"), (0x24, "operating_time"), (0x70, "averaging_time"), (0x74, "actuality_time"))
FIRST_TABLE = (  # behind FB
    (0x00, 2, "energy", 5, "Wh"), (0x02, 2, "reactive_energy", 3, "varh"), (0x04, 2, "apparent_energy", 3, "VAh"),
    (0x08, 2, "energy", 8, "J"), (0x0C, 4, "energy", 5, "cal"), (0x10, 2, "volume", 2, "m3"),
    (0x14, 4, "reactive_power", 0, "var"), (0x18, 2, "mass", 5, "kg"), (0x1A, 2, "relative_humidity", -1, "%"),
    (0x20, 1, "volume", 0, "ft3"), (0x21, 1, "volume", -1, "ft3"), (0x22, 1, "volume", -1, "gal"),
    (0x23, 1, "volume", 0, "gal"), (0x24, 1, "flow", -3, "gal/min"), (0x25, 1, "flow", 0, "gal/min"),
    (0x26, 1, "flow", 0, "gal/h"), (0x28, 2, "power", 5, "W"), (0x2A, 1, "phase_u_u", -1, "deg"),
    (0x2B, 1, "phase_u_i", -1, "deg"), (0x2C, 4, "frequency", -3, "Hz"), (0x30, 2, "power", 8, "J/h"),
    (0x34, 4, "apparent_power", 0, "VA"), (0x58, 4, "flow_temperature", -3, "degF"),
    (0x5C, 4, "return_temperature", -3, "degF"), (0x60, 4, "temperature_difference", -3, "degF"),
    (0x64, 4, "external_temperature", -3, "degF"), (0x70, 4, "temperature_limit", -3, "degF"),
    (0x74, 4, "temperature_limit", -3, "degC"), (0x78, 8, "cumulated_maximum_power", -3, "W"),
)  # fmt: skip
SECOND_TABLE = (  # behind FD
    (0x00, 4, "credit", -3, "currency"), (0x04, 4, "debit", -3, "currency"), (0x08, 1, "access_number", 0, ""),
    (0x09, 1, "medium", 0, ""), (0x0A, 1, "manufacturer", 0, ""), (0x0B, 1, "parameter_set", 0, ""),
    (0x0C, 1, "model", 0, ""), (0x0D, 1, "hardware_version", 0, ""), (0x0E, 1, "firmware_version", 0, ""),
    (0x0F, 1, "software_version", 0, ""), (0x10, 1, "customer_location", 0, ""), (0x11, 1, "customer", 0, ""),
    (0x17, 1, "error_flags", 0, ""), (0x18, 1, "error_mask", 0, ""), (0x1A, 1, "digital_output", 0, ""),
    (0x1B, 1, "digital_input", 0, ""), (0x1C, 1, "baud_rate", 0, ""), (0x1D, 1, "response_delay", 0, "bit"),
    (0x1E, 1, "retry", 0, ""), (0x1F, 1, "remote_control", 0, ""), (0x20, 1, "first_storage", 0, ""),
    (0x21, 1, "last_storage", 0, ""), (0x22, 1, "storage_size", 0, ""), (0x28, 1, "storage_interval", 0, "month"),
    (0x29, 1, "storage_interval", 0, "year"), (0x30, 1, "tariff_start", 0, ""), (0x38, 1, "tariff_period", 0, "month"),
    (0x39, 1, "tariff_period", 0, "year"), (0x3A, 1, "dimensionless", 0, "1"), (0x40, 16, "voltage", -9, "V"),
    (0x50, 16, "current", -12, "A"), (0x60, 1, "resets", 0, ""), (0x61, 1, "cumulations", 0, ""),
    (0x62, 1, "control_signal", 0, ""), (0x63, 1, "day_of_week", 0, ""), (0x64, 1, "week", 0, ""),
    (0x65, 1, "day_change", 0, ""), (0x66, 1, "parameter_state", 0, ""), (0x67, 1, "supplier", 0, ""),
    (0x70, 1, "battery_changed", 0, "time"), (0x71, 1, "rf_level", 0, "dBm"), (0x74, 1, "battery_left", 0, "d"),
    (0x75, 1, "stops", 0, ""),
)  # fmt: skip
SECOND_TIMES = (
    (0x24, "storage_interval"), (0x2C, "since_readout"), (0x34, "tariff_period"), (0x3C, "transmission_period"),
    (0x6C, "battery_time"),
)  # fmt: skip


def _spread(rows: tuple[tuple[int, int, str, int, str], ...], times: tuple[tuple[int, str], ...]) -> dict[int, Meaning]:
    found = {
        first + step: Meaning(quantity, scale + step, unit)
        for first, many, quantity, scale, unit in rows
        for step in range(many)
    }
    found |= {first + step: Meaning(name, 0, "s", SECONDS[step]) for first, name in times for step in range(4)}
    return found


MEANINGS = _spread(PRIMARY, PRIMARY_TIMES)
MEANINGS_FB = _spread(FIRST_TABLE, ())
MEANINGS_FD = _spread(SECOND_TABLE, SECOND_TIMES)
MEANINGS_FD[0x31], MEANINGS_FD[0x32], MEANINGS_FD[0x33] = (
    Meaning("tariff_duration", 0, "s", seconds) for seconds in SECONDS[1:]
)

MEDIA = {
    0x00: "other", 0x01: "oil", 0x02: "electricity", 0x03: "gas", 0x04: "heat (return)", 0x05: "steam",
    0x06: "warm water", 0x07: "water", 0x08: "heat cost allocator", 0x09: "compressed air", 0x0A: "cooling (return)",
    0x0B: "cooling (flow)", 0x0C: "heat (flow)", 0x0D: "heat and cooling", 0x0E: "bus", 0x0F: "unknown",
    0x15: "hot water", 0x16: "cold water", 0x17: "dual water", 0x18: "pressure", 0x19: "a/d converter",
}  # fmt: skip

# Unit codes of the old fixed structure: code -> quantity, scale, unit. The same list as in CJ/T 188.
FIXED = {
    **{0x02 + step: Meaning("energy", step, "Wh") for step in range(9)},
    **{0x0B + step: Meaning("energy", 3 + step, "J") for step in range(9)},
    **{0x14 + step: Meaning("power", step, "W") for step in range(9)},
    **{0x1D + step: Meaning("power", 3 + step, "J/h") for step in range(9)},
    **{0x26 + step: Meaning("volume", -6 + step, "m3") for step in range(9)},
    **{0x2F + step: Meaning("flow", -6 + step, "m3/h") for step in range(9)},
    0x38: Meaning("temperature", -3, "degC"),
    0x39: Meaning("heat_cost_units", 0, "1"),
}
