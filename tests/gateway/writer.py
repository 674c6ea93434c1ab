"""A journal in a process of its own, to be killed: prints ``ack N`` after each commit, obeys lines on stdin.

    python -m tests.gateway.writer FOLDER [quota_mb]

Stdin: ``append N`` stores N records one append each; ``narrow BYTES`` lets no file grow beyond (as a full disk would);
``widen`` takes that back; ``probe`` prints the state; ``close`` ends in order.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from pathlib import Path

from gateway import entropy
from gateway.journal.store import Journal
from gateway.ports import NotStored
from wire.records import Reading


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def obey(journal: Journal, line: str, number: int) -> int:
    """Does one line; returns the number of the last record."""
    word, _, rest = line.partition(" ")
    if word == "append":
        for _ in range(int(rest)):
            number += 1
            try:
                (key,) = await journal.append([record(journal.boot, number)])
                say(f"ack {key.ep} {key.n} {number}")
            except NotStored as error:
                say(f"refused {type(error).__name__} {number}")
    elif word == "narrow":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(rest), resource.RLIM_INFINITY))
        say("narrow")
    elif word == "widen":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        say("wide")
    elif word == "probe":
        say(f"state {await journal.probe()}")
    return number


def record(boot: str, number: int) -> Reading:
    """A reading that carries its number."""
    return Reading(
        v=1, z="", src="meter-1", ep=boot, n=0, t=1_793_000_000_000, ts="S", b=boot, m=number, did=f"{boot}/{number}",
        register="total_wh", value=number, scale=0, unit="Wh",
    )  # fmt: skip


async def main(folder: Path) -> None:
    """Until stdin ends."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    quota = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    journal = await Journal.open(
        folder / "journal.db", boot=entropy.boot_id(), salt=entropy.salt, demo=True, quota_mb=quota
    )
    say(f"open {journal.boot}")
    loop = asyncio.get_running_loop()
    number = 0
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if line == "close":
            break
        number = await obey(journal, line, number)
    await journal.close()
    say("closed")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
