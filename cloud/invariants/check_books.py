"""What was worked out from the logs: stock, registers, statements; compared with the leaves they came from."""

from __future__ import annotations

from cloud.billing import repository as statements
from cloud.billing.bundle import Keys
from cloud.billing.evidence import bundle_of
from cloud.billing.verify import Trust, verify
from cloud.billing.verify_lines import text_of
from cloud.database import Tx
from cloud.ingest import repository as logs
from cloud.invariants import repository
from cloud.invariants.broken import Broken
from wire.canonical import LeafError
from wire.records import Reading, decode


def check_stock(tx: Tx, tenant: str) -> list[Broken]:
    """Balances are the sums of their moves; a slot below nothing was told to a person."""
    found = []
    for device, slot, item, place, held, moved in repository.wrong_balances(tx, tenant):
        detail = f"{device}/{slot} {item} at {place}: balance {held}, moves {moved} (millionths)"
        found.append(Broken(repository.gateway_log(tx, tenant, device), "balance-differs", detail))
    for device, slot, item, held in repository.silent_debts(tx, tenant):
        detail = f"{device}/{slot} {item}: {held} (millionths)"
        found.append(Broken(repository.gateway_log(tx, tenant, device), "stock-below-nothing", detail))
    return [one for one in found if one.log_no]


def check_registers(tx: Tx, tenant: str) -> list[Broken]:
    """Each live register shows what the leaf it names says."""
    found = []
    for device, register, value, scale, log_no, index, leaf in repository.registers(tx, tenant):
        try:
            record = None if leaf is None else decode(leaf)
        except LeafError:
            record = None
        fits = (
            isinstance(record, Reading)
            and (record.src, record.register) == (device, register)
            and (record.value, record.scale) == (value, scale)
        )
        if not fits:
            detail = f"{device} {register} shows {value}e{scale}, leaf {index} says otherwise"
            found.append(Broken(log_no, "register-differs", detail))
    return found


def check_statement(tx: Tx, tenant: str, statement_id: str, keys: Keys) -> list[Broken]:
    """A statement is settled anew from its leaves, as ``tally-verify`` does; every log of it answers for a finding."""
    statement = statements.statement(tx, tenant, statement_id)
    if statement is None:
        return []
    head = statement.head
    numbers = [log.log_no for stated in head.logs if (log := logs.identity(tx, stated.log)) is not None]
    try:
        verdict = verify(bundle_of(tx, tenant, statement, keys), Trust(cosigner=keys.cosigner))
    except (ValueError, LookupError, AssertionError) as error:
        return [_statement(number, statement_id, f"{type(error).__name__}: {error}") for number in numbers]
    if verdict.verified:
        return []
    return [_statement(number, statement_id, text_of(verdict.findings[0])) for number in numbers]


def _statement(log_no: int, statement_id: str, why: str) -> Broken:
    return Broken(log_no, "statement-differs", f"{statement_id}: {why[:400]}")
