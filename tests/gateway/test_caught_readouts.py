"""Read-outs of European meters by optical head, as others published them (shortened, their check worked out anew).

Sources: a smart meter collector's test (Landis+Gyr E350, 1-1: codes), metering daemons' sources (MetCom, EMH), sketches
for EasyMeter's Q3D (mode D, no check), a keypad meter's session log (commas in dates, units left out).
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import DeviceFault, Event, Identified, Measured

LANDIS = (
    "1-1:F.F(00000000)\r\n1-1:0.0.0(001LGZ0058134272)\r\n1-1:0.9.1(162655)\r\n1-1:0.1.2*62(2608010000)\r\n\r\n"
    "1-1:1.5.0(00.000*kW)\r\n1-1:1.6.0(00.641*kW)(2608091845)\r\n1-1:1.6.0*62(02.142)(2607220915)\r\n\r\n"
    "1-1:1.8.0(0018788.9*kWh)\r\n1-1:1.8.0*62(0018750.0)\r\n1-1:2.8.0(0077347.5*kWh)\r\n1-1:5.8.0(0000139.8*kvarh)\r\n"
    "1-1:32.7.0(239.9*V)\r\n1-1:31.7.0(010.69*A)\r\n!\r\n"
)
METCOM = "0.0.0(12345678)\r\n0.2.1*50(20092541)\r\n1.6.1(0.00061*kW)(2101021645)\r\n1.8.1(00008.423*kWh)\r\n!\r\n"
KEYPAD = (
    "0.0.0(600065257)\r\n0.9.1(22:51:45)\r\n0.9.2(24-12-10)\r\n1.8.0(000012.500*kWh)\r\n"
    "1.6.0(000.250*kW)(24-12-01,00:00)\r\n32.7.0(230.8)\r\n2.8.0(000001.5)\r\n!\r\n"
)
EASY = (
    "/ESY5Q3DA1024 V3.03\r\n\r\n1-0:0.0.0*255(112940679)\r\n1-0:1.8.0*255(00001013.0368091*kWh)\r\n"
    "1-0:2.8.0*255(00000376.0128508*kWh)\r\n1-0:21.7.255*255(000046.04*W)\r\n1-0:1.7.255*255(000247.37*W)\r\n"
    "1-0:96.5.5*255(82)\r\n0-0:96.1.255*255(1ESY1233002534)\r\n!\r\n"
)
ASKED: list[tuple[str, dict[str, str], dict[str, tuple[int, int, str]], str]] = [
    (LANDIS, {"demand": "1.6.0"},
     {"import_wh": (187889, 2, "Wh"), "export_wh": (773475, 2, "Wh"), "demand": (641, 0, "W"),
      "voltage_l1": (2399, -1, "V")}, "001LGZ0058134272"),
    (METCOM, {"demand": "1.6.1"}, {"import_t1_wh": (8423, 0, "Wh"), "demand": (61, -2, "W")}, "12345678"),
    (KEYPAD, {"demand": "1.6.0", "voltage_l1": "32.7.0 V", "export_wh": "2.8.0 kWh"},
     {"import_wh": (12500, 0, "Wh"), "demand": (250, 0, "W"), "voltage_l1": (2308, -1, "V"),
      "export_wh": (15, 2, "Wh")}, "600065257"),
]  # fmt: skip


def read_out(text: str, **settings: Any) -> list[Event]:
    """A meter that is asked in mode C and answers with these data sets."""
    driver: Any = drivers.create("iec62056", settings)
    driver.request(driver.wants)
    driver.feed(b"/LGZ5\\2ZMD3104407\r\n", 1.0)
    driver.pending()
    block = text.encode() + b"\x03"
    events: list[Event] = driver.feed(b"\x02" + block + bytes((reduce(lambda a, b: a ^ b, block),)), 2.0)
    return events


def measured(events: list[Event]) -> dict[str, tuple[int, int, str]]:
    return {one.register: (one.value, one.scale, one.unit) for one in events if isinstance(one, Measured)}


@pytest.mark.parametrize(("text", "obis", "shown", "number"), ASKED)
def test_a_read_out_gives_what_it_prints(
    text: str, obis: dict[str, str], shown: dict[str, tuple[int, int, str]], number: str
) -> None:
    events = read_out(text, registers=dict.fromkeys(shown, 0), obis=obis)

    assert measured(events) == shown
    assert [one.number for one in events if isinstance(one, Identified)] == [number]


def test_a_demand_is_not_its_moment_and_energy_without_a_unit_is_none() -> None:
    events = read_out(KEYPAD, registers={"demand": 0, "export_wh": 0}, obis={"demand": "1.6.0"})

    assert measured(events) == {"demand": (250, 0, "W")}
    assert [one.data["why"] for one in events if isinstance(one, DeviceFault)] == ["no unit"]


def test_a_meter_that_pushes_without_a_check_is_read_with_all_its_digits() -> None:
    shown = {"import_wh": 0, "export_wh": 0, "power_import": 0}
    driver: Any = drivers.create("iec62056", {"mode": "push", "crc": "absent", "registers": shown})

    events = driver.feed(b"0:96.5.5*255(82)\r\n!\r\n" + EASY.encode(), 1.0)

    assert measured(events) == {
        "import_wh": (10130368091, -4, "Wh"), "export_wh": (3760128508, -4, "Wh"), "power_import": (24737, -2, "W"),
    }  # fmt: skip
    assert [one.number for one in events if isinstance(one, Identified)] == ["1ESY1233002534"]
