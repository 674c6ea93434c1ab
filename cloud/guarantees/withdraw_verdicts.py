"""Withdraws the verdicts of a statement that became void."""

from __future__ import annotations

from cloud.database import Tx
from cloud.guarantees import repository
from cloud.invoices import repository as documents
from cloud.invoices.minor import to_minor


def withdraw(tx: Tx, tenant: str, statement_id: str, now_ms: int) -> None:
    """The statement is void: the verdicts it proposed are withdrawn, for its next revision proposes them anew. What a
    settled one has let wait for an invoice waits no more; what it gave by a credit note stays given.
    """
    for row in repository.of_statement(tx, tenant, statement_id):
        waiting = documents.drop_items(tx, tenant, row.agreement_id, row.verdict_id) if row.state == "settled" else []
        dropped = -sum(to_minor(one.amount, row.currency) for one in waiting)
        given = row.credit_minor - dropped if row.state == "settled" else 0
        repository.put(tx, tenant, row._replace(state="withdrawn", credit_minor=given, changed_ms=now_ms))
