"""From a written configuration to sessions: every family that answers in telegrams, and both ways of a broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway import config_file
from gateway.clock import system_clock
from gateway.journal.store import Journal
from gateway.ports import Ports
from gateway.premises import Premises
from gateway.shelf import Shelf
from gateway.wiring import wire_up
from tests.gateway.site import Told, desired, no_broker, no_line

WRITTEN = """
[gateway]
state = "{state}"

[[lines]]
name = "dl"
port = "/dev/null0"
baud = 2400
parity = "E"
devices = [{{ id = "relay", kind = "dlt645", address = "151230011061", set_time = true }}]

[[lines]]
name = "heat"
port = "/dev/null1"
baud = 2400
parity = "E"
devices = [{{ id = "valve", kind = "cjt188", first = "cooling" }}]

[[lines]]
name = "bus"
port = "/dev/null2"
baud = 2400
parity = "E"
devices = [
  {{ id = "b1", kind = "mbus", secondary = "06855817", registers = {{ energy = 0, cool = 0 }}, \
pick = {{ cool = {{ quantity = "energy", tariff = 1 }} }} }},
  {{ id = "b2", kind = "mbus", address = 3 }},
]

[[lines]]
name = "head"
port = "/dev/null3"
baud = 300
bytesize = 7
parity = "E"
devices = [{{ id = "i1", kind = "iec62056" }}]

[[brokers]]
name = "broker"
host = "127.0.0.1"
sparkplug = {{ group = "g", node = "n" }}
devices = [
  {{ id = "plug", kind = "mqtt_meters", dialect = "tasmota", name = "pow1" }},
  {{ id = "far", kind = "sparkplug_b", group = "g", node = "x", device = "d" }},
  {{ id = "cab", kind = "mqtt_cabinet", cabinet = "cab-7" }},
]
"""


def test_a_configuration_becomes_sessions_cabinets_and_switches(tmp_path: Path) -> None:
    written = tmp_path / "gateway.toml"
    written.write_text(WRITTEN.format(state=tmp_path))

    async def main() -> None:
        clock = system_clock("a" * 16)
        journal = await Journal.open(tmp_path / "journal.db", boot=clock.boot, salt=lambda: "0" * 32, demo=True)
        ports = Ports(clock, lambda: "", no_line, no_broker)
        site = wire_up(config_file.load(written), ports, Premises(clock, journal, Told(desired()), Shelf()))
        await journal.close()

        names = ["dl clocks", "dl", "heat", "bus", "head", "broker sparkplug", "broker"]
        assert [session.name for session in site.sessions] == names
        assert list(site.cabinets) == ["cab"]
        assert sorted(site.switches) == ["plug", "relay", "valve"]
        assert {one.device for one in site.sessions[-1].devices()} == {"plug", "far", "cab"}

    asyncio.run(main())
