"""Records into the stock ledger, in the transaction that stores them: one load, one save, whatever the number.

The surprise: nothing is refused. A draw of an item that the planogram does not know, a reversal of an unknown record, a
slot below nothing are posted as they happened and noted as discrepancies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cloud.database import Tx
from cloud.ingest.posted import Posted, Unusable
from cloud.replenishment.propose_orders import propose
from cloud.stock import repository
from cloud.stock.ledger import Books, count_position, is_stock, referred
from wire.records import Draw, Goods, Refill


def post(tx: Tx, records: Sequence[Posted]) -> list[Unusable]:
    """Posts the records that move goods, in the order given, and proposes orders for the slots they touched.

    The list of records it cannot use is always empty.
    """
    tenants: dict[str, list[Posted]] = defaultdict(list)
    for posted in records:
        if is_stock(posted.record):
            tenants[posted.tenant].append(posted)
    for tenant in sorted(tenants):
        _post(tx, tenant, tenants[tenant])
    return []


def _post(tx: Tx, tenant: str, stock: Sequence[Posted]) -> None:
    books = Books(repository.lock_devices(tx, tenant, sorted({posted.record.src for posted in stock})))
    books.earlier = repository.earlier_moves(tx, tenant, filter(None, (referred(one.record) for one in stock)))
    back = [position for one in stock if (position := count_position(one.record)) is not None]
    books.positions, books.after = repository.positions(tx, tenant, back)
    shelves = {(one.src, one.slot, one.item) for one in (two.record for two in stock) if isinstance(one, Draw | Goods)}
    shelves |= {(key.src, one.slot, one.item) for key, moves in books.earlier.items() for one in moves}
    repository.load_balances(tx, tenant, shelves, books)
    drawn = {(one.record.src, one.record.slot) for one in stock if isinstance(one.record, Draw)}
    books.planogram = repository.planned_items(tx, tenant, drawn) if drawn else {}
    books.post(stock)
    repository.save(tx, tenant, books)
    touched: dict[tuple[str, str], Posted] = {(move.device, move.slot): move.posted for move in books.moves}
    refilled = {(move.device, move.slot) for move in books.moves if isinstance(move.posted.record, Refill)}
    propose(tx, tenant, touched, refilled)
