"""``tally-cloud logs``: list the logs, show what is kept against them, write one out as files for any tlog tool.

``export-tiles`` writes what a monitor would fetch (C2SP tlog-tiles): ``checkpoint``, ``vkey``, ``tile/..``, and with
``--entries`` the leaves. Run again it adds what is new; a full tile never changes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from cloud.database import Store, Tx
from cloud.finance_cli import Commands, Run, WithStore
from cloud.ingest import repository
from cloud.ingest.incoming import LogIdentity
from cloud.ingest.tiles import Tiles
from cloud.settings import Settings
from wire.tiles import WIDTH, Tile, bundle, tiles_of

Result = dict[str, object]
SHOWN = 1000


class LogUnknown(OSError):
    """There is no such log."""


def add_commands(command: Commands, with_store: WithStore) -> None:
    """Adds ``logs``."""
    logs = command("logs", "The gateways' logs: list, evidence (of forks), export-tiles.", _logs(with_store))
    logs.add_argument("what", choices=tuple(VERBS), help="what to do")
    logs.add_argument("--tenant", default="", help="the tenant's id, for list and evidence")
    logs.add_argument("--log", default="", help="the log's id (hex) or origin, for export-tiles")
    logs.add_argument("--out", type=Path, help="the folder to write, for export-tiles")
    logs.add_argument("--entries", action="store_true", help="the leaves too: they concern whoever used the gateway")


def _logs(with_store: WithStore) -> Run:
    def run(settings: Settings, options: argparse.Namespace) -> Result:
        work = VERBS[options.what]

        def read(store: Store) -> object:
            return store.read(lambda tx: work(tx, options))

        return with_store(settings, read)

    return run


def _list(tx: Tx, options: argparse.Namespace) -> Result:
    rows = repository.standing(tx, options.tenant)
    return {
        "logs": [
            {"log": row.log_id, "origin": row.origin, "state": row.state, "size": row.size, "heard_ms": row.heard_ms}
            for row in rows
        ]
    }


def _evidence(tx: Tx, options: argparse.Namespace) -> Result:
    rows = repository.evidence(tx, options.tenant, (0, "", 0, b""), SHOWN)
    return {
        "evidence": [
            {"log": row.log_id, "gateway_id": row.gateway_id, "kind": row.kind, "size": row.size, "note": row.note,
             "ours": row.ours, "seen_ms": row.seen_ms}
            for row in rows
        ]
    }  # fmt: skip


def _export(tx: Tx, options: argparse.Namespace) -> Result:
    if options.out is None or not options.log:
        raise LogUnknown("export-tiles needs --log (its id or origin) and --out (a folder)")
    log = repository.find_log(tx, options.log)
    if log is None:
        raise LogUnknown(f"there is no log {options.log}; 'tally-cloud logs list --tenant ID' shows them")
    size = repository.head(tx, log).size
    piece = repository.piece_until(tx, log.place, size)
    written = _write_tiles(tx, log, size, options.out, entries=options.entries)
    (options.out / "vkey").write_text(log.vkey + "\n", encoding="utf-8")
    # Last: whoever reads beside us finds every tile that the checkpoint speaks of.
    note = piece.note + piece.cosignature if piece else ""
    (options.out / "checkpoint").write_text(note, encoding="utf-8")
    return {"log": log.log_id, "size": size, "written": written, "out": str(options.out)}


def _write_tiles(tx: Tx, log: LogIdentity, size: int, out: Path, *, entries: bool) -> int:
    tiles, written = Tiles(), 0
    out.mkdir(parents=True, exist_ok=True)
    for tile in tiles_of(size):
        written += _write(out / tile.path, lambda tile=tile: tiles.read(tx, log.place, tile))  # type: ignore[misc]
        if entries and tile.level == 0:
            written += _write(out / tile.entries_path, lambda tile=tile: _bundle(tx, log, tile))  # type: ignore[misc]
    return written


def _bundle(tx: Tx, log: LogIdentity, tile: Tile) -> bytes:
    start = tile.number * WIDTH
    return bundle([row.leaf for row in repository.leaves(tx, log.place, start, start + tile.width)])


def _write(path: Path, data: Callable[[], bytes]) -> int:
    """Writes a file unless it is there already, which then says the same; how many were written."""
    if path.exists():
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(data())
    draft.rename(path)
    return 1


VERBS: dict[str, Callable[[Tx, argparse.Namespace], Result]] = {
    "list": _list,
    "evidence": _evidence,
    "export-tiles": _export,
}
