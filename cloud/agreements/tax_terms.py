"""How an agreement's charges are taxed: categories and rates by kind of charge, and where tax is rounded. PURE.

The surprise: products disagree on the cents. Tax may be rounded on each line or once a rate (EN 16931 asks for once a
rate, BR-CO-17), and a credit note may take tax on its exact or on its rounded net. Both are named options here and are
printed on the paper. Category codes: UNCL 5305 as EN 16931 uses them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.rating.terms_fields import Id, Percent, exact

Category = Literal["S", "Z", "E", "AE", "K", "G", "O", "L", "M"]
TAXED: frozenset[Category] = frozenset(("S", "L", "M"))


class TaxRule(BaseModel):
    """A category with its rate, for the charges of some kinds (``of`` empty: for all that no other rule names)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    category: Category = "S"
    percent: Percent
    of: Annotated[list[Id], Field(max_length=50)] = []
    reason: Annotated[str, Field(max_length=400)] = Field(
        "", description="Why no tax is due, as the paper prints it; needed for E, AE, K, G and O."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.category not in TAXED and exact(self.percent) != 0:
            raise ValueError(f"category {self.category} has a rate of 0; {self.percent} % belongs to category S")
        if self.category in ("E", "AE", "K", "G", "O") and not self.reason:
            raise ValueError(f"category {self.category} needs the reason why no tax is due")
        return self


class TaxTerms(BaseModel):
    """``rounded``: tax once a ``rate`` over the sum of its lines, or on each ``line``. ``credit_notes``: tax on the
    exact net of what is credited (``exact_net``), or on its rounded net (``rounded_net``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rules: Annotated[list[TaxRule], Field(min_length=1, max_length=50)]
    rounded: Literal["rate", "line"] = "rate"
    credit_notes: Literal["exact_net", "rounded_net"] = "rounded_net"

    @model_validator(mode="after")
    def _one_rule_for_each(self) -> Self:
        named = [kind for rule in self.rules for kind in rule.of]
        if len(set(named)) != len(named) or sum(not rule.of for rule in self.rules) > 1:
            raise ValueError("rules: one kind of charge has two rates, or two rules are for all others")
        return self

    def rule_for(self, kind: str) -> TaxRule | None:
        """The rule for a kind of charge; None when no rule names it and there is none for all others."""
        rest = next((rule for rule in self.rules if not rule.of), None)
        return next((rule for rule in self.rules if kind in rule.of), rest)

    def in_words(self) -> str:
        """The sentence an invoice prints."""
        place = "once a rate, over the sum of its lines" if self.rounded == "rate" else "on each line"
        credit = "exact" if self.credit_notes == "exact_net" else "rounded"
        return f"tax is rounded {place}, half away from zero; a credit note's tax is on the {credit} net"
