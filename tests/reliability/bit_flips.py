"""One flipped bit anywhere in a journal's file, 500 times: every changed record is found, and none is ever billed.

    ./run python -m tests.reliability.bit_flips --flips 500

SQLite's own check does not notice most of them (measured: 127 of 165 harmful flips). After each flip the gateway opens
the file, looks through it as it does in the background, records one more event and syncs: what reaches the cloud must
be what was stored before, byte by byte.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.journal import check
from gateway.journal.store import Journal
from gateway.ports import NotStored
from tests.gateway.desk import a_journal, an_uplink, cosigned, new_cloud, pass_time, play, reading, readings
from tests.gateway.fake_cloud import FakeCloud
from tests.reliability.verdict import told
from wire.log import leaf_hash

RECORDS, COSIGNED = 240, 120
LATER = "d" * 16
PATIENCE = 20


@dataclass
class Result:
    """``changed``: flips that changed a stored record; ``found`` of them; ``harmless``: nothing to be seen anywhere."""

    flips: int = 0
    changed: int = 0
    found: int = 0
    salvaged: int = 0
    findings: list[str] = field(default_factory=list)


async def prepared(folder: Path) -> tuple[FakeCloud, set[bytes]]:
    """A journal, half of it cosigned; its cloud, and all its leaves."""
    cloud = new_cloud()
    async with a_journal(folder) as journal:
        await journal.append(readings(COSIGNED))
        async with an_uplink(journal, cloud) as uplink:
            await cosigned(uplink, COSIGNED)
        await journal.append(readings(RECORDS - COSIGNED, first=COSIGNED))
        leaves = await journal.read(lambda db: db.execute("SELECT leaf FROM records").fetchall())
    return cloud, {leaf for (leaf,) in leaves}


def flip(path: Path, chance: random.Random) -> int:
    """Turns one bit of the file; which one."""
    data = bytearray(path.read_bytes())
    bit = chance.randrange(len(data) * 8)
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)
    return bit


def changed_leaves(path: Path, truth: set[bytes]) -> list[bytes]:
    """Stored leaves that nobody ever stored, as far as SQLite still reads the file."""
    db = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        return [leaf for (leaf,) in db.execute("SELECT leaf FROM records") if leaf not in truth]
    except (sqlite3.Error, OverflowError, ValueError):
        return []
    finally:
        db.close()


async def look(folder: Path, cloud: FakeCloud) -> tuple[bool, bool]:
    """One life on the flipped file: whether damage was found, and whether the file was given up for a new one."""
    async with a_journal(folder, LATER) as journal:
        found = journal.opened.salvaged is not None
        with suppress(NotStored):
            damaged, _ = await journal.read(check.damaged_after, 0, 10 * RECORDS)
            found = found or bool(damaged)
        with suppress(NotStored):
            await journal.append([reading(9999, boot=LATER)])
        found = await synced(journal, cloud) or found
        return found, journal.opened.salvaged is not None


def _hash_anew(path: Path) -> None:
    """The seeded bug: as if no hash had been stored with each record."""
    db = sqlite3.connect(path, isolation_level=None)
    db.create_function("leaf_hash", 1, leaf_hash)
    with suppress(sqlite3.Error):
        db.execute("UPDATE records SET hash = leaf_hash(leaf)")
    db.close()


async def synced(journal: Journal, cloud: FakeCloud) -> bool:
    """Lets the uplink work until all is cosigned or it says what is wrong; whether it says so."""
    async with an_uplink(journal, cloud) as uplink:
        for _ in range(PATIENCE):
            await pass_time(1)
            state = uplink.status()
            if state.cosigned == state.sealed == cloud.size and not journal.grown.is_set():
                break
        return bool(uplink.status().trouble)


def flips(count: int, seed: int, folder: Path, *, blind: bool = False) -> Result:
    """So many flips, each in a fresh copy of one journal; with ``blind`` it ends at the first finding."""
    chance, result = random.Random(seed), Result()
    cloud, truth = play(prepared(folder / "whole"))
    kept, notes = list(cloud.leaves), {size: set(some) for size, some in cloud.notes.items()}
    checkpoint = cloud.checkpoint
    for number in range(count):
        once = folder / "once"
        shutil.rmtree(once, ignore_errors=True)
        shutil.copytree(folder / "whole", once)
        bit = flip(once / "journal.db", chance)
        changed = changed_leaves(once / "journal.db", truth)
        cloud = new_cloud()
        cloud.leaves, cloud.notes, cloud.checkpoint = (
            list(kept),
            {at: set(some) for at, some in notes.items()},
            checkpoint,
        )
        if blind:
            _hash_anew(once / "journal.db")
        found, salvaged = play(look(once, cloud))
        result.flips += 1
        result.changed += bool(changed)
        result.found += bool(changed) and found
        result.salvaged += salvaged
        where = f"seed {seed}, flip {number} (bit {bit} of the file)"
        if changed and not found:
            result.findings.append(f"{where}: {len(changed)} records changed and nobody noticed")
        billed = [one for one in cloud.leaves if one not in truth and f'"{LATER}"'.encode() not in one]
        if billed:
            result.findings.append(f"{where}: the cloud took {billed[0][:80]!r}.., which nobody had stored")
        if blind and result.findings:
            break
    return result


def main() -> int:
    """The command; exit code 3 when a changed record went unnoticed or was sent."""
    parser = argparse.ArgumentParser(description="Bit flips in a journal")
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bug", action="store_true", help="a journal without a hash for each record")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallystick-flips-") as name:
        result = flips(given.flips, given.seed, Path(name), blind=given.bug)
    return told(
        f"{result.flips} flipped bits, {result.changed} changed stored records, {result.found} of these found, "
        f"{result.salvaged} files given up",
        result.findings,
    )


if __name__ == "__main__":
    sys.exit(main())
