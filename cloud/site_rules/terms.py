"""The rules of a site as the API takes them and the gateway reads them. PURE.

The surprise is what comes back: a PIN goes in as digits, is kept as a slow hash and is never shown again, only that
there is one. Whoever writes the rules anew without naming a PIN keeps it.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Name = Annotated[str, Field(min_length=1, max_length=64)]
Words = Annotated[str, Field(max_length=200)]
Digits = Annotated[str, Field(pattern=r"^([0-9]{4,12})?$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Names = Annotated[list[Name], Field(max_length=2000)]
LocalTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Part(BaseModel):
    """Unknown keys are errors: a misspelt limit is no limit."""

    model_config = ConfigDict(extra="forbid")


class Shift(Part):
    """A shift; it ends where the next one begins."""

    name: Name
    starts: LocalTime


class Person(Part):
    """Somebody who may draw, by a pseudonym. ``pin``: new digits; left out: as it was; "": none any more."""

    person: Name
    name: Words = ""
    active: bool = True
    language: Literal["", "en", "zh-CN"] = ""
    groups: Names = []
    code: str = Field(
        "", pattern=r"^[A-Za-z0-9]{0,32}$", description="What the person types where no badge is at hand."
    )
    pin: Digits | None = None
    identify: Literal["", "badge", "pin", "badge_or_pin", "badge_and_pin"] = ""
    cost_centre: str = Field("", max_length=64)
    cost_centres: Names = []
    jobs: Names = []


class CostCentre(Part):
    """An account of the customer."""

    id: Id
    name: Words = ""
    open: bool = True


class Job(Part):
    """A job or work order."""

    id: Id
    name: Words = ""
    cost_centre: str = Field("", max_length=64)
    open: bool = True


class Item(Part):
    """What is asked of whoever draws an item. ``loan_days`` above 0: it is lent; ``kept_after_days``: when a loan that
    is late becomes a draw (0: never).
    """

    item: Name
    name: Words = ""
    groups: Names = []
    needs_job: bool = False
    needs_cost_centre: bool = False
    essential: bool = False
    unit: str = Field("pc", min_length=1, max_length=32)
    pack: int = Field(1, ge=1, le=1_000_000)
    price_minor: int | None = Field(None, ge=0, le=10**12, description="What limits of money count a unit as.")
    loan_days: int = Field(0, ge=0, le=3650)
    kept_after_days: int = Field(0, ge=0, le=3650)
    return_days: int = Field(14, ge=0, le=3650)
    serial: bool = False
    lot: bool = False


class Limit(Part):
    """At most so much in a period of the site, for whoever and whatever it names; empty lists name all."""

    id: Id
    period: Literal["shift", "day", "week", "month"] = "day"
    quantity: int | None = Field(None, ge=0, le=1_000_000)
    value_minor: int | None = Field(None, ge=0, le=10**15)
    persons: Names = []
    groups: Names = []
    cost_centres: Names = []
    jobs: Names = []
    items: Names = []
    cabinets: Names = []
    each: Literal["person", "group", "cost_centre", "job", "all"] = "person"
    ask: Words = ""

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.quantity is None) == (self.value_minor is None):
            raise ValueError(f"limit {self.id}: say either quantity or value_minor")
        return self


class Blocked(Part):
    """Lost badges, people who may not draw, items called back."""

    badges: Names = []
    persons: Names = []
    items: Names = []


class Waiting(Part):
    """Goods put by for a person, for an order, or for whoever knows the code. Each is handed out once."""

    id: Id
    cabinet: Name
    slot: Name
    item: str = Field("", max_length=64)
    qty: int = Field(1, ge=1, le=1000)
    person: str = Field("", max_length=64)
    order: str = Field("", max_length=64, description="Whoever has a job of this name picks it up by badge.")
    code: Digits | None = None
    until_ms: int = Field(0, ge=0, le=2**53)

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if not self.person and not self.order and self.code == "":
            raise ValueError(f"waiting {self.id}: name a person, an order or a code")
        return self


class Cabinet(Part):
    """What holds at one cabinet. ``mdb_strict``: a vend without evidence counts as sold, as in payment."""

    max_age_hours: int | None = Field(None, ge=0, le=100_000)
    when_old: Literal["deny", "essentials", "allow"] | None = None
    identify: Literal["badge", "pin", "badge_or_pin", "badge_and_pin"] = "badge"
    mdb_strict: bool = False
    resolve_hours: int = Field(72, ge=1, le=8760)
    resolve_owner: str = Field("", max_length=64)
    jams_until_off: int = Field(3, ge=0, le=100)


class RulesIn(Part):
    """All rules of a gateway's site."""

    zone: str = Field("UTC", max_length=64, description="IANA zone of the site: its days, weeks and shifts.")
    day_starts: LocalTime = "00:00"
    week_starts: int = Field(1, ge=1, le=7, description="1: Monday.")
    shifts: list[Shift] = Field([], max_length=24)
    help: Words = ""
    pin_tries: int = Field(5, ge=1, le=100)
    pin_minutes: int = Field(15, ge=1, le=1440)
    persons: list[Person] = Field([], max_length=20_000)
    cost_centres: list[CostCentre] = Field([], max_length=5000)
    jobs: list[Job] = Field([], max_length=20_000)
    items: list[Item] = Field([], max_length=20_000)
    limits: list[Limit] = Field([], max_length=2000)
    blocked: Blocked = Blocked()
    waiting: list[Waiting] = Field([], max_length=2000)
    cabinets: dict[Name, Cabinet] = Field({}, max_length=500)

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no zone; one is Europe/Berlin") from error
        return zone

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        names: dict[str, list[str]] = {
            "person": [one.person for one in self.persons],
            "code": [one.code for one in self.persons if one.code],
            "cost centre": [one.id for one in self.cost_centres],
            "job": [one.id for one in self.jobs],
            "item": [one.item for one in self.items],
            "limit": [one.id for one in self.limits],
            "waiting": [one.id for one in self.waiting],
            "shift": [str(time.fromisoformat(one.starts)) for one in self.shifts],
        }
        for what, found in names.items():
            if len(set(found)) != len(found):
                raise ValueError(f"a {what} is named twice")
        return self
