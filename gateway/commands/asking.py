"""devices test: asks what is configured once, and shows what it says.

The surprise is that it runs the very session of the gateway, on a journal that forgets: what is shown is what would be
recorded, checks at the start included, and a port that the gateway owns is not shared.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.clock import system_clock
from gateway.commands import FINDINGS, FINE, CommandError, Outcome
from gateway.config import Line
from gateway.config_file import load
from gateway.entropy import boot_id, salt
from gateway.links.serial import SerialPort
from gateway.ports import Attempt, BrokerSettings, DeviceStatus, LinkDown, MqttLink, Ports
from gateway.session import SerialSession
from gateway.wiring import drivers_of
from wire.ids import RecordKey
from wire.records import DeviceEvent, Reading, Record

MOMENT = 1.0


class Shown:
    """A journal that is only looked at."""

    def __init__(self, devices: int) -> None:
        self.records: list[Record] = []
        self.enough = asyncio.Event()
        self._devices = devices

    async def append(self, records: Sequence[Record]) -> list[RecordKey]:
        """Keeps them in memory."""
        self.records += records
        if len({record.src for record in self.records}) >= self._devices:
            self.enough.set()
        return []

    async def mark_commanded(self, key: RecordKey) -> None:
        """Nothing is commanded in a test."""

    async def open_attempts(self) -> list[Attempt]:
        """None."""
        return []

    async def told(self, device: str, count: int) -> list[str]:  # noqa: ARG002 - nothing was
        """None."""
        return []

    async def said(self, device: str, count: int) -> list[Record]:  # noqa: ARG002 - nothing was
        """None."""
        return []


def test_devices(arguments: argparse.Namespace) -> Outcome:
    """Asks every configured serial device once and shows what it says; nothing is recorded, nothing is moved."""
    config = load(Path(arguments.config))
    chosen = [line for line in config.lines if not arguments.line or line.name == arguments.line]
    if not chosen:
        raise CommandError(f"No line {arguments.line!r}." if arguments.line else "No serial line is configured.")
    shown = [asyncio.run(_line_tested(line, config.gateway.profiles, arguments.seconds)) for line in chosen]
    document: list[dict[str, Any]] = []
    for statuses, records in shown:
        document += [_device_tested(status, records) for status in statuses]
    lines = [line for one in document for line in _spoken(one)]
    return Outcome(document, lines, FINE if all(one["answers"] for one in document) else FINDINGS)


async def _line_tested(line: Line, profiles: Path | None, seconds: float) -> tuple[list[DeviceStatus], list[Record]]:
    shown = Shown(len(line.devices))
    clock = system_clock(boot_id())
    ports = Ports(clock, salt, SerialPort, _no_broker)
    session = SerialSession(line.link, drivers_of(line, profiles), ports, shown)
    async with _running(session):
        # When each has said something, a moment more: the rest of its registers.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(shown.enough.wait(), seconds)
            await asyncio.sleep(MOMENT)
        statuses = session.devices()
    return statuses, shown.records


@asynccontextmanager
async def _running(session: SerialSession) -> AsyncIterator[None]:
    task = asyncio.create_task(session.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _device_tested(status: DeviceStatus, records: Sequence[Record]) -> dict[str, Any]:
    mine = [record for record in records if record.src == status.device]
    readings = {one.register: f"{_plain(one)} {one.unit}" for one in mine if isinstance(one, Reading)}
    events = [{"event": one.event, **one.data} for one in mine if isinstance(one, DeviceEvent)]
    return {
        "device": status.device, "kind": status.kind, "line": status.line, "answers": bool(status.answered),
        "detail": status.detail, "readings": readings, "events": events,
    }  # fmt: skip


def _plain(one: Reading) -> str:
    digits = str(abs(one.value))
    if one.scale < 0:
        digits = digits.rjust(1 - one.scale, "0")
        digits = f"{digits[: one.scale]}.{digits[one.scale :]}"
    zeros = max(one.scale, 0) if one.value else 0
    return ("-" if one.value < 0 else "") + digits + "0" * zeros


def _spoken(one: dict[str, Any]) -> Iterator[str]:
    verdict = "answers" if one["answers"] else f"does not answer {one['detail']}".rstrip()
    yield f"{one['device']} ({one['kind']}, line {one['line']}): {verdict}"
    yield from (f"    {register} = {value}" for register, value in one["readings"].items())
    for event in one["events"]:
        facts = ", ".join(f"{key} {value}" for key, value in event.items() if key != "event")
        yield f"    {event['event']}{': ' + facts if facts else ''}"


def _no_broker(settings: BrokerSettings) -> MqttLink:
    raise LinkDown(f"{settings.name} is not asked here")
