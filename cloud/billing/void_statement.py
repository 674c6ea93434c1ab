"""Takes a statement back: it becomes void, stays in its chain, and its period is closed anew by the next revision.

The surprise: only the newest statement that stands can be taken back, because every later one begins where it ended.
What is wrong further back is corrected by delta lines or a credit note.
"""

from __future__ import annotations

from cloud.agreements import repository as agreements
from cloud.billing import repository
from cloud.billing.statement import Statement
from cloud.database import Tx


class StatementUnknown(LookupError):
    """There is no such statement."""


class NotVoidable(ValueError):
    """The statement is void already, or a later one stands on it."""


def void_statement(tx: Tx, tenant: str, statement_id: str, *, reason: str, who: str, now_ms: int) -> Statement:
    """The statement, void from now on; raises StatementUnknown, NotVoidable."""
    found = repository.statement(tx, tenant, statement_id)
    if found is None:
        raise StatementUnknown(f"There is no statement {statement_id}.")
    agreements.find(tx, tenant, found.head.agreement_id, lock=True)
    last = repository.last_statement(tx, tenant, found.head.agreement_id)
    if last is None or last.head.number != found.head.number:
        state = repository.state_of(tx, tenant, statement_id) or {}
        if state.get("state") == "void":
            raise NotVoidable(f"Statement {found.head.number} is void already.")
        number = 0 if last is None else last.head.number
        raise NotVoidable(
            f"Statement {found.head.number} cannot be taken back: statement {number} stands on it. Take that one back "
            "first, or issue a credit note."
        )
    repository.set_void(tx, tenant, statement_id, (reason, who), now_ms)
    return found
