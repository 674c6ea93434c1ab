"""Records into the stock ledger, in the transaction that stores them: one load, one save, whatever the number.

The surprise: nothing is refused. A draw of an item that the planogram does not know, a reversal of an unknown record, a
slot below nothing are posted as they happened and noted as discrepancies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from cloud.credit.post_draws import post_draws
from cloud.database import Tx
from cloud.ingest.posted import Posted, Unusable
from cloud.replenishment.propose_orders import propose
from cloud.replenishment.repository import SlotPlan, plans_of, slot_plans
from cloud.site_rules.post_loans import post_loans
from cloud.stock import repository
from cloud.stock.ledger import REFERRING, STOCK_KINDS, Books, count_position, referred
from cloud.unproven.post_unproven import post_unproven
from wire.records import Count, Draw, Goods, Refill

LOOKING_BACK = frozenset((*REFERRING, Count))


def post(tx: Tx, records: Sequence[Posted]) -> list[Unusable]:
    """Posts the records that move goods, in the order given, and proposes orders for the slots they touched.

    The list of records it cannot use is always empty.
    """
    tenants: dict[str, list[Posted]] = defaultdict(list)
    for posted in records:
        if type(posted.record) in STOCK_KINDS:
            tenants[posted.tenant].append(posted)
    for tenant in sorted(tenants):
        _post(tx, tenant, tenants[tenant])
    return []


def _post(tx: Tx, tenant: str, stock: Sequence[Posted]) -> None:
    lock = repository.lock_on(tenant, sorted({posted.record.src for posted in stock}))
    books = Books()
    slots = {(one.src, one.slot) for one in (two.record for two in stock) if isinstance(one, (Draw, Goods))}
    referring = [posted for posted in stock if type(posted.record) in LOOKING_BACK]
    if referring:
        tx.all(*lock)
        slots |= _load_referred(tx, tenant, referring, books)
    touched = sorted(slots)
    asked = (lock, plans_of(tenant, touched), repository.balances_of(tenant, touched))
    locked, planned, held = tx.several(*asked)
    on_credit = {device: agreement for device, agreement in locked if agreement}
    plans = slot_plans(planned)
    books.planogram = {place: plan.item for place, plan in plans.items()}
    repository.load_balances(held, books)
    books.post(stock)
    repository.save(tx, tenant, books)
    post_loans(tx, tenant, stock)
    post_unproven(tx, tenant, stock)
    if on_credit:
        by_place = {posted.position: posted for posted in stock}
        post_draws(tx, tenant, on_credit, books.moves, by_place, max(posted.at_ms for posted in stock))
    _propose(tx, tenant, stock, books, plans)


def _load_referred(tx: Tx, tenant: str, referring: Sequence[Posted], books: Books) -> set[tuple[str, str]]:
    """What the few records need that refer to others: positions, earlier moves, moves behind a count; their slots."""
    draws = [key for one in referring if (key := referred(one.record)) is not None]
    counts = [(one, one.record) for one in referring if isinstance(one.record, Count)]
    positions = [key for _, count in counts if (key := count_position(count)) is not None]
    books.places = repository.places(tx, tenant, [*draws, *positions])
    known = [(key.src, books.places[key]) for key in draws if key in books.places]
    books.earlier = repository.earlier_moves(tx, tenant, known)
    behind = []
    for posted, count in counts:
        key = count_position(count)
        at = posted.position
        behind.append((count.src, at if key is None else books.places.get(key, at), count.slot, count.item))
    books.later = repository.later_moves(tx, tenant, behind)
    return {(one.device, one.slot) for moves in books.earlier.values() for one in moves}


def _propose(
    tx: Tx, tenant: str, stock: Sequence[Posted], books: Books, plans: Mapping[tuple[str, str], SlotPlan]
) -> None:
    by_place = {(posted.log_no, posted.index): posted for posted in stock}
    touched = {(move.device, move.slot): by_place[move.at] for move in books.moves}
    refilled = {(one.record.src, one.record.slot) for one in stock if isinstance(one.record, Refill)}
    propose(tx, tenant, touched, refilled, plans, lambda plan: books.shelf(plan.device, plan.slot, plan.item, "slot"))
