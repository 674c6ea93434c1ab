"""A closing run: every agreement's periods that are over, drafts in their days of grace, final after them.

The surprise: any number of runs may go at once and be killed at any moment. Each period is closed in one transaction
behind its agreement's lock, so what a killed run has not committed is simply still due, and no other run can close it
twice. A commit costs as much as a small agreement, so some agreements share one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import msgspec

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.billing import repository
from cloud.billing.bill_early import bill_early
from cloud.billing.close_period import Wanted, close_locked, draft_period
from cloud.calendar import Cycle, Period, billing_periods
from cloud.database import Store, Tx
from cloud.invariants.broken import BillingHeld, InvariantBroken
from cloud.invariants.stop_billing import stop_billing
from wire.seal import Signer

DAY_MS = 86_400_000
FAR = date(2999, 12, 31)
AT_ONCE = 20
FOR_EVER = 1_000_000
# What is wrong with one agreement; a database that is away or in another's way is none of these.
CANNOT_BE_CLOSED = (ValueError, LookupError, ArithmeticError, AssertionError)
HELD = (BillingHeld, InvariantBroken)


class Closed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run did for one period. ``state``: draft, final, early (an early bill), failed: it
    could not be closed, held: a log of it contradicts itself; ``reason`` says why.
    """

    agreement_id: str
    first: str
    end: str
    state: str
    number: int
    total: str
    currency: str
    reason: str = ""


async def close_due(store: Store, tenant: str, now_ms: int, signer: Signer, *, drafts: bool = True) -> list[Closed]:
    """Closes everything that is due for a tenant, some agreements a transaction; where one of them cannot be closed,
    each by itself, so that none stands in the way of others.
    """
    done: list[Closed] = []
    every = await store.read(lambda tx: agreements.ids(tx, tenant))

    def closing(some: Sequence[str], most: int = FOR_EVER) -> Callable[[Tx], list[Closed]]:
        return lambda tx: close_some(tx, tenant, some, now_ms, signer, drafts=drafts, most=most)

    for at in range(0, len(every), AT_ONCE):
        some = every[at : at + AT_ONCE]
        try:
            done += await store.run(closing(some))
        except (*CANNOT_BE_CLOSED, *HELD):
            for one in some:
                done += await _alone(store, tenant, one, closing, now_ms)
    return done


async def _alone(
    store: Store,
    tenant: str,
    agreement_id: str,
    closing: Callable[[Sequence[str], int], Callable[[Tx], list[Closed]]],
    now_ms: int,
) -> list[Closed]:
    """One agreement, one period a transaction, up to the one that cannot be closed."""
    done: list[Closed] = []
    try:
        while made := await store.run(closing([agreement_id], 1)):
            done += made
            if made[-1].state != "final":
                break
    except CANNOT_BE_CLOSED as error:
        done.append(Closed(agreement_id, "", "", "failed", 0, "", "", f"{type(error).__name__}: {error}"))
    except HELD as error:
        if isinstance(error, InvariantBroken):
            await stop_billing(store, tenant, error, now_ms)
        done.append(Closed(agreement_id, "", "", "held", 0, "", "", str(error)))
    return done


def close_some(
    tx: Tx, tenant: str, some: Sequence[str], now_ms: int, signer: Signer, *, drafts: bool = True, most: int = FOR_EVER
) -> list[Closed]:
    """Closes everything that is due of these agreements. They are locked first, in the order of their ids, and number
    series only after them: two runs then wait for one another and never both.
    ``most``: so many periods of each.
    """
    agreements.lock(tx, tenant, some)
    done: list[Closed] = []
    found = (agreements.find(tx, tenant, agreement_id) for agreement_id in some)
    for agreement in (one for one in found if one is not None):
        for _ in range(most):
            made = close_next(tx, tenant, agreement, now_ms, signer, drafts=drafts)
            done += [] if made is None else [made]
            if made is None or made.state != "final":
                break
    return done


def close_next(
    tx: Tx, tenant: str, agreement: Agreement, now_ms: int, signer: Signer, *, drafts: bool = True
) -> Closed | None:
    """Closes a locked agreement's next period if it is over, drafts it while its grace lasts, or bills what has run up
    in it where its terms say so; None: nothing is due.
    """
    agreement_id = agreement.agreement_id
    due = next_period(agreement, repository.last_statement_end(tx, tenant, agreement_id))
    if due is None:
        return None
    if due.to_ms > now_ms:
        early = bill_early(tx, tenant, agreement, due, now_ms)
        made = None if early is None else ("early", early.number, early.net)
    elif now_ms < due.to_ms + (agreement.terms.grace_days or 0) * DAY_MS:
        made = ("draft", 0, _drafted(tx, tenant, agreement_id, due, now_ms)) if drafts else None
    else:
        wanted = Wanted(first=due.first, end=due.end)
        head = close_locked(tx, tenant, agreement, wanted, now_ms=now_ms, signer=signer)[0].head
        made = ("final", head.number, head.total)
    return None if made is None else Closed(agreement_id, due.first, due.end, *made, agreement.terms.currency)


def _drafted(tx: Tx, tenant: str, agreement_id: str, due: Period, now_ms: int) -> str:
    """The total of a new draft."""
    wanted = Wanted(first=due.first, end=due.end)
    return draft_period(tx, tenant, agreement_id, wanted, now_ms=now_ms).settlement.total


def due_period(agreement: Agreement, closed_until: str, now_ms: int) -> Period | None:
    """The next period of an agreement, if it is over; ``closed_until``: end of the last closed one ("" none)."""
    found = next_period(agreement, closed_until)
    return found if found is not None and found.to_ms <= now_ms else None


def next_period(agreement: Agreement, closed_until: str) -> Period | None:
    """The period that follows the last closed one, over or not; None after the agreement's end. Its length is that of
    the terms that count on its first day, and it ends where terms with another cycle begin.
    """
    terms = agreement.terms
    first = date.fromisoformat(closed_until or terms.starts)
    end = FAR if terms.ends is None else date.fromisoformat(terms.ends)
    if first >= end:
        return None
    cycle = agreement.on(first.isoformat()).cycle or Cycle()
    others = (one.first for one in agreement.versions if (one.terms.cycle or Cycle()) != cycle)
    end = min([end, *(day for other in others if (day := date.fromisoformat(other)) > first)])
    return next(billing_periods(cycle, terms.zone, first, end))


def gaps(series: Sequence[tuple[str, int, int]]) -> list[str]:
    """The series whose newest number is not the count of their documents: numbers are missing there."""
    return [name for name, last, count in series if last != count]
