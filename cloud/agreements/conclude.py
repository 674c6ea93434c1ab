"""Conclude an agreement, or a new version of its terms: checked against what the cloud knows.

The surprise: terms are refused, never bent. A device that another agreement covers in the same days is refused, because
its draws would be billed twice; so is a version that would reach back into a closed period.
"""

from __future__ import annotations

from cloud.agreements import repository
from cloud.agreements.repository import Agreement
from cloud.agreements.terms import AgreementError, AgreementTerms, Version
from cloud.billing.metered import rules_of
from cloud.calendar import local_day
from cloud.database import Tx
from cloud.metering import repository as meters
from cloud.rating.charges.per_piece import Terms as PieceTerms


class AgreementUnknown(LookupError):
    """There is no such agreement."""


class AgreementClash(ValueError):
    """The terms contradict another agreement or a closed period."""


def conclude(tx: Tx, tenant: str, agreement_id: str, terms: AgreementTerms, now_ms: int) -> Agreement:
    """Stores a new agreement with its first version; raises AgreementError, AgreementClash."""
    if repository.find(tx, tenant, agreement_id) is not None:
        raise AgreementClash(f"There is already an agreement {agreement_id}.")
    if terms.effective_at is not None:
        raise AgreementError("effective_at: an agreement begins with a local day; only later versions name an instant.")
    _check_known(tx, tenant, terms)
    _check_devices(tx, tenant, agreement_id, terms, terms.starts)
    repository.add(tx, tenant, agreement_id, terms, now_ms)
    version = Version(1, terms.starts, terms)
    repository.add_version(tx, tenant, agreement_id, version, now_ms)
    _declare_meters(tx, tenant, terms)
    return Agreement(agreement_id, [version])


def amend(
    tx: Tx, tenant: str, agreement_id: str, version: tuple[str, AgreementTerms], *, closed_until: str, now_ms: int
) -> Agreement:
    """Adds a version (the day from which it counts, its terms); ``closed_until``: end of the last closed period."""
    first, terms = version
    agreement = repository.find(tx, tenant, agreement_id, lock=True)
    if agreement is None:
        raise AgreementUnknown(f"There is no agreement {agreement_id}.")
    last = agreement.versions[-1]
    fixed = ("supplier_id", "customer_id", "currency", "zone", "starts")
    changed = [name for name in fixed if getattr(terms, name) != getattr(last.terms, name)]
    if changed:
        raise AgreementError(f"{', '.join(changed)}: cannot change within an agreement; conclude a new one.")
    if first <= last.first or (first < closed_until and terms.rerating_order is None):
        raise AgreementClash(
            f"A version cannot count from {first}: version {last.version} counts from {last.first}"
            + (
                f" and everything before {closed_until} is closed; to rate that again, write a rerating_order."
                if closed_until
                else "."
            )
        )
    _check_known(tx, tenant, terms)
    _check_devices(tx, tenant, agreement_id, terms, first)
    added = Version(last.version + 1, first, terms)
    if local_day(added.from_ms, terms.zone).isoformat() != first:
        raise AgreementError(f"effective_at: {terms.effective_at} is not on {first} by the clock of {terms.zone}.")
    repository.add_version(tx, tenant, agreement_id, added, now_ms)
    _declare_meters(tx, tenant, terms)
    return Agreement(agreement_id, [*agreement.versions, added])


def _check_known(tx: Tx, tenant: str, terms: AgreementTerms) -> None:
    items = [item for charge in terms.charges if isinstance(charge, PieceTerms) for item in charge.prices]
    for table, column, ids in (
        ("parties", "party_id", [terms.supplier_id, terms.customer_id]),
        ("devices", "device_id", terms.devices),
        ("items", "item_id", items),
    ):
        unknown = repository.missing(tx, tenant, table, column, ids)
        if unknown:
            raise AgreementError(f"{table}: {', '.join(unknown[:5])} is not known; create it first.")


def _check_devices(tx: Tx, tenant: str, agreement_id: str, terms: AgreementTerms, first: str) -> None:
    clashes = repository.overlapping(tx, tenant, agreement_id, terms.devices, first=first, ends=terms.ends or "")
    if clashes:
        device, other = clashes[0]
        raise AgreementClash(f"{device} is already under agreement {other} in these days; end that one first.")


def _declare_meters(tx: Tx, tenant: str, terms: AgreementTerms) -> None:
    meters.declare(tx, tenant, list(rules_of([terms]).values()))
