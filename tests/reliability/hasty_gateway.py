"""A `tally-gateway` with a seeded bug, named by TALLY_SEEDED_BUG: what a harness must find.

    python -m tests.reliability.hasty_gateway python -m gateway.cli run ...

``acknowledge``: what the journal refuses is acknowledged all the same. ``forget``: what was sent is deleted, whether or
not the cloud has answered.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from benchmarks.processes import python
from gateway import cli
from gateway.cloud_requests import CloudError
from gateway.journal.sealing import LogState
from gateway.journal.store import Journal
from gateway.ports import NotStored
from gateway.uplink import Uplink
from wire.ids import RecordKey
from wire.records import Record

FORGET = "DELETE FROM records WHERE id IN (SELECT record FROM entries WHERE idx >= ?)"
_append, _send = Journal.append, Uplink._send


async def _acknowledge(journal: Journal, records: Sequence[Record]) -> list[RecordKey]:
    try:
        return await _append(journal, records)
    except NotStored:
        return [RecordKey(record.src, record.ep, 1) for record in records]


async def _forget(uplink: Uplink, state: LogState) -> None:
    try:
        await _send(uplink, state)
    except CloudError:
        await uplink._journal.change(lambda db: db.execute(FORGET, (state.cosigned,)).rowcount)
        raise


def with_bug(bug: str) -> list[str]:
    """Words before the command that give it this bug; none for no bug."""
    words = python("-m", "tests.reliability.hasty_gateway")
    return ["env", f"TALLY_SEEDED_BUG={bug}", *map(str, words)] if bug else []


if __name__ == "__main__":
    if os.environ["TALLY_SEEDED_BUG"] == "forget":
        Uplink._send = _forget  # type: ignore[method-assign, assignment]
    else:
        Journal.append = _acknowledge  # type: ignore[method-assign, assignment]
    sys.exit(cli.main(sys.argv[sys.argv.index("gateway.cli") + 1 :]))
