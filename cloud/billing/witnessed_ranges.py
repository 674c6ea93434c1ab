"""How far the witnesses that an agreement demands have followed a log: nothing behind that is billed."""

from __future__ import annotations

from cloud.agreements.witness_terms import WitnessTerms
from cloud.database import Tx
from cloud.witnesses import repository


def witnessed_until(tx: Tx, place: tuple[str, int], terms: WitnessTerms) -> int:
    """The largest size of a log up to which at least so many of the named witnesses have cosigned it.

    A witness counts by its key: one that is registered under the same name with another key does not.
    """
    named = set(terms.keys)
    known = {one.name for one in repository.listed(tx, place[0]) if one.vkey in named}
    sizes = sorted((size for name, size in repository.newest(tx, place) if name in known), reverse=True)
    return sizes[terms.at_least - 1] if len(sizes) >= terms.at_least else 0
