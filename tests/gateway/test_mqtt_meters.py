"""Meters behind a broker: every golden message, what must never be a reading, and five dialects at a broker."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_sim.devices.mqtt_meters import MqttPlug
from firmware_sim.faults import MqttPlan
from gateway import drivers
from gateway.device_events import DeviceFault, Event, Measured, Presence, SwitchState
from gateway.drivers.mqtt_discovery import described, path_of
from tests.gateway.mqtt_devices import Behind, behind_a_broker
from tests.gateway.site import MORNING

FILE = tomllib.loads((Path(__file__).parents[1] / "vectors" / "mqtt_meters.toml").read_text())
FRAMES = {one["id"]: one for one in FILE["frame"]}
ALL = dict.fromkeys(
    ("import_wh", "export_wh", "power", "power_l1", "power_l2", "power_l3", "voltage", "current", "power_factor",
     "temperature", "humidity"), 0,
)  # fmt: skip
DIALECTS = {"tasmota": "tasmota", "shelly-gen2": "shelly", "zigbee2mqtt": "zigbee2mqtt", "esphome": "esphome"}
MEANS = {
    "energy_kWh": ("import_wh", 3), "export_kWh": ("export_wh", 3), "power_W": ("power", 0),
    "voltage_V": ("voltage", 0), "current_A": ("current", 0), "power_factor": ("power_factor", 0),
    "temperature_C": ("temperature", 0),
    "humidity_RH": ("humidity", 0),
}  # fmt: skip
READ = [one for one in FILE["frame"] if any(key in MEANS for key in one["decoded"])]


def device(frame: dict[str, Any], **more: Any) -> Any:
    dialect = DIALECTS[frame["dialect"]]
    parts = frame["topic"].split("/")
    name = parts[0] if dialect in ("shelly", "esphome") else parts[1]
    return drivers.create("mqtt_meters", {"dialect": dialect, "name": name, "registers": ALL, **more})


def feed(driver: Any, frame: dict[str, Any], now: float = 0.0, *, retained: bool = False) -> list[Event]:
    events: list[Event] = driver.feed(frame["topic"], frame["json"].encode(), now, retained=retained)
    return events


def measured(events: list[Event]) -> dict[str, Decimal]:
    return {one.register: Decimal(one.value).scaleb(one.scale) for one in events if isinstance(one, Measured)}


@pytest.mark.parametrize("frame", READ, ids=lambda one: one["id"])
def test_a_golden_message_is_read_exactly(frame: dict[str, Any]) -> None:
    events = feed(device(frame), frame)

    values, told = measured(events), frame["decoded"]
    for key, (register, power) in MEANS.items():
        if key in told:
            assert values[register] == Decimal(told[key]).scaleb(power)
    for place, watts in enumerate(told.get("power_phases_W", ()), 1):
        assert values[f"power_l{place}"] == Decimal(watts)


@pytest.mark.parametrize("frame", READ, ids=lambda one: one["id"])
def test_a_retained_message_is_never_a_reading(frame: dict[str, Any]) -> None:
    assert measured(feed(device(frame), frame, retained=True)) == {}


@pytest.mark.parametrize("frame", READ, ids=lambda one: one["id"])
def test_a_time_that_is_ours_is_marked_as_such(frame: dict[str, Any]) -> None:
    readings = [one for one in feed(device(frame), frame) if isinstance(one, Measured)]

    own = frame["id"] in ("mq-shelly-3", "mq-z2m-1")
    assert {one.q for one in readings} == {() if own else ("received",)}
    assert all((one.at is not None) is own for one in readings)


def test_zigbee_tells_its_own_time() -> None:
    (first, *_) = [one for one in feed(device(FRAMES["mq-z2m-1"]), FRAMES["mq-z2m-1"]) if isinstance(one, Measured)]

    assert first.at == 1_624_901_892_000


@pytest.mark.parametrize("name", ["mq-z2m-2", "mq-ha-1", "mq-ha-3"])
def test_what_bridges_and_descriptions_say_is_no_reading(name: str) -> None:
    plug = device(FRAMES["mq-z2m-1"])

    assert plug.feed(FRAMES[name]["topic"], FRAMES[name]["json"].encode(), 0.0) == []


def test_esphome_needs_its_description_before_a_number_is_a_reading() -> None:
    meter = device(FRAMES["mq-esphome-1"])
    config = b'{"~":"meter-node","stat_t":"~/sensor/total_energy/state","unit_of_meas":"kWh","dev_cla":"energy"}'

    before = feed(meter, FRAMES["mq-esphome-1"])
    meter.feed("homeassistant/sensor/meter-node/total_energy/config", config, 1.0, retained=True)
    after = feed(meter, FRAMES["mq-esphome-1"], 60.0)

    assert [one.event for one in before if isinstance(one, DeviceFault)] == ["unit_unknown"]
    assert (measured(before), measured(after)) == ({}, {"import_wh": Decimal(1234567)})


def test_nan_is_no_number_and_a_will_is_a_presence() -> None:
    meter = device(FRAMES["mq-esphome-3"], fields={"voltage": "voltage V"})

    assert feed(meter, FRAMES["mq-esphome-3"]) == []
    assert feed(meter, FRAMES["mq-esphome-2"], retained=True) == [Presence(online=False, retained=True)]


def test_a_device_that_describes_itself_is_heard_where_it_says() -> None:
    config = FRAMES["mq-ha-2"]
    meter = drivers.create("mqtt_meters", {"dialect": "home_assistant", "name": "shopgw_m01", "registers": ALL})

    meter.feed(config["topic"], config["json"].encode(), 0.0, retained=True)

    assert {"shopgw/m01/state", "shopgw/status"} <= set(meter.topics)
    assert measured(meter.feed("shopgw/m01/state", b'{"energy_kwh": 12.345}', 1.0)) == {"import_wh": Decimal(12345)}
    assert meter.feed("shopgw/status", b"offline", 1.0) == [Presence(online=False)]
    meter.feed(config["topic"], b"", 2.0, retained=True)
    assert measured(meter.feed("shopgw/m01/state", b'{"energy_kwh": 12.4}', 9.0)) == {}


@pytest.mark.parametrize(
    ("template", "path"),
    [("{{ value_json.energy }}", "energy"), ("{{ value_json['a b'].c | float }}", "a b.c"), ("{{ value }}", ""),
     ("", ""), ("{{value_json.ENERGY.Total|round(3)}}", "ENERGY.Total"), ("{{ value_json.a[1] }}", "a.1"),
     ("{{ value_json.a * 2 }}", None), ("{% if x %}1{% endif %}", None),
     ("{{ value_json.a | float / 1000 }}", None), ("{{ value_json.a | round(2) * 1000 }}", None),
     ("{{ value_json.a | float(0) }}", "a"), ("{{ value_json.power | is_defined }}", "power"),
     ("{{ value_json.key | default(0) }}", "key"), ("{{ float(value_json.total) | round(0) }}", "total"),
     ("{{ float(value_json.total, 0) }}", "total"), ("{{ float(value_json.total) / 1000 }}", None),
     ("{{value_json['ENERGY']['Total']}}", "ENERGY.Total"), ("{{value.split(';')[0]}}", None)],
)  # fmt: skip
def test_a_template_that_picks_is_understood_and_one_that_computes_is_not_run(template: str, path: str | None) -> None:
    assert path_of(template) == path


def config(name: str, field: str, **more: str) -> tuple[str, bytes]:
    """A description as Zigbee2MQTT sends one for each field; all name the same state topic."""
    said = {"unique_id": name, "state_topic": "zigbee2mqtt/plug", "device": {"identifiers": ["zigbee2mqtt_0x01"]}}
    said |= {"value_template": f"{{{{ value_json.{field} }}}}", **more}
    return f"homeassistant/sensor/0x01/{field}/config", msgspec.json.encode(said)


ENERGY = {"device_class": "energy", "state_class": "total_increasing", "unit_of_measurement": "kWh"}
POWER = {"device_class": "power", "state_class": "measurement", "unit_of_measurement": "W"}


def test_a_description_that_comes_again_replaces_its_own_words_and_nobody_elses() -> None:
    meter = drivers.create("mqtt_meters", {"dialect": "home_assistant", "name": "zigbee2mqtt_0x01", "registers": ALL})
    configs = [config("e", "energy", **ENERGY), config("p", "power", **POWER)]
    for topic, payload in (*configs, *configs):
        meter.feed(topic, payload, 0.0, retained=True)

    said = meter.feed("zigbee2mqtt/plug", b'{"energy":10.48,"power":2441}', 9.0)

    assert measured(said) == {"import_wh": Decimal(10480), "power": Decimal(2441)}
    meter.feed(configs[1][0], b"", 10.0)
    assert measured(meter.feed("zigbee2mqtt/plug", b'{"energy":10.5,"power":1}', 12.0)) == {"import_wh": Decimal(10500)}


def test_of_two_energies_neither_is_the_meter_until_somebody_says_which() -> None:
    # Zigbee2MQTT describes energy and produced_energy alike; a Meross bridge those of the day, week, month and year.
    settings = {"dialect": "home_assistant", "name": "zigbee2mqtt_0x01", "registers": ALL}
    both = [config("in", "energy", **ENERGY), config("out", "produced_energy", **ENERGY)]
    said = b'{"energy":10.5,"produced_energy":0.2}'
    vague, told = drivers.create("mqtt_meters", settings), []
    named = drivers.create("mqtt_meters", {**settings, "fields": {"import_wh": "in", "export_wh": "out"}})
    for topic, payload in (*both, both[1]):
        told += vague.feed(topic, payload, 0.0)
        named.feed(topic, payload, 0.0)

    assert measured(vague.feed("zigbee2mqtt/plug", said, 1.0)) == {}
    assert [
        (one.event, one.data["register"], one.data["entities"]) for one in told if isinstance(one, DeviceFault)
    ] == [("register_vague", "import_wh", "in out")]
    assert measured(named.feed("zigbee2mqtt/plug", said, 1.0)) == {
        "import_wh": Decimal(10500),
        "export_wh": Decimal(200),
    }


def test_who_is_behind_a_bridge_is_there_when_both_are() -> None:
    meter = drivers.create("mqtt_meters", {"dialect": "home_assistant", "name": "zigbee2mqtt_0x01", "registers": ALL})
    bridge, own = "zigbee2mqtt/bridge/state", "zigbee2mqtt/plug/availability"
    state = "{{ value_json.state }}"
    doors: Any = [{"topic": bridge, "value_template": state}, {"topic": own, "value_template": state}]
    meter.feed(*config("in", "energy", **ENERGY, availability=doors, availability_mode="all"), 0.0)

    said = [
        meter.feed(topic, payload, 1.0)
        for topic, payload in (
            (bridge, b'{"state":"online"}'), (own, b'{"state":"offline"}'), (bridge, b'{"state":"online"}'),
            (own, b'{"state":"online"}'), (bridge, b'{"state":"offline"}'), (own, b"online"), (own, b"whatever"),
        )
    ]  # fmt: skip

    assert {bridge, own} <= set(meter.topics)
    assert [[one.online for one in events if isinstance(one, Presence)] for events in said] == [
        [True], [False], [False], [True], [False], [], [],
    ]  # fmt: skip


def test_who_is_named_for_a_register_is_it_alone() -> None:
    settings = {
        "dialect": "home_assistant",
        "name": "zigbee2mqtt_0x01",
        "registers": ALL,
        "fields": {"import_wh": "in"},
    }
    meter = drivers.create("mqtt_meters", settings)
    for topic, payload in (config("in", "energy", **ENERGY), config("today", "energy_today", **ENERGY)):
        meter.feed(topic, payload, 0.0)

    assert measured(meter.feed("zigbee2mqtt/plug", b'{"energy":10.5,"energy_today":0.2}', 1.0)) == {
        "import_wh": Decimal(10500)
    }


@pytest.mark.parametrize(
    ("unit", "wh"), [("KWh", 12300), ("kwh", 12300), ("WH", Decimal("12.3")), ("GWh", 12_300_000_000)]
)
def test_a_unit_is_read_however_it_is_written(unit: str, wh: Decimal) -> None:
    meter = drivers.create("mqtt_meters", {"dialect": "home_assistant", "name": "zigbee2mqtt_0x01", "registers": ALL})
    meter.feed(*config("in", "energy", **{**ENERGY, "unit_of_measurement": unit}), 0.0)

    assert measured(meter.feed("zigbee2mqtt/plug", b'{"energy":12.3}', 1.0)) == {"import_wh": wh}


def test_an_energy_that_nobody_gave_a_unit_is_no_reading() -> None:
    meter = drivers.create("mqtt_meters", {"dialect": "home_assistant", "name": "zigbee2mqtt_0x01", "registers": ALL})
    told = meter.feed(*config("in", "energy", device_class="energy", state_class="total"), 0.0)

    assert [one.event for one in told if isinstance(one, DeviceFault)] == ["unit_unknown"]
    assert measured(meter.feed("zigbee2mqtt/plug", b'{"energy":12.3}', 1.0)) == {}


def test_one_message_can_describe_a_whole_device() -> None:
    payload = (
        b'{"dev":{"ids":["x1"]},"cmps":{"e":{"p":"sensor","uniq_id":"e1","dev_cla":"energy","val_tpl":"{{value_json.e}}"},'
        b'"p":{"p":"sensor","uniq_id":"p1","stat_t":"x/p"}},"stat_t":"x/state"}'
    )

    assert [(one.unique_id, one.state_topic, one.path, one.device) for one in described(payload)] == [
        ("e1", "x/state", "e", ("x1",)), ("p1", "x/p", "", ("x1",)),
    ]  # fmt: skip


def test_shelly_notifies_of_what_changed_and_the_rest_stays() -> None:
    meter = drivers.create("mqtt_meters", {"dialect": "shelly", "name": "s", "registers": ALL})
    meter.feed("s/status/em:0", b'{"id":0,"a_act_power":100.0,"b_act_power":20.0,"c_act_power":3.5}', 0.0)
    said = b'{"src":"s","method":"NotifyStatus","params":{"ts":1707326934.25,"em:0":{"id":0,"b_act_power":30.0}}}'

    events = meter.feed("s/events/rpc", said, 1.0)

    assert measured(events) == {"power_l2": Decimal(30), "power": Decimal("133.5")}
    assert {one.at for one in events if isinstance(one, Measured)} == {1_707_326_934_250}


def test_a_total_that_counts_from_another_day_was_reset() -> None:
    plug = device(FRAMES["mq-tasmota-1"])
    feed(plug, FRAMES["mq-tasmota-1"])

    events = plug.feed("tele/pow1/SENSOR", b'{"Time":"x","ENERGY":{"TotalStartTime":"2026-01-01","Total":0.0}}', 9.0)

    assert [one.event for one in events if isinstance(one, DeviceFault)] == ["register_reset"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=200), dialect=st.sampled_from(sorted(set(DIALECTS.values()))))
def test_no_payload_on_any_topic_makes_a_driver_raise(data: bytes, dialect: str) -> None:
    driver = drivers.create("mqtt_meters", {"dialect": dialect, "name": "n"})

    for topic in (*driver.topics, "homeassistant/sensor/a/b/config"):
        driver.feed(topic, data, 0.0)


# At a broker


def plugs() -> dict[str, dict[str, Any]]:
    return {name: {"dialect": name, "name": f"plug {name}"} for name in ("tasmota", "shelly", "zigbee2mqtt", "esphome")}


def attach_all(site: Behind, watts: int = 36_000) -> None:
    for name, one in plugs().items():
        twin = MqttPlug(name, one["name"], start_wh=5000, now=site.clock.line(), world_ms=world)
        twin.set_load_w(watts, site.clock.line())
        site.attach(name, twin)


def world(now: float) -> int:
    return MORNING + round(now * 1000)


@pytest.mark.parametrize("plan", [MqttPlan(), MqttPlan(double=0.5)])
def test_four_dialects_at_one_broker_are_recorded_once_each(tmp_path: Path, plan: MqttPlan) -> None:
    async def play(site: Behind) -> None:
        attach_all(site)
        await site.clock.sleep(95)

        for name in plugs():
            readings = await site.readings(name)
            assert [one.value * 10**one.scale for one in readings] == [5000 + 100 * n for n in range(1, 10)], name
            assert {one.unit for one in readings} == {"Wh"}

    behind_a_broker(tmp_path, plugs(), play, plan=plan)


def test_a_plug_that_tells_often_is_recorded_on_the_grid(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        attach_all(site)
        await site.clock.sleep(185)

        assert len(await site.readings("tasmota")) == 4

    behind_a_broker(tmp_path, {"tasmota": {**plugs()["tasmota"], "registers": {"import_wh": 60}}}, play)


def test_what_zigbee_remembers_at_its_start_is_no_new_reading(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        attach_all(site)
        await site.clock.sleep(15)
        site.broker.drop(site.clients["zigbee2mqtt"])
        await site.clock.sleep(2)
        site.broker.connect(site.clients["zigbee2mqtt"])
        await site.clock.sleep(2)

        assert len(await site.readings("zigbee2mqtt")) == 1
        assert await site.events() == ["offline", "online"]

    behind_a_broker(tmp_path, {"zigbee2mqtt": plugs()["zigbee2mqtt"]}, play)


def test_what_came_while_we_were_away_has_the_devices_time_where_it_tells_one(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        attach_all(site)
        await site.clock.sleep(12)
        site.broker.stop()
        site.broker.start()
        await site.clock.sleep(40)

        readings = await site.readings("shelly")
        assert [(one.t - MORNING) // 1000 for one in readings] == sorted(
            {(one.t - MORNING) // 1000 for one in readings}
        )
        assert all(one.q == ["device_time"] for one in readings)
        assert {tuple(one.q) for one in await site.readings("tasmota")} == {("received",)}

    behind_a_broker(tmp_path, plugs(), play)


@pytest.mark.parametrize("name", ["tasmota", "shelly", "zigbee2mqtt"])
def test_a_relay_is_turned_and_read_back(tmp_path: Path, name: str) -> None:
    async def play(site: Behind) -> None:
        attach_all(site)
        await site.clock.sleep(1)
        switch = site.session.meters[name].switch
        assert switch is not None

        await switch.turn(on=False)
        await site.clock.sleep(0.1)
        told = await switch.read_back()

        assert site.plugs[name].on is False
        assert name != "tasmota" or told == SwitchState(on=False, raw=b"OFF")

    behind_a_broker(tmp_path, plugs(), play)


def test_a_meter_found_by_its_description_is_listened_to_from_then_on(tmp_path: Path) -> None:
    async def play(site: Behind) -> None:
        site.broker.publish(FRAMES["mq-ha-2"]["topic"], FRAMES["mq-ha-2"]["json"].encode(), retain=True)
        await site.clock.sleep(2)
        site.broker.publish("shopgw/m01/state", b'{"energy_kwh": 12.345}')
        await site.clock.sleep(2)

        assert [(one.value, one.scale) for one in await site.readings()] == [(12_345, 0)]

    behind_a_broker(tmp_path, {"m01": {"dialect": "home_assistant", "name": "shopgw_m01"}}, play)
