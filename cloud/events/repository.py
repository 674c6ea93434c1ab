"""The SQL of counted events: one row for each (source, id) for ever, numbered in the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.database import Tx
from cloud.rating.events import CountedEvent

_events = msgspec.json.Decoder(CountedEvent)


class Kept(msgspec.Struct, frozen=True):
    """An event that is there already: its serial number and the hash of its content."""

    serial: int
    content_hash: str


def known(tx: Tx, tenant: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Kept]:
    """Those of these (source, id) that are there."""
    rows = tx.all(
        "SELECT e.source, e.event_id, e.serial, e.content_hash FROM GIVEN(source text, event_id text) AS g "
        "JOIN counted_events e ON e.tenant_id = ? AND e.source = g.source AND e.event_id = g.event_id",
        ([list(key) for key in keys], tenant),
    )
    return {(source, event_id): Kept(serial, content_hash) for source, event_id, serial, content_hash in rows}


def lock_serials(tx: Tx, tenant: str) -> int:
    """The last serial number given, locked until the transaction ends: numbers appear in their order."""
    tx.insert("counted_serials", ("tenant_id", "last"), [(tenant, 0)], "ON CONFLICT DO NOTHING")
    row = tx.one("SELECT last FROM counted_serials WHERE tenant_id = ? FOR UPDATE", (tenant,))
    assert row is not None, "it was just put there"
    return int(row[0])


def add(tx: Tx, tenant: str, events: Sequence[tuple[CountedEvent, str]], last: int) -> None:
    """Keeps events with their content hashes, and the last serial number."""
    tx.insert(
        "counted_events",
        ("tenant_id", "serial", "source", "event_id", "at_ms", "content_hash", "body"),
        [
            (tenant, event.serial, event.source, event.id, event.at, content_hash, event.leaf.decode())
            for event, content_hash in events
        ],
    )
    tx.run("UPDATE counted_serials SET last = ? WHERE tenant_id = ?", (last, tenant))


def add_conflicts(tx: Tx, tenant: str, events: Sequence[tuple[CountedEvent, str]], now_ms: int) -> None:
    """Keeps what contradicts an event that was told before."""
    tx.insert(
        "counted_conflicts",
        ("tenant_id", "source", "event_id", "content_hash", "body", "seen_ms"),
        [(tenant, event.source, event.id, hashed, event.leaf.decode(), now_ms) for event, hashed in events],
        "ON CONFLICT DO NOTHING",
    )


def last_serial(tx: Tx, tenant: str) -> int:
    """The newest serial number of a tenant; 0 before the first event."""
    row = tx.one("SELECT last FROM counted_serials WHERE tenant_id = ?", (tenant,))
    return 0 if row is None else int(row[0])


def of_sources(
    tx: Tx,
    tenant: str,
    sources: Sequence[str],
    *,
    since_ms: int,
    from_serial: int,
    until_serial: int,
    after_serial: int = 0,
) -> list[CountedEvent]:
    """Events of these sources up to and with a serial number, that happened since an instant or arrived since one;
    ``after_serial``: only those that arrived after another.
    """
    bodies: dict[int, str] = {}
    for source in sources if after_serial else ():
        arrived = tx.all(
            "SELECT serial, body FROM counted_events WHERE tenant_id = ? AND (source, serial) > (?, ?) "
            "AND (source, serial) <= (?, ?) AND (at_ms >= ? OR serial > ?)",
            (tenant, source, after_serial, source, until_serial, since_ms, from_serial),
        )
        bodies |= {int(row[0]): str(row[1]) for row in arrived}
    for source in () if after_serial else sources:
        # Each by its own index: happened since then, or arrived since then. The sum keeps a serial number out of
        # that; the pair keeps SQLite from reading what all other sources sent.
        happened = tx.all(
            "SELECT serial, body FROM counted_events "
            "WHERE tenant_id = ? AND source = ? AND at_ms >= ? AND serial + 0 <= ?",
            (tenant, source, since_ms, until_serial),
        )
        arrived = tx.all(
            "SELECT serial, body FROM counted_events WHERE tenant_id = ? AND (source, serial) > (?, ?) "
            "AND (source, serial) <= (?, ?) AND at_ms + 0 < ?",
            (tenant, source, from_serial, source, until_serial, since_ms),
        )
        bodies |= {int(row[0]): str(row[1]) for row in [*happened, *arrived]}
    return [_events.decode(bodies[serial]) for serial in sorted(bodies)]


def of_serial(tx: Tx, tenant: str, serial: int) -> CountedEvent | None:
    """The event of a serial number."""
    row = tx.one("SELECT body FROM counted_events WHERE tenant_id = ? AND serial = ?", (tenant, serial))
    return None if row is None else _events.decode(row[0])


def page(tx: Tx, tenant: str, source: str, after: int, limit: int) -> list[CountedEvent]:
    """Events in the order of arrival, of one source or all (""); ``after`` is the last serial number seen."""
    rows = tx.all(
        "SELECT body FROM counted_events WHERE tenant_id = ? AND serial > ? AND (? = '' OR source = ?) "
        "ORDER BY serial LIMIT ?",
        (tenant, after, source, source, limit),
    )
    return [_events.decode(row[0]) for row in rows]


def conflicts(tx: Tx, tenant: str, after: tuple[str, str, str], limit: int) -> list[tuple[str, str, str, str, int]]:
    """(source, id, content hash, body, seen ms) of what contradicts an earlier event."""
    rows = tx.all(
        "SELECT source, event_id, content_hash, body, seen_ms FROM counted_conflicts WHERE tenant_id = ? "
        "AND (source, event_id, content_hash) > (?, ?, ?) ORDER BY source, event_id, content_hash LIMIT ?",
        (tenant, *after, limit),
    )
    return [(source, event_id, hashed, body, seen_ms) for source, event_id, hashed, body, seen_ms in rows]
