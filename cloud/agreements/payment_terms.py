"""When a document is due, how payments settle it, and what follows when none comes: an agreement's payment terms. PURE.

The surprise: a reminder is a step with a number, reached by days alone; a payment or an objection ends the steps, and a
step that suspends ends by itself as soon as nothing is overdue any more.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cloud.rating.terms_fields import Id, Percent, Price


class DunningStep(BaseModel):
    """``name`` is reached ``after_days`` days after the due day; it may cost a fee and suspend use on credit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Id
    after_days: Annotated[int, Field(ge=1, le=3650)]
    fee: Price = "0"
    suspends: bool = False


STEPS = [
    DunningStep(name="reminder", after_days=7),
    DunningStep(name="second_reminder", after_days=21),
    DunningStep(name="final_notice", after_days=35, suspends=True),
]


class PaymentTerms(BaseModel):
    """``due``: days after the document's day (``days``), or after the end of its month (``end_of_month``).

    ``allocation``: a payment that names no document settles the oldest due first, or waits for a person (``by_hand``).
    ``overpaid``: what is left over becomes prepaid balance, or waits to be paid back. ``series``: the number series of
    the documents, one a supplier unless named otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    due: Literal["days", "end_of_month"] = "days"
    due_days: Annotated[int, Field(ge=0, le=365)] = 30
    allocation: Literal["oldest_due_first", "by_hand"] = "oldest_due_first"
    overpaid: Literal["prepaid", "refund"] = "prepaid"
    dunning: Annotated[list[DunningStep], Field(max_length=20)] = STEPS
    interest_percent: Percent = Field("0", description="Interest on what is overdue, percent a year of 365 days.")
    series: Annotated[str, Field(pattern=r"^[A-Z0-9-]{0,16}$")] = ""

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        days = [step.after_days for step in self.dunning]
        if days != sorted(set(days)) or len({step.name for step in self.dunning}) != len(self.dunning):
            raise ValueError("dunning: each step comes later than the one before and has a name of its own")
        return self

    def options(self) -> list[str]:
        """The conventions in words, as a statement prints them."""
        since = "the invoice's day" if self.due == "days" else "the end of the invoice's month"
        unnamed = "settles the oldest due first" if self.allocation == "oldest_due_first" else "waits for a person"
        more = "becomes prepaid balance" if self.overpaid == "prepaid" else "is paid back"
        steps = [
            f"dunning step {one.name} {one.after_days} days after the due day, fee {one.fee}"
            + (", suspends use on credit" if one.suspends else "")
            for one in self.dunning
        ]
        return [
            f"due {self.due_days} days after {since}",
            f"a payment that names no invoice {unnamed}",
            f"what is paid too much {more}",
            f"interest of {self.interest_percent} percent a year on what is overdue",
            *steps,
        ]


USUAL = PaymentTerms()
"""What counts where an agreement says nothing."""
