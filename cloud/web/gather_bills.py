"""The billing side of the live page: every agreement's running bill, and the statements that were closed last."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.billing.close_period import running
from cloud.calendar import local_day, next_day, period
from cloud.database import Tx
from cloud.web.facts import Bill, ClosedBill
from cloud.web.repository import overview as rows

MOST_AGREEMENTS = 20
MOST_STATEMENTS = 12
log = logging.getLogger("tallystick.web")


def running_bills(tx: Tx, tenant: str, now_ms: int, parties: Mapping[str, str]) -> Iterator[Bill]:
    """The running bills of the newest agreements."""
    for agreement_id in rows.agreement_ids(tx, tenant, MOST_AGREEMENTS):
        agreement = agreements.find(tx, tenant, agreement_id)
        if agreement is not None:
            yield _running(tx, tenant, agreement, now_ms, parties)


def closed_bills(tx: Tx, tenant: str, parties: Mapping[str, str]) -> Iterator[ClosedBill]:
    """The statements that were closed last."""
    for row in rows.statements(tx, tenant, MOST_STATEMENTS):
        yield ClosedBill(
            statement_id=row.statement_id,
            number=row.number,
            customer=parties.get(row.customer_id, row.customer_id),
            currency=row.currency,
            period=period(date.fromisoformat(row.first), date.fromisoformat(row.end), row.zone),
            total=Decimal(row.total),
        )


def _running(tx: Tx, tenant: str, agreement: Agreement, now_ms: int, parties: Mapping[str, str]) -> Bill:
    """The running bill; one that cannot be worked out is said so and does not take the page with it."""
    terms = agreement.terms
    customer = parties.get(terms.customer_id, terms.customer_id)
    try:
        bill = running(tx, tenant, agreement.agreement_id, now_ms)
    except ValueError:
        log.exception("the running bill of %s cannot be worked out", agreement.agreement_id)
        today = local_day(now_ms, terms.zone)
        return Bill(
            agreement_id=agreement.agreement_id,
            customer=customer,
            currency=terms.currency,
            zone=terms.zone,
            period=period(today, next_day(today), terms.zone),
            total=Decimal(0),
            broken=True,
        )
    return Bill(
        agreement_id=agreement.agreement_id,
        customer=customer,
        currency=terms.currency,
        zone=terms.zone,
        period=bill.period,
        total=Decimal(bill.settlement.total),
        lines=tuple(line for line in bill.settlement.lines if Decimal(line.quantity.value)),
        unbilled=sum(len(one.leaves) for one in bill.settlement.unbilled),
    )
