"""A statement as a page: its head, its lines, how they were worked out, and what proves them. PURE.

Numbers in evidence (indexes, roots, hashes) stay plain ASCII in every language, so that they can be compared with the
bundle and with what `tally-verify` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from cloud.billing.scope import Unbilled
from cloud.billing.statement import Statement
from cloud.money import policy_in
from cloud.rating.lines import LeafRef, Line
from cloud.web.figures import Moment, border, money
from cloud.web.languages import Words
from cloud.web.views.bill import BillRow, Span, line_rows, span


class Leaves(NamedTuple):
    """Leaves of one log: its position in the statement's list of logs, and the indexes as ranges, ``12-15, 40``."""

    log: int
    indexes: str


class EvidenceRow(NamedTuple):
    """A line with what proves it; ``level`` says who vouches for it."""

    row: BillRow
    level: str
    level_words: str
    unrounded: str
    leaves: list[Leaves]


class LogRow(NamedTuple):
    """The part of a gateway's log that the statement stands on: leaves ``[first, end)``, root at the end."""

    position: int
    origin: str
    first: int
    end: int
    root: str


class Aside(NamedTuple):
    """Records that were not billed, and why."""

    reason: str
    device: str
    subject: str
    leaves: list[Leaves]


class StatementView(NamedTuple):
    """Everything on a statement's page."""

    statement_id: str
    number: int
    supplier: str
    customer: str
    agreement_id: str
    currency: str
    span: Span
    closed: Moment
    total: str
    rows: list[EvidenceRow]
    asides: list[Aside]
    worked: str
    rounding: str
    tzdata: str
    logs: list[LogRow]
    hash: str
    prev_hash: str
    file_name: str


def statement_view(words: Words, statement: Statement, names: Mapping[str, str]) -> StatementView:
    """The page of a statement; ``names``: of parties, devices and items, by id."""
    head = statement.head
    rows = line_rows(words, statement.lines, head.currency, head.period, names)
    evidence = [_evidence(words, line, row) for line, row in zip(statement.lines, rows, strict=True)]
    return StatementView(
        statement_id=head.statement_id,
        number=head.number,
        supplier=names.get(head.supplier_id, head.supplier_id),
        customer=names.get(head.customer_id, head.customer_id),
        agreement_id=head.agreement_id,
        currency=head.currency,
        span=span(words, head.period, head.zone),
        closed=border(words, head.cutoff_at, head.zone),
        total=money(words, Decimal(head.total), head.currency),
        rows=evidence,
        asides=[_aside(words, one, names) for one in statement.unbilled],
        worked=_worked(words, statement.lines, evidence),
        rounding=rounding_rule(words, head.versions[-1].rounding),
        tzdata=head.tzdata,
        logs=[LogRow(at, log.origin, log.from_, log.to, log.root) for at, log in enumerate(head.logs, 1)],
        hash=statement.hash,
        prev_hash=head.prev_hash,
        file_name=f"{head.statement_id}.json",
    )


def rounding_modes(_: Callable[[str], str]) -> dict[str, str]:
    """How a number is rounded, by the mode's name."""
    return {
        "half_up": _("half away from zero"),
        "half_even": _("half to the even digit"),
        "half_down": _("half towards zero"),
        "up": _("away from zero"),
        "down": _("towards zero"),
        "ceiling": _("towards plus infinity"),
        "floor": _("towards minus infinity"),
    }


def rounding_rule(words: Words, stated: str) -> str:
    """The rounding rule, which the statement states in English, as a sentence in the reader's language."""
    _ = words.gettext
    policy = policy_in(stated)
    if policy is None:
        return stated
    mode = rounding_modes(_)[policy.mode]
    if policy.place == "line":
        return _("Each line is rounded once, %(mode)s. The total is the sum of the rounded lines.", mode=mode)
    if policy.place == "rate":
        return _(
            "The exact lines of each tax rate are added up and rounded once, %(mode)s; the sum is shared out to the "
            "lines by largest remainder.",
            mode=mode,
        )
    return _(
        "All exact lines are added up and rounded once, %(mode)s; the total is shared out to the lines by largest "
        "remainder.",
        mode=mode,
    )


def index_ranges(indexes: Sequence[int]) -> str:
    """Sorted indexes, neighbours joined: ``12-15, 40``."""
    ordered = sorted(set(indexes))
    starts = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)] if ordered else []
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]] if ordered else []
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def _evidence(words: Words, line: Line, row: BillRow) -> EvidenceRow:
    _ = words.gettext
    levels = {
        "A": _("signed by the meter"),
        "B": _("signed by the gateway"),
        "C": _("declared in the agreement"),
    }
    return EvidenceRow(row, line.level, levels[line.level], number_text(line.unrounded), _leaves(line.leaves))


def number_text(unrounded: str) -> str:
    """An exact amount in plain digits, without zeros that say nothing."""
    return unrounded.rstrip("0").rstrip(".") if "." in unrounded else unrounded


def _leaves(refs: Sequence[LeafRef]) -> list[Leaves]:
    logs = sorted({ref.log for ref in refs})
    return [Leaves(log + 1, index_ranges([ref.index for ref in refs if ref.log == log])) for log in logs]


def _aside(words: Words, one: Unbilled, names: Mapping[str, str]) -> Aside:
    device, subject = names.get(one.device, one.device), names.get(one.subject, one.subject)
    return Aside(_doubt(words, one.reason), device, subject, _leaves(one.leaves))


def _doubt(words: Words, reason: str) -> str:
    _ = words.gettext
    sentences = {
        "unverified": _("Whether it was taken is not confirmed"),
        "unpriced": _("The agreement has no price for it"),
        "unknown_ref": _("It speaks of a record that is not here"),
        "resolved_twice": _("It was settled before"),
        "not_unverified": _("It settles a draw that was not in doubt"),
        "reversed_too_much": _("More was taken back than was drawn"),
        "not_as_new": _("It came back used or damaged, which takes no sale back"),
        "duplicate": _("The same record stands in the log before"),
        "register_fall": _("The register went backwards"),
        "register_reset": _("The register was reset and began anew"),
        "implausible_rise": _("The register rose faster than this meter can"),
        "unknown_unit": _("The unit is not one that can be billed"),
        "ratio_missing": _("It counts behind transformers whose ratio the agreement does not name"),
        "modulus_differs": _("The agreement and the meter name different values at which the register wraps"),
        "ratio_differs": _("The agreement and the meter name different ratios of the transformers"),
        "silent": _("The meter is silent, and there is nothing to estimate by"),
        "conflict": _("It was told before with another content"),
        "robot": _("It bears the mark of a robot"),
        "refused": _("It was refused or taken back"),
        "outside_window": _("Nothing that it must follow came before it in time"),
        "received_late": _("It was received later than agreed"),
        "no_price": _("It brings no price"),
        "repeat": _("It repeats another too soon"),
    }
    return sentences.get(reason) or reason.replace("_", " ")


def _worked(words: Words, lines: Sequence[Line], rows: Sequence[EvidenceRow]) -> str:
    """One line worked out in words and numbers: the first that was rounded, else the first."""
    if not rows:
        return ""
    rounded = (at for at, line in enumerate(lines) if Decimal(line.unrounded) != Decimal(line.amount))
    row = rows[next(rounded, 0)]
    return words.gettext(
        "%(what)s: %(quantity)s at %(price)s is %(unrounded)s before rounding and %(amount)s after it.",
        what=row.row.what,
        quantity=row.row.quantity,
        price=row.row.price,
        unrounded=row.unrounded,
        amount=row.row.amount,
    )
