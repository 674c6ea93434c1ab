"""A meter nobody here has heard of: one TOML file in a folder of one's own, no Python. And what bad lines do to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_sim.bench import LineSpec
from firmware_sim.devices.modbus_meter import ModbusMeter, RegisterDump
from firmware_sim.faults import LinePlan
from gateway import config_file
from tests.gateway.meter_site import MeterSite, on_a_line
from wire.records import DeviceEvent, Reading

PAGE = Path(__file__).parents[2] / "docs" / "protocols" / "add-a-meter.md"


def of_the_page(kind: str, number: int = 0) -> str:
    """A block of the page that shows newcomers how it is done."""
    return PAGE.read_text("utf-8").split(f"```{kind}\n")[1 + number].split("```")[0]


def gateway_toml(folder: Path, **device: object) -> str:
    settings = "\n".join(f"{key} = {value!r}".replace("'", '"') for key, value in device.items())
    return f"""
[gateway]
profiles = "{folder}"
[[lines]]
name = "bus"
port = "memory"
[[lines.devices]]
id = "meter-7"
kind = "modbus_meter"
{settings}
"""


def test_the_profile_of_the_page_reads_a_meter_of_that_map(tmp_path: Path) -> None:
    (tmp_path / "hiking_dds238.toml").write_text(of_the_page("toml"))
    words = {(3, at): 0 for at in range(0x12)} | {(3, 0x0A): 0x0012, (3, 0x0B): 0xD687, (3, 0x0C): 2305}
    words |= {(3, 0x0E): 0xFF9C, (3, 0x11): 4998}
    toml = gateway_toml(tmp_path, profile="hiking_dds238", unit=3, every=60, registers=["import_wh", "power"])
    toml = toml.replace('["import_wh", "power"]', "{ import_wh = 0, power = 0 }")

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(130)

        assert set(await site.readings("import_wh")) == {1_234_567}
        assert set(await site.readings("power")) == {-100}
        assert {one.unit for one in await site.records(Reading)} == {"Wh", "W"}
        assert len(await site.readings("import_wh")) >= 3

    on_a_line(tmp_path, toml, [RegisterDump(words, address=3)], play)


def test_the_configuration_of_the_page_is_one(tmp_path: Path) -> None:
    (tmp_path / "hiking_dds238.toml").write_text(of_the_page("toml"))

    config = config_file.parse(of_the_page("toml", 1).replace("/etc/tallystick/profiles", str(tmp_path)))

    assert [device.id for _, device in config.devices()] == ["meter-7"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(config_file.ConfigError, match=r"gateway\.profiles: there is no folder"):
        config_file.parse(gateway_toml(tmp_path / "nowhere", profile="sdm120"))


TROUBLE = LinePlan(noise=0.15, flip=0.05, cut=0.05, lose=0.05, late=0.05, split=0.3, echo=True)


@pytest.mark.parametrize("profile", ["dtsu666", "pzem004t", "acrel_ddsy1352", "sdm120"])
def test_on_a_bad_line_readings_are_right_or_missing(tmp_path: Path, profile: str) -> None:
    twin = ModbusMeter(profile, quantities={"export_wh": 90_000_000})
    shown: list[int] = []

    async def play(site: MeterSite) -> None:
        for _ in range(60):
            await site.clock.sleep(30)
            shown.append(int(twin.shows("import_wh", site.line.now)))

        found = await site.records(Reading)
        assert len(found) > 100
        readings = [one.value * 10**one.scale for one in found if one.register == "import_wh"]
        assert readings == sorted(readings)
        assert all(1_234_550 <= wh <= shown[-1] for wh in readings)
        volts = {one.value * 10 ** (2 + one.scale) // 10 for one in found if one.register == "voltage_l1"}
        assert volts <= {2300, 2301, 2302}
        assert site.line.faults.counts["flip"] > 3

    settings = {"profile": profile, "registers": "{ import_wh = 10, voltage_l1 = 15 }"}
    toml = gateway_toml(tmp_path, **settings).replace('"{', "{").replace('}"', "}")
    on_a_line(tmp_path, toml, [twin], play, plan=TROUBLE, seed=profile)


def test_a_silent_meter_is_told_once_and_back_once(tmp_path: Path) -> None:
    twin = ModbusMeter("sdm120")

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(60)
        site.line.cut_power(twin)
        await site.clock.sleep(120)
        site.line.restore_power(twin)
        await site.clock.sleep(60)

        told = [one.event for one in await site.records(DeviceEvent)]
        assert told == ["identified", "silent", "back"]

    on_a_line(tmp_path, gateway_toml(tmp_path, profile="sdm120", every=5), [twin], play, spec=LineSpec())


def test_air_over_modbus_becomes_windows(tmp_path: Path) -> None:
    twin = ModbusMeter("seven_in_one", address=21)

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(1500)

        dust, cold = (await site.windows("pm25")), (await site.windows("temperature"))
        assert [(one.mean, one.scale, one.unit, one.q) for one in dust] == [
            (350, -1, "ug/m3", ["warm_up"]),
            (350, -1, "ug/m3", []),
        ]
        assert (cold[1].mean, cold[1].scale, cold[1].unit, cold[1].coverage) == (-150, -2, "degC", 600)
        assert 400 <= dust[0].coverage <= 430

    on_a_line(tmp_path, gateway_toml(tmp_path, profile="seven_in_one", unit=21), [twin], play)
