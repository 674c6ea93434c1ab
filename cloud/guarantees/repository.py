"""The SQL of verdicts and of time that does not count."""

from __future__ import annotations

from typing import NamedTuple

from cloud.billing.guarantee_spells import Agreed
from cloud.database import Tx

_COLUMNS = (
    "verdict_id, agreement_id, statement_id, customer_id, name, first, end_day, currency, state, proposed_minor, "
    "credit_minor, deadline, who, reason, proposed, final, made_ms, changed_ms"
)


class VerdictRow(NamedTuple):
    """A verdict on its way; ``proposed`` and ``final`` are the verdicts as JSON ("" not settled yet)."""

    verdict_id: str
    agreement_id: str
    statement_id: str
    customer_id: str
    name: str
    first: str
    end_day: str
    currency: str
    state: str
    proposed_minor: int
    credit_minor: int
    deadline: str
    who: str
    reason: str
    proposed: str
    final: str
    made_ms: int
    changed_ms: int


def put(tx: Tx, tenant: str, row: VerdictRow) -> None:
    """Writes a verdict."""
    columns = ("tenant_id", *(name.strip() for name in _COLUMNS.split(",")))
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns[9:])
    tx.insert("verdicts", columns, [(tenant, *row)], f"ON CONFLICT (tenant_id, verdict_id) DO UPDATE SET {changed}")


def find(tx: Tx, tenant: str, verdict_id: str) -> VerdictRow | None:
    """A verdict by its id, held until the transaction ends."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM verdicts WHERE tenant_id = ? AND verdict_id = ? FOR UPDATE",  # noqa: S608 -- constant
        (tenant, verdict_id),
    )
    return None if row is None else VerdictRow(*row)


def page(tx: Tx, tenant: str, agreement_id: str) -> list[VerdictRow]:
    """An agreement's verdicts (all when ""), oldest period first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM verdicts WHERE tenant_id = ? AND (? = '' OR agreement_id = ?) "  # noqa: S608 -- constant
        "ORDER BY agreement_id, first, name, made_ms, verdict_id",
        (tenant, agreement_id, agreement_id),
    )
    return [VerdictRow(*row) for row in rows]


def waiting(tx: Tx, tenant: str, before: str) -> list[str]:
    """Verdicts that are accepted, or whose time for objections ended before a local day."""
    rows = tx.all(
        "SELECT verdict_id FROM verdicts WHERE tenant_id = ? AND state IN ('proposed', 'accepted') "
        "AND (state = 'accepted' OR deadline < ?) ORDER BY verdict_id",
        (tenant, before),
    )
    return [str(row[0]) for row in rows]


def of_statement(tx: Tx, tenant: str, statement_id: str) -> list[VerdictRow]:
    """The verdicts that a statement proposed."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM verdicts WHERE tenant_id = ? AND statement_id = ?",  # noqa: S608 -- constant
        (tenant, statement_id),
    )
    return [VerdictRow(*row) for row in rows]


def add_exclusion(tx: Tx, tenant: str, agreement_id: str, name: str, one: Agreed) -> bool:
    """Time that both sides do not count for a guarantee; False when it is there already."""
    columns = ("tenant_id", "agreement_id", "name", "from_ms", "to_ms", "cause", "who")
    row = (tenant, agreement_id, name, one.from_ms, one.to_ms, one.cause, one.who)
    return tx.insert("agreed_exclusions", columns, [row], "ON CONFLICT DO NOTHING") == 1


def exclusions(tx: Tx, tenant: str, agreement_id: str, begin: int, end: int) -> dict[str, list[Agreed]]:
    """Agreed exclusions that touch ``[begin, end)``, by guarantee."""
    rows = tx.all(
        "SELECT name, from_ms, to_ms, cause, who FROM agreed_exclusions WHERE tenant_id = ? AND agreement_id = ? "
        "AND from_ms < ? AND to_ms > ? ORDER BY name, from_ms",
        (tenant, agreement_id, end, begin),
    )
    found: dict[str, list[Agreed]] = {}
    for name, from_ms, to_ms, cause, who in rows:
        found.setdefault(name, []).append(Agreed(from_ms, to_ms, cause, who))
    return found
