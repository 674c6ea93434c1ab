"""Loans out of records, in the transaction that stores them: what is out, since when, until when, and how it ended.

The surprise is the loan that is kept: the gateway ends it by a record of its own and writes a draw beside it, so that
the bill knows draws only and each of its lines leads to a record that says "draw".
"""

from __future__ import annotations

from collections.abc import Sequence

from cloud.database import Tx
from cloud.ingest.posted import Posted
from cloud.site_rules import repository
from cloud.site_rules.repository import LoanRow
from wire.records import Loan, LoanBack


def post_loans(tx: Tx, tenant: str, posted: Sequence[Posted]) -> None:
    """Notes the loans among these records, and their ends; the same again changes nothing."""
    lent = [(one, one.record) for one in posted if isinstance(one.record, Loan)]
    if lent:
        repository.lend(tx, tenant, [_row(one, loan) for one, loan in lent])
    for one in posted:
        back = one.record
        if isinstance(back, LoanBack) and back.ref:
            how = back.q[0] if back.q else "back"
            repository.bring_back(
                tx, tenant, back.ref.src, back.ref.ep, back.ref.n, qty=back.qty, how=how, at_ms=one.at_ms
            )


def _row(posted: Posted, loan: Loan) -> LoanRow:
    return LoanRow(
        loan.src, posted.log_no, posted.index, loan.ep, loan.n, loan.who, loan.for_, loan.slot, loan.item, loan.serial,
        loan.qty, loan.scale, loan.unit, posted.at_ms, loan.due or None, loan.qty, "", None,
    )  # fmt: skip
