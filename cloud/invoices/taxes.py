"""Tax on the lines of a document: each line's category and rate, and what is due for each rate. PURE.

The surprise: without tax terms nothing is taxed and the paper says so (category O); nobody's default rate is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple, Self

import msgspec

from cloud.agreements.tax_terms import Category, TaxRule, TaxTerms
from cloud.agreements.terms import Version
from cloud.invoices.minor import from_minor, nearest_minor
from cloud.rating.terms_fields import exact

NOT_AGREED = TaxRule(category="O", percent="0", reason="no tax was agreed on")
NO_TERMS = TaxTerms(rules=[NOT_AGREED])


class TaxTotal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one rate comes to on a document, as texts in the document's currency."""

    category: Category
    percent: str
    net: str
    tax: str
    reason: str


class Taxed(NamedTuple):
    """A line's net in minor units, its exact net (of which a credit note may take the tax), and its rule."""

    net: int
    exact: Fraction
    rule: TaxRule


class TaxBook(NamedTuple):
    """An invoice's tax terms: ``now``, which say how it is rounded, and those of each version of the terms, because
    a line is taxed by the terms that counted when it was supplied, however late it is billed.
    """

    now: TaxTerms | None
    by_version: Mapping[int, TaxTerms | None]

    @classmethod
    def of(cls, now: TaxTerms | None, versions: Sequence[Version]) -> Self:
        """Those of an agreement, whose terms are taxed by ``now`` on the document's day."""
        return cls(now, {one.version: one.terms.tax for one in versions})

    def of_line(self, version: int, kind: str) -> TaxRule:
        """The rule for a line of a version."""
        return rule_of(self.by_version.get(version, self.now), kind)

    def known(self, category: str, percent: str) -> TaxRule:
        """The rule of a category and rate, of whichever version has it; NOT_AGREED where none has."""
        terms = [one for one in (self.now, *self.by_version.values()) if one is not None]
        rules = (rule for one in terms for rule in one.rules)
        return next((rule for rule in rules if (rule.category, rule.percent) == (category, percent)), NOT_AGREED)


def rule_of(terms: TaxTerms | None, kind: str) -> TaxRule:
    """The rule for a kind of line; what no rule covers is not taxed, and says so."""
    if terms is None:
        return NOT_AGREED
    return terms.rule_for(kind) or NOT_AGREED


def tax_totals(
    lines: Sequence[Taxed], terms: TaxTerms | None, currency: str, *, credit: bool = False
) -> list[TaxTotal]:
    """One total for each category and rate, in order of category and rate. ``credit``: the lines of a credit note."""
    wanted = terms or NO_TERMS
    on_exact = credit and wanted.credit_notes == "exact_net"
    groups: dict[tuple[Category, str], list[Taxed]] = {}
    for line in lines:
        groups.setdefault((line.rule.category, line.rule.percent), []).append(line)
    totals = []
    for (category, percent), members in sorted(groups.items(), key=lambda one: (one[0][0], exact(one[0][1]))):
        bases = [_base(one, currency, on_exact=on_exact) for one in members]
        rate = exact(percent) / 100
        if wanted.rounded == "line":
            tax = sum(nearest_minor(base * rate, currency) for base in bases)
        else:
            tax = nearest_minor(sum(bases, Fraction(0)) * rate, currency)
        net = sum(one.net for one in members)
        reason = next((one.rule.reason for one in members if one.rule.reason), "")
        totals.append(TaxTotal(category, percent, from_minor(net, currency), from_minor(tax, currency), reason))
    return totals


def _base(line: Taxed, currency: str, *, on_exact: bool) -> Fraction:
    return line.exact if on_exact else exact(from_minor(line.net, currency))
