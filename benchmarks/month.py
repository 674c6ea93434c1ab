"""What one gateway has to tell after some weeks without a network, laid into its journal before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway import entropy
from gateway.journal.store import Journal
from wire.records import Draw, Reading, Record, Refill

TOGETHER = 500
# 2026-10-02T00:13:20Z
BEGUN_MS = 1_790_900_000_000


def month(gateway: str, boot: str, count: int, every_ms: int = 1000) -> Iterator[Record]:
    """Records of a cabinet and a meter, one every so often: of ten one refill, three draws, six readings."""
    for number in range(count):
        said: dict[str, Any] = {
            "v": 1, "z": "", "ep": boot, "n": 0, "t": BEGUN_MS + number * every_ms, "ts": "S", "b": boot,
            "m": number * every_ms, "did": f"p/{number}",
        }  # fmt: skip
        if number % 10 == 0:
            yield Refill(**said, src=f"{gateway}-cab", slot="1", item="drill-8", qty=3)
        elif number % 10 < 4:
            yield Draw(
                **said, src=f"{gateway}-cab", slot="1", item="drill-8", asked=1, qty=1, outcome="confirmed",
                actuation="ok", confirmation="sensor",
            )  # fmt: skip
        else:
            yield Reading(**said, src=f"{gateway}-meter", register="import_wh", value=number, scale=0, unit="Wh")


def identity(gateway: str, number: int) -> tuple[str, str]:
    """The device and the ``did`` of the record with this number."""
    return f"{gateway}-{'cab' if number % 10 < 4 else 'meter'}", f"p/{number}"


def draws(count: int) -> int:
    """How many pieces were drawn in so many records."""
    return sum(0 < number % 10 < 4 for number in range(count % 10)) + count // 10 * 3


async def lay(path: Path, gateway: str, count: int, every_ms: int = 1000) -> None:
    """Puts so many records into the journal of this path, as the gateway itself would."""
    journal = await Journal.open(path, boot=entropy.boot_id(), salt=entropy.salt, demo=True)
    group: list[Record] = []
    for record in month(gateway, journal.boot, count, every_ms):
        group.append(record)
        if len(group) == TOGETHER:
            await journal.append(group)
            group = []
    await journal.append(group)
    await journal.close()
