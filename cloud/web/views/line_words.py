"""A line of a bill in the reader's language: what it is, how much, the rows it is made of, what is unusual. PURE.

The surprise: the words are made from the line's fields and never from its English sentence, so a line reads the same on
the page, on paper and in the list of the running bill, and a row that has no translation is shown as it is, not hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from cloud.calendar import Period
from cloud.rating.lines import Line, Step, plain_register
from cloud.web.figures import long_day, money, number, price, quantity
from cloud.web.languages import Words

# What is billed by the item or register that was used, and called by it.
GOODS = (
    "per_piece", "standard", "graduated", "volume", "package", "percentage", "graduated_percentage", "dynamic",
    "bucketed_maximum",
)  # fmt: skip
_TIER = re.compile(r"tier (\d+)\Z")
_TIER_FLAT = re.compile(r"tier (\d+) flat\Z")
_PACKAGES = re.compile(r"packages of (.+)\Z")
_FREE = re.compile(r"free units \((.+)\)\Z")
_PART = re.compile(r"part of the period: (\S+) of (\S+) (\S+)\Z")
_BOUND = re.compile(r"(minimum|maximum) (-?\d+(?:\.\d+)?)")
_EARLY = re.compile(r"already asked for in (\d+) early bills")
_PERCENT_OFF = re.compile(r"discount (\S+) %\Z")
_OFF = re.compile(r"discount (\S+)\Z")
_SPEED = re.compile(r"speed ([^,]+)(?:, coil ([^,]+))?(?:, ([^,]+))?\Z")
_OWN_PRICES = re.compile(r"(\d+) events, each at its own price\Z")


def what(words: Words, line: Line, names: Mapping[str, str]) -> str:
    """What a line bills: its own name, else the item, else the kind of charge."""
    _ = words.gettext
    effects = {
        "minimum": _("Up to the agreed minimum"),
        "maximum": _("Down to the agreed maximum"),
        "progressive": _("Billed in advance"),
    }
    subject = names.get(line.subject, line.subject)
    named = _own_name(words, line.name)
    billed = subject if line.kind in GOODS and subject else charge_words(words, line.kind)
    said = named or effects.get(line.effect) or billed
    parts = [said]
    if line.window:
        parts.append(line.window)
    parts += [f"{name}: {value}" for name, value in line.group.items()]
    return ", ".join(parts)


def charge_words(words: Words, kind: str) -> str:
    """A kind of charge in the reader's language; as it is where it has no words."""
    _ = words.gettext
    return {
        "energy": _("Energy"),
        "monthly_fee": _("Monthly fee"),
        "flat": _("Flat fee"),
        "area": _("Area"),
        "weighted_runtime": _("Run-time, weighted"),
        "time_of_use": _("Usage by time of day"),
        "commitment": _("Agreed amount"),
        "progressive_billing": _("Billed in advance"),
        "per_piece": _("Pieces"),
        "standard": _("Usage"),
        "graduated": _("Usage by tiers"),
        "volume": _("Usage at the tier of its total"),
        "package": _("Usage in packages"),
        "percentage": _("Percentage"),
        "graduated_percentage": _("Percentage by tiers"),
        "dynamic": _("Events, each at its own price"),
        "bucketed_maximum": _("Peaks"),
    }.get(kind, kind)


def _own_name(words: Words, name: str) -> str:
    """What the charge is called by its agreement, and what a line is called that holds it in its bounds."""
    _ = words.gettext
    if found := _BOUND.fullmatch(name):
        amount = number(words, Decimal(found[2]))
        said = _("Up to the minimum of %(amount)s", amount=amount)
        return said if found[1] == "minimum" else _("Down to the maximum of %(amount)s", amount=amount)
    if found := _EARLY.fullmatch(name):
        return _("already asked for in %(count)s early bills", count=found[1])
    return name


def amount_of(words: Words, line: Line) -> str:
    """How much of it."""
    if line.month_days and not line.steps:
        return words.gettext("%(days)s of %(month_days)s days", days=line.days, month_days=line.month_days)
    return quantity(words, Decimal(line.quantity.value), line.quantity.unit)


def basis(words: Words, line: Line) -> str:
    """The registers a metered line lies between."""
    if len(line.registers) != 2:
        return ""
    opening, closing = (number(words, Decimal(plain_register(point))) for point in line.registers)
    unit = line.registers[1].unit
    return words.gettext("register %(opening)s to %(closing)s %(unit)s", opening=opening, closing=closing, unit=unit)


def notes(words: Words, line: Line, period: Period, currency: str) -> list[str]:
    """The rows under a line, then what is unusual about it."""
    return [*(step_row(words, step, currency) for step in line.steps), *_unusual(words, line, period)]


def step_row(words: Words, step: Step, currency: str) -> str:
    """A row: what, how much, at which price, what it comes to."""
    row = step_words(words, step.what)
    if step.quantity:
        row += f": {quantity(words, Decimal(step.quantity), step.unit)}"
    if step.unit_price:
        row += f" \N{MULTIPLICATION SIGN} {price(words, step.unit_price, currency)}"
    if step.amount:
        row += f" = {money(words, Decimal(step.amount), currency)}"
    return row


def step_words(words: Words, said: str) -> str:
    """A row's name in the reader's language."""
    _ = words.gettext
    plain = {
        "units": _("units"),
        "percent": _("percent"),
        "events": _("events"),
        "least and most for each event": _("least and most for each event"),
        "no running": _("no running"),
        "converted": _("converted"),
        "rounded": _("rounded"),
        "free, converted or rounded": _("free, converted or rounded"),
        "billed before": _("billed before"),
        "measured before": _("measured before"),
        "in": _("in so much time"),
        "estimated for": _("estimated for"),
        "the gap's length": _("length of the gap"),
        "of it in this line": _("of it in this line"),
        "of it over a gap in the readings": _("of it over a gap in the readings"),
        "all that is known now": _("all that is known now"),
    }
    patterns: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
        (_TIER, lambda found: _("tier %(number)s", number=found[1])),
        (_TIER_FLAT, lambda found: _("tier %(number)s, fixed amount", number=found[1])),
        (_PACKAGES, lambda found: _("packages of %(size)s", size=found[1])),
        (_FREE, lambda found: _("free units (%(quantity)s)", quantity=found[1])),
        (
            _PART,
            lambda found: _(
                "part of the period: %(part)s of %(whole)s %(unit)s", part=found[1], whole=found[2], unit=found[3]
            ),
        ),
        (_PERCENT_OFF, lambda found: _("discount of %(percent)s %%", percent=found[1])),
        (_OFF, lambda found: _("discount of %(amount)s", amount=found[1])),
        (_SPEED, lambda found: _speed(words, found)),
        (_OWN_PRICES, lambda found: _("%(count)s events, each at its own price", count=found[1])),
    )
    for pattern, sentence in patterns:
        if found := pattern.match(said):
            return sentence(found)
    return plain.get(said, said)


def _speed(words: Words, found: re.Match[str]) -> str:
    """A speed of a fan, the coil it blew through and the season, as far as they are known."""
    _ = words.gettext
    speed = _("unknown") if found[1] == "unknown" else found[1]
    said = [_("speed %(speed)s", speed=speed)]
    said += [_("coil %(coil)s", coil=found[2])] if found[2] else []
    return ", ".join([*said, found[3]] if found[3] else said)


def _unusual(words: Words, line: Line, period: Period) -> list[str]:
    _ = words.gettext
    found = []
    if line.effect == "credit":
        found.append(_("taken back: this line is a credit"))
    if line.corrects is not None:
        found.append(_correction(words, line))
    elif line.belongs_to:
        found.append(_("arrived late, belongs to %(period)s", period=line.belongs_to))
    elif (line.first, line.end) != (period.first, period.end) and not line.month_days:
        first, end = date.fromisoformat(line.first), date.fromisoformat(line.end)
        found.append(_("%(first)s up to %(end)s", first=long_day(words, first), end=long_day(words, end)))
    if line.rollovers:
        found.append(_("the register wrapped at %(modulus)s", modulus=line.modulus))
    if line.registers and any(point.leaf.quality != "synchronised" for point in line.registers):
        found.append(_("time repaired or taken from its arrival"))
    sure = quality_words(words, line.quality)
    return [*found, sure] if sure else found


def quality_words(words: Words, quality: str) -> str:
    """How a quantity that is not just what meters showed came about; "" where there is nothing to say."""
    _ = words.gettext
    sentences = {
        "estimated_split": _("the total was measured, its split over time is estimated"),
        "edited": _("a person put this reading in the place of another"),
        "substituted": _("a reading was put in the place of one that was missing"),
        "estimated": _("estimated: nobody read the meter; it is corrected when it is read again"),
        "received_time_only": _("the time is that of its arrival"),
    }
    return sentences.get(quality, "")


def _correction(words: Words, line: Line) -> str:
    assert line.corrects is not None
    _ = words.gettext
    statement, corrected, period = line.corrects.statement, line.corrects.line, line.belongs_to
    if corrected:
        return _(
            "corrects line %(line)s of statement %(statement)s (%(period)s): data came after it was closed",
            line=corrected, statement=statement, period=period,
        )  # fmt: skip
    return _(
        "adds to statement %(statement)s (%(period)s): data came after it was closed",
        statement=statement, period=period,
    )  # fmt: skip
