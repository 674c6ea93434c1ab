"""Records as one gateway's shop makes them: vends at six cabinets, readings of two meters; every one is new.

A vend is two records, the intent before the command and the draw after the proof.

They are made ahead of the measurement, so that only what is measured is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec

from gateway.journal.commit import Row
from wire.records import Draw, Intent, Reading, Record, Refill, encode

CABINETS = 6
METERS = 2
SLOTS = 24
# More of each than any run takes out.
FILLED = 1_000_000
# 2026-11-02T06:00:00Z
START_MS = 1_793_599_200_000


def cabinet(number: int) -> str:
    """The device id of a cabinet."""
    return f"cabinet-{number % CABINETS:02d}"


def meter(number: int) -> str:
    """The device id of a meter."""
    return f"meter-{number % METERS:02d}"


def slot(number: int) -> str:
    """A slot of a cabinet."""
    return f"{1 + number % 2}-{1 + number % SLOTS // 2:02d}"


def item(number: int) -> str:
    """The item that lies in that slot."""
    return f"item-{number % SLOTS:02d}"


def draw(number: int, boot: str, place: str = "") -> Draw:
    """The ``number``-th draw of a boot; ``place`` goes before the device's name."""
    base, what = _vend(number, boot, place)
    return Draw(
        **base, **what, did=f"17/{number + 1}/01J8Z{number:05d}", raw=sha256(number.to_bytes(8, "big")).hexdigest(),
        qty=1, outcome="confirmed", actuation="ok", confirmation="seen",
    )  # fmt: skip


def intent(number: int, boot: str, place: str = "") -> Intent:
    """What the gateway wrote before the command of that draw."""
    base, what = _vend(number, boot, place)
    return Intent(**base, **what)


def _vend(number: int, boot: str, place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    at = number // CABINETS
    base = {
        "v": 1, "z": "", "src": place + cabinet(number), "ep": boot, "n": 0,
        "t": START_MS + number * 40, "ts": "S", "b": boot, "m": number * 40, "who": f"B{number % 400:04d}",
    }  # fmt: skip
    return base, {"slot": slot(at), "item": place + item(at), "asked": 1, "planogram": 3, "rules": 1}


def reading(number: int, boot: str, place: str = "") -> Reading:
    """The ``number``-th reading of a boot: a meter that counts one Wh a time."""
    return Reading(
        v=1, z="", src=place + meter(number), ep=boot, n=0, t=START_MS + number * 40, ts="S", b=boot, m=number * 40,
        raw=sha256(number.to_bytes(9, "big")).hexdigest(), cfg="9f2b6c01d4e87a35",
        register="import_total", value=1_000_000 + number // METERS, scale=0, unit="Wh",
    )  # fmt: skip


def refills(boot: str, place: str = "") -> list[Record]:
    """Every slot of every cabinet, filled."""
    return [
        Refill(
            v=1, z="", src=place + cabinet(number), ep=boot, n=0, t=START_MS - 1000, ts="S", b=boot, m=0, who="B9000",
            slot=slot(at), item=place + item(at), qty=FILLED,
        )
        for number in range(CABINETS)
        for at in range(SLOTS)
    ]  # fmt: skip


def mixed(count: int, boot: str, place: str = "", first: int = 0) -> list[Record]:
    """Intent, draw, intent, draw, reading, and so on; without counter and salt, as the journal takes them."""
    return [_mixed(number, boot, place) for number in range(first, first + count)]


def _mixed(number: int, boot: str, place: str) -> Record:
    of_five = number % 5
    if of_five == 4:
        return reading(number, boot, place)
    return draw(number - 1, boot, place) if of_five % 2 else intent(number, boot, place)


def numbered(records: list[Record], last: dict[str, int] | None = None) -> Iterator[Record]:
    """The records with their counters and a salt, as the journal would have given them; ``last`` goes on counting."""
    last = {} if last is None else last
    for at, record in enumerate(records):
        n = last[record.src] = last.get(record.src, 0) + 1
        salt = sha256(f"{record.ep}{record.src}{at}".encode()).hexdigest()[:32]
        yield msgspec.structs.replace(record, n=n, z=salt)


def leaves(records: list[Record], last: dict[str, int] | None = None) -> list[bytes]:
    """The records as leaves."""
    return [encode(record) for record in numbered(records, last)]


def journal_rows(records: list[Record]) -> list[Row]:
    """The records as rows of the journal's table."""
    rows = []
    for record in numbered(records):
        leaf = encode(record)
        rows.append((record.src, record.ep, record.n, record.did or None, leaf, sha256(b"\x00" + leaf).digest()))
    return rows
