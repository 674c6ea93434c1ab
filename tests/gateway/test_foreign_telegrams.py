"""Telegrams that were caught in the field and published, and what two readers besides ours make of them.

M-Bus: rscada/libmbus test/test-frames, values as in its .norm.xml and as pyMeterBus 0.8.5 decodes them. P1 and D0:
ndokter/dsmr_parser test/example_telegrams.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway import drivers
from gateway.device_events import DeviceFault, Measured
from gateway.drivers import mbus_records

MBUS: list[tuple[str, str, str, list[tuple[str, int | str, int, str]]]] = [
    ("GWF-MTKcoder",
     "68 1B 1B 68 08 01 72 07 20 18 00 E6 1E 35 07 4C 00 00 00 0C 78 07 20 18 00 0C 16 69 02 00 00 96 16",
     "00182007", [("fabrication_number", 182007, 0, ""), ("volume", 269, 0, "m3")]),
    ("oms_frame2",
     ("68 29 29 68 08 FD 72 44 22 75 92 24 23 29 07 1F 00 00 00 0C 13 27 04 85 02 0B 3B 27 01 00 4C 13 19 54 44 01"
     "42 6C FF 0C 02 FD 17 00 00 99 16"),
     "92752244", [("volume", 2850427, -3, "m3"), ("flow", 127, -3, "m3/h"), ("error_flags", 0, 0, "")]),
    ("itron_cyble_m-bus_v1.4_water",
     ("68 56 56 68 08 01 72 71 00 00 12 77 04 14 07 0A 30 00 00 0C 78 71 00 00 12 0D 7C 08 44 49 20 2E 74 73 75 63"
     "0A 45 4C 42 59 43 20 54 53 45 54 04 6D 2B 0D 98 11 02 7C 09 65 6D 69 74 20 2E 74 61 62 F2 10 04 14 3D 30 00"
     "00 04 94 7F 14 00 00 00 44 14 00 00 00 00 0F 10 01 1F 2F 16"),
     "12000071", [("fabrication_number", 12000071, 0, ""), ("text", "TEST CYBLE", 0, "cust. ID"),
                  ("time", "2012-01-24T13:43", 0, "time"), ("text", 4338, 0, "bat. time"),
                  ("volume", 12349, -2, "m3")]),
    ("emh_diz",
     ("68 21 21 68 08 01 72 02 37 62 00 A8 15 00 02 07 00 00 00 8C 10 04 09 04 00 00 C4 00 2A 00 00 00 00 01 FD 17"
     "00 8C 16"),
     "00623702", [("error_flags", 0, 0, "")]),
    ("manual_frame2", "68 13 13 68 08 05 73 78 56 34 12 0A 00 E9 7E 01 00 00 00 35 01 00 00 3C 16",
     "12345678", [("volume", 1, -3, "m3")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "frame", "number", "shown"), MBUS, ids=lambda one: one if len(one) < 40 else "")
def test_a_published_telegram_means_what_others_read_in_it(
    name: str, frame: str, number: str, shown: list[tuple[str, int | str, int, str]]
) -> None:
    raw = bytes.fromhex(frame)

    told = mbus_records.parse(raw[6], raw[7:-2])

    assert told.number == number, name
    assert [(one.quantity, one.value, one.scale, one.unit) for one in told.records if one.plain] == shown


DSMR_5 = (
    "/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(170102192002W)\r\n"
    "0-0:96.1.1(4B384547303034303436333935353037)\r\n1-0:1.8.1(000004.426*kWh)\r\n1-0:1.8.2(000002.399*kWh)\r\n"
    "1-0:2.8.1(000002.444*kWh)\r\n1-0:2.8.2(000000.000*kWh)\r\n0-0:96.14.0(0002)\r\n1-0:1.7.0(00.244*kW)\r\n"
    "1-0:2.7.0(00.000*kW)\r\n0-0:96.7.21(00013)\r\n0-0:96.7.9(00000)\r\n1-0:99.97.0(0)(0-0:96.7.19)\r\n"
    "1-0:32.32.0(00000)\r\n1-0:52.32.0(00000)\r\n1-0:72.32.0(00000)\r\n1-0:32.36.0(00000)\r\n"
    "1-0:52.36.0(00000)\r\n1-0:72.36.0(00000)\r\n0-0:96.13.0()\r\n1-0:32.7.0(0230.0*V)\r\n1-0:52.7.0(0230.0*V)\r\n"
    "1-0:72.7.0(0229.0*V)\r\n1-0:31.7.0(0.48*A)\r\n1-0:51.7.0(0.44*A)\r\n1-0:71.7.0(0.86*A)\r\n"
    "1-0:21.7.0(00.070*kW)\r\n1-0:41.7.0(00.032*kW)\r\n1-0:61.7.0(00.142*kW)\r\n1-0:22.7.0(00.000*kW)\r\n"
    "1-0:42.7.0(00.000*kW)\r\n1-0:62.7.0(00.000*kW)\r\n0-1:24.1.0(003)\r\n"
    "0-1:96.1.0(3232323241424344313233343536373839)\r\n0-1:24.2.1(170102161005W)(00000.107*m3)\r\n"
    "0-2:24.1.0(003)\r\n0-2:96.1.0()\r\n!6EEE\r\n"
)
DSMR_2 = (
    "/ISk5\\2MT382-1004\r\n\r\n0-0:96.1.1(00000000000000)\r\n1-0:1.8.1(00001.001*kWh)\r\n1-0:1.8.2(00001.001*kWh)\r\n"
    "1-0:1.7.0(0001.01*kW)\r\n1-0:2.7.0(0000.00*kW)\r\n0-1:24.1.0(3)\r\n"
    "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)\r\n0-1:24.4.0(1)\r\n!\r\n"
)
EASYMETER = (
    "/ESY5Q3DB1024 V3.04\r\n\r\n1-0:0.0.0*255(0272031312565)\r\n1-0:1.8.0*255(00052185.7825309*kWh)\r\n"
    "1-0:2.8.0*255(00019949.3221493*kWh)\r\n1-0:1.7.0*255(002124.86*W)\r\n1-0:96.5.5*255(80)\r\n!\r\n"
    "  25803103\r\n\xff\xff\xff\r\n"
)
PUSHED: list[tuple[str, dict[str, Any], dict[str, tuple[int, int, str]]]] = [
    (DSMR_5, {"obis": {"gas": "0-1:24.2.1"}},
     {"import_wh": (6825, 0, "Wh"), "power": (244, 0, "W"), "gas": (107, -3, "m3")}),
    (DSMR_2, {"crc": "absent", "obis": {"gas": "0-1:24.3.0"}},
     {"import_wh": (2002, 0, "Wh"), "power": (101, 1, "W"), "gas": (1001, -3, "m3")}),
    (EASYMETER, {"crc": "absent"}, {"import_wh": (521857825309, -4, "Wh"), "power": (212486, -2, "W")}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "settings", "shown"), PUSHED)
@pytest.mark.parametrize("pieces", [1, 7, 4000])
def test_a_published_push_telegram_gives_energy_power_and_gas(
    text: str, settings: dict[str, Any], shown: dict[str, tuple[int, int, str]], pieces: int
) -> None:
    driver = drivers.create("iec62056", {"mode": "push", "registers": dict.fromkeys(shown, 0), **settings})
    raw = text.encode("latin-1")

    told = [event for at in range(0, len(raw), pieces) for event in driver.feed(raw[at : at + pieces], 1.0)]

    assert {one.register: (one.value, one.scale, one.unit) for one in told if isinstance(one, Measured)} == shown
    assert not [one for one in told if isinstance(one, DeviceFault)]
