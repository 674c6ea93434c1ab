"""What a supplier guarantees of the air (or of anything a sensor measures): the guarantee in an agreement. PURE.

The surprise: most of it is about what is *not* known. An outcome is only worth money if both sides can work it out from
the same signed windows, so the terms say which sensors count and how they are joined, when a window is known at all,
who bears the time nobody measured, and what does not count because the customer caused it. Every default is printed.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cloud.rating.terms_fields import Id, Number, Percent, Price, exact

Bearer = Literal["supplier", "customer", "nobody"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY: list[Weekday] = list(WEEKDAYS)


ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Hours(_Part):
    """When the guarantee holds, on the agreement's local clock: ``[from, to)`` on these weekdays."""

    days: Annotated[list[Weekday], Field(min_length=1, max_length=7)] = EVERY_DAY
    from_: Annotated[ClockTime, Field(alias="from")] = "00:00"
    to: ClockTime = "24:00"

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ >= self.to:
            raise ValueError(f"hours: 'to' ({self.to}) must be after 'from' ({self.from_}) on the same day")
        return self


class Exclusion(_Part):
    """Time that does not count, because of a cause on the customer's side that a device saw: from the event ``begins``
    to the event ``ends`` of ``device`` (of ``slot``, if named), and ``settles_minutes`` more in which the air recovers.
    An exclusion nobody ended lasts at most ``at_most_minutes``.
    """

    cause: Id
    device: Id
    begins: Id
    ends: Id
    slot: str = ""
    settles_minutes: Annotated[int, Field(ge=0, le=1440)] = 0
    at_most_minutes: Annotated[int, Field(ge=1, le=44_640)] = 1440


class Step(_Part):
    """A credit of ``credit`` percent when less than ``below`` percent of the counted time was good."""

    below: Percent
    credit: Percent


class GuaranteeTerms(_Part):
    """A guaranteed outcome: ``metric`` of ``sensors`` within limits for ``target`` percent of the time that counts.

    ``statistic``: which number of a window is compared. ``joined``: a moment is good when all sensors are (``all``),
    any is (``any``), or their mean is (``mean``). A window is known when at least ``window_coverage`` percent of it
    was sampled. ``missing``: who bears moments that nobody measured: they are bad (supplier), good (customer) or do
    not count (nobody). ``least_coverage``: with less known time than this, ``uncovered`` decides: the outcome is
    missed, met or not judged. ``of``: kinds of charges whose amounts the credit is a percentage of; empty: all of the
    period.
    """

    name: Id
    metric: Id
    unit: Annotated[str, Field(min_length=1, max_length=32)]
    at_most: Number | None = None
    at_least: Number | None = None
    statistic: Literal["mean", "max", "min"] = "mean"
    sensors: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    joined: Literal["all", "any", "mean"] = "all"
    hours: Annotated[list[Hours], Field(max_length=50)] = []
    target: Percent
    window_coverage: Percent = "75"
    least_coverage: Percent = "90"
    missing: Bearer = "nobody"
    uncovered: Literal["missed", "met", "not_judged"] = "missed"
    exclusions: Annotated[list[Exclusion], Field(max_length=100)] = []
    steps: Annotated[list[Step], Field(min_length=1, max_length=50)]
    cap: Price | None = Field(default=None, description="The most that is credited for one period, in money.")
    of: Annotated[list[Id], Field(max_length=50)] = []
    objection_days: Annotated[int, Field(ge=0, le=365)] = 14
    credited_on: Literal["next_invoice", "credit_note"] = "next_invoice"

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.at_most is None and self.at_least is None:
            raise ValueError("a guarantee needs a limit: at_most, at_least or both")
        if self.at_most is not None and self.at_least is not None and exact(self.at_least) > exact(self.at_most):
            raise ValueError("at_least is above at_most: no value can be good")
        if len(set(self.sensors)) != len(self.sensors):
            raise ValueError("sensors: a sensor is named twice")
        rising = sorted(self.steps, key=lambda step: exact(step.below))
        if exact(rising[-1].below) > exact(self.target):
            raise ValueError("a step begins above the target: who meets the target owes no credit")
        credited = [exact(step.credit) for step in rising]
        if credited != sorted(credited, reverse=True) or len({exact(step.below) for step in rising}) != len(rising):
            raise ValueError("steps: the less time was good, the more is credited, and no step stands there twice")
        return self

    def metered_devices(self) -> list[str]:
        """Devices that the guarantee reads; they must be devices of the agreement, so that a bill can show them."""
        return [*self.sensors, *(one.device for one in self.exclusions)]

    def options(self) -> list[str]:
        """The conventions in words, as a statement prints them."""
        limits = [f"at least {self.at_least}"] if self.at_least is not None else []
        limits += [f"at most {self.at_most}"] if self.at_most is not None else []
        joined = {"all": "all sensors are", "any": "any sensor is", "mean": "the mean of the sensors is"}[self.joined]
        compared = {"mean": "mean", "max": "greatest", "min": "least"}[self.statistic]
        bears = {"supplier": "is bad", "customer": "is good", "nobody": "does not count"}[self.missing]
        known = f"with less than {self.least_coverage} percent known the outcome is {self.uncovered.replace('_', ' ')}"
        kinds = f"the charges {', '.join(self.of)}" if self.of else "all charges of the period"
        note = "by a credit note" if self.credited_on == "credit_note" else "on the next invoice"
        return [
            f"good is {self.metric} of {' and '.join(limits)} {self.unit}",
            f"guaranteed for {self.target} percent of the time that counts",
            *(f"holds on weekdays {', '.join(map(str, one.days))} from {one.from_} to {one.to}" for one in self.hours),
            f"a moment is good when {joined}",
            f"the {compared} of each window is compared",
            f"a window is known when {self.window_coverage} percent of it was sampled",
            f"time that nobody measured {bears}",
            known,
            *(
                f"{one.cause} does not count, from {one.begins} to {one.ends} of {one.device} and "
                f"{one.settles_minutes} minutes more, at most {one.at_most_minutes} minutes"
                for one in self.exclusions
            ),
            *(f"good for less than {one.below} percent of the time is a credit of {one.credit} percent"
              for one in self.steps),
            f"the credit is of {kinds}, {note}",
            *([f"the credit of a period is at most {self.cap}"] if self.cap is not None else []),
            f"objections within {self.objection_days} days",
        ]  # fmt: skip
