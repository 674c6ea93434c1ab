"""The gateway's journal and uplink in a process of their own, which says what it promises as soon as it promises it.

    python -m tests.reliability.journal_process FOLDER CLOUD EVENTS ROUND

``FOLDER/state/journal.db`` is the journal, ``CLOUD`` keeps what its cloud took (one hex body a line), EVENTS are
written, ROUND tells runs apart. Devices tell an event again until they hear "got it": events begin where the last
acknowledged one of an earlier run ended, so that ``did`` has work to do. Said on stdout, each line at once:
``open BOOT``, ``ack NUMBER EP N``, ``sent SIZE ROOT BODY`` (a checkpoint leaves the house), ``closed``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import httpx

from gateway import entropy
from gateway.clock import system_clock
from gateway.cloud_requests import Cloud, open_client
from gateway.journal.store import Journal
from gateway.uplink import Uplink
from tests.gateway.desk import IDENTITY, intent, new_cloud
from tests.gateway.fake_cloud import FakeCloud
from wire import batch
from wire.records import Draw, Reading, Record
from wire.seal import Checkpoint, split_note

TOGETHER = 3
EACH_SYNC = 12
LOOKS = 9000  # of 10 ms at least
BUG = os.environ.get("TALLY_SEEDED_BUG", "")


def say(line: str) -> None:
    """One line, in one write."""
    os.write(1, line.encode() + b"\n")


class Outside(httpx.AsyncBaseTransport):
    """The way to the cloud: what leaves the house is said before it leaves, what the cloud took is kept."""

    def __init__(self, cloud: FakeCloud, kept: Path) -> None:
        self._cloud, self._kept = cloud, kept

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            body = await request.aread()
            if request.headers.get("content-encoding") == "gzip":
                body = batch.inflate(body)
            point = Checkpoint.parse(split_note(batch.decode(body).note)[0])
            say(f"sent {point.size} {point.root.hex()} {body.hex()}")
            with self._kept.open("ab", buffering=0) as file:
                file.write(body.hex().encode() + b"\n")
        return await self._cloud.answer(request)


def cloud_of(kept: Path) -> FakeCloud:
    """The cloud as it was left: it takes again what it had taken. A line that was cut off was never taken."""
    cloud = new_cloud()
    data = kept.read_bytes() if kept.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        kept.write_bytes(whole)
    for line in whole.splitlines():
        cloud._take(bytes.fromhex(line.decode()), gzipped=False)
    return cloud


def event(number: int, boot: str) -> Record:
    """The device's event of this number: two in three are readings, one a draw."""
    if number % 3:
        return Reading(
            v=1, z="", src=f"meter-{number % 2}", ep=boot, n=0, t=1_793_000_000_000 + number, ts="S", b=boot, m=number,
            did=f"e/{number}", register="total_wh", value=number, scale=0, unit="Wh",
        )  # fmt: skip
    return Draw(
        v=1, z="", src="cab-1", ep=boot, n=0, t=1_793_000_000_000 + number, ts="S", b=boot, m=number,
        did=f"e/{number}", slot="7", item="gloves", asked=1, qty=1, outcome="confirmed", actuation="ok",
        confirmation="sensor",
    )  # fmt: skip


async def tell(journal: Journal, numbers: range) -> None:
    """Some events in one append, and what the devices hear."""
    records = [event(number, journal.boot) for number in numbers]
    if BUG == "ack before sync":
        for number in numbers:
            say(f"ack {number} - 0")
        await journal.append(records)
        return
    for number, key in zip(numbers, await journal.append(records), strict=True):
        say(f"ack {number} {key.ep} {key.n}")


async def work(folder: Path, kept: Path, numbers: range) -> None:
    """One life of the process."""
    journal = await Journal.open(
        folder / "state" / "journal.db", boot=entropy.boot_id(), salt=entropy.salt, demo=True
    )  # fmt: skip
    say(f"open {journal.boot}")
    if BUG == "synchronous off":
        await journal.change(lambda db: db.execute("PRAGMA synchronous=OFF").fetchall())
    cloud = cloud_of(kept)
    client = open_client("http://cloud.test", transport=Outside(cloud, kept))
    uplink = Uplink(journal, IDENTITY, Cloud(client, IDENTITY), system_clock(journal.boot), lambda: 0.5)
    task = asyncio.create_task(uplink.run())
    first = numbers.start
    while first < numbers.stop:
        count = 1 + first % TOGETHER
        await tell(journal, range(first, min(first + count, numbers.stop)))
        first += count
        if first // EACH_SYNC != (first - count) // EACH_SYNC:
            (key,) = await journal.append([intent(journal.boot)])
            await journal.mark_commanded(key)
            await all_cosigned(journal, uplink)
    await all_cosigned(journal, uplink)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.aclose()
    await journal.close()
    say("closed")


async def all_cosigned(journal: Journal, uplink: Uplink) -> None:
    """Waits until the cloud has everything; raises RuntimeError when it never does."""
    newest = 0
    for _ in range(LOOKS):
        newest = await journal.read(lambda db: db.execute("SELECT count(*) FROM records").fetchone()[0])
        if uplink.status().cosigned >= newest:
            return
        journal.grown.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
    raise RuntimeError(f"the cloud has {uplink.status().cosigned} of {newest} records: {uplink.status()}")


def main(words: list[str]) -> None:
    """The command."""
    folder, kept, first, count = words
    asyncio.run(work(Path(folder), Path(kept), range(int(first), int(first) + int(count))))


if __name__ == "__main__":
    main(sys.argv[1:])
