"""Draws that happened, on the credit line, in the transaction that stores them.

The surprise: nothing is refused here. What was decided beforehand uses its reservation up; what a gateway decided alone
uses up its share; what neither covers is owed all the same and flagged. Goods that come back owe nothing any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from cloud.agreements import repository as agreements
from cloud.agreements.repository import Agreement
from cloud.agreements.terms import version_at
from cloud.credit import repository
from cloud.credit.decide import exposure_of, owner_of, price_of
from cloud.credit.shares import fill_up, use_share
from cloud.database import Tx
from cloud.ingest.posted import Posted
from cloud.stock.ledger import MICRO, Move, Position
from wire.records import Draw


def post_draws(
    tx: Tx,
    tenant: str,
    on_credit: Mapping[str, str],
    moves: Sequence[Move],
    posted: Mapping[Position, Posted],
    now_ms: int,
) -> None:
    """Owes what these moves took (or no longer owes what they brought back). ``on_credit``: device -> agreement."""
    _free_refused(tx, tenant, on_credit, {one.at for one in moves}, posted)
    wanted = [one for one in moves if one.device in on_credit and "consumed" in (one.source, one.target)]
    for agreement_id in sorted({on_credit[one.device] for one in wanted}):
        agreement = agreements.find(tx, tenant, agreement_id)
        if agreement is not None:
            own = [one for one in wanted if on_credit[one.device] == agreement_id]
            _post(tx, tenant, agreement, own, posted, now_ms)


def _free_refused(
    tx: Tx, tenant: str, on_credit: Mapping[str, str], moved: set[Position], posted: Mapping[Position, Posted]
) -> None:
    """A draw that gave nothing (jammed, not taken) holds no money any more."""
    refused = [
        (one.record.src, one.record.intent)
        for at, one in posted.items()
        if at not in moved and isinstance(one.record, Draw) and one.record.intent and one.record.src in on_credit
    ]
    for reservation_id in repository.open_reservations(tx, tenant, refused).values() if refused else ():
        repository.end_reservation(tx, tenant, reservation_id, "void")


def _post(
    tx: Tx, tenant: str, agreement: Agreement, moves: Sequence[Move], posted: Mapping[Position, Posted], now_ms: int
) -> None:
    owner = owner_of(agreement.terms)
    line = repository.line(tx, tenant, owner, lock=True)
    if line is None:
        return
    intents = {
        (one.device, record.intent)
        for one in moves
        if (found := posted.get(one.at)) is not None and isinstance(record := found.record, Draw) and record.intent
    }
    decided = repository.open_reservations(tx, tenant, sorted(intents)) if intents else {}
    shares = {one.gateway_id: one for one in repository.delegations(tx, tenant, owner)}
    rows, total = [], 0
    for move in moves:
        minor = _price(agreement, move)
        source = posted.get(move.at)
        intent = source.record.intent if source is not None and isinstance(source.record, Draw) else ""
        reservation = decided.pop((move.device, intent), None) if intent else None
        flag = "" if minor is not None else "unpriced"
        if reservation is not None:
            repository.end_reservation(tx, tenant, reservation, "used")
        elif minor is not None and minor > 0 and source is not None:
            flag = use_share(tx, tenant, owner, shares, source.gateway, minor)
        total += minor or 0
        rows.append((agreement.agreement_id, move.device, *move.at, move.item, minor or 0, move.at_ms, flag))
    over = exposure_of(tx, tenant, line, agreement.terms, now_ms)
    if not over.fits(total) and rows:
        rows = [(*row[:-1], row[-1] or "over_limit") for row in rows]
    repository.add_draws(tx, tenant, rows)
    repository.add_unbilled(tx, tenant, owner, total, now_ms)
    used = [shares[name] for name in sorted({one.gateway for one in posted.values()}) if name in shares]
    if used:
        fill_up(tx, tenant, agreement, used, now_ms)


def _price(agreement: Agreement, move: Move) -> int | None:
    version = version_at(move.at_ms, agreement.versions)
    if version is None:
        return None
    minor = price_of(version, move.device, move.item, Fraction(move.micro, MICRO), move.unit)
    return None if minor is None else (minor if move.target == "consumed" else -minor)
