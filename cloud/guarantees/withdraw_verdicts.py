"""Withdraws the verdicts of a statement that became void."""

from __future__ import annotations

from cloud.database import Tx
from cloud.guarantees import repository


def withdraw(tx: Tx, tenant: str, statement_id: str, now_ms: int) -> None:
    """The statement is void: verdicts it proposed and nobody settled are withdrawn."""
    for row in repository.of_statement(tx, tenant, statement_id):
        if row.state != "settled":
            repository.put(tx, tenant, row._replace(state="withdrawn", credit_minor=0, changed_ms=now_ms))
