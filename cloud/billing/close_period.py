"""Close a period of an agreement to a statement, once; or show the running bill, which is the same and not kept.

The surprise: closing twice gives the statement that is already there. Periods follow one another without a gap: the
next one begins where the last one ended, whatever was asked for.
"""

from __future__ import annotations

from datetime import date

import msgspec

from cloud.agreements import repository as agreements
from cloud.agreements.conclude import AgreementUnknown
from cloud.agreements.repository import Agreement
from cloud.billing import repository
from cloud.billing.corrections import settle_with_deltas
from cloud.billing.first_late import before_opening, first_late, late_registers
from cloud.billing.gather import Gathered, event_range, gather, ranges
from cloud.billing.kept_leaves import RUNNING, KeptLeaves
from cloud.billing.settle import Settlement
from cloud.billing.statement import Head, Link, Statement, head_of, note_text
from cloud.billing.verdicts import verdicts_of
from cloud.billing.view import draft_document
from cloud.calendar import Period, local_day, month, next_day, parse_day, period
from cloud.database import Tx
from cloud.guarantees import repository as verdict_rows
from cloud.guarantees.settle_verdict import propose
from cloud.invariants import repository as holds
from cloud.invariants.broken import BillingHeld, InvariantBroken, NotWitnessed
from cloud.invariants.check_log import check_range
from cloud.invoices import repository as documents
from cloud.invoices.issue import issue_invoice
from wire.seal import Signer


class PeriodNotOver(ValueError):
    """The period has not ended yet on the agreement's clock."""


class PeriodNotNext(ValueError):
    """The period does not follow the last closed one."""


class Wanted(msgspec.Struct, frozen=True):
    """Which period to close: local days ``[first, end)``, or a calendar month such as ``2026-11``."""

    first: str = ""
    end: str = ""
    month: str = ""


class Running(msgspec.Struct, frozen=True):
    """The bill of the open period so far; ``logs`` are the ids that its leaves' positions mean."""

    agreement: Agreement
    period: Period
    settlement: Settlement
    logs: list[str]


def close_period(
    tx: Tx, tenant: str, agreement_id: str, wanted: Wanted, *, now_ms: int, signer: Signer
) -> tuple[Statement, bool]:
    """The statement of a period, and whether it was made now.

    Raises AgreementUnknown, CalendarError, PeriodNotOver, PeriodNotNext; BillingHeld and InvariantBroken where a log
    contradicts itself, NotWitnessed where the agreed witnesses have not seen it yet: then nothing is billed.
    """
    agreement = agreements.find(tx, tenant, agreement_id, lock=True)
    if agreement is None:
        raise AgreementUnknown(f"There is no agreement {agreement_id}.")
    return close_locked(tx, tenant, agreement, wanted, now_ms=now_ms, signer=signer)


def close_locked(
    tx: Tx, tenant: str, agreement: Agreement, wanted: Wanted, *, now_ms: int, signer: Signer
) -> tuple[Statement, bool]:
    """As ``close_period``, for an agreement that this transaction has locked already."""
    agreement_id = agreement.agreement_id
    last, newest = repository.newest_statements(tx, tenant, agreement_id)
    previous = None if last is None else last.head
    span = _period(agreement, previous, wanted)
    stored = None
    if span.first != _due_first(agreement, previous):
        stored = repository.statement_of_period(tx, tenant, agreement_id, span.first, span.end)
    if stored is None and wanted.month and previous is not None and previous.period.end == span.end:
        stored = last
    if stored is not None:
        return stored, False
    _check_next(agreement, previous, span, now_ms)
    gathered, settlement = _settled(tx, tenant, agreement, span, previous)
    _check_sound(tx, tenant, gathered)
    _check_witnessed(gathered, span)
    agreed = verdict_rows.exclusions(tx, tenant, agreement_id, span.from_ms, span.to_ms)
    verdicts = verdicts_of(agreement.versions, span, gathered.facts, agreed)
    head = head_of(
        tenant=tenant,
        agreement_id=agreement_id,
        versions=agreement.versions,
        period=span,
        link=Link(
            last=newest,
            base=previous,
            opening=gathered.chain.opening,
            void=None if newest is None else repository.last_void(tx, tenant, agreement_id, span.first, span.end),
        ),
        logs=ranges(tx, tenant, gathered, span, agreement.versions),
        settlement=settlement,
        verdicts=verdicts,
        cutoff_at=now_ms,
        events=event_range(tx, tenant, gathered, agreement.versions),
        signed=agreements.signed_by(tx, tenant, agreement_id, now_ms),
    )
    note = signer.sign_text(note_text(head))
    made = Statement(
        head=head, lines=settlement.lines, unbilled=settlement.unbilled, verdicts=verdicts, hash=head.hash, note=note
    )
    _finish(tx, tenant, agreement, made, now_ms)
    return made, True


def _check_sound(tx: Tx, tenant: str, gathered: Gathered) -> None:
    """No log of the bill is on hold, and the leaves read are those that were cosigned."""
    by_number = {source.row.log_no: source for source in gathered.sources}
    for hold in holds.open_holds(tx, tenant, list(by_number)):
        raise BillingHeld(hold.log_id, hold.kind, hold.detail)
    for number, source in by_number.items():
        place = (tenant, number)
        try:
            check_range(tx, place, source.start, source.end)
        except InvariantBroken as error:
            if holds.last_decision(tx, place, error.broken.kind) != error.broken.detail:
                raise


def _check_witnessed(gathered: Gathered, span: Period) -> None:
    """Every record of the period was seen by the witnesses that the agreement demands."""
    for source in gathered.sources:
        if source.unseen_ms is not None and source.unseen_ms < span.to_ms:
            raise NotWitnessed(source.row.log_id, source.row.origin)


def _finish(tx: Tx, tenant: str, agreement: Agreement, made: Statement, now_ms: int) -> None:
    """Keeps a statement for good, with what follows from it: verdicts that are proposed, its invoice."""
    repository.add_statement(tx, tenant, made)
    propose(tx, tenant, agreement.versions, made, now_ms)
    issue_invoice(tx, tenant, agreement, made, now_ms)
    documents.drop_drafts(tx, tenant, agreement.agreement_id, made.head.period.end)


def draft_period(tx: Tx, tenant: str, agreement_id: str, wanted: Wanted, *, now_ms: int) -> Running:
    """The next period as it would be closed now, kept as its draft in the place of the one before.

    Raises AgreementUnknown, CalendarError, PeriodNotOver, PeriodNotNext.
    """
    agreement = agreements.find(tx, tenant, agreement_id, lock=True)
    if agreement is None:
        raise AgreementUnknown(f"There is no agreement {agreement_id}.")
    last = repository.last_statement(tx, tenant, agreement_id)
    previous = None if last is None else last.head
    span = _period(agreement, previous, wanted)
    _check_next(agreement, previous, span, now_ms)
    gathered, settlement = _settled(tx, tenant, agreement, span, previous)
    _check_sound(tx, tenant, gathered)
    _check_witnessed(gathered, span)
    found = Running(agreement, span, settlement, [source.row.log_id for source in gathered.sources])
    void = repository.last_void(tx, tenant, agreement_id, span.first, span.end)
    revision = 0 if void is None else void.revision + 1
    currency = agreement.terms.currency
    body = draft_document(agreement_id, currency, span, settlement, found.logs, revision=revision, made_at=now_ms)
    key = (agreement_id, span.first, span.end, revision)
    documents.keep_draft(tx, tenant, key, (settlement.total, currency), msgspec.json.encode(body).decode(), now_ms)
    return found


def running(tx: Tx, tenant: str, agreement_id: str, now_ms: int) -> Running:
    """The open period up to the end of today, settled as if it were closed; raises AgreementUnknown."""
    agreement = agreements.find(tx, tenant, agreement_id)
    if agreement is None:
        raise AgreementUnknown(f"There is no agreement {agreement_id}.")
    last = repository.last_statement(tx, tenant, agreement_id)
    previous = None if last is None else last.head
    zone = agreement.terms.zone
    first = _due_first(agreement, previous)
    end = max(next_day(local_day(now_ms, zone)), next_day(date.fromisoformat(first)))
    span = period(date.fromisoformat(first), end, zone)
    still = span.to_ms > now_ms
    gathered, settlement = _settled(tx, tenant, agreement, span, previous, running=still, kept=RUNNING)
    return Running(agreement, span, settlement, [source.row.log_id for source in gathered.sources])


def so_far(tx: Tx, tenant: str, agreement: Agreement, span: Period) -> Settlement:
    """The open period, all of it, settled with what is known now."""
    last = repository.last_statement(tx, tenant, agreement.agreement_id)
    previous = None if last is None else last.head
    gathered, settlement = _settled(tx, tenant, agreement, span, previous, running=True)
    _check_sound(tx, tenant, gathered)
    return settlement


def _settled(
    tx: Tx,
    tenant: str,
    agreement: Agreement,
    span: Period,
    previous: Head | None,
    *,
    running: bool = False,
    kept: KeptLeaves | None = None,
) -> tuple[Gathered, Settlement]:
    """The period settled; where something came late, with the earlier periods from the one it touches."""
    gathered = gather(tx, tenant, agreement.versions, previous, kept=kept, running=running)
    if previous is not None:
        closed = (*previous.closed, previous.period)
        late = first_late(gathered.facts, previous, closed, agreement.versions)
        registers = late_registers(gathered.facts, previous)
        before, later = None, []
        while late is not None:
            later = repository.standing_heads(tx, tenant, agreement.agreement_id, late.first)
            opening = repository.statement_of_number(tx, tenant, agreement.agreement_id, later[0].base)
            before = None if opening is None else opening.head
            late = before_opening(before, registers, closed, agreement.versions)
        if later:
            gathered = gather(tx, tenant, agreement.versions, before, later, kept, running=running)
    return gathered, settle_with_deltas(span, agreement.versions, gathered.chain, gathered.facts, running=running)


def _due_first(agreement: Agreement, previous: Head | None) -> str:
    return agreement.terms.starts if previous is None else previous.period.end


def _period(agreement: Agreement, previous: Head | None, wanted: Wanted) -> Period:
    """The period that is asked for; a month is cut to the days that are still open and under the agreement."""
    zone = agreement.terms.zone
    if not wanted.month:
        return period(parse_day(wanted.first), parse_day(wanted.end), zone)
    whole = month(wanted.month, zone)
    first = max(whole.first, agreement.terms.starts)
    if previous is not None and whole.first < previous.period.end < whole.end:
        first = previous.period.end
    end = min(whole.end, agreement.terms.ends or whole.end)
    return period(parse_day(first), parse_day(end), zone)


def _check_next(agreement: Agreement, previous: Head | None, span: Period, now_ms: int) -> None:
    due = _due_first(agreement, previous)
    if span.first != due:
        raise PeriodNotNext(f"The next period begins on {due}, not on {span.first}.")
    ends = agreement.terms.ends
    if ends is not None and span.end > ends:
        raise PeriodNotNext(f"The agreement ends on {ends}; the last period ends then.")
    if span.to_ms > now_ms:
        raise PeriodNotOver(
            f"The period ends on {span.end}, local time of {agreement.terms.zone}; close it after that."
        )
