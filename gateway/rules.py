"""The rules of a site as its gateway holds them: who, what, how much, until when. Nouns only; PURE.

The surprise: an absent rule allows. A site begins with a list of badges and nothing else, and every table that the
supplier fills in narrows it. What a table does not know (a person without a row) is taken at its plain meaning, never
refused for a gap in the paperwork.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal

import msgspec

Identify = Literal["", "badge", "pin", "badge_or_pin", "badge_and_pin"]
WhenOld = Literal["deny", "essentials", "allow"]
Span = Literal["shift", "day", "week", "month"]
Each = Literal["person", "group", "cost_centre", "job", "all"]


class Shift(msgspec.Struct, frozen=True):
    """A shift by the local time at which it begins; it ends where the next one begins."""

    name: str
    starts: str


class Person(msgspec.Struct, frozen=True):
    """Somebody who may draw. `person` is a pseudonym; `pin` is a hash (see ``pins``), `code` what he types for himself.

    `cost_centres` and `jobs` narrow what he may charge; empty: any that is open.
    """

    person: str
    name: str = ""
    active: bool = True
    language: str = ""
    groups: tuple[str, ...] = ()
    code: str = ""
    pin: str = ""
    identify: Identify = ""
    cost_centre: str = ""
    cost_centres: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()


class CostCentre(msgspec.Struct, frozen=True):
    """An account of the customer."""

    id: str
    name: str = ""
    open: bool = True


class Job(msgspec.Struct, frozen=True):
    """A job or work order; it charges its cost centre where it has one."""

    id: str
    name: str = ""
    cost_centre: str = ""
    open: bool = True


class Item(msgspec.Struct, frozen=True):
    """What is asked of whoever draws this item. `groups` empty: anybody. `pack`: units in a pack.

    `loan_days` above 0: it is lent and not consumed; `kept_after_days` past its date it counts as kept (0: never).
    """

    item: str
    name: str = ""
    groups: tuple[str, ...] = ()
    needs_job: bool = False
    needs_cost_centre: bool = False
    essential: bool = False
    unit: str = "pc"
    pack: int = 1
    price_minor: int | None = None
    loan_days: int = 0
    kept_after_days: int = 0
    return_days: int = 14
    serial: bool = False
    lot: bool = False


class Limit(msgspec.Struct, frozen=True):
    """At most so many pieces, or so much money, in a period of the site; empty lists match all.

    `each`: whose draws are added up.
    """

    id: str
    period: Span = "day"
    quantity: int | None = None
    value_minor: int | None = None
    persons: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    cost_centres: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    cabinets: tuple[str, ...] = ()
    each: Each = "person"
    ask: str = ""


class Blocked(msgspec.Struct, frozen=True):
    """Lost badges, people who left, items called back."""

    badges: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()
    items: frozenset[str] = frozenset()


class Waiting(msgspec.Struct, frozen=True):
    """Goods put by in a slot for a person, for an order (whoever may charge a job of that name fetches them) or for
    whoever knows the code. `until_ms` 0: no end.
    """

    id: str
    cabinet: str
    slot: str
    item: str = ""
    qty: int = 1
    person: str = ""
    order: str = ""
    code: str = ""
    until_ms: int = 0


class CabinetRules(msgspec.Struct, frozen=True):
    """What holds at one cabinet. `max_age_hours` None: the gateway's own setting; 0: rules are good for ever."""

    max_age_hours: int | None = None
    when_old: WhenOld | None = None
    identify: Identify = "badge"
    mdb_strict: bool = False
    resolve_hours: int = 72
    resolve_owner: str = ""
    jams_until_off: int = 3


class Share(msgspec.Struct, frozen=True):
    """The part of a customer's credit that this gateway may give away alone.

    `as_of`: "src/ep" -> the last record the cloud had booked when it said `used_minor`.
    """

    devices: tuple[str, ...] = ()
    currency: str = ""
    exponent: int = 2
    limit_minor: int = 0
    used_minor: int = 0
    as_of: Mapping[str, int] = {}
    prices: Mapping[str, int] = {}
    when_spent: WhenOld = "deny"
    until_ms: int = 0


class Rules(msgspec.Struct, frozen=True, dict=True):
    """The whole document. Look people and things up by the methods: ten thousand of them are found at once."""

    version: int = 0
    zone: str = "UTC"
    day_starts: str = "00:00"
    week_starts: int = 1
    shifts: tuple[Shift, ...] = ()
    help: str = ""
    pin_tries: int = 5
    pin_minutes: int = 15
    persons: tuple[Person, ...] = ()
    cost_centres: tuple[CostCentre, ...] = ()
    jobs: tuple[Job, ...] = ()
    items: tuple[Item, ...] = ()
    limits: tuple[Limit, ...] = ()
    blocked: Blocked = Blocked()
    waiting: tuple[Waiting, ...] = ()
    cabinets: Mapping[str, CabinetRules] = {}

    @cached_property
    def _people(self) -> dict[str, Person]:
        return {one.person: one for one in self.persons}

    @cached_property
    def _codes(self) -> dict[str, Person]:
        return {one.code: one for one in self.persons if one.code}

    @cached_property
    def _items(self) -> dict[str, Item]:
        return {one.item: one for one in self.items}

    @cached_property
    def _centres(self) -> dict[str, CostCentre]:
        return {one.id: one for one in self.cost_centres}

    @cached_property
    def _jobs(self) -> dict[str, Job]:
        return {one.id: one for one in self.jobs}

    @cached_property
    def _put_by(self) -> dict[tuple[str, str], tuple[Waiting, ...]]:
        found: dict[tuple[str, str], tuple[Waiting, ...]] = {}
        for one in self.waiting:
            found[one.cabinet, one.slot] = (*found.get((one.cabinet, one.slot), ()), one)
        return found

    @cached_property
    def _limits(self) -> tuple[dict[str, tuple[Limit, ...]], tuple[Limit, ...]]:
        """Limits by an item they name, and those that name none."""
        named: dict[str, list[Limit]] = {}
        for limit in self.limits:
            for item in limit.items:
                named.setdefault(item, []).append(limit)
        return {item: tuple(found) for item, found in named.items()}, tuple(one for one in self.limits if not one.items)

    def person(self, name: str) -> Person:
        """The person of this pseudonym; one without a row is active and free."""
        return self._people.get(name) or Person(name)

    def by_code(self, code: str) -> Person | None:
        """Who types this number for himself."""
        return self._codes.get(code)

    def item(self, name: str) -> Item:
        """The rules of an item; one without a row has none."""
        return self._items.get(name) or Item(name)

    def cost_centre(self, name: str) -> CostCentre | None:
        """The account of this id."""
        return self._centres.get(name)

    def job(self, name: str) -> Job | None:
        """The job of this id."""
        return self._jobs.get(name)

    def put_by(self, cabinet: str, slot: str) -> tuple[Waiting, ...]:
        """What is put by in a slot."""
        return self._put_by.get((cabinet, slot), ())

    def limits_on(self, item: str) -> tuple[Limit, ...]:
        """The limits that an item can meet."""
        named, other = self._limits
        return named.get(item, ()) + other

    def cabinet(self, name: str) -> CabinetRules:
        """What holds at a cabinet."""
        return self.cabinets.get(name) or CabinetRules()

    def charged(self, account: str) -> tuple[str, str]:
        """Cost centre and job of what a record's `for` says: "CC1", "J-9" or "CC1/J-9"."""
        centre, slash, job = account.partition("/")
        if not slash and centre in self._jobs:
            centre, job = "", centre
        known = self._jobs.get(job)
        return centre or (known.cost_centre if known else ""), job


def account(cost_centre: str, job: str) -> str:
    """What a record's `for` says of a cost centre and a job."""
    return f"{cost_centre}/{job}" if job and cost_centre else cost_centre or job
