"""From the configuration to cabinets: each kind of board makes the one that can serve it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from firmware_sim.virtual_time import run
from gateway.board_cabinets import MixedCabinet
from gateway.clock import system_clock
from gateway.coil_cabinet import CoilCabinet
from gateway.config_file import ConfigError, parse
from gateway.lock_cabinet import LockCabinet
from gateway.ports import Journal, Ports
from gateway.premises import Premises
from gateway.shelf import Shelf
from gateway.vmc_cabinet import VmcCabinet
from gateway.wiring import cabinet_ids, wire_up
from gateway.zdm_cabinet import ZdmCabinet
from tests.gateway.site import Told, desired, no_broker, no_line

SITE = """
[[lines]]
name = "{kind}"
port = "/dev/{kind}"
devices = [{{ id = "cab", kind = "{kind}"{more} }}]
"""


@pytest.mark.parametrize(
    ("kind", "more", "made"),
    [
        ("coil_vmc", "", VmcCabinet),
        ("coil_tcn", "", CoilCabinet),
        ("motor_zdm8", "", ZdmCabinet),
        ("lock_8a", "", LockCabinet),
        ("lock_kerong", "", LockCabinet),
        ("lock_wkly", ", motors = [5]", MixedCabinet),
    ],
)
def test_each_board_makes_its_cabinet(kind: str, more: str, made: type[object]) -> None:
    config = parse(SITE.format(kind=kind, more=more))

    async def wired() -> object:
        ports = Ports(system_clock("b" * 16), lambda: "", no_line, no_broker)
        premises = Premises(ports.clock, cast("Journal", None), Told(desired()), Shelf())
        return wire_up(config, ports, premises).cabinets["cab"]

    assert type(run(wired())) is made
    assert cabinet_ids(config) == ["cab"]


def test_boards_of_one_kind_that_talk_may_share_a_line_and_other_kinds_may_not(tmp_path: Path) -> None:
    one, two = '{ id = "a", kind = "lock_wkly" }', '{ id = "b", kind = "lock_wkly", board = 1 }'
    line = '[[lines]]\nname = "line"\nport = "/dev/x"\ndevices = [{0}, {1}]\n'

    parse(line.replace("{0}", one).replace("{1}", two))

    with pytest.raises(ConfigError, match="talks unasked"):
        parse(line.replace("{0}", one).replace("{1}", '{ id = "b", kind = "lock_kerong" }'), tmp_path)
