"""A whole gateway in virtual time, with a cloud written from the wire and no wires."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_sim.virtual_time import VirtualTimeLoop
from gateway.app import Gateway, create_gateway
from gateway.clock import Clock
from gateway.config_file import parse
from gateway.notify import Notifier
from gateway.ports import BrokerSettings, MqttLink, Ports, SerialLink, SerialSettings, UnknownCabinetError
from tests.gateway.desk import IDENTITY, START, new_cloud, pass_time, play
from tests.gateway.fake_cloud import FakeCloud, unreachable
from wire.records import GatewayEvent, decode

SECOND_BOOT = "c" * 16


@dataclass
class Wall:
    """A wall clock that somebody may set."""

    offset: int = 0
    synchronised: bool = True


def no_serial(settings: SerialSettings) -> SerialLink:
    raise AssertionError(settings)


def no_mqtt(settings: BrokerSettings) -> MqttLink:
    raise AssertionError(settings)


@asynccontextmanager
async def a_gateway(
    folder: Path,
    cloud: FakeCloud,
    boot: str = "b" * 16,
    wall: Wall | None = None,
    *,
    enrolled: bool = True,
    journal: str = "",
    notifier: Notifier | None = None,
) -> AsyncIterator[Gateway]:
    """A gateway at work, stopped as SIGTERM would."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    hand = wall or Wall()
    clock = Clock(
        boot,
        wall=lambda: START + hand.offset + int(loop.time() * 1000),
        line=loop.time,
        synchronised=lambda: hand.synchronised,
    )
    salts = (f"{number:032x}" for number in itertools.count())
    config = parse(
        f'[gateway]\nstate = "{folder}"\n[web]\nenabled = false\n[journal]\ndemo = true\nballast_mb = 0\n{journal}'
    )
    ports = Ports(clock, lambda: next(salts), no_serial, no_mqtt, cloud.transport)
    gateway = create_gateway(config, ports, IDENTITY if enrolled else None, notifier)
    unwatch = loop.watch(lambda: gateway.busy)
    task = asyncio.create_task(gateway.run())
    try:
        async with asyncio.timeout(60):
            await gateway.ready.wait()
        yield gateway
    finally:
        gateway.stop()
        await task
        unwatch()


async def events(gateway: Gateway) -> list[GatewayEvent]:
    assert gateway.journal is not None
    rows = await gateway.journal.read(lambda db: db.execute("SELECT leaf FROM records ORDER BY id").fetchall())
    return [record for record in (decode(row[0]) for row in rows) if isinstance(record, GatewayEvent)]


def test_the_first_record_of_a_boot_names_the_boot_before(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_gateway(tmp_path, cloud):
            await pass_time(5)
        async with a_gateway(tmp_path, cloud, SECOND_BOOT) as gateway:
            await pass_time(5)
            said = await events(gateway)

        first, second = [event for event in said if event.event == "boot"]
        assert (first.data["previous"], first.data["last"]) == ("", [])
        assert (second.data["previous"], second.data["last"]) == ("b" * 16, [["gw-1", 1]])
        assert (second.n, second.data["clock"]) == (1, "S")

    play(main())


def test_a_gateway_without_network_is_ready_and_says_what_is_wrong(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.before = unreachable
        async with a_gateway(tmp_path, cloud) as gateway:
            await pass_time(2000)
            status = gateway.status()

            assert status.pending == 1
            assert {alarm.code for alarm in status.alarms} == {"cloud_silent", "sync_late"}
            assert status.well

    play(main())


def test_a_gateway_that_is_not_enrolled_keeps_its_records(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_gateway(tmp_path, new_cloud(), enrolled=False) as gateway:
            await pass_time(5)

            assert [alarm.code for alarm in gateway.status().alarms] == ["not_enrolled"]
            assert [event.src for event in await events(gateway)] == ["gateway"]

    play(main())


def test_news_from_the_cloud_are_kept_and_work_without_it(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.want(badges=[{"badge": "B1", "person": "p1"}])
        async with a_gateway(tmp_path, cloud) as gateway:
            await pass_time(5)
            cloud.want(
                badges=[{"badge": "B2", "person": "p2", "groups": ["day"]}],
                planograms={"cab-1": {"slots": [{"slot": "1", "item_id": "gloves", "capacity": 9, "confirm": "door"}]}},
            )
            await pass_time(5)
            said = await events(gateway)
        cloud.before = unreachable
        async with a_gateway(tmp_path, cloud, SECOND_BOOT) as gateway:
            assert gateway.downlink is not None
            current = gateway.downlink.current
            await pass_time(100)
            age = gateway.downlink.age_seconds

        assert [event.data for event in said if event.event == "config_applied"] == [
            {"desired_version": 1},
            {"desired_version": 2},
        ]
        slot = current.planograms["cab-1"].find("1")
        assert slot is not None
        assert (list(current.badges), slot.item, slot.confirm) == (["B2"], "gloves", "door")
        assert age is not None
        assert 100 <= age <= 120

    play(main())


def test_switching_off_and_on_without_a_clock_makes_no_list_younger(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.want(badges=[{"badge": "B1", "person": "p1"}])
        async with a_gateway(tmp_path, cloud):
            await pass_time(5)
        cloud.before = unreachable
        ages = []
        for boot in ("c" * 16, "d" * 16):
            async with a_gateway(tmp_path, cloud, boot, Wall(synchronised=False)) as gateway:
                assert gateway.downlink is not None
                ages.append(gateway.downlink.age_seconds)
                await pass_time(2.5 * 3600)

        assert ages[0] is None
        assert 2 * 3600 <= (ages[1] or 0) <= 3 * 3600

    play(main())


@pytest.mark.parametrize("harm", ["body", "signature"])
def test_an_edited_list_lets_nobody_in(tmp_path: Path, harm: str) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.want(badges=[{"badge": "B1", "person": "p1"}])
        async with a_gateway(tmp_path, cloud):
            await pass_time(5)
        kept = (tmp_path / "desired.json").read_text()
        old, new = ("B1", "B9") if harm == "body" else ("tally=:", "tally=:A")
        (tmp_path / "desired.json").write_text(kept.replace(old, new))
        cloud.before = unreachable
        async with a_gateway(tmp_path, cloud, SECOND_BOOT) as gateway:
            assert gateway.downlink is not None
            assert gateway.downlink.current.version == 0

    play(main())


def test_a_list_for_another_gateway_is_not_taken(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        cloud.want(gateway_id="gw-2", badges=[{"badge": "B1", "person": "p1"}])
        async with a_gateway(tmp_path, cloud) as gateway:
            await pass_time(5)

            assert gateway.status().desired.version == 0
            assert "not for us" in gateway.status().desired.trouble

    play(main())


def test_a_clock_that_is_set_is_told_with_its_offset(tmp_path: Path) -> None:
    async def main() -> None:
        wall = Wall(offset=-3_600_000, synchronised=False)
        async with a_gateway(tmp_path, new_cloud(), wall=wall) as gateway:
            await pass_time(60)
            wall.offset, wall.synchronised = 0, True
            await pass_time(60)
            said = [event for event in await events(gateway) if event.event == "clock_set"]

        assert [event.data for event in said] == [{"offset_ms": 3_600_000, "clock": "S"}]
        assert said[0].ts == "S"

    play(main())


def test_a_steady_clock_is_not_reported(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_gateway(tmp_path, new_cloud()) as gateway:
            await pass_time(3600)

            assert [event.event for event in await events(gateway)] == ["boot"]

    play(main())


def test_a_damaged_journal_is_an_alarm_and_a_record(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"\x00" * 5000)

    async def main() -> None:
        async with a_gateway(tmp_path, new_cloud()) as gateway:
            await pass_time(5)

            assert not gateway.status().well
            assert [event.event for event in await events(gateway)] == ["boot", "journal_recovered"]

    play(main())


def test_the_metrics_say_what_the_status_says(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_gateway(tmp_path, new_cloud()) as gateway:
            await pass_time(5)
            lines = gateway.metrics().decode().splitlines()

        assert "tally_journal_records_total 1.0" in lines
        assert "tally_sync_cosigned_size 1.0" in lines
        assert "tally_sync_pending_records 0.0" in lines
        assert "tally_journal_ok 1.0" in lines

    play(main())


def test_an_unknown_cabinet_is_named_with_those_there_are(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_gateway(tmp_path, new_cloud()) as gateway:
            with pytest.raises(UnknownCabinetError, match="configured are: none"):
                await gateway.draw("cab-9", "B1", "1")

    play(main())
