"""The way of a verdict: proposed with its statement, accepted or disputed, settled, credited by rule.

The surprise: silence is consent. When the days for objections are over, a proposed verdict is judged once more with
every window that has come since, because a sensor that was offline may still decide it, and settled. One that was
accepted is settled as it was accepted, and no side settles one while the other may still object. The
credit waits for the next invoice, or is a credit note for the period's own, as the terms say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

import msgspec

from cloud.agreements import repository as agreements
from cloud.agreements.terms import Version
from cloud.billing import repository as statements
from cloud.billing.gather import gather
from cloud.billing.guarantee import Verdict, credit_amount, terms_hash
from cloud.billing.guarantee_terms import GuaranteeTerms
from cloud.billing.statement import Statement
from cloud.billing.verdicts import verdicts_of
from cloud.calendar import local_day
from cloud.database import Tx
from cloud.guarantees import repository
from cloud.guarantees.repository import VerdictRow
from cloud.invoices import repository as documents
from cloud.invoices.credit_note import Wanted, credited_by_line
from cloud.invoices.document import Item
from cloud.invoices.issue import credit
from cloud.invoices.minor import from_minor, nearest_minor, to_minor
from cloud.money import split
from cloud.rating.terms_fields import exact

_verdicts = msgspec.json.Decoder(Verdict)


class VerdictUnknown(LookupError):
    """There is no such verdict."""


class NotNow(ValueError):
    """The verdict is in a state in which that cannot be done."""


def propose(tx: Tx, tenant: str, versions: Sequence[Version], statement: Statement, now_ms: int) -> None:
    """Stores the verdicts of a statement as proposed."""
    head = statement.head
    for verdict in statement.verdicts:
        guarantee = _guarantee(versions, verdict)
        days = 0 if guarantee is None else guarantee.objection_days
        deadline = (local_day(now_ms, head.zone) + timedelta(days=days)).isoformat()
        minor = 0 if guarantee is None else _credit(tx, tenant, verdict, guarantee, statement)
        text = f"{head.statement_id}\n{verdict.name}\n{verdict.first}"
        row = VerdictRow(
            f"vdt_{hashlib.sha256(text.encode()).hexdigest()[:20]}", head.agreement_id, head.statement_id,
            head.customer_id, verdict.name, verdict.first, verdict.end, head.currency, "proposed", minor, minor,
            deadline, "", "", msgspec.json.encode(verdict).decode(), "", now_ms, now_ms,
        )  # fmt: skip
        repository.put(tx, tenant, row)


def accept(tx: Tx, tenant: str, verdict_id: str, *, who: str, now_ms: int) -> VerdictRow:
    """The customer accepts it before the time is over. Raises VerdictUnknown, NotNow."""
    return _change(tx, tenant, verdict_id, ("proposed", "disputed"), ("accepted", who, ""), now_ms)


def dispute(tx: Tx, tenant: str, verdict_id: str, *, who: str, reason: str, now_ms: int) -> VerdictRow:
    """The customer objects in time. Raises VerdictUnknown, NotNow."""
    row = repository.find(tx, tenant, verdict_id)
    agreement = None if row is None else agreements.find(tx, tenant, row.agreement_id)
    if row is not None and agreement is not None and local_day(now_ms, agreement.terms.zone).isoformat() > row.deadline:
        raise NotNow(f"Objections against this verdict were possible until {row.deadline}.")
    return _change(tx, tenant, verdict_id, ("proposed",), ("disputed", who, reason), now_ms)


def settle_due(tx: Tx, tenant: str, now_ms: int) -> list[VerdictRow]:
    """Settles every verdict that is accepted or against which nobody has objected in time."""
    found = []
    for verdict_id in repository.waiting(tx, tenant, local_day(now_ms + 86_400_000, "UTC").isoformat()):
        row = repository.find(tx, tenant, verdict_id)
        agreement = None if row is None else agreements.find(tx, tenant, row.agreement_id)
        if row is None or agreement is None:
            continue
        over = local_day(now_ms, agreement.terms.zone).isoformat() > row.deadline
        if row.state == "accepted" or over:
            found.append(settle(tx, tenant, verdict_id, who=row.who or "nobody objected", now_ms=now_ms))
    return found


def settle(
    tx: Tx, tenant: str, verdict_id: str, *, who: str, now_ms: int, credit_percent: str = "", reason: str = ""
) -> VerdictRow:
    """Settles a verdict for good: as it was accepted; at the percentage that both sides agree on after a dispute; or,
    when the time for objections is over, judged with all windows known now. What is to be credited waits for the next
    invoice. Raises VerdictUnknown, NotNow.
    """
    row = _known(tx, tenant, verdict_id)
    if row.state not in ("proposed", "accepted", "disputed"):
        raise NotNow(f"The verdict is {row.state}.")
    if row.state == "disputed" and not credit_percent:
        raise NotNow("A disputed verdict is settled at a percentage that both sides agree on.")
    if row.state != "disputed" and credit_percent:
        raise NotNow("Only a disputed verdict is settled at a percentage; this one says what is credited.")
    statement = statements.statement(tx, tenant, row.statement_id)
    agreement = agreements.find(tx, tenant, row.agreement_id, lock=True)
    assert statement is not None, "a verdict's statement stays"
    assert agreement is not None, "a statement's agreement stays"
    if row.state == "proposed" and local_day(now_ms, agreement.terms.zone).isoformat() <= row.deadline:
        raise NotNow(f"The customer may object until {row.deadline}; it is settled after that, or once it is accepted.")
    accepted = row.state == "accepted"
    verdict = _verdicts.decode(row.proposed) if accepted else _judged_again(tx, tenant, statement, row)
    guarantee = _guarantee(agreement.versions, verdict)
    if credit_percent:
        verdict = msgspec.structs.replace(verdict, credit=credit_percent)
    minor = 0 if guarantee is None else _credit(tx, tenant, verdict, guarantee, statement)
    settled = row._replace(
        state="settled", credit_minor=minor, who=who, reason=reason or row.reason, changed_ms=now_ms,
        final=msgspec.json.encode(verdict).decode(),
    )  # fmt: skip
    repository.put(tx, tenant, settled)
    if minor and guarantee is not None and guarantee.credited_on == "credit_note":
        minor -= _on_credit_note(tx, tenant, settled, list(guarantee.of), minor, now_ms)
    if minor:
        _let_wait(tx, tenant, settled, verdict, [] if guarantee is None else list(guarantee.of), minor)
    return settled


def _let_wait(tx: Tx, tenant: str, row: VerdictRow, verdict: Verdict, of: list[str], minor: int) -> None:
    """Lets a credit wait for the next invoice, at the rates of tax of what it is a credit for."""
    document_id = documents.invoice_of_statement(tx, tenant, row.statement_id)
    about = documents.find(tx, tenant, document_id) if document_id else None
    billed: dict[tuple[str, str], Fraction] = {}
    for line in [] if about is None else about.lines:
        if line.statement_line and (not of or line.kind in of):
            rate = line.category, line.percent
            billed[rate] = billed.get(rate, Fraction(0)) + exact(line.net)
    rates = sorted(rate for rate, net in billed.items() if net > 0) or [("", "")]
    shares = split(minor, [billed.get(rate, Fraction(1)) for rate in rates])
    for (category, percent), share in zip(rates, shares, strict=True):
        name = f"verdict:{row.verdict_id}" + (f":{category}:{percent}" if len(rates) > 1 else "")
        item = Item(
            item_id=name, kind="guarantee_credit", amount=f"-{from_minor(share, row.currency)}", of=of,
            about=row.verdict_id, who=row.who, category=category, tax_percent=percent,
            text=f"{row.name}, {row.first} to {row.end_day}: {verdict.share} % good, credit {verdict.credit} %",
            why=row.reason or f"guarantee {row.name}",
        )  # fmt: skip
        if share:
            documents.add_item(tx, tenant, row.agreement_id, item, due_first=row.first, now_ms=row.changed_ms)


def _on_credit_note(tx: Tx, tenant: str, row: VerdictRow, of: list[str], minor: int, now_ms: int) -> int:
    """Credits the lines of the statement's own invoice by what is left of each; how much found room there."""
    document_id = documents.invoice_of_statement(tx, tenant, row.statement_id)
    about = documents.find(tx, tenant, document_id) if document_id else None
    listed = None if about is None else documents.row(tx, tenant, document_id)
    if about is None or listed is None or listed.state == "void":
        return 0
    credited = credited_by_line(about, documents.about(tx, tenant, document_id))
    left = {
        line.no: to_minor(line.net, about.currency) - credited.get(line.no, 0)
        for line in about.lines
        if line.statement_line and (not of or line.kind in of)
    }
    left = {no: rest for no, rest in left.items() if rest > 0}
    part = min(minor, sum(left.values()))
    reason = f"guarantee {row.name}, {row.first} to {row.end_day}: {row.verdict_id}"
    wanted = [
        Wanted(no, reason, amount=from_minor(share, about.currency), kind="guarantee_credit")
        for no, share in zip(left, split(part, [Fraction(rest) for rest in left.values()]), strict=True)
        if share
    ]
    if wanted:
        credit(tx, tenant, document_id, wanted, who=row.who, now_ms=now_ms)
    return part


def _judged_again(tx: Tx, tenant: str, statement: Statement, row: VerdictRow) -> Verdict:
    """The same days with everything that is known now."""
    head = statement.head
    agreement = agreements.find(tx, tenant, head.agreement_id)
    assert agreement is not None, "a statement's agreement stays"
    base = statements.statement_of_number(tx, tenant, head.agreement_id, head.base)
    versions = agreement.versions[: len(head.versions)]
    facts = gather(tx, tenant, versions, None if base is None else base.head).facts
    agreed = repository.exclusions(tx, tenant, head.agreement_id, head.period.from_ms, head.period.to_ms)
    found = verdicts_of(versions, head.period, facts, agreed)
    same = [one for one in found if (one.name, one.first) == (row.name, row.first)]
    return same[0] if same else _verdicts.decode(row.proposed)


def _credit(tx: Tx, tenant: str, verdict: Verdict, guarantee: GuaranteeTerms, statement: Statement) -> int:
    """What is credited, net, in minor units: of the statement's own lines of the kinds that were agreed on. Where other
    terms began within the period it has another verdict, and both share the period's cap.
    """
    base = sum(
        (
            exact(line.amount)
            for line in statement.lines
            if not line.belongs_to
            and (not guarantee.of or line.kind in guarantee.of)
            and verdict.first <= line.first < verdict.end
        ),
        Fraction(0),
    )
    currency = statement.head.currency
    minor = nearest_minor(credit_amount(verdict, guarantee, base), currency)
    if guarantee.cap is None:
        return minor
    others = [
        one.credit_minor
        for one in repository.of_statement(tx, tenant, statement.head.statement_id)
        if one.name == verdict.name and one.first != verdict.first
    ]
    return min(minor, max(0, nearest_minor(exact(guarantee.cap), currency) - sum(others)))


def _guarantee(versions: Sequence[Version], verdict: Verdict) -> GuaranteeTerms | None:
    """The guarantee that was judged, in the version that it was judged by."""
    every = (one for version in versions for one in version.terms.guarantees or [])
    return next((one for one in every if one.name == verdict.name and terms_hash(one) == verdict.terms_hash), None)


def _known(tx: Tx, tenant: str, verdict_id: str) -> VerdictRow:
    row = repository.find(tx, tenant, verdict_id)
    if row is None:
        raise VerdictUnknown(f"There is no verdict {verdict_id}.")
    return row


def _change(
    tx: Tx, tenant: str, verdict_id: str, allowed: tuple[str, ...], to: tuple[str, str, str], now_ms: int
) -> VerdictRow:
    row = _known(tx, tenant, verdict_id)
    if row.state not in allowed:
        raise NotNow(f"The verdict is {row.state}.")
    changed = row._replace(state=to[0], who=to[1], reason=to[2], changed_ms=now_ms)
    repository.put(tx, tenant, changed)
    return changed
