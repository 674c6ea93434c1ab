"""The configuration: every mistake is named, with its place, at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config_file import ConfigError, check_lines, load, parse

METER = '[[lines]]\nname = "a"\nport = "/dev/a"\ndevices = [{ id = "m-1", kind = "modbus_meter", unit = 2 }]\n'


def mistakes(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return dict(caught.value.errors)


def test_an_empty_file_is_a_gateway_with_defaults() -> None:
    config = parse("")

    assert config.journal_path == Path("/var/lib/tallystick/journal.db")
    assert config.lines == ()


def test_devices_are_found_with_their_lines() -> None:
    config = parse(METER)

    ((line, device),) = config.devices()
    assert (line, device.id, device.kind, device.settings) == ("a", "m-1", "modbus_meter", {"unit": 2})


def test_an_unknown_key_is_an_error_with_a_suggestion() -> None:
    assert mistakes("[journal]\nquotamb = 5") == {"journal.quotamb": "there is no such key; did you mean 'quota_mb'?"}
    assert "known here: " in mistakes("[journal]\nxyzzy = 5")["journal.xyzzy"]


def test_a_device_setting_is_checked_by_its_driver() -> None:
    found = mistakes(METER.replace("unit = 2", "unitt = 2, unit = 2"))

    assert found == {"lines[0].devices[0].unitt": "there is no such key; did you mean 'unit'?"}


def test_an_unknown_kind_is_an_error_with_those_there_are() -> None:
    (text,) = mistakes(METER.replace("modbus_meter", "modbus_metre")).values()

    assert "did you mean 'modbus_meter'?" in text


def test_a_serial_device_does_not_belong_to_a_broker() -> None:
    text = '[[brokers]]\nname = "b"\nhost = "h"\ndevices = [{ id = "m-1", kind = "modbus_meter", unit = 2 }]'

    assert mistakes(text) == {"brokers[0].devices[0].kind": "modbus_meter is a device on serial, and this is mqtt"}


def test_all_mistakes_come_at_once() -> None:
    found = mistakes('[gateway]\nnam = "x"\n[web]\nport = 99999\n' + METER.replace("unit = 2", 'unit = "two"'))

    assert set(found) == {"gateway.nam", "web.port", "lines[0].devices[0].unit"}


def test_two_devices_cannot_have_one_id() -> None:
    found = mistakes(METER + METER.replace('"a"', '"b"').replace("/dev/a", "/dev/b"))

    assert found == {"": "the device id 'm-1' is used twice; each must have its own"}


def test_two_devices_that_cannot_share_a_line_are_both_named() -> None:
    found = mistakes(METER.replace("unit = 2 }", 'unit = 2 }, { id = "dust", kind = "pms5003" }'))

    assert set(found) == {"lines[0].devices[1]"}
    assert "'dust' (pms5003) and 'm-1' (modbus_meter) cannot share a line" in found["lines[0].devices[1]"]


def test_a_lock_board_and_a_meter_may_share_a_line() -> None:
    config = parse(METER.replace("unit = 2 }", 'unit = 2 }, { id = "locks", kind = "lock_8a" }'))

    assert len(config.devices()) == 2


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[journal]\nkeep_days = 30", "journal"),
        ("[clock]\nscale = 60", "clock"),
        ('[cloud]\nurl = "cloud.example"', "cloud.url"),
        ('[[lines]]\nname = "a b"\nport = "x"', "lines[0].name"),
        ("[gateway\n", ""),
    ],
)
def test_what_cannot_be_is_refused(text: str, place: str) -> None:
    assert set(mistakes(text)) == {place}


def test_a_demo_may_keep_less_and_run_faster() -> None:
    config = parse('[journal]\nkeep_days = 0\ndemo = true\n[clock]\nscale = 60\norigin = "2026-11-02T06:00:00Z"')

    assert config.clock.origin_ms == 1_793_599_200_000
    assert config.journal.keep_days == 0


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tally-gateway init"):
        load(tmp_path / "gateway.toml")


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    config = parse(f'[[brokers]]\nname = "b"\nhost = "h"\npassword_file = "{tmp_path / "secret"}"')

    assert config.brokers[0].link.password == "s3cret"


ONE_MACHINE = """
[[lines]]
name = "audit"
port = "a"
devices = [{{ id = "dts-1", kind = "evadts" {audit} }}]
[[lines]]
name = "bus"
port = "b"
baud = 115200
devices = [{{ id = "mdb-1", kind = "mdb_adapter" {adapter} }}]
"""


def test_an_audit_and_an_adapter_of_one_machine_do_not_both_bill() -> None:
    with pytest.raises(ConfigError, match="would both bill what leaves one machine"):
        parse(ONE_MACHINE.format(audit="", adapter=', machine = "left"'))


@pytest.mark.parametrize(("audit", "adapter"), [(", bills = false", ""), (', machine = "left"', ', machine = "right"')])
def test_one_that_only_counts_and_one_of_another_machine_may_stand_beside_an_adapter(audit: str, adapter: str) -> None:
    config = parse(ONE_MACHINE.format(audit=audit, adapter=adapter))

    assert [device.id for _, device in config.devices()] == ["dts-1", "mdb-1"]


def test_a_meter_that_does_not_know_its_transformers_is_told_them() -> None:
    meter = (
        '[[lines]]\nname = "l"\nport = "p"\ndevices = [{ id = "m", kind = "modbus_meter", profile = "acrel_adl"%s }]'
    )

    with pytest.raises(ConfigError, match=r"devices\[0\].pt: this model counts behind transformers"):
        parse(meter % ", ct = 40")

    assert len(list(parse(meter % ", ct = 40, pt = 1").devices())) == 1


FAN = METER.replace(
    "unit = 2 }", 'unit = 2 }, { id = "fan", kind = "modbus_unit", unit = 3, at = 0, levels = [0, 1, 2] }'
)
FOLLOWS = """[[controls]]
unit = "fan"
air = { device = "m-1", metric = "pm25" }
steps = [{ above = 35, level = 1 }]
"""


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ('hours = [{ from = "08:00Z", to = "18:00Z" }]', "controls[0].hours[0].from", "without a time zone"),
        ("hours = [{ from = 8, to = 18 }]", "controls[0].hours[0].from", 'as "08:00"'),
        ("outside_level = 3", "controls[0]", "knows the levels 0 to 2, and level 3 is asked of it"),
    ],
)
def test_a_rule_that_would_fail_later_is_refused_at_once(line: str, place: str, said: str) -> None:
    assert said in mistakes(FAN + FOLLOWS + line)[place]


def test_hours_may_be_written_as_text_or_as_a_time_of_toml() -> None:
    (one, two) = (
        parse(FAN + FOLLOWS + 'hours = [{ from = "08:00", to = 18:00:00 }, { from = 22:00:00, to = "06:00" }]')
        .controls[0]
        .hours
    )

    assert (one.begin.hour, one.end.hour, two.begin.hour, two.end.hour) == (8, 18, 22, 6)


def test_a_node_without_a_relay_cannot_be_controlled() -> None:
    device = '{ id = "node", kind = "sparkplug_b", group = "g", node = "n" }'
    broker = f'[[brokers]]\nname = "b"\nhost = "h"\ndevices = [{device}]\n'

    found = mistakes(broker + '[[controls]]\nunit = "node"\n')

    assert "cannot be switched" in found["controls[0].unit"]


def test_the_wizard_hears_of_strangers_also_where_a_rule_has_hours() -> None:
    config = parse(FAN + FOLLOWS + 'hours = [{ from = "08:00", to = "18:00" }]')
    devices = [{"id": "dust", "kind": "pms5003"}, {"id": "m-9", "kind": "modbus_meter", "unit": 2}]

    with pytest.raises(ConfigError, match="cannot share a line"):
        check_lines(config, [], [{"name": "c", "port": "/dev/c", "devices": devices}])


def on_one_line(*devices: str) -> str:
    listed = ", ".join(f'{{ id = "d-{number}", {one} }}' for number, one in enumerate(devices, 1))
    return f'[[lines]]\nname = "a"\nport = "/dev/a"\ndevices = [{listed}]\n'


METER_3 = 'kind = "modbus_meter", unit = 3'
WATT = 'kind = "dlt645", address = "000000000001"'


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (METER_3, METER_3, "both are asked the same (unit = 3)"),
        ('kind = "modbus_meter"', 'kind = "modbus_meter", unit = 1, every = 60', "both are asked the same (unit = 1)"),
        ('kind = "mhz19b"', 'kind = "mhz19b"', "a mhz19b has no address"),
        ('kind = "iec62056", address = "1"', 'kind = "iec62056", mode = "push"', "a iec62056 talks unasked"),
        (WATT, 'kind = "dlt645"', 'everybody on the line answers to address = "AAAAAAAAAAAA"'),
        ('kind = "mbus", address = 3', 'kind = "mbus"', "everybody on the line answers to address = 254"),
        (METER_3, WATT, "they speak modbus and dlt645"),
    ],
)
def test_two_that_could_be_taken_for_each_other_are_refused(one: str, other: str, said: str) -> None:
    found = mistakes(on_one_line(one, other))

    assert said in found["lines[0].devices[1]"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (METER_3, 'kind = "modbus_unit", unit = 4, at = 0'),
        (METER_3, 'kind = "modbus_meter", unit = 3, profile = "sdm120"'),
        (METER_3, 'kind = "fan_coil", unit = 3, flow = 8'),
        ('kind = "fan_coil", unit = 5, flow = 8', 'kind = "fan_coil", unit = 5, high = 4, mid = 5, low = 6, flow = 8'),
        (WATT, WATT.replace("1", "2")),
        ('kind = "mbus", secondary = "12345678"', 'kind = "mbus", secondary = "87654321"'),
    ],
)
def test_two_that_are_asked_apart_share_a_line(one: str, other: str) -> None:
    assert len(parse(on_one_line(one, other)).devices()) == 2
