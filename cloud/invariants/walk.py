"""The walk over everything that must hold: at night, by the hour in the background, or when somebody asks.

Each log and each statement is read in a transaction of its own, so that nobody who writes waits for the walk. What is
found puts its log on hold: nothing of it is billed, an alarm is raised, until a person decides (``release``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import msgspec

from cloud.billing.bundle import Keys
from cloud.clock import Clock
from cloud.database import DatabaseAwayError, Store, Tx
from cloud.ingest import repository as logs
from cloud.invariants import check_books, repository
from cloud.invariants.broken import KINDS, Broken
from cloud.invariants.check_log import check_log

log = logging.getLogger("tallystick.invariants")
DETAIL = 500


class Walked(msgspec.Struct):
    """What a walk looked at and found."""

    logs: int = 0
    leaves: int = 0
    statements: int = 0
    broken: list[tuple[str, Broken]] = []
    new_holds: int = 0


async def walk(store: Store, now_ms: int, keys: Keys, *, tenant: str = "", deep: bool = True) -> Walked:
    """Checks a tenant, or all; ``deep``: every statement too. Puts logs on hold."""
    walked = Walked()
    for one in [tenant] if tenant else await store.read(repository.tenants):
        for standing in await store.read(partial(logs.standing, tenant=one)):
            walked.logs += 1
            walked.leaves += standing.size
            await _look(store, walked, one, partial(check_log, log=standing, keys=keys), now_ms)
        await _look(store, walked, one, partial(check_books.check_stock, tenant=one), now_ms)
        await _look(store, walked, one, partial(check_books.check_registers, tenant=one), now_ms)
        for _, statement_id in await store.read(partial(repository.statement_ids, tenant=one)) if deep else []:
            walked.statements += 1
            look = partial(check_books.check_statement, tenant=one, statement_id=statement_id, keys=keys)
            await _look(store, walked, one, look, now_ms)
    return walked


async def walk_for_ever(store: Store, clock: Clock, keys: Keys, seconds: int) -> None:
    """The walk in the background of a web process; a database that is away is asked again the next time."""
    while True:
        await clock.sleep(seconds)
        try:
            await walk(store, clock.now_ms(), keys)
        except DatabaseAwayError as error:
            log.warning("the check of the books could not run: %s", error)


async def _look(store: Store, walked: Walked, tenant: str, check: Callable[[Tx], list[Broken]], now_ms: int) -> None:
    found = await store.read(check)
    walked.broken += [(tenant, one) for one in found]
    for one in found:
        log.critical("an invariant is broken: %s (%s)", KINDS[one.kind], one.detail)
        walked.new_holds += await store.run(partial(put_on_hold, tenant=tenant, broken=one, now_ms=now_ms))


def put_on_hold(tx: Tx, tenant: str, broken: Broken, now_ms: int) -> bool:
    """Stops the billing of the log; whether that is new. The very finding that a person released is not held again."""
    place, detail = (tenant, broken.log_no), broken.detail[:DETAIL]
    if repository.last_decision(tx, place, broken.kind) == detail:
        return False
    return repository.put_hold(tx, place, broken.kind, detail, now_ms)
