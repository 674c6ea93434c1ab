"""More telegrams that were caught in the field and published: M-Bus and P1, whole, in pieces, behind noise, cut.

M-Bus: rscada/libmbus issues and test/test-frames, where ours and pyMeterBus read the same. P1: athombv/node-dsmr-parser
tests/telegrams (shortened, their check worked out anew). DTS: mkrasselt1/php-evadts-parser example.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import drivers
from gateway.device_events import DeviceFault, Measured
from gateway.drivers import dts_file, mbus_records
from gateway.drivers.crc16_arc import crc16_arc
from gateway.drivers.dts_file import DtsRefusedError
from gateway.drivers.mbus_records import BadTelegramError

MBUS: list[tuple[str, str, str, list[tuple[str, int | str, int, str]]]] = [
    ("kamstrup_382_005",
     ("68 46 46 68 08 78 72 20 91 83 14 2D 2C 01 02 04 00 00 00 04 06 00 00 00 00 04 22 09 00 00 00 04 2B"
     "00 00 00 00 14 2B 00 00 00 00 84 50 06 00 00 00 00 84 60 06 00 00 00 00 0F 00 00 00 00 00 00 00 00"
     "00 00 00 00 00 00 00 10 24 16"),
     "14839120",
     [("energy", 0, 3, "Wh"), ("on_time", 32400, 0, "s"), ("power", 0, 0, "W")]),
    ("FIN-Finder",
     ("68 38 38 68 08 19 72 07 62 00 23 2E 19 23 02 92 00 00 00 8C 10 04 68 28 17 00 8C 11 04 68 28 17 00"
     "02 FD C9 FF 01 E6 00 02 FD DB FF 01 06 00 02 AC FF 01 09 00 82 40 AC FF 01 FD FF 5B 16"),
     "23006207",
     []),
    ("ELV-CMa10",
     ("68 53 53 68 08 0B 72 61 15 01 24 96 15 16 00 3F 00 00 00 01 FD 1B 02 02 FC 03 48 52 25 74 22 15 22"
     "FC 03 48 52 25 74 24 0D 12 FC 03 48 52 25 74 C3 1C 02 65 2E 08 22 65 5C 05 12 65 A2 0B 01 72 18 42"
     "65 2C 08 82 01 65 1F 08 0C 78 61 15 01 24 03 FD 0F 00 00 04 1F BD 16"),
     "24011561",
     [("digital_input", 2, 0, ""), ("text", 5410, -2, "%RH"), ("external_temperature", 2094, -2, "degC"),
      ("averaging_time", 86400, 0, "s"), ("fabrication_number", 24011561, 0, ""), ("software_version", 262144, 0, "")]),
    ("siemens_wfh21",
     ("68 5E 5E 68 08 05 72 91 64 00 08 65 32 99 06 DA 00 00 00 0C 13 00 00 00 00 0B 22 86 40 04 04 6D 24"
     "0A 61 1C 32 6C 00 00 0C 78 91 64 00 08 06 FD 0C 0A 00 01 00 FA 01 0D FD 0B 05 31 32 48 46 57 01 FD"
     "0E 00 4C 13 00 00 00 00 42 6C 5F 1C 0F 37 FD 17 00 00 00 00 00 00 00 00 02 7A 25 00 02 78 25 00 82"
     "16"),
     "08006491",
     [("volume", 0, -3, "m3"), ("on_time", 158709600, 0, "s"), ("time", "2011-12-01T10:36", 0, "time"),
      ("fabrication_number", 8006491, 0, ""), ("model", 2173253517322, 0, ""), ("parameter_set", "WFH21", 0, ""),
      ("firmware_version", 0, 0, "")]),
    ("example_data_02",
     ("68 31 31 68 08 01 72 45 58 57 03 B4 05 34 04 A1 00 27 B6 03 06 F9 34 15 03 15 C6 00 4D 05 2E 00 00"
     "00 00 05 3D 00 00 00 00 05 5B 1E D8 24 42 05 5F D9 8A 0D 42 9E 16"),
     "03575845",
     [("energy", 1389817, 3, "Wh"), ("volume", 5046470, -1, "m3"), ("power", 0, -3, "W"), ("flow", 0, -7, "m3/h"),
      ("flow_temperature", 41211052, -6, "degC"), ("return_temperature", 35385593, -6, "degC")]),
    ("binary16_lvar",
     ("68 25 25 68 08 00 72 00 00 00 00 CD 25 01 02 00 00 00 00 0D 7C 02 57 50 F0 96 07 5B 2A 27 A6 93 01"
     "3D B5 1A B3 DC D1 3E 17 D5 16"),
     "00000000",
     [("text", "17 3E D1 DC B3 1A B5 3D 01 93 A6 27 2A 5B 07 96", 0, "PW")]),
    ("wmbus-converted",
     ("68 1F 1F 68 08 00 72 31 77 67 17 2D 2C 01 02 00 00 00 00 2F 2F 04 83 3B 88 13 00 00 2F 2F 2F 2F 2F"
     "2F 2F 00 16"),
     "17677731",
     []),
    ("tecson",
     "68 1B 1B 68 08 00 72 12 34 56 78 A3 50 10 01 01 00 00 00 01 67 09 0A 14 60 45 92 10 14 88 13 18 16",
     "78563412",
     [("external_temperature", 9, 0, "degC"), ("volume", 4560, -2, "m3")]),
    ("els_falcon",
     ("68 4A 4A 68 08 01 72 45 23 11 70 93 15 0A 07 02 00 00 00 0C 13 67 45 23 01 04 6D 3A 0D E6 02 42 6C"
     "E1 01 4C 13 51 69 45 00 42 EC 7E 01 11 12 3B 39 17 42 6C 01 11 02 3B F9 17 0F 0E 42 20 01 01 01 00"
     "05 08 5E 01 20 3D 12 08 3D 12 08 00 C0 16"),
     "70112345",
     [("volume", 1234567, -3, "m3"), ("time", "2007-02-06T13:58", 0, "time"), ("flow", 6137, -3, "m3/h")]),
    ("nzr_dhz",
     ("68 32 32 68 08 05 72 08 06 10 30 52 3B 01 02 01 00 00 00 04 03 FA 04 00 00 04 83 7F FA 04 00 00 02"
     "FD 48 44 09 02 FD 5B 00 00 02 2B 00 00 0C 78 08 06 10 30 0F 0E 71 16"),
     "30100608",
     [("energy", 1274, 0, "Wh"), ("voltage", 2372, -1, "V"), ("current", 0, -1, "A"), ("power", 0, 0, "W"),
      ("fabrication_number", 30100608, 0, "")]),
    ("LGB_G350",
     ("68 40 40 68 08 01 72 58 20 08 12 E2 30 40 03 40 00 00 00 2F 2F 4C 13 92 40 83 10 46 6D 00 00 08 16"
     "27 00 0D 78 11 34 31 38 35 30 32 38 30 32 31 39 35 37 31 30 30 47 89 40 FD 1A 01 01 FD 17 00 01 FD"
     "67 0F 38 16"),
     "12082058",
     [("fabrication_number", "G0017591208205814", 0, ""), ("error_flags", 0, 0, ""), ("supplier", 15, 0, "")]),
    ("Itron-BM-plus-m",
     ("68 3C 3C 68 08 08 72 78 03 49 11 77 04 0E 16 0A 00 00 00 0C 78 78 03 49 11 04 13 31 D4 00 00 42 6C"
     "00 00 44 13 00 00 00 00 04 6D 0B 0B CD 13 02 27 00 00 09 FD 0E 02 09 FD 0F 06 0F 00 01 75 13 D3 16"),
     "11490378",
     [("fabrication_number", 11490378, 0, ""), ("volume", 54321, -3, "m3"), ("time", "2014-03-13T11:11", 0, "time"),
      ("operating_time", 0, 0, "s"), ("firmware_version", 2, 0, ""), ("software_version", 6, 0, "")]),
    ("plain_text_placement",
     "68 19 19 68 08 02 72 78 56 34 12 24 40 01 07 55 00 00 00 03 FC 20 03 43 42 41 15 31 00 7F 16",
     "12345678",
     []),
    ("rel_padpuls3",
     ("68 2F 2F 68 08 01 72 01 01 03 01 AC 48 40 08 1E 00 00 00 0C 6E 87 19 00 00 04 6D 29 0A 1F 0C 42 6C"
     "1F 0C 4C 6E 02 13 00 00 42 EC 7E 3F 0C 0F C0 01 01 0C 40 16"),
     "01030101",
     [("heat_cost_units", 1987, 0, "1"), ("time", "2000-12-31T10:41", 0, "time")]),
    ("oms_frame3",
     ("68 3C 3C 68 08 FD 72 78 56 34 12 24 23 2A 04 26 00 00 00 0C 06 27 04 85 02 0C 13 76 34 70 00 4C 06"
     "19 54 44 01 42 6C FF 0C 0B 3B 27 01 00 0B 2A 97 32 00 0A 5A 43 04 0A 5E 51 02 02 FD 17 00 00 C8 16"),
     "12345678",
     [("energy", 2850427, 3, "Wh"), ("volume", 703476, -3, "m3"), ("flow", 127, -3, "m3/h"), ("power", 3297, -1, "W"),
      ("flow_temperature", 443, -1, "degC"), ("return_temperature", 251, -1, "degC"), ("error_flags", 0, 0, "")]),
    # rscada/libmbus issue 150, an Apator ELF: the highest byte first (CI 76); libmbus reads none of it.
    ("apator_elf",
     ("68 5F 5F 68 08 01 76 00 61 91 55 00 00 51 04 5A 00 00 00 02 6C 2A 49 0E 0A 00 03 34 06 50 31 0C 13 00 50 67 85"
     "8C 10 13 00 38 27 99 8C 20 13 00 00 00 00 8C 30 13 00 00 00 00 8C 40 13 00 00 00 00 0A 3B 00 00 0A 2D 00 00"
     "0A 5A 02 69 0A 5E 02 28 0C 22 00 06 04 22 3C 22 00 03 46 88 04 7E 00 00 42 74 39 16"),
     "00619155",
     [("date", "2018-10-09", 0, "date"), ("energy", 334065031, 2, "J"), ("volume", 506785, -3, "m3"),
      ("flow", 0, -3, "m3/h"), ("power", 0, 2, "W"), ("flow_temperature", 269, -1, "degC"),
      ("return_temperature", 228, -1, "degC"), ("on_time", 217519200, 0, "s"), ("vif_7e", 17012, 0, "")]),
    # weetmuts/wmbusmeters issue 435, an Apator water meter on a wire; wmbusmeters says 2024-09-16 16:44.
    ("apator_water",
     ("68 56 56 68 08 02 72 28 17 05 00 01 06 03 07 3B F8 00 00 0C 78 28 17 05 00 04 6D 2C 30 10 39 04 13 8D 06 00 00"
     "02 3B 00 00 44 13 53 06 00 00 42 6C 01 39 02 27 9E 0C 03 FD 17 1E 03 00 04 FF 0A 04 02 01 00 02 FF 0B 97 5B 03"
     "FF 0C 0E 00 C3 0F 00 03 2B 09 FF 00 02 02 01 00 A7 16"),
     "00051728",
     [("fabrication_number", 51728, 0, ""), ("time", "2024-09-16T16:44", 0, "time"), ("volume", 1677, -3, "m3"),
      ("flow", 0, -3, "m3/h"), ("operating_time", 279072000, 0, "s"), ("error_flags", 798, 0, "")]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "frame", "number", "shown"), MBUS, ids=[one[0] for one in MBUS])
def test_a_telegram_of_the_field_means_what_others_read_in_it(
    name: str, frame: str, number: str, shown: list[tuple[str, int | str, int, str]]
) -> None:
    raw = bytes.fromhex(frame)

    told = mbus_records.parse(raw[6], raw[7:-2])

    assert told.number == number, name
    assert [(one.quantity, one.value, one.scale, one.unit) for one in told.records if one.plain] == shown


@pytest.mark.parametrize("frame", [one[1] for one in MBUS], ids=[one[0] for one in MBUS])
def test_a_telegram_that_is_cut_is_refused_or_says_less_and_never_more(frame: str) -> None:
    raw = bytes.fromhex(frame)
    whole = mbus_records.parse(raw[6], raw[7:-2]).records

    for end in range(7, len(raw) - 2):
        try:
            found = mbus_records.parse(raw[6], raw[7:end]).records
        except BadTelegramError:
            continue
        assert found == whole[: len(found)]


@given(number=st.integers(0, 99_999_999), value=st.integers(-(2**31), 2**31 - 1), size=st.sampled_from([2, 3, 4, 6, 7]))
def test_the_highest_byte_first_says_what_the_lowest_first_says(number: int, value: int, size: int) -> None:
    width = {2: 2, 3: 3, 4: 4, 6: 6, 7: 8}[size]
    data = (value % 2 ** (8 * width)).to_bytes(width, "big")
    head = [bytes.fromhex(f"{number:08d}"), bytes.fromhex("2C2D"), bytes.fromhex("01040700"), bytes(2)]
    low = b"".join((head[0][::-1], head[1][::-1], *head[2:], bytes((size, 0x06)), data[::-1]))
    high = b"".join((*head, bytes((size, 0x06)), data))

    assert mbus_records.parse(0x76, high) == mbus_records.parse(0x72, low)


def test_what_is_encrypted_is_refused_and_an_old_signature_is_not() -> None:
    raw = bytearray.fromhex({one[0]: one[1] for one in MBUS}["nzr_dhz"])
    for mode in range(32):
        raw[7 + 11] = mode
        if 0 < mode < 16:
            with pytest.raises(BadTelegramError, match="encrypted"):
                mbus_records.parse(raw[6], bytes(raw[7:-2]))
        else:
            assert mbus_records.parse(raw[6], bytes(raw[7:-2])).records


SAGEMCOM = (
    "/GRE5\\12341234_A\n\n0-0:1.0.0(240315014500W)\n0-0:0.0.0(123412341234)\n1-1:1.8.1(001595.070*kWh)\n"
    "1-1:1.8.2(005216.778*kWh)\n1-1:2.8.1(004478.038*kWh)\n1-1:2.8.2(000004.648*kWh)\n1-1:1.7.0(01.622*kW)\n"
    "1-0:99.97.0(2)(0-0:96.7.19)(240523144934S)(0005564711*s)(241109083138W)(0000000124*s)\n1-0:32.7.0(238.9*V)\n"
    "0-0:96.13.0()\n0-0:96.1.4(12345)\n1-1:1.6.0(250315014500W)(15.206*kW)\n0-0:98.1.0(12)\n!"
)
EMUCS = (
    "/FLU5\\253770234_A\n0-0:96.1.4(50221)\n0-0:96.1.1(3153414731313030303030323331)\n0-0:1.0.0(200512145552S)\n"
    "1-0:1.8.1(000000.915*kWh)\n1-0:1.8.2(000001.955*kWh)\n1-0:1.6.0(200509134558S)(02.589*kW)\n"
    "0-0:98.1.0(3)(1-0:1.6.0)(1-0:1.6.0)(200501000000S)(200423192538S)(03.695*kW)(200401000000S)(200305122139S)"
    "(05.980*kW)\n1-0:1.7.0(00.000*kW)\n0-1:24.1.0(003)\n0-1:96.1.1(37464C4F32313139303333373333)\n"
    "0-1:24.2.3(200512134558S)(00112.384*m3)\n0-2:24.1.0(007)\n0-2:24.2.3(200512134558S)(00872.234*m3)\n!"
)
KAMSTRUP = (
    "/KAM5\n\n0-0:1.0.0(250101000000W)\n1-0:1.8.0(00000123.321*kWh)\n1-0:3.8.0(00001234.432*kVArh)\n"
    "1-0:3.7.0(0001.229*kVAr)\n1-0:31.7.0(003.4*A)\n!"
)
LOWER = (
    "/ISk5\\2MT382-1000\n\n0-0:1.0.0(101209113020W)\n1-0:1.8.1(123456.789*kwh)\n1-0:1.8.2(123456.789*kwh)\n"
    "1-0:1.7.0(01.193*kw)\n1-0:32.7.0(220.1*v)\n0-1:24.2.1(101209112500W)(12785.123*m3)\n!"
)
ESTONIA = "/EST5\\123456789_A\n\n0-0:1.0.0(250319102812W)\n1-0:1.8.0(000201282*Wh)\n1-0:2.7.0(000003996*W)\n!"
PUSHED: list[tuple[str, dict[str, str], dict[str, tuple[int, int, str]]]] = [
    (SAGEMCOM, {}, {"import_wh": (6811848, 0, "Wh"), "power": (1622, 0, "W"), "voltage_l1": (2389, -1, "V")}),
    (EMUCS, {"gas": "0-1:24.2.3", "water": "0-2:24.2.3"},
     {"import_wh": (2870, 0, "Wh"), "gas": (112384, -3, "m3"), "water": (872234, -3, "m3")}),
    (KAMSTRUP, {"reactive": "1-0:3.8.0", "now": "1-0:3.7.0"},
     {"import_wh": (123321, 0, "Wh"), "reactive": (1234432, 0, "varh"), "now": (1229, 0, "var")}),
    (LOWER, {}, {"import_wh": (246913578, 0, "Wh"), "power": (1193, 0, "W"), "voltage_l1": (2201, -1, "V")}),
    (ESTONIA, {}, {"import_wh": (201282, 0, "Wh"), "power": (-3996, 0, "W")}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "obis", "shown"), PUSHED)
@pytest.mark.parametrize("crc", ["required", "absent"])
@pytest.mark.parametrize("ends", ["\r\n", "\n"])
@pytest.mark.parametrize("pieces", [1, 4000])
def test_a_p1_telegram_gives_what_it_prints(
    text: str,
    obis: dict[str, str],
    shown: dict[str, tuple[int, int, str]],
    crc: str,
    ends: str,
    pieces: int,
) -> None:
    driver: Any = drivers.create(
        "iec62056", {"mode": "push", "registers": dict.fromkeys(shown, 0), "obis": obis, "crc": crc}
    )
    body = text.replace("\n", ends).encode()
    raw = b"\x00(7*kWh)\r\n/cut off" + body + b"%04X" % crc16_arc(body) + ends.encode()

    told = [event for at in range(0, len(raw), pieces) for event in driver.feed(raw[at : at + pieces], 1.0)]

    assert {one.register: (one.value, one.scale, one.unit) for one in told if isinstance(one, Measured)} == shown
    assert not [one for one in told if isinstance(one, DeviceFault)]


def test_a_check_that_is_sent_is_looked_at_whatever_was_said_of_the_meter() -> None:
    driver: Any = drivers.create("iec62056", {"mode": "push", "registers": {"import_wh": 0}, "crc": "absent"})
    body = KAMSTRUP.replace("\n", "\r\n").encode()

    told = driver.feed(body + b"%04X\r\n" % (crc16_arc(body) ^ 1), 1.0)

    assert not told
    assert driver.counters.refusals == {"crc": 1}


def test_an_audit_that_ends_without_its_end_bills_nothing() -> None:
    caught = (
        "MC5*SiLine*EvaData*List10*Version_0.15.1 r54964\nDXS*SIE9999999*VA*V1/1*1\nST*001*0001\n"
        "ID1*SIE90517939*2*0000**99999000*90517939*6*1\nVA1*234850*1666*114400*1088*0*0*0*0*0*0*0*0\nMA5*CA11*1*2*3"
    )

    with pytest.raises(DtsRefusedError, match="breaks off"):
        dts_file.read_dts(caught.encode(), "absent")


# An IME Conto behind a public wireless tool (wmbusmeters issue 1118): every value is the maker's own.
CONTO = (
    "68CBCB6808017278563412A525660226000000849010FF80843B9A7B0700849010FF80843C00000000849010FF81843B8D570400"
    "849010FF81843C010000008410FF80843B626A07008420FF80843B381100008410FF80843C000000008420FF80843C00000000"
    "8410FF81843BF44A04008420FF81843B980C00008410FF81843C010000008420FF81843C0000000084A010FF80843B9A7B0700"
    "84A010FF80843C0000000084A010FF81843B8D57040084A010FF81843C0100000004FF90290000000002FF912B00001F0000000000BC16"
)


def test_a_makers_own_value_counts_in_the_unit_that_its_document_says() -> None:
    own = {"quantity": "maker", "modifiers": [0x7F, 0x04, 0x3B]}
    pick = {"t1": {**own, "tariff": 1, "unit": "Wh", "scale": 1}, "t2": {**own, "tariff": 2}}
    driver: Any = drivers.create("mbus", {"address": 1, "registers": {"t1": 0, "t2": 0}, "pick": pick})
    driver.request(driver.wants)
    driver.feed(bytes.fromhex(CONTO), 1.0)
    driver.pending()

    told = driver.feed(bytes.fromhex("68 03 03 68 08 01 78 81 16"), 1.0)

    assert [(one.register, one.value, one.scale, one.unit) for one in told if isinstance(one, Measured)] == [
        ("t1", 485_986, 1, "Wh"), ("t2", 4408, 0, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "scale", "modifiers"),
    [("04 83 75 D2 04 00 00", -1, ()), ("04 83 FF 75 D2 04 00 00", 0, (0x7F, 0x75)),
     ("04 FF 7D D2 04 00 00", 0, (0x7F, 0x7D)), ("04 83 F5 FF 75 D2 04 00 00", -1, (0x7F, 0x75))],
)  # fmt: skip
def test_behind_a_makers_mark_nothing_is_a_factor(record: str, scale: int, modifiers: tuple[int, ...]) -> None:
    ((found,), _, _) = mbus_records.read_records(bytes.fromhex(record))

    assert (found.value, found.scale, found.modifiers) == (1234, scale, modifiers)
