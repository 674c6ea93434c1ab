"""How an air unit is to follow the air: the shapes a person writes under ``[[controls]]``. PURE.

The surprise is what a rule may not say: it never moves a relay that cuts a customer off. That takes a person's order,
and the configuration is refused where the two meet.
"""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Name = Annotated[str, Field(min_length=1, max_length=64)]
MOST_SECONDS = 86_400


class Part(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Part):
    """Where a measured value comes from: one metric (or register) of one device."""

    device: Name
    metric: Name


class Step(Part):
    """Above this value (in the metric's own unit) the unit runs at this level."""

    above: Decimal
    level: int = Field(ge=1, le=9)


class Hours(Part):
    """Local hours in which the rule works; an end before its begin runs over midnight and belongs to its first day."""

    days: tuple[Day, ...] = DAYS
    begin: time = Field(alias="from")
    end: time = Field(alias="to")

    @field_validator("begin", "end", mode="before")
    @classmethod
    def _written(cls, value: object) -> object:
        if not isinstance(value, time | str):
            raise ValueError('say the time of day as "08:00"')  # noqa: TRY004 - becomes a sentence about the file
        return value

    @field_validator("begin", "end")
    @classmethod
    def _local(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("say the time of day without a time zone; `zone` says which one is meant")
        return value


class Occupancy(Part):
    """Somebody is there while ``source`` is above 0, and for ``hold_seconds`` after; else ``level`` is the most."""

    source: Source
    hold_seconds: int = Field(900, ge=0, le=MOST_SECONDS)
    blind_seconds: int = Field(7200, ge=10, le=7 * MOST_SECONDS, description="Silent for so long: taken as occupied.")
    level: int = Field(0, ge=0, le=9)


class Control(Part):
    """One air unit, and the air it follows. Levels: 0 is off, 1 the lowest speed (a plain switch knows 0 and 1)."""

    unit: Name = Field(description="The device that is switched.")
    air: Source | None = Field(None, description="The air it follows; without it only a person switches this unit.")
    steps: tuple[Step, ...] = Field((), description="Above so much, run at this level; thresholds and levels rise.")
    hysteresis: Decimal = Field(Decimal(0), ge=0, description="So far below a threshold the value falls to step down.")
    hours: tuple[Hours, ...] = Field((), description="When the rule works; empty: always.")
    outside_level: int = Field(0, ge=0, le=9, description="The level outside these hours.")
    zone: str = Field("UTC", description="The hours are local to this time zone, such as Asia/Shanghai.")
    occupancy: Occupancy | None = None
    min_on_seconds: int = Field(180, ge=0, le=MOST_SECONDS, description="Once on, it runs at least so long.")
    min_off_seconds: int = Field(180, ge=0, le=MOST_SECONDS, description="Once off, it rests at least so long.")
    blind_seconds: int = Field(300, ge=10, le=MOST_SECONDS, description="A value older than this is no value.")
    when_blind: Literal["hold"] | Annotated[int, Field(ge=0, le=9)] = Field(
        "hold", description="hold: leave the unit as it is when nothing measures; or a level."
    )
    override_seconds: int = Field(7200, ge=60, le=7 * MOST_SECONDS, description="How long a person's order lasts.")
    cuts_off: bool = Field(default=False, description="true: this relay cuts a customer off. Only a person switches.")

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {zone!r}; write it as in Asia/Shanghai") from error
        return zone

    @model_validator(mode="after")
    def _whole(self) -> Control:
        if self.cuts_off and (self.air or self.steps or self.hours or self.occupancy):
            raise ValueError("a relay that cuts a customer off follows no rule: leave out air, steps, hours, occupancy")
        if bool(self.air) is not bool(self.steps):
            raise ValueError("air and steps belong together: which value, and from which value on at which level")
        rising = all(low.above < high.above and low.level < high.level for low, high in pairwise(self.steps))
        if not rising:
            raise ValueError("steps rise: each one has a higher threshold and a higher level than the one before")
        gaps = [high.above - low.above for low, high in pairwise(self.steps)]
        if gaps and self.hysteresis >= min(gaps):
            raise ValueError("the hysteresis is as wide as a step: the levels between could never be reached downwards")
        return self

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it listens to."""
        presence = self.occupancy.source if self.occupancy else None
        return tuple(one for one in (self.air, presence) if one is not None)

    @property
    def highest(self) -> int:
        """The highest level it names: its unit must know it."""
        named = [step.level for step in self.steps] + [self.outside_level]
        named += [self.occupancy.level] if self.occupancy else []
        return max([*named, self.when_blind] if self.when_blind != "hold" else named)

    @property
    def follows(self) -> bool:
        """Whether a rule moves this unit at all."""
        return self.air is not None
