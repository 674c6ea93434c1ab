"""Judges a quarantined leaf again, after its cause was mended: it goes the same way as on the first day."""

from __future__ import annotations

from cloud.database import Tx
from cloud.ingest import candidates as candidates_of
from cloud.ingest import quarantine, repository
from cloud.ingest.candidates import Candidate
from cloud.ingest.quarantine import Waiting
from cloud.ingest.receive_batch import Desk, post


def retry(tx: Tx, tenant: str, log_no: int, index: int, desk: Desk) -> Waiting | None:
    """How the leaf stands after one more attempt; None when there is no such leaf in quarantine."""
    if quarantine.lock(tx, tenant, log_no, index):
        candidate = _candidate(tx, tenant, log_no, index)
        candidates_of.judge(tx, [candidate], desk.registered)
        usable = candidates_of.claim(tx, [candidate])
        boots = {(tenant, one.log.gateway, one.record.b) for one in usable if one.record is not None}
        posted = candidates_of.date(usable, repository.anchors(tx, boots))
        post(tx, usable, posted, desk.ledgers, careful=True)
        quarantine.settle(tx, candidate, desk.clock.now_ms())
    return quarantine.find(tx, tenant, log_no, index)


def _candidate(tx: Tx, tenant: str, log_no: int, index: int) -> Candidate:
    log = repository.identity_of(tx, tenant, log_no)
    piece = repository.piece_from(tx, log.place, index + 1)
    stored = repository.leaves(tx, log.place, index, index + 1)[0]
    assert piece is not None, "a stored leaf is always cosigned"
    return Candidate(log, index, stored.leaf, stored.leaf_hash, piece.cosigned_s * 1000)
