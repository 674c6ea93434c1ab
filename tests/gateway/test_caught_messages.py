"""Messages of plugs and meters behind a broker, as others published them, and descriptions in all their spellings.

Sources: a public Go collector (Tasmota, two lines), the connector pages of AIIDA (Shelly Pro 3EM), a public test of
Shelly's counters, a public configuration with a Shelly 1PM Mini Gen3, Supla's discovery pages, home-assistant/core
components/mqtt/discovery.py (what may be shared by the parts of a device, and where `~` is put in).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from gateway import drivers
from gateway.device_events import Event, Measured, Presence, SwitchState
from gateway.drivers.mqtt_discovery import described

PHASES = tuple(f"{name}_l{n}" for name in ("import_wh", "export_wh", "power", "voltage", "current") for n in (1, 2, 3))
ALL = dict.fromkeys(("import_wh", "export_wh", "power", "apparent_power", "frequency", "voltage", *PHASES), 0)
DUAL = (
    b'{"Time":"2026-09-18T11:19:21","ENERGY":{"TotalStartTime":"2026-09-16T00:00:00","Total":[2.813,0.254],'
    b'"Yesterday":[1.530,0.125],"Today":[0.772,0.059],"Power":[52,5],"ApparentPower":[66,10],"ReactivePower":[40,9],'
    b'"Factor":[0.79,0.50],"Voltage":235,"Current":[0.278,0.044],"BL09XX":{"Temperature":46.5}}}'
)
COUNTERS = (
    b'{"src":"shellypro3em-1234567890ab","dst":"x/events","method":"NotifyStatus","params":{"ts":1757060280.21,'
    b'"emdata:0":{"id":0,"a_total_act_energy":18121.24,"a_total_act_ret_energy":0.01,"b_total_act_energy":73442.96,'
    b'"b_total_act_ret_energy":1347973.9,"c_total_act_energy":989772.63,"c_total_act_ret_energy":7779.83,'
    b'"total_act":1081336.83,"total_act_ret":1355753.74}}}'
)
ONE_LINE = (
    b'{"src":"shellypro3em-1234567890ab","dst":"x/events","method":"NotifyStatus","params":{"ts":1757060280.21,'
    b'"em1data:1":{"id":0,"total_act_energy":0.06,"total_act_ret_energy":0}}}'
)
MINI = (
    b'{"id":0, "source":"HTTP_in", "output":true, "apower":25.7, "voltage":239.7, "freq":50.2, "current":0.188, '
    b'"aenergy":{"total":913.252,"by_minute":[404.631,404.631,404.631],"minute_ts":1782936360}, '
    b'"ret_aenergy":{"total":0.000,"by_minute":[0.000,0.000,0.000],"minute_ts":1782936360},'
    b'"temperature":{"tC":68.1, "tF":154.6}}'
)


def meter(dialect: str, name: str, **more: Any) -> Any:
    return drivers.create("mqtt_meters", {"dialect": dialect, "name": name, "registers": ALL, **more})


def shown(events: list[Event]) -> dict[str, Decimal]:
    return {one.register: Decimal(one.value).scaleb(one.scale) for one in events if isinstance(one, Measured)}


def test_a_plug_with_two_lines_gives_each_and_their_sum() -> None:
    values = shown(meter("tasmota", "tasmota").feed("tele/tasmota/SENSOR", DUAL, 0.0))

    wanted = {"import_wh": 3067, "import_wh_l1": 2813, "import_wh_l2": 254, "power": 57, "power_l2": 5, "voltage": 235}
    assert {name: values[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("time", "at"), [("2026-09-18T11:19:21", None), ("2026-09-18T11:19:21+02:00", 1_789_723_161_000)]
)
def test_a_time_with_its_zone_is_the_time_of_the_reading(time: str, at: int | None) -> None:
    said = DUAL.replace(b"2026-09-18T11:19:21", time.encode())

    readings = [one for one in meter("tasmota", "t").feed("tele/t/SENSOR", said, 0.0) if isinstance(one, Measured)]

    assert {(one.at, one.q) for one in readings} == {(at, () if at else ("received",))}


def test_a_meter_of_three_phases_gives_the_energy_of_each() -> None:
    values = shown(meter("shelly", "s").feed("s/events/rpc", COUNTERS, 0.0))

    assert (values["import_wh"], values["export_wh"]) == (Decimal("1081336.83"), Decimal("1355753.74"))
    assert (values["import_wh_l1"], values["export_wh_l2"]) == (Decimal("18121.24"), Decimal("1347973.9"))
    assert values["import_wh_l1"] + values["import_wh_l2"] + values["import_wh_l3"] == values["import_wh"]


def test_one_line_of_a_meter_with_several_is_read_by_its_place_and_not_by_the_number_inside() -> None:
    assert shown(meter("shelly", "s", channel=1).feed("s/events/rpc", ONE_LINE, 0.0)) == {
        "import_wh": Decimal("0.06"), "export_wh": Decimal(0),
    }  # fmt: skip
    assert shown(meter("shelly", "s", channel=0).feed("s/events/rpc", ONE_LINE, 0.0)) == {}


def test_a_plug_of_the_third_generation_gives_its_counters_with_its_own_time() -> None:
    events = meter("shelly", "shellyplug").feed("shellyplug/status/switch:0", MINI, 0.0)

    assert shown(events)["import_wh"] == Decimal("913.252")
    assert shown(events)["frequency"] == Decimal("50.2")
    assert {one.at for one in events if isinstance(one, Measured)} == {1_782_936_360_000}
    assert [one.on for one in events if isinstance(one, SwitchState)] == [True]


def test_zigbee_gives_what_it_says_of_each_phase() -> None:
    said = b'{"energy":12.5,"energy_phase_b":4.2,"voltage_phase_a":229.8,"current_phase_c":1.25,"power_phase_b":-3}'

    assert shown(meter("zigbee2mqtt", "m").feed("zigbee2mqtt/m", said, 0.0)) == {
        "import_wh": Decimal(12500), "import_wh_l2": Decimal(4200), "voltage_l1": Decimal("229.8"),
        "current_l3": Decimal("1.25"), "power_l2": Decimal(-3),
    }  # fmt: skip


def test_zigbee_names_a_line_as_its_converter_does() -> None:
    said = (
        b'{"energy_a":12.5,"energy_b":0.4,"energy_produced_b":3.25,'
        b'"power_a":120.5,"voltage_a":230.1,"energy_produced":3.3}'
    )

    assert shown(meter("zigbee2mqtt", "m").feed("zigbee2mqtt/m", said, 0.0)) == {
        "import_wh_l1": Decimal(12500), "import_wh_l2": Decimal(400), "export_wh_l2": Decimal(3250),
        "power_l1": Decimal("120.5"), "voltage_l1": Decimal("230.1"), "export_wh": Decimal(3300),
    }  # fmt: skip


def test_beside_a_second_phase_a_plain_name_is_the_first_and_no_sum() -> None:
    # Koenkk/zigbee2mqtt issue 32596 (Sunricher ZV9380A): power, current and voltage are those of phase A.
    said = (
        b'{"ac_frequency":49.96,"current":0.44,"current_neutral":0.03,"current_phase_b":1.85,"current_phase_c":0,'
        b'"energy":299.7,"power":89,"power_apparent":95,"power_apparent_phase_b":354,"power_apparent_phase_c":0,'
        b'"power_factor":0.92,"power_factor_phase_b":0.97,"power_phase_b":384,"power_phase_c":0,"voltage":231.2,'
        b'"voltage_phase_b":230.5,"voltage_phase_c":228.4}'
    )
    driver = meter("zigbee2mqtt", "m")

    assert shown(driver.feed("zigbee2mqtt/m", said, 0.0)) == {
        "import_wh": Decimal(299700), "power": Decimal(473), "apparent_power": Decimal(449),
        "frequency": Decimal("49.96"),
        "power_l1": Decimal(89), "power_l2": Decimal(384), "power_l3": Decimal(0),
        "voltage_l1": Decimal("231.2"), "voltage_l2": Decimal("230.5"), "voltage_l3": Decimal("228.4"),
        "current_l1": Decimal("0.44"), "current_l2": Decimal("1.85"), "current_l3": Decimal(0),
    }  # fmt: skip
    assert shown(driver.feed("zigbee2mqtt/m", b'{"power":90,"voltage":null}', 60.0)) == {"power_l1": Decimal(90)}
    own = meter("zigbee2mqtt", "m", fields={"power": "power W"})
    assert shown(own.feed("zigbee2mqtt/m", said, 0.0))["power"] == 89


def test_zigbee_outputs_by_their_number_and_totals_by_theirs() -> None:
    # maziggy/bambuddy issue 173 (Shelly with two outputs); Owon, Bituo and Nodon by their converters.
    outputs = b'{"energy_l1":2.056,"energy_l2":0.006,"power_l1":8,"power_l2":0,"produced_energy_l1":0,"state_l1":"ON"}'
    totals = b'{"power":10,"power_phase_b":20,"total_active_power":35,"total_power_apparent":40}'

    assert shown(meter("zigbee2mqtt", "m").feed("zigbee2mqtt/m", outputs, 0.0)) == {
        "import_wh_l1": Decimal(2056), "import_wh_l2": Decimal(6), "power_l1": Decimal(8), "power_l2": Decimal(0),
        "export_wh_l1": Decimal(0),
    }  # fmt: skip
    assert shown(meter("zigbee2mqtt", "m").feed("zigbee2mqtt/m", totals, 0.0)) == {
        "power": Decimal(35), "power_l1": Decimal(10), "power_l2": Decimal(20), "apparent_power": Decimal(40),
    }  # fmt: skip


def test_a_meter_of_this_year_and_one_of_long_ago() -> None:
    # ioBroker.shelly issue 1540 (3EM-63 Gen3, single lines); Tasmota issues 17579 (three lines) and 2785 (of 2018).
    line = b'{"id":2,"current":1.246,"voltage":228.5,"act_power":219.4,"aprt_power":284.8,"pf":0.77,"freq":50.0}'
    three = (
        b'{"Time":"2023-01-03T11:54:27","ENERGY":{"TotalStartTime":"2023-01-03T00:00:00","Total":436.786,"Today":2.400,'
        b'"ExportActive":[0.000,0.001,0.302],"Period":[1,0,0],"Power":[298,7,0],"Voltage":[234,235,235]}}'
    )
    old = b'{"Time":"2018-05-22T02:03:59","ENERGY":{"Total":0.052,"Yesterday":0.000,"Power":0,"Voltage":198}}'
    tasmota = shown(meter("tasmota", "m").feed("tele/m/SENSOR", three, 0.0))

    assert shown(meter("shelly", "m", channel=2).feed("m/status/em1:2", line, 0.0)) == {
        "power": Decimal("219.4"), "apparent_power": Decimal("284.8"), "frequency": Decimal(50),
        "voltage": Decimal("228.5"),
    }  # fmt: skip
    assert [tasmota[name] for name in ("import_wh", "export_wh", "export_wh_l3")] == [436786, 303, 302]
    assert shown(meter("tasmota", "m").feed("tele/m/SENSOR", old, 0.0)) == {
        "import_wh": Decimal(52), "power": Decimal(0), "voltage": Decimal(198),
    }  # fmt: skip


SUPLA: dict[str, Any] = {
    "~": "p/devices/d/channels/0", "stat_t": "~/state/energy", "uniq_id": "s0", "dev_cla": "energy",
    "stat_cla": "total_increasing", "unit_of_meas": "kWh", "dev": {"ids": "d"}, "avty_mode": "all",
    "avty": [{"t": "p/devices/d/state/connected", "pl_avail": "true", "pl_not_avail": "false"},
             {"t": "~/state/available", "pl_avail": "true", "pl_not_avail": "false"}],
}  # fmt: skip


def test_the_base_of_topics_is_put_into_those_that_say_who_is_there_too() -> None:
    (found,) = described(msgspec.json.encode(SUPLA))

    assert found.state_topic == "p/devices/d/channels/0/state/energy"
    assert [door.topic for door in found.doors] == [
        "p/devices/d/state/connected",
        "p/devices/d/channels/0/state/available",
    ]


@pytest.mark.parametrize(
    ("mode", "there"),
    [
        ({"avty_mode": "all"}, [True, False, False]),
        ({"avty_mode": "any"}, [True, True, True]),
        ({}, [True, False, True]),
    ],
)
def test_what_several_topics_mean_together_is_what_the_description_says(
    mode: dict[str, str], there: list[bool]
) -> None:
    driver = meter("home_assistant", "d")
    said = {key: value for key, value in SUPLA.items() if key != "avty_mode"} | mode
    driver.feed("homeassistant/sensor/s0/config", msgspec.json.encode(said), 0.0, retained=True)

    first, second = "p/devices/d/state/connected", "p/devices/d/channels/0/state/available"

    told = [
        event
        for topic, word in ((first, b"true"), (second, b"false"), (first, b"true"))
        for event in driver.feed(topic, word, 5.0)
    ]

    assert [event.online for event in told if isinstance(event, Presence)] == there


@pytest.mark.parametrize(
    ("door", "word"),
    [({"avty": {"t": "~/there"}}, b"online"),
     ({"avty_t": "~/there", "avty_tpl": "{{ value_json.state }}"}, b'{"state":"online"}'),
     ({"availability_topic": "~/there", "pl_avail": "1"}, b"1")],
)  # fmt: skip
def test_one_topic_that_says_who_is_there_is_understood_however_it_is_told(door: dict[str, Any], word: bytes) -> None:
    driver = meter("home_assistant", "d")
    said = {key: value for key, value in SUPLA.items() if not key.startswith("avty")} | door
    driver.feed("homeassistant/sensor/s0/config", msgspec.json.encode(said), 0.0, retained=True)

    assert driver.feed("p/devices/d/channels/0/there", word, 5.0) == [Presence(online=True)]


def test_the_parts_of_a_device_share_what_its_description_says_and_bring_their_own_base() -> None:
    payload = msgspec.json.encode({
        "dev": {"cns": [["mac", "02:5b:26:a8:dc:12"]], "name": "meter"}, "o": {"name": "gateway"},
        "stat_t": "~/state", "avty_t": "~/status", "qos": 1,
        "cmps": {"e": {"p": "sensor", "~": "x/1", "uniq_id": "e1", "dev_cla": "energy", "stat_cla": "total",
                       "unit_of_meas": "Wh", "val_tpl": "{{ value_json.wh }}"},
                 "gone": {"p": "sensor"}},
    })  # fmt: skip
    driver = meter("home_assistant", "02:5b:26:a8:dc:12")

    driver.feed("homeassistant/device/x1/config", payload, 0.0, retained=True)

    assert {"x/1/state", "x/1/status"} <= set(driver.topics)
    assert shown(driver.feed("x/1/state", b'{"wh":1234.5}', 5.0)) == {"import_wh": Decimal("1234.5")}
