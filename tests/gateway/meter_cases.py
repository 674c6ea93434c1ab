"""What `test_drivers.py` puts to meters and air sensors: kind, golden frame, settings, question, answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from gateway.device_events import AirSample, Event, FanState, Measured

MeterCase = tuple[str, str, dict[str, Any], Callable[[Any], object], Callable[[Sequence[Event]], bool]]


def shows(**values: str) -> Callable[[Sequence[Event]], bool]:
    """True for exactly these values, each to its last digit here."""

    def judge(events: Sequence[Event]) -> bool:
        found: dict[str, Decimal] = {}
        for event in events:
            if isinstance(event, Measured):
                found[event.register] = Decimal(event.value).scaleb(event.scale)
            elif isinstance(event, AirSample):
                found |= {name: Decimal(value).scaleb(event.scale) for name, value in event.values.items()}
        wanted = {name: Decimal(text) for name, text in values.items()}
        return set(wanted) <= set(found) and all(round(found[name] - wanted[name], 1) == 0 for name in wanted)

    return judge


def all_of_it(driver: Any) -> object:
    return driver.request(sorted(driver.wants, key=lambda want: want.address))


def meter(frame: str, profile: str, unit: int = 1, **values: str) -> MeterCase:
    """The golden frame, read by a meter of this profile that wants exactly these registers."""
    names = dict.fromkeys(values, 60)
    return "modbus_meter", frame, {"profile": profile, "unit": unit, "registers": names}, all_of_it, shows(**values)


METERS: list[MeterCase] = [
    meter("mb-sdm-4", "sdm630", current_l1="0.8707"),
    meter("mb-sdm-5", "sdm120", current_l1="0.0584"),
    meter("mb-sdm-6", "sdm230", current_l1="0.2946"),
    meter("mb-pzem-1", "pzem004t", voltage_l1="242.7", current_l1="13.318", power="3018.8", import_wh="7960",
          frequency="50", power_factor="0.93", alarm="0"),
    meter("mb-pzem-2", "pzem004t", voltage_l1="241.3", current_l1="29.073", power="6900", import_wh="7928",
          frequency="50", power_factor="0.98", alarm="0"),
    meter("mb-pzem-3", "pzem004t", voltage_l1="225.7", current_l1="0.108", power="24.4", import_wh="38",
          frequency="50", power_factor="1", alarm="0"),
    meter("mb-s8-1", "senseair_s8", 254, co2="400"),
    meter("mb-ddsu-1", "ddsu666_h", 11, power="225"),
    meter("mb-ddsu-2", "ddsu666_h", 11, voltage_l1="231.5", current_l1="1.528", power="244", reactive_power="-256",
          frequency="49.97"),
    meter("mb-acrel-2", "acrel_adl", total_wh="12345670"),
    meter("mb-acrel-3", "acrel_ddsy1352", voltage_l1="230.1", current_l1="15.23", power="-350"),
    meter("mb-dtsu-1", "dtsu666", voltage_l1="230.1", voltage_l2="231.2", voltage_l3="229.9"),
    meter("mb-air-1", "renke_th", humidity="65.8", temperature="-10.1"),
    meter("mb-air-2", "xy_md02", temperature="30.5"),
    meter("mb-air-3", "seven_in_one", 21, co2="612", hcho="18", tvoc="143", pm25="35", pm10="48", temperature="-1.5",
          humidity="41.7"),
]  # fmt: skip


def ask(driver: Any) -> object:
    return driver.request(driver.wants)


def spins(speed: str | None) -> Callable[[Sequence[Event]], bool]:
    return lambda events: [event.speed for event in events if isinstance(event, FanState)] == [speed]


COIL = {"flow": 4}
FANS: list[MeterCase] = [
    ("fan_coil", "fan-high", COIL, all_of_it, spins("high")),
    ("fan_coil", "fan-low", COIL, all_of_it, spins("low")),
    ("fan_coil", "fan-closed", COIL, all_of_it, spins("")),
    ("fan_coil", "fan-both", COIL, all_of_it, spins(None)),
]
AWAKE = {"warm_up": 0}
AIR: list[MeterCase] = [
    ("sps30", "sps-1", AWAKE, ask, shows(pm1="5.2", pm25="9.5", pm4="12.6", pm10="13.3", particle_size="0.83")),
    ("sps30", "sps-2", AWAKE, ask, shows(pm1="5.8", pm25="8.2", pm4="9.9", pm10="10.2")),
    ("sps30", "sps-3", AWAKE, ask, shows(pm1="7.0", pm25="9.1", pm4="10.5", pm10="10.8")),
    ("mhz19b", "mhz-1", AWAKE, ask, shows(co2="636", case_temperature="26")),
    ("mhz19b", "mhz-2", AWAKE, ask, shows(co2="635", case_temperature="26")),
    ("mhz19b", "mhz-3", AWAKE, ask, shows(co2="633", case_temperature="26")),
]
# These talk unasked, so there is no echo of a question.
UNASKED: list[MeterCase] = [
    ("pms5003", "pms-3", AWAKE, lambda d: d, shows(pm1="0", pm25="7", pm10="7")),
    ("pms5003", "pms-4", {**AWAKE, "model": "pms5003t"}, lambda d: d,
     shows(pm1="22", pm25="35", pm10="41", temperature="21.2", humidity="22.4")),
    ("sds011", "sds-1", AWAKE, lambda d: d, shows(pm25="0.6", pm10="0.6")),
    ("sds011", "sds-2", AWAKE, lambda d: d, shows(pm25="0.9", pm10="0.9")),
    ("sds011", "sds-3", AWAKE, lambda d: d, shows(pm25="0.8", pm10="0.8")),
]  # fmt: skip
