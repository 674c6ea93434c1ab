"""The evidence bundle of a statement: every leaf of its ranges, with signatures, paths and terms, in one file.

The surprise: leaves that do not concern the customer are in it too, as bare hashes, because only the whole range shows
that nothing was left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.agreements import repository as agreements
from cloud.agreements.signatures import shown
from cloud.agreements.terms import Version
from cloud.billing import repository
from cloud.billing.bundle import FORMAT, Bundle, Hidden, Keys, LineProof, LogEvidence, Outside, TermsVersion, Witnessed
from cloud.billing.facts import LogRange, src_of
from cloud.billing.gather import events_needed
from cloud.billing.partial_tree import PartialTree
from cloud.billing.repository import LogRow
from cloud.billing.scope import devices_of
from cloud.billing.statement import Head, Statement
from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.ingest.tiles import Tiles
from cloud.rating.events import CountedEvent
from cloud.witnesses import repository as witnesses
from wire.log import Frontier
from wire.proof import proof


def bundle_of(tx: Tx, tenant: str, statement: Statement, keys: Keys) -> Bundle:
    """The bundle; ``keys`` are the cloud's."""
    head = statement.head
    agreement = agreements.find(tx, tenant, head.agreement_id)
    assert agreement is not None, "a statement's agreement stays"
    versions = agreement.versions[: len(head.versions)]
    devices = sorted(devices_of(agreement.versions))
    rows = {row.log_id: row for row in repository.logs_of(tx, tenant, devices)}
    shown_devices = devices_of(versions)
    logs = [_log(tx, tenant, rows[stated.log], stated, shown_devices) for stated in head.logs]
    oldest = head.since or 1
    if head.replaces:
        oldest = min(oldest, repository.number_of_hash(tx, tenant, head.agreement_id, head.replaces))
    previous = repository.heads_between(tx, tenant, head.agreement_id, oldest, head.number)
    return Bundle(
        format=FORMAT,
        keys=keys,
        statement=statement,
        previous=previous,
        versions=[_version(version) for version in versions],
        logs=logs,
        proofs=_proofs(tx, tenant, statement, [rows[stated.log] for stated in head.logs], logs),
        events=_events(tx, tenant, statement, previous, versions),
        signatures=[
            shown(one)
            for one in agreements.signatures(tx, tenant, head.agreement_id)
            if one.version <= len(versions) and one.signed_ms <= head.cutoff_at
        ],
    )


def events_under(tx: Tx, tenant: str, statement: Statement) -> list[CountedEvent]:
    """The counted events that a statement stands on."""
    head = statement.head
    agreement = agreements.find(tx, tenant, head.agreement_id)
    assert agreement is not None, "a statement's agreement stays"
    previous = repository.heads_between(tx, tenant, head.agreement_id, 1, head.number)
    return _events(tx, tenant, statement, previous, agreement.versions[: len(head.versions)])


def _events(
    tx: Tx, tenant: str, statement: Statement, previous: Sequence[Head], versions: Sequence[Version]
) -> list[CountedEvent]:
    head = statement.head
    if head.events is None:
        return []
    by_number = {one.number: one for one in previous}
    return events_needed(tx, tenant, versions, by_number.get(head.since), by_number.get(head.base), head.events.to)


def _version(version: Version) -> TermsVersion:
    return TermsVersion(version.version, version.first, version.terms.canonical().decode())


def _log(tx: Tx, tenant: str, row: LogRow, stated: LogRange, devices: set[str]) -> LogEvidence:
    wanted = {*devices, row.gateway}
    shown: list[str | Hidden] = [
        leaf.leaf.decode() if src_of(leaf.leaf) in wanted else Hidden(leaf.hash.hex())
        for leaf in repository.leaves(tx, tenant, row.log_no, stated.from_, stated.to)
    ]
    identity = logs.identity_of(tx, tenant, row.log_no)
    return LogEvidence(
        origin=row.origin,
        vkey=row.vkey,
        frontier=[peak.hex() for peak in repository.frontier(tx, tenant, row.log_no, stated.from_).peaks],
        leaves=shown,
        notes=repository.notes(tx, tenant, row.log_no, [receipt.size for receipt in stated.receipts]),
        outside=_outside(tx, tenant, row, stated),
        witnessed=_witnessed(tx, tenant, row, stated),
        hand_overs=list(identity.hand_overs),
        revocations=logs.revocation_notes(tx, (tenant, row.log_no)),
    )


def _witnessed(tx: Tx, tenant: str, row: LogRow, stated: LogRange) -> list[Witnessed]:
    """The first checkpoint of each witness that covers the range, with what ties it to the range's end."""
    place, found = (tenant, row.log_no), []
    for seen in witnesses.first_from(tx, place, stated.to):
        piece = logs.pieces_at(tx, place, (seen.size, seen.size))[seen.size]
        path = Tiles().tree(tx, place, seen.size).consistency(stated.to) if stated.to else []
        found.append(Witnessed(piece.note + seen.cosignature, [node.hex() for node in path]))
    return found


def _outside(tx: Tx, tenant: str, row: LogRow, stated: LogRange) -> list[Outside]:
    if not stated.outside:
        return []
    tree = PartialTree(Frontier(), repository.leaf_hashes(tx, tenant, row.log_no, stated.to))
    found = []
    for index in stated.outside:
        leaf = repository.leaves(tx, tenant, row.log_no, index, index + 1)[0]
        found.append(Outside(index, leaf.leaf.decode(), [node.hex() for node in tree.path(index)]))
    return found


def _proofs(tx: Tx, tenant: str, statement: Statement, rows: list[LogRow], logs: list[LogEvidence]) -> list[LineProof]:
    """A tlog-proof for each leaf of each line, to the checkpoint at the range's end."""
    trees = []
    for row, stated in zip(rows, statement.head.logs, strict=True):
        hashes = [leaf.hash for leaf in repository.leaves(tx, tenant, row.log_no, stated.from_, stated.to)]
        trees.append(PartialTree(repository.frontier(tx, tenant, row.log_no, stated.from_), hashes))
    paths = {
        (at, one.index): [bytes.fromhex(node) for node in one.path]
        for at, log in enumerate(logs)
        for one in log.outside
    }
    found = []
    for line in statement.lines:
        for leaf in line.leaves:
            path = paths.get((leaf.log, leaf.index)) or trees[leaf.log].path(leaf.index)
            text = proof(leaf.index, path, logs[leaf.log].notes[-1]).text
            found.append(LineProof(line.no, leaf.log, leaf.index, text))
    return found
