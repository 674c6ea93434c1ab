"""What must be said when a log ends before its time: which one, where, why, by whose word; and both notes of a fork.

A loss is not silent when the next log's entry 0 names the end of what the cloud had countersigned: everything that the
dead card held beyond is gone, and everybody who checks the new log reads so.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tests.simulation import books
from wire.log import root
from wire.records import GatewayEvent
from wire.seal import SealError, Verifier

if TYPE_CHECKING:
    from tests.simulation.world import World


def judge(world: World) -> None:
    """Every end of a log has its reason, and every fork its evidence."""
    heads = books.heads(world.cloud.path)
    for old, new in pairwise(heads):
        _follows(world, old, new)
    for head in heads:
        if head.origin in world.watcher.forked:
            _fork(world, head)


def _follows(world: World, old: books.Head, new: books.Head) -> None:
    found = world.watcher.found
    first = books.first_entry(world.cloud.path, new.origin)
    told = first.data if isinstance(first, GatewayEvent) and first.event == "epoch_begun" else {}
    if not (told.get("old_origin") == old.origin and told.get("reason") and told.get("approver")):
        found(f"entry 0 of {new.origin} does not say which log it follows, why, and by whose word: {told}")
        return
    size = int(str(told["size"]))
    # A card that lives may have missed the last answers; who enrols a new one is told by the cloud.
    if size > old.size or (size != old.size and world.trace.faults["dead_card"]):
        found(f"entry 0 of {new.origin} says that {old.origin} ends at {size}; the cloud holds {old.size}")
    elif told["root"] != root(books.log_hashes(world.cloud.path, old.origin)[:size]).hex():
        found(f"entry 0 of {new.origin} names another log than {old.origin}")


def _fork(world: World, head: books.Head) -> None:
    found, key = world.watcher.found, Verifier(head.vkey)
    if head.state == "open":
        found(f"two notes of one size of {head.origin} were shown to the cloud, and it goes on")
    forks = [row[1:] for row in books.ask(world.cloud.path, books.FORKS) if row[0] == head.origin]
    if not forks:
        found(f"two notes of one size of {head.origin} were shown to the cloud, and none is kept as evidence")
    for pair in forks:
        try:
            one, other = (key.open(str(note)) for note in pair)
        except SealError as error:
            found(f"the evidence of a fork of {head.origin} proves nothing: {error}")
            continue
        if one.size == other.size and one.root == other.root:
            found(f"the evidence of a fork of {head.origin} is one note twice")
