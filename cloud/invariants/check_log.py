"""One log, read again from its first leaf: bytes, hashes, every cosigned root, the head, signatures, counted keys."""

from __future__ import annotations

from collections.abc import Iterator

from cloud.billing.bundle import Keys
from cloud.billing.verify_keys import cosigners
from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.ingest.incoming import LogIdentity
from cloud.ingest.repository import Place, Standing
from cloud.invariants import repository
from cloud.invariants.broken import Broken, InvariantBroken
from wire.canonical import LeafError
from wire.hand_over import KeyEndedError, cosigned_by
from wire.log import Frontier, leaf_hash
from wire.records import decode
from wire.seal import SealError

CHUNK = 2048


def check_log(tx: Tx, log: Standing, keys: Keys) -> list[Broken]:
    """The first thing that is wrong with a log's tree, and with its head; then of its keys."""
    place = (log.tenant, log.log_no)
    found = next(_tree(tx, place, 0, log.size, Frontier()), None)
    broken = [found] if found else []
    broken += _head(tx, log)
    broken += _notes(tx, logs.identity_of(tx, *place), log.size, keys)
    if not found:
        broken += _keys(tx, place, log.size)
    return broken


def check_range(tx: Tx, place: Place, start: int, end: int) -> None:
    """The leaves ``[start, end)`` that are about to be billed still give every root that was cosigned over them.

    Raises InvariantBroken. The tree at ``start`` comes from the nearest piece before it.
    """
    before = logs.piece_until(tx, place, start)
    size = before.size if before else 0
    try:
        tree = before.tree if before else Frontier()
    except ValueError as error:
        raise InvariantBroken(Broken(place[1], "root-differs", f"the tree at size {size}: {error}")) from error
    found = next(_tree(tx, place, size, end, tree), None)
    if found:
        raise InvariantBroken(found)


def _tree(tx: Tx, place: Place, start: int, end: int, tree: Frontier) -> Iterator[Broken]:
    """What is wrong with leaves ``[start, end)`` and the pieces that end there, from the tree at ``start`` on."""
    log_no = place[1]
    for low in range(start, end, CHUNK):
        high = min(low + CHUNK, end)
        rows = logs.leaves(tx, place, low, high)
        if [row.idx for row in rows] != list(range(low, high)):
            missing = min(set(range(low, high)) - {row.idx for row in rows})
            yield Broken(log_no, "leaf-missing", f"leaf {missing} is not in the database")
            return
        hashes = [leaf_hash(bytes(row.leaf)) for row in rows]
        for row, hashed in zip(rows, hashes, strict=True):
            if bytes(row.leaf_hash) != hashed:
                yield Broken(log_no, "leaf-changed", f"leaf {row.idx} does not fit its hash")
                return
        for size, _, root, frontier, _, _ in repository.pieces(tx, place, low, high):
            here = tree.extend(hashes[: size - low])
            if here.root() != root or here.to_bytes() != frontier:
                yield Broken(log_no, "root-differs", f"the leaves up to {size} do not give the cosigned root")
                return
        tree = tree.extend(hashes)


def _head(tx: Tx, log: Standing) -> list[Broken]:
    place = (log.tenant, log.log_no)
    head = logs.head_at(tx, place)
    newest = repository.newest_piece(tx, place)
    if newest != head.size:
        detail = f"the head is at size {head.size}, the newest checkpoint at {newest}"
        return [Broken(log.log_no, "head-differs", detail)]
    if not newest:
        return []
    piece = logs.pieces_at(tx, place, (newest, newest))[newest]
    if (bytes(head.root), bytes(head.frontier)) != (bytes(piece.root), bytes(piece.frontier)):
        return [Broken(log.log_no, "head-differs", f"root or frontier at size {newest} are not the checkpoint's")]
    return []


def _notes(tx: Tx, log: LogIdentity, size: int, keys: Keys) -> list[Broken]:
    """The newest checkpoint's signatures; older ones are looked at by who checks a statement."""
    place = log.place
    newest = repository.pieces(tx, place, max(0, size - 1), size)
    for at, _, root, _, note, cosignature in newest:
        try:
            checkpoint = log.open(note)
            cosigned_by(note + cosignature, cosigners(keys))
        except KeyEndedError:
            return []  # disputed, and on hold since the key was revoked
        except SealError as error:
            return [Broken(place[1], "note-unsigned", f"the checkpoint at size {at}: {error.detail}")]
        if (checkpoint.size, checkpoint.root) != (at, root):
            return [Broken(place[1], "note-unsigned", f"the note stored at size {at} is about another tree")]
    return []


def _keys(tx: Tx, place: Place, size: int) -> list[Broken]:
    """Every readable record counts, is kept aside, or was told before."""
    for low in range(0, size, CHUNK):
        keys, told = [], {}
        for row in logs.leaves(tx, place, low, min(low + CHUNK, size)):
            try:
                record = decode(bytes(row.leaf))
            except LeafError:
                continue
            keys.append((record.src, record.ep, record.n, row.idx))
            told[row.idx] = (record.src, record.did)
        for index in repository.uncounted(tx, place, keys) if keys else []:
            src, did = told[index]
            if not (did and repository.has_did(tx, place[0], src, did)):
                return [Broken(place[1], "key-lost", f"leaf {index} of {src} is counted nowhere")]
    return []
