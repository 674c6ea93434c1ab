"""From a configuration to cabinets that count: bins, readers, machines and adapters, and the locks before them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.clock import system_clock
from gateway.config_file import ConfigError, parse
from gateway.conversation import ConversationSession
from gateway.door import Door
from gateway.lock_cabinet import LockCabinet
from gateway.ports import Ports
from gateway.premises import Premises
from gateway.shelf import Shelf
from gateway.wiring import cabinet_ids, wire_up
from tests.gateway.site import Told, desired, no_broker, no_line

CONFIG = """
[[lines]]
name = "bus"
port = "/dev/bus"
devices = [{ id = "locks", kind = "lock_8a" }]
[[lines]]
name = "scales"
port = "/dev/scales"
devices = [
    { id = "bin", kind = "weigh_bin", unit = 3, piece_mg = 12350, door = "locks/3" },
    { id = "meter", kind = "modbus_meter", unit = 4 },
]
[[lines]]
name = "reader"
port = "/dev/reader"
baud = 115200
devices = [{ id = "tags", kind = "uhf_r200", door = "locks/4", tags = { "E280" = "1" } }]
[[lines]]
name = "machine"
port = "/dev/machine"
devices = [{ id = "audit", kind = "evadts", machine = "coffee" }]
[[lines]]
name = "mdb"
port = "/dev/mdb"
echo = true
devices = [{ id = "snacks", kind = "mdb_adapter", role = "vmc", door = "locks/5", machine = "snacks" }]
"""


def test_each_has_its_session_its_cabinet_and_its_door(tmp_path: Path) -> None:
    config = parse(CONFIG, tmp_path / "gateway.toml")
    clock = system_clock("00000000000000ab")
    ports = Ports(clock, lambda: "", no_line, no_broker)

    site = wire_up(config, ports, Premises(clock, Nothing(), Told(desired()), Shelf()))

    assert set(site.cabinets) == set(cabinet_ids(config)) == {"locks", "bin", "tags", "audit", "snacks"}
    assert [type(session) is ConversationSession for session in site.sessions] == [False, False, True, True, True]
    doors: dict[str, Any] = {name: getattr(cabinet, "door", None) for name, cabinet in site.cabinets.items()}
    assert {name: door.slot for name, door in doors.items() if isinstance(door, Door)} == {
        "bin": "3", "tags": "4", "snacks": "5",
    }  # fmt: skip
    assert isinstance(doors["bin"].cabinet, LockCabinet)
    assert [one.device for session in site.sessions for one in session.devices()] == [
        "locks", "bin", "meter", "tags", "audit", "snacks",
    ]  # fmt: skip


def test_what_must_be_alone_says_so_and_a_door_must_exist(tmp_path: Path) -> None:
    wrong = CONFIG.replace('{ id = "audit"', '{ id = "other", kind = "lock_8a" }, { id = "audit"')
    wrong = wrong.replace("locks/4", "nobody/4")

    with pytest.raises(ConfigError) as caught:
        parse(wrong, tmp_path / "gateway.toml")

    assert "talks unasked" in str(caught.value)
    assert "no lock is called 'nobody'" in str(caught.value)


class Nothing:
    """A journal that nobody asks."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)
