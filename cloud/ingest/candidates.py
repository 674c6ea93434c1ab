"""From a proven leaf to a record that counts once, or to a reason why it does not count yet.

Every proven leaf is stored, whatever it says. Only then it is judged: its form, its device, its key. A leaf that cannot
be used waits in quarantine with a reason; a record that was told before (sealed again in a new log epoch, or told again
by its device) is passed over in silence, because nothing is wrong and nothing is owed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cloud.database import Tx
from cloud.ingest import repository
from cloud.ingest.decide_time import Anchor, decide
from cloud.ingest.incoming import LogIdentity
from cloud.ingest.plain import MAX_DID, SYNCHRONISED, Binding, names_too_much
from cloud.ingest.posted import Posted
from wire import records
from wire.canonical import LeafError
from wire.records import Record

MAX_REGISTERED = 500_000


class Candidate(msgspec.Struct, gc=False):
    """A proven leaf on its way. ``reason`` is why it cannot be used; ``known``: it was counted before."""

    log: LogIdentity
    index: int
    leaf: bytes
    leaf_hash: bytes
    received_ms: int
    record: Record | None = None
    reason: str = ""
    detail: str = ""
    known: bool = False

    def refuse(self, reason: str, detail: str) -> None:
        """Says why this leaf cannot be used."""
        self.reason, self.detail = reason, detail[:500]


def judge(tx: Tx, candidates: Sequence[Candidate], registered: set[Binding]) -> None:
    """Reads each leaf and asks whether it comes from a device of its gateway.

    ``registered`` remembers what was found before: a binding of a device to a gateway is never taken back.
    """
    _read(candidates)
    strangers: dict[Binding, list[Candidate]] = {}
    for one in candidates:
        record, log = one.record, one.log
        if record is None:
            continue
        binding = (log.tenant, log.gateway, record.src)
        if binding not in registered and record.src != log.gateway:
            strangers.setdefault(binding, []).append(one)
        if record.n == 0:
            one.refuse("bad-body", "The record has no counter: it was never journalled.")
        elif names_too_much(record.did):
            one.refuse("bad-body", f"The device's name of the event has more than {MAX_DID} bytes.")
    if strangers:
        if len(registered) > MAX_REGISTERED:
            registered.clear()
        found = repository.bound(tx, strangers)
        registered |= found
        for binding in strangers.keys() - found:
            for one in strangers[binding]:
                detail = f"{binding[2]} is not registered as a device of gateway {one.log.gateway}."
                one.refuse("unknown-device", detail)


def _read(candidates: Sequence[Candidate]) -> None:
    """Reads all leaves at once where that is possible; one by one, with a reason for each bad one, where it is not."""
    unread = [one for one in candidates if one.record is None]
    together = records.decode_all([one.leaf for one in unread])
    if together is not None:
        for one, record in zip(unread, together, strict=True):
            one.record = record
        return
    for one in unread:
        try:
            one.record = records.decode(one.leaf)
        except LeafError as error:
            one.refuse(error.code.replace("_", "-"), error.detail)


def claim(tx: Tx, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Gives each usable record its one place; those that count now, in order."""
    usable = [one for one in candidates if not one.reason]
    rows = [
        (one.log.tenant, record.src, record.ep, record.n, record.did or None, one.log.log_no, one.index)
        for one in usable
        if (record := one.record) is not None
    ]
    if not repository.claim_keys(tx, rows):
        _settle(tx, usable)
        return [one for one in usable if not one.reason and not one.known]
    return usable


def date(usable: Iterable[Candidate], anchors: dict[tuple[str, str, str], Anchor]) -> list[Posted]:
    """The records as the ledgers receive them, with the time that counts."""
    posted = []
    for one in usable:
        record, log = one.record, one.log
        assert record is not None
        tenant, log_no, log_id, gateway = log.tenant, log.log_no, log.log_id, log.gateway
        at_ms, quality = record.t, SYNCHRONISED
        if record.ts != "S":
            anchor = anchors.get((tenant, gateway, record.b))
            at_ms, quality = decide(record, anchor, one.received_ms)
        posted.append(Posted(tenant, log_id, log_no, one.index, one.leaf_hash, record, at_ms, quality, gateway))
    return posted


def _settle(tx: Tx, usable: Sequence[Candidate]) -> None:
    """Some keys were taken: finds whose, and whether that is the same fact told again or another one."""
    keys = []
    for one in usable:
        assert one.record is not None
        keys.append((one.log.tenant, *one.record.key))
    owners = repository.owners_of_keys(tx, keys)
    for one in usable:
        record, log = one.record, one.log
        assert record is not None
        owner = owners.get((log.tenant, record.key))
        if owner == (log.log_no, one.index):
            continue
        if owner is not None:
            one.known = _leaf(tx, log.tenant, owner) == one.leaf
            if not one.known:
                detail = f"Another record already has the key {record.src} {record.ep} {record.n}."
                one.refuse("duplicate-key", detail)
            continue
        owner = repository.owner_of_did(tx, log.tenant, record.src, record.did)
        assert owner is not None
        one.known = _same_event(_leaf(tx, log.tenant, owner), record)
        if not one.known:
            one.refuse("duplicate-did", f"{record.src} told another event under the same identity {record.did!r}.")


def _leaf(tx: Tx, tenant: str, owner: tuple[int, int]) -> bytes:
    log_no, index = owner
    return repository.leaves(tx, (tenant, log_no), index, index + 1)[0].leaf


def _same_event(leaf: bytes, record: Record) -> bool:
    """Do both say the same, apart from what a journal adds (salt, key, times, planogram in force)?"""
    other = records.decode(leaf)
    return type(other) is type(record) and _said(other) == _said(record)


def _said(record: Record) -> dict[str, object]:
    journal = {"z", "ep", "n", "t", "ts", "b", "m", "cfg", "q", "planogram", "rules", "intent"}
    return {name: value for name, value in msgspec.structs.asdict(record).items() if name not in journal}
