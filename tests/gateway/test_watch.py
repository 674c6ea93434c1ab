"""The watch: a full disk is said within seconds and ends by itself; a hung loop is not fed."""

from __future__ import annotations

import socket
from pathlib import Path

from gateway.journal.store import Journal
from gateway.notify import Notifier
from gateway.ports import DeviceStatus, JournalFull
from tests.gateway.desk import new_cloud, pass_time, play, readings
from tests.gateway.test_app import a_gateway, events


async def fill(journal: Journal) -> None:
    """Until the quota is used up."""
    for start in range(0, 100_000, 100):
        try:
            await journal.append(readings(100, first=start))
        except JournalFull:
            return
    raise AssertionError("the journal was never full")


def test_a_full_journal_is_an_alarm_within_ten_seconds_and_ends_without_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        cloud = new_cloud()
        async with a_gateway(tmp_path, cloud, journal="quota_mb = 1\nkeep_days = 0") as gateway:
            assert gateway.journal is not None
            await fill(gateway.journal)
            await pass_time(10)
            assert [alarm.code for alarm in gateway.status().alarms] == ["journal_full"]

            stored = gateway.journal.stats().appended
            await pass_time(60)
            assert gateway.status().uplink.cosigned == stored

            cloud.backed_up = stored
            await pass_time(120)

            assert gateway.status().alarms == []
            assert len(await gateway.journal.append(readings(3))) == 3
            full = [event for event in await events(gateway) if event.event == "journal_full"]

        assert len(full) == 1
        assert int(str(full[0].data["seconds"])) >= 60

    play(main())


class Loop:
    """A session whose loop may stop moving."""

    name = "line-1"

    def __init__(self) -> None:
        self.progress = 0.0

    async def run(self) -> None:
        """Nothing."""

    def devices(self) -> list[DeviceStatus]:
        """None."""
        return []


def test_a_session_that_does_not_move_is_not_fed(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(str(tmp_path / "notify"))
            systemd.setblocking(False)
            notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"})
            async with a_gateway(tmp_path, new_cloud(), notifier=notifier) as gateway:
                session = Loop()
                session.progress = gateway.ports.clock.line()
                gateway.site.sessions.append(session)
                await pass_time(40)
                assert "WATCHDOG=1" in heard(systemd)

                await pass_time(60)
                heard(systemd)
                await pass_time(120)

                assert "WATCHDOG=1" not in heard(systemd)
                assert "session_stalled" in {alarm.code for alarm in gateway.status().alarms}

    play(main())


def heard(systemd: socket.socket) -> list[str]:
    """What came so far."""
    found: list[str] = []
    while True:
        try:
            found.append(systemd.recv(4096).decode())
        except BlockingIOError:
            return found
