"""Use first, pay later: how much a customer may owe, and which terms a score earns. PURE.

The surprise: the limit is one amount of money over everything that is owed, billed or not yet billed or only reserved.
A gateway that may decide without the cloud gets its share beforehand, and that share counts as used.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.rating.terms_fields import Id, Percent, Price, exact


class Grade(BaseModel):
    """What a customer with at least ``score`` gets: ``at_order`` percent paid beforehand, the rest due after
    ``due_days`` (the payment terms' when left out), up to ``limit``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    score: Annotated[int, Field(ge=0, le=1000)]
    limit: Price
    at_order: Percent = "0"
    due_days: Annotated[int, Field(ge=0, le=365)] | None = None


class Delegated(BaseModel):
    """What a gateway may let go on its own, without asking the cloud."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    gateway: Id
    limit: Price
    when_spent: Annotated[
        Literal["deny", "essentials", "allow"] | None, Field(description="what then; left out: deny")
    ] = None


class CreditTerms(BaseModel):
    """Grades from the lowest score up; below the lowest, everything is paid at the order.

    ``reserved_minutes``: how long a decision holds for a draw that nobody confirms. ``suspended_after_days``: use on
    credit ends when a document is overdue by more than so many days, and begins again when none is.
    ``accrue_minutes``: how old the figure of what services have run up may be (60 when left out). ``share_days``: a
    gateway that was not heard of for so long gives nothing on its own any more (no end when left out).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    grades: Annotated[list[Grade], Field(min_length=1, max_length=50)]
    delegated: Annotated[list[Delegated], Field(max_length=1000)] = []
    reserved_minutes: Annotated[int, Field(ge=1, le=10_080)] = 30
    suspended_after_days: Annotated[int, Field(ge=0, le=365)] = 30
    accrue_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = None
    share_days: Annotated[int, Field(ge=1, le=365)] | None = None

    @model_validator(mode="after")
    def _grades_rise(self) -> Self:
        scores = [grade.score for grade in self.grades]
        if scores != sorted(set(scores)):
            raise ValueError("grades: from the lowest score to the highest, each once")
        limits = [exact(grade.limit) for grade in self.grades]
        if limits != sorted(limits):
            raise ValueError("grades: a better score never has a smaller limit")
        if len({one.gateway for one in self.delegated}) != len(self.delegated):
            raise ValueError("delegated: a gateway is named twice")
        if sum((exact(one.limit) for one in self.delegated), exact("0")) > limits[-1]:
            raise ValueError("delegated: the gateways' shares together are more than the highest limit")
        return self

    def grade_of(self, score: int) -> Grade | None:
        """What a score earns; None below the lowest grade."""
        return next((grade for grade in reversed(self.grades) if score >= grade.score), None)
