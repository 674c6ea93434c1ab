"""Shares of a credit limit that gateways may give away alone: filled, published, used, taken back.

The surprise is how a share gets smaller. A gateway may be offline for a week and give by the document it has, so money
that was promised to it stays reserved until its own log says that it has taken over the newer document; what it gave
before that stands in the log before it. The shares, what is owed and what is reserved together are never more than the
limit. Source: billing.md 4.5; the gateway's side: ``gateway/access.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from cloud.agreements import repository as agreements
from cloud.agreements.credit_terms import CreditTerms
from cloud.agreements.repository import Agreement
from cloud.agreements.terms import Version, version_at
from cloud.credit import repository
from cloud.credit.decide import NoCredit, exposure_of, owner_of, price_of
from cloud.credit.repository import Delegation, Owner
from cloud.database import Tx
from cloud.fleet import repository as fleet
from cloud.fleet.desired import publish
from cloud.ingest.posted import Posted, Unusable
from cloud.invoices.minor import to_minor
from cloud.money import minor_digits
from cloud.rating.charges.per_piece import Terms as PieceTerms
from wire.records import GatewayEvent

PART = "credit"
DAY_MS = 86_400_000
# A share of which less than this part is left is filled up as soon as that is known.
FILL_BELOW = Fraction(1, 2)


def share_out(tx: Tx, tenant: str, agreement_id: str, now_ms: int, *, anew: bool = False) -> list[Delegation]:
    """Fills the gateways' shares up to what was agreed, as far as the limit allows, or takes back what is too much.

    A gateway is told when its share changes or its lease is half over; ``anew``: in any case. Raises NoCredit.
    """
    agreement = agreements.find(tx, tenant, agreement_id)
    version = None if agreement is None else version_at(now_ms, agreement.versions) or agreement.versions[-1]
    if version is None or version.terms.credit is None:
        raise NoCredit(f"The agreement {agreement_id} has no credit terms.")
    terms = version.terms
    owner = owner_of(terms)
    line = repository.line(tx, tenant, owner, lock=True)
    if line is None:
        raise NoCredit(f"{terms.customer_id} has no credit line with {terms.supplier_id} in {terms.currency}.")
    known = {one.gateway_id: one for one in repository.delegations(tx, tenant, owner)}
    wanted = {one.gateway: to_minor(one.limit, line.currency) for one in version.terms.credit.delegated}
    for gateway in sorted({*wanted, *(name for name, one in known.items() if one.agreement_id in ("", agreement_id))}):
        limit = wanted.get(gateway, 0) if line.state == "active" else 0
        before = known.get(gateway) or Delegation(gateway, 0, 0, 0, 0, agreement_id, 0)
        exposure = exposure_of(tx, tenant, line, terms, now_ms)
        target = max(0, min(limit, before.left_minor + exposure.limit - exposure.used))
        if anew or (target, limit) != (before.next_minor, before.limit_minor) or _half_over(before, version, now_ms):
            _tell(tx, tenant, agreement_id, version, before._replace(limit_minor=limit), target, now_ms)
    return repository.delegations(tx, tenant, owner)


def share_out_again(tx: Tx, tenant: str, owner: Owner, now_ms: int) -> None:
    """After the standing of a credit line changed: all its shares."""
    for agreement_id in sorted({one.agreement_id for one in repository.delegations(tx, tenant, owner)} - {""}):
        share_out(tx, tenant, agreement_id, now_ms)


def write_off(tx: Tx, tenant: str, agreement_id: str, gateway: str, now_ms: int) -> None:
    """A person says that a gateway will never give anything again (lost, broken); its share is free at once.

    Raises NoCredit.
    """
    agreement = agreements.find(tx, tenant, agreement_id)
    owner = None if agreement is None else owner_of(agreement.terms)
    shares = [] if owner is None else repository.delegations(tx, tenant, owner)
    found = next((one for one in shares if one.gateway_id == gateway), None)
    if agreement is None or owner is None or found is None:
        raise NoCredit(f"{gateway} has no share of the credit of {agreement_id}.")
    repository.line(tx, tenant, owner, lock=True)
    _tell(tx, tenant, agreement_id, agreement.versions[-1], found._replace(limit_minor=0), 0, now_ms)
    told = next(one for one in repository.delegations(tx, tenant, owner) if one.gateway_id == gateway)
    repository.put_delegation(tx, tenant, owner, told._replace(left_minor=0))


def use_share(tx: Tx, tenant: str, owner: Owner, shares: dict[str, Delegation], gateway: str, minor: int) -> str:
    """A draw that nobody was asked about uses the gateway's own share; a flag when that is not enough."""
    share = shares.get(gateway)
    if share is None:
        return "undecided"
    left, following = max(0, share.left_minor - minor), max(0, share.next_minor - minor)
    shares[gateway] = share._replace(left_minor=left, next_minor=following)
    repository.put_delegation(tx, tenant, owner, shares[gateway])
    return "" if minor <= share.left_minor else "over_share"


def fill_up(tx: Tx, tenant: str, agreement: Agreement, used: Sequence[Delegation], now_ms: int) -> None:
    """After draws: shares that run low, and leases that run out, are renewed."""
    version = version_at(now_ms, agreement.versions)
    if version is None or version.terms.credit is None:
        return
    if any(one.next_minor < one.limit_minor * FILL_BELOW or _half_over(one, version, now_ms) for one in used):
        share_out(tx, tenant, agreement.agreement_id, now_ms)


def post(tx: Tx, records: Sequence[Posted]) -> list[Unusable]:
    """Gateways that have taken over a newer document: what their older one allowed beyond it is free now."""
    for posted in records:
        record = posted.record
        if type(record) is GatewayEvent and record.event == "config_applied":
            version = record.data.get("desired_version")
            if isinstance(version, int):
                for owner, one in repository.delegations_of(tx, posted.tenant, posted.gateway):
                    if one.left_minor != one.next_minor and version >= one.version:
                        repository.line(tx, posted.tenant, owner, lock=True)
                        repository.put_delegation(tx, posted.tenant, owner, one._replace(left_minor=one.next_minor))
    return []


def _half_over(one: Delegation, version: Version, now_ms: int) -> bool:
    """Whether a lease has to be renewed now, so that a gateway that is heard of never runs out of it."""
    days = None if version.terms.credit is None else version.terms.credit.share_days
    return days is not None and one.until_ms - now_ms < days * DAY_MS // 2


def _tell(
    tx: Tx, tenant: str, agreement_id: str, version: Version, share: Delegation, target: int, now_ms: int
) -> None:
    """Publishes a share of ``target`` and keeps the greater of what the gateway may hold as used."""
    terms = version.terms
    credit = terms.credit
    until = 0
    if credit is not None and credit.share_days is not None:
        until = max(share.until_ms, now_ms + credit.share_days * DAY_MS)
    published = share.version
    if fleet.gateway(tx, tenant, share.gateway_id) is not None:
        hung = repository.devices_at(tx, tenant, share.gateway_id)
        devices = [device for device in terms.devices if device in hung]
        body = {
            "devices": devices,
            "currency": terms.currency,
            "exponent": minor_digits(terms.currency),
            "limit_minor": target,
            "used_minor": 0,
            "as_of": repository.counters(tx, tenant, devices),
            "prices": _prices(version, devices),
            "when_spent": _when_spent(credit, share.gateway_id),
            "until_ms": until,
        }
        published = publish(tx, tenant, share.gateway_id, part=PART, key=agreement_id, body=body)
    left = max(share.left_minor, target)
    made = Delegation(share.gateway_id, share.limit_minor, left, target, published, agreement_id, until)
    repository.put_delegation(tx, tenant, owner_of(terms), made)


def _when_spent(credit: CreditTerms | None, gateway: str) -> str:
    found = [one.when_spent for one in (credit.delegated if credit else []) if one.gateway == gateway]
    return (found[0] if found else None) or "deny"


def _prices(version: Version, devices: Sequence[str]) -> Mapping[str, int]:
    """What a piece is billed at with tax, in minor units, for every item that has a price."""
    items = {item for charge in version.terms.charges if isinstance(charge, PieceTerms) for item in charge.prices}
    device = devices[0] if devices else ""
    found = {item: price_of(version, device, item, Fraction(1), "pc") for item in sorted(items)}
    return {item: minor for item, minor in found.items() if minor is not None}
