"""Answers of DL/T 645-2007 meters, as others published them: blocks, registers a meter does not have, a refusal.

Sources: public parsers and readers of the field (a Python and a Java block reader, a PLC module's log, a Go and a C#
test; a Java parser, a Qt reader, a test bench's server). The demand is that of a public C# client's test.
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import DeviceFault, Event, Identified, Measured


def block(*tariffs: int) -> dict[str, tuple[int, int, str]]:
    names = ("import_wh", "import_t1_wh", "import_t2_wh", "import_t3_wh", "import_t4_wh")
    return {name: (value, 1, "Wh") for name, value in zip(names, tariffs, strict=True)}


ANSWERED: list[tuple[str, str, dict[str, tuple[int, int, str]]]] = [
    ("import_wh_all",
     "FEFEFEFE 68240200000000 689118 33323433 C7473533 37863333 A7863333 36873333 44873333 EB16",
     block(21494, 5304, 5374, 5403, 5411)),
    ("import_wh_all",
     "68003619000000 689118 33323433 63693333 89353333 4C333333 6B333333 4A663333 E916",
     block(3630, 256, 19, 38, 3317)),
    ("combined_wh", "FEFEFEFE 68600792040091 689108 33333333 9735A833 6A16", {"combined_wh": (750_264, 1, "Wh")}),
    ("import_wh", "FEFE 68129078563412 689108 33333433 89674533 5416", {"import_wh": (123_456, 1, "Wh")}),
    ("voltage_all", "68120000001020 68910A 33323435 8955 3232 3232 2116", {"voltage_l1": (2256, -1, "V")}),
    ("power_factor", "FEFE 68610100000000 689106 33333935 3438 0916", {"power_factor": (501, -3, "1")}),
    # What a public Java parser prints for meter 000000000161: 4.999 A, 0.2512 kW, 0.4331 kvar, 0.5006 kVA.
    ("current_l1", "68610100000000 689107 33343535 CC7C33 1616", {"current_l1": (4999, -3, "A")}),
    ("power", "68610100000000 689107 33333635 455833 6B16", {"power": (2512, -1, "W")}),
    ("reactive_power", "68610100000000 689107 33333735 647633 A916", {"reactive_power": (4331, -1, "var")}),
    ("apparent_power", "68610100000000 689107 33333835 398333 8C16", {"apparent_power": (5006, -1, "VA")}),
    # One meter of a public Qt reader, read in a row: 230.93 kWh are 0 + 0 + 221.76 + 9.17.
    ("import_wh", "FEFEFEFE 68185560060000 689108 33333433 C6633533 9A16", {"import_wh": (23093, 1, "Wh")}),
    ("import_t3_wh", "FEFEFEFE 68185560060000 689108 33363433 A9543533 7116", {"import_t3_wh": (22176, 1, "Wh")}),
    ("import_t4_wh", "FEFEFEFE 68185560060000 689108 33373433 4A3C3333 F916", {"import_t4_wh": (917, 1, "Wh")}),
    # A test bench's meter says 1.29 = 0.62 + 0.6 + 0.03 + 0.02 kWh (rounded down each), and 198.56 are left.
    ("import_wh_all",
     "68120000001020 689118 33323433 5C343333 95333333 93333333 36333333 35333333 7416", block(129, 62, 60, 3, 2)),
    ("credit_money", "68120000001020 689108 3335C333 89CB3433 C416", {"credit_money": (19856, -2, "CNY")}),
]  # fmt: skip
# Printed with 5B where 5D is right.
SPOILT = "68020000001020 689118 33323433 675C3333 993A3333 48393333 B3373333 A4433333 5B16"
REFUSED = "FEFEFEFE 68600792040091 68D101 37 6716"


def answer(register: str, text: str, pieces: int = 300) -> tuple[Any, list[Event]]:
    """A driver that asked that meter, and what it makes of the answer."""
    frame = bytes.fromhex(text)
    at = frame.index(0x68)
    driver: Any = drivers.create("dlt645", {"address": frame[at + 1 : at + 7][::-1].hex(), "registers": {register: 0}})
    driver.request(driver.wants)
    cut = [frame[start : start + pieces] for start in range(0, len(frame), pieces)]
    return driver, [event for piece in cut for event in driver.feed(piece, 1.0)]


@pytest.mark.parametrize(("register", "frame", "shown"), ANSWERED)
@pytest.mark.parametrize("pieces", [1, 300])
def test_an_answer_of_the_field_means_what_others_read_in_it(
    register: str, frame: str, shown: dict[str, tuple[int, int, str]], pieces: int
) -> None:
    _, told = answer(register, frame, pieces)

    assert {one.register: (one.value, one.scale, one.unit) for one in told if isinstance(one, Measured)} == shown
    assert len(told) == len(shown)


def test_a_block_whose_sum_is_wrong_is_no_reading_and_a_refusal_says_why() -> None:
    driver, told = answer("import_wh_all", SPOILT)
    _, refused = answer("combined_wh", REFUSED)

    assert (told, driver.counters.refusals) == ([], {"checksum": 1})
    assert [one.data["meaning"] for one in refused if isinstance(one, DeviceFault)] == [
        "password wrong or not authorised"
    ]


DEMAND = "45 23 01 45 13 20 05 24"
FROZEN = "78 56 34 12 01 00 00 00 02 00 00 00 03 00 00 00 04 00 00 00"


@pytest.mark.parametrize(
    ("own", "data", "value", "scale"),
    [({"di": "01010000", "bytes": 3, "scale": -1, "unit": "W", "rest": True}, DEMAND, 12345, -1),
     ({"di": "05060101", "bytes": 4, "scale": 1, "unit": "Wh", "skip": 4, "rest": True}, FROZEN, 1, 1),
     ({"di": "05060101", "bytes": 4, "scale": 1, "unit": "Wh", "skip": 16}, FROZEN, 4, 1)],
)  # fmt: skip
def test_one_value_of_a_block_is_picked(own: dict[str, Any], data: str, value: int, scale: int) -> None:
    driver: Any = drivers.create("dlt645", {"address": "123456789012", "registers": {"x": 0}, "own": {"x": own}})
    driver.request(driver.wants)

    told = driver.feed(reply(own["di"], data), 1.0)

    assert [(one.value, one.scale) for one in told] == [(value, scale)]


@pytest.mark.parametrize("own", [{"skip": 17}, {"skip": 16, "bytes": 5}, {"skip": 12}])
def test_a_value_that_does_not_fit_its_block_is_no_reading(own: dict[str, Any]) -> None:
    item = {"di": "05060101", "bytes": 4, "scale": 1, "unit": "Wh", **own}
    driver: Any = drivers.create("dlt645", {"address": "123456789012", "registers": {"x": 0}, "own": {"x": item}})
    driver.request(driver.wants)

    told = driver.feed(reply("05060101", FROZEN), 1.0)

    assert [(one.event, one.data["why"]) for one in told if isinstance(one, DeviceFault)] == [
        ("value_refused", "length")
    ]


def test_a_meter_that_nobody_gave_a_number_is_known_by_its_address() -> None:
    driver: Any = drivers.create("dlt645", {"address": "123456789012"})
    driver.pending()

    told = driver.feed(reply("04000402", "00 00 00 00 00 00"), 1.0)

    assert [one.number for one in told if isinstance(one, Identified)] == ["123456789012"]


def reply(di: str, data: str) -> bytes:
    """Of meter 123456789012: the identifier and these bytes."""
    body = bytes.fromhex(di)[::-1] + bytes.fromhex(data)
    frame = bytes.fromhex("68 12 90 78 56 34 12 68 91") + bytes((len(body), *((one + 0x33) & 0xFF for one in body)))
    return frame + bytes((sum(frame) & 0xFF, 0x16))
