"""Goods put by that have been picked up: each once, whatever the rules still say, also after a restart. PURE.

The surprise is who knows: not the cloud. Its list still names the goods until somebody writes it anew, and a code that
worked once would work again. The record that ended the pick-up carries what was handed out (`q`: "waiting:ID:digest");
goods put by anew under an old name differ in slot, pieces, person or end, and are others.
"""

from __future__ import annotations

import hashlib

from gateway.rules import Waiting
from wire.ids import RecordKey
from wire.records import Draw, DrawResolved, Loan, Record, Reversal

FLAG = "waiting:"


def flag(one: Waiting) -> str:
    """What an intent and its end say of the goods put by. The code is left out: it is hashed anew with each writing."""
    what = (one.cabinet, one.slot, one.item, one.qty, one.person, one.order, one.until_ms)
    return f"{FLAG}{one.id}:{hashlib.sha256(repr(what).encode()).hexdigest()[:12]}"


class HandedOut:
    """Feed it every record of goods, also those of earlier boots. `flags`: of all that is gone."""

    def __init__(self) -> None:
        self._by_key: dict[RecordKey, str] = {}
        self.flags: frozenset[str] = frozenset()

    def apply(self, record: Record) -> None:
        """Remembers a pick-up, or that it was none after all."""
        match record:
            case Draw() | Loan() if record.qty:
                named = next((one for one in record.q if one.startswith(FLAG)), "")
                if named:
                    self._by_key[record.key] = named
                    self.flags |= {named}
            case DrawResolved() if not record.qty:
                self._not_gone(record.ref.key)
            case Reversal():
                self._not_gone(record.ref.key)
            case _:
                pass

    def _not_gone(self, key: RecordKey) -> None:
        if self._by_key.pop(key, None) is not None:
            self.flags = frozenset(self._by_key.values())

    def left(self, one: Waiting) -> bool:
        """Whether these goods still lie there for somebody."""
        return flag(one) not in self.flags
