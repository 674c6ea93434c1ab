"""A `tally-gateway` with a seeded bug: what its journal refuses it acknowledges all the same.

python -m tests.reliability.hasty_gateway python -m gateway.cli run ...
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gateway import cli
from gateway.journal.store import Journal
from gateway.ports import NotStored
from wire.ids import RecordKey
from wire.records import Record

_honest = Journal.append


async def _hasty(journal: Journal, records: Sequence[Record]) -> list[RecordKey]:
    try:
        return await _honest(journal, records)
    except NotStored:
        return [RecordKey(record.src, record.ep, 1) for record in records]


if __name__ == "__main__":
    Journal.append = _hasty  # type: ignore[method-assign, assignment]
    sys.exit(cli.main(sys.argv[sys.argv.index("gateway.cli") + 1 :]))
