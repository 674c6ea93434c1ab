"""A genuine note about a size we have passed, or from a base that is not our head: a repeat, a straggler, or a fork.

What is compared is always the tree: our root at the note's size against the note's root. Notes are genuine here, so two
roots of one log at one size are the gateway contradicting itself, whatever happened to the leaves on the way:

- the note's root is not ours at a size we hold: a **fork**;
- the note is ahead of us, its leaves prove its root, but their beginning is not our end: a **fork**;
- the leaves do not prove the note: **wrong root**. A damaged transit does that too, so nothing is frozen for it; but
  the note is kept, and a second, different one that must agree with it (the same size, or a larger one whose tree
  passes that size with another root) is a **fork** as well. So it is with a note of a piece that we lack the base of;
- all agrees and the piece is one we stored: the **same cosignature** again;
- all agrees, but pieces were cut otherwise: **stale size**; the gateway sends on from our size.

A fork freezes the log in the same transaction and keeps both notes. An honest gateway signs one note per size and
repeats its bytes, so it cannot be frozen by anybody who only repeats, damages or withholds what it sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.database import Tx
from cloud.ingest import repository
from cloud.ingest.incoming import Incoming, Refusal
from cloud.ingest.repository import Head, Stored
from wire.batch import Receipt
from wire.log import Frontier

MAX_REFUSED = 64  # notes kept of one log; an honest gateway has one at most


def revisit(tx: Tx, head: Head, incoming: Incoming, hashes: Sequence[bytes], now_ms: int) -> Receipt | Refusal:
    """The answer to a batch that does not simply grow the log; may freeze it."""
    if incoming.checkpoint.size <= head.size:
        return _passed(tx, head, incoming, hashes, now_ms)
    if incoming.batch.old > head.size:
        place = incoming.log.place
        repository.add_evidence(
            tx, place, "ahead", size=head.size, root=head.root, note=incoming.batch.note, ours="", now_ms=now_ms
        )
        return _keep(tx, head, incoming, now_ms) or stale(head)
    return _ahead(tx, head, incoming, hashes, now_ms)


def stale(head: Head) -> Refusal:
    """Send on from our size."""
    return Refusal("stale-size", f"This log has {head.size} leaves here; send on from there.", head.size)


def wrong_root(tx: Tx, head: Head, incoming: Incoming, now_ms: int) -> Refusal:
    """The leaves do not prove the note: nothing is stored but the note, and that only once."""
    size = incoming.checkpoint.size
    forked = _keep(tx, head, incoming, now_ms) if size > head.size else None
    detail = f"The leaves do not give the root that was signed for size {size}; send them again."
    return forked or Refusal("wrong-root", detail)


def _keep(tx: Tx, head: Head, incoming: Incoming, now_ms: int) -> Refusal | None:
    """Keeps a genuine note of a size to come, so that a later one cannot contradict it; a fork if one does already."""
    size, root, place = incoming.checkpoint.size, incoming.checkpoint.root, incoming.log.place
    for _, other, note in repository.refused_notes(tx, place, size - 1, size):
        if other != root:
            return fork(tx, incoming, note, now_ms)
    if head.refused < MAX_REFUSED and repository.add_evidence(
        tx, place, "refused", size=size, root=root, note=incoming.batch.note, ours="", now_ms=now_ms
    ):
        repository.count_refused(tx, place)
    return None


def contradicted(tx: Tx, head: Head, incoming: Incoming, hashes: Sequence[bytes]) -> str | None:
    """An earlier genuine note that this batch's tree contradicts; asked only where such notes are kept."""
    size = incoming.checkpoint.size
    for at, root, note in repository.refused_notes(tx, incoming.log.place, head.size, size):
        if head.tree.extend(hashes[: at - head.size]).root() != root:
            return note
    return None


def fork(tx: Tx, incoming: Incoming, ours: str, now_ms: int) -> Refusal:
    """Freezes the log and keeps both notes."""
    size, root, place = incoming.checkpoint.size, incoming.checkpoint.root, incoming.log.place
    repository.add_evidence(tx, place, "fork", size=size, root=root, note=incoming.batch.note, ours=ours, now_ms=now_ms)
    repository.freeze(tx, place)
    return Refusal(
        "fork",
        f"The note for size {size} contradicts another one that this log's key signed. Both are kept, the log is "
        "frozen; a person must look at it and open a new log epoch.",
    )


def _passed(tx: Tx, head: Head, incoming: Incoming, hashes: Sequence[bytes], now_ms: int) -> Receipt | Refusal:
    size, old = incoming.checkpoint.size, incoming.batch.old
    pieces = repository.pieces_at(tx, incoming.log.place, (old, size))
    piece = pieces.get(size)
    if incoming.checkpoint.root != (piece.root if piece else _tree_at(tx, head, incoming, size).root()):
        against = repository.piece_from(tx, incoming.log.place, size)
        return fork(tx, incoming, against.note if against else "", now_ms)
    if piece is None:
        return stale(head)
    if old == size:
        return _receipt(piece, head)
    if piece.old_size != old:
        return stale(head)
    base = pieces[old].tree if old in pieces else Frontier()
    if base.size != old or base.extend(hashes).root() != piece.root:
        return wrong_root(tx, head, incoming, now_ms)
    return _receipt(piece, head)


def _ahead(tx: Tx, head: Head, incoming: Incoming, hashes: Sequence[bytes], now_ms: int) -> Refusal:
    base = _tree_at(tx, head, incoming, incoming.batch.old)
    to_head = head.size - base.size
    ours = base.extend(hashes[:to_head])
    if ours.extend(hashes[to_head:]).root() != incoming.checkpoint.root:
        return wrong_root(tx, head, incoming, now_ms)
    if ours.root() != head.root:
        against = repository.piece_from(tx, incoming.log.place, head.size)
        return fork(tx, incoming, against.note if against else "", now_ms)
    return stale(head)


def _tree_at(tx: Tx, head: Head, incoming: Incoming, size: int) -> Frontier:
    """Our own tree at a size up to the head, from the nearest piece before it and the leaves behind that."""
    if size == head.size:
        return head.tree
    place = incoming.log.place
    before = repository.piece_until(tx, place, size)
    tree = before.tree if before else Frontier()
    return tree.extend(repository.leaf_hashes(tx, place, tree.size, size)) if tree.size < size else tree


def _receipt(piece: Stored, head: Head) -> Receipt:
    return Receipt(piece.size, piece.cosignature, head.backed_up_size, piece.quarantined)
