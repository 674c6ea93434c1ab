"""Late answers of a Modbus meter: whatever comes when, no register is given another one's number."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from firmware_sim.bench import LineSpec
from firmware_sim.devices.twin import Transmit
from gateway.drivers.modbus_meter import MeterSettings, ModbusMeter
from gateway.drivers.modbus_profile import Profile, Register
from gateway.drivers.modbus_rtu import crc
from gateway.drivers.modbus_strays import STRAY_SECONDS, Strays
from tests.gateway.meter_site import MeterSite, on_a_line
from wire.records import Reading

REGISTERS = (10, 20, 30, 40, 50, 60)
PROFILE = 'model = "Late"\norder = "ABCD"\ntable = 3\ngap = 0\n' + "".join(
    f'[[register]]\nname = "r{at}"\naddress = {at}\ntype = "uint32"\nunit = "VA"\n' for at in REGISTERS
)


class Late:
    """A meter every register of which says which one it is; some answers are late, lost, or come behind others."""

    def __init__(self, unit: int, random: Random) -> None:
        self.unit, self.random, self.told = unit, random, Counter[str]()

    def receive(self, data: bytes, now: float) -> list[Transmit]:
        if len(data) != 8 or data[:2] != bytes((self.unit, 3)) or crc(data[:6]) != data[6:]:
            return []
        first, count = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
        words = b"".join((self.unit * 1000 + at).to_bytes(4, "big") for at in range(first, first + count, 2))
        body = bytes((self.unit, 3, 2 * count)) + words[: 2 * count]
        how = self.random.choices(("prompt", "late", "lost", "broken"), (70, 20, 5, 5))[0]
        self.told[how] += 1
        if how == "lost":
            return []
        late = self.random.uniform(0.1, 3.0) if how == "late" else 0.005
        answer = body + crc(body)
        return [Transmit(now + late, answer if how != "broken" else answer[:-2])]

    def due(self) -> float | None:
        return None

    def wake(self, now: float) -> list[Transmit]:
        return []

    def power_off(self, now: float) -> None:
        """Nothing is kept."""

    def power_on(self, now: float) -> None:
        """Nothing was kept."""


def test_no_late_answer_is_taken_for_another_registers(tmp_path: Path) -> None:
    (tmp_path / "late.toml").write_text(PROFILE)
    every = (0.5, 0.5, 0.7, 1.1, 0.3, 0.9)
    registers = ", ".join(f"r{at} = {each}" for at, each in zip(REGISTERS, every, strict=True))
    devices = "".join(
        f'[[lines.devices]]\nid = "meter-{unit}"\nkind = "modbus_meter"\nunit = {unit}\nprofile = "late"\n'
        f"registers = {{ {registers} }}\n"
        for unit in (1, 2)
    )
    toml = f'[gateway]\nprofiles = "{tmp_path}"\n[[lines]]\nname = "bus"\nport = "memory"\n{devices}'
    twins = [Late(unit, Random(unit)) for unit in (1, 2)]

    async def play(site: MeterSite) -> None:
        await site.clock.sleep(900)

        found = await site.records(Reading)
        wrong = [one for one in found if one.value != int(one.src[-1]) * 1000 + int(one.register[1:])]
        assert wrong == []
        assert len(found) > 500
        assert min(twins[0].told.values()) > 20

    on_a_line(tmp_path, toml, list(twins), play, spec=LineSpec(baud=38400))


def test_a_question_whose_length_is_under_way_is_asked_longer() -> None:
    strays = Strays()
    strays.gave_up(bytes.fromhex("01 03 00 1E 00 02"), 10.0)

    others, its_own = strays.count(3, 50, 2, 125, 10.1), strays.count(3, 30, 2, 125, 10.1)
    strays.gave_up(bytes.fromhex("01 03 00 32 00 02"), 10.2)

    assert (others, its_own) == (4, 2)
    assert [strays.count(3, first, 2, 125, 10.3) for first in (30, 50, 60)] == [4, 4, 4]
    assert strays.count(3, 60, 2, 125, 10.3 + STRAY_SECONDS) == 2


def test_the_driver_hears_of_a_question_that_was_asked_ahead_and_given_up() -> None:
    register = [Register(name=name, address=at, type="uint16", unit="V") for name, at in (("a", 0), ("b", 90))]
    profile = Profile(model="bench", order="ABCD", table=3, register=tuple(register), gap=0)
    meter = ModbusMeter(MeterSettings(registers={"a": 1, "b": 1}), profile)
    (first, second) = meter.wants

    meter.gave_up(bytes.fromhex("01 03 00 00 00 01"), 0.0)

    assert meter.request([second]).data[4:6] == b"\x00\x03"
    assert meter.request([first]).data[4:6] == b"\x00\x01"
