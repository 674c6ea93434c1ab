"""What must always be true of a log and of what is worked out from it, and what is said when it is not. PURE.

These checks are ordinary code and not ``assert``: they stay on in production, whatever Python is started with.
"""

from __future__ import annotations

import msgspec

KINDS = {
    "leaf-changed": "a stored record is not what was hashed when it came",
    "leaf-missing": "a record of the log is gone",
    "root-differs": "the records do not give the root that was cosigned",
    "head-differs": "the log's head is not its newest cosigned checkpoint",
    "note-unsigned": "a stored checkpoint is not signed and cosigned as it must be",
    "key-lost": "a record is in the log, and neither counted nor kept aside",
    "balance-differs": "a stock balance is not the sum of its moves",
    "stock-below-nothing": "a slot holds less than nothing, and nobody was told",
    "register-differs": "a meter's register is not what its record says",
    "key-revoked": "records were signed with a key that was revoked by then",
    "statement-differs": "a statement does not follow from its records",
}


class Broken(msgspec.Struct, frozen=True):
    """An invariant that does not hold: of which log, which one, and the facts."""

    log_no: int
    kind: str
    detail: str


class InvariantBroken(Exception):
    """Something was about to be billed from a log that contradicts itself. Nothing was written."""

    def __init__(self, broken: Broken) -> None:
        super().__init__(f"{KINDS[broken.kind]}: {broken.detail}")
        self.broken = broken


class BillingHeld(Exception):
    """A log of the agreement is on hold; ``log_id`` and ``kind`` say which and why."""

    def __init__(self, log_id: str, kind: str, detail: str) -> None:
        super().__init__(f"Log {log_id[:12]} is on hold ({KINDS.get(kind, kind)}: {detail}). A person must decide.")
        self.log_id = log_id
        self.kind = kind


class NotWitnessed(BillingHeld):
    """The witnesses that the agreement demands have not cosigned a log as far as the period reaches. They may yet."""

    def __init__(self, log_id: str, origin: str) -> None:
        Exception.__init__(
            self,
            f"The witnesses that the agreement demands have not cosigned {origin} up to the period's last record. "
            "Nothing is billed before they have; see GET /v1/witnesses.",
        )
        self.log_id, self.kind = log_id, "not-witnessed"
