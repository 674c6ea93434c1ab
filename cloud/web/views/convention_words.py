"""The conventions of an agreement in the reader's language. PURE.

The surprise: a statement's conventions are agreed on in one wording, English, which is what terms print and hash. Here
each of those sentences is recognised by its own pattern and said again; one that nobody translated stays as agreed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from cloud.web.languages import Words
from cloud.web.views.statement import rounding_modes, rounding_rule

_PLACE = re.compile(r"%\\\((\w+)\\\)s")
_FREE = re.compile(r"<(label|labels|marks|names|order|start|end|type|types|values)>\[\^:\]")


def convention(words: Words, stated: str) -> str:
    """A convention as terms state it, in the reader's language."""
    found = rounding_rule(words, stated)
    if found != stated or words.code == "en":
        return found
    said = _said(words, stated)
    if said is not None:
        return said
    for colon in re.finditer(": ", stated):
        said = _said(words, stated[colon.end() :])
        if said is not None:
            name = stated[: colon.start()]
            return words.gettext("%(charge)s: %(convention)s", charge=name, convention=said)
    return stated


def _said(words: Words, stated: str) -> str | None:
    raw = words.catalogue.gettext
    for pattern, sentence in _patterns():
        match = pattern.fullmatch(stated)
        if match:
            parts = {name: _part(words, value) for name, value in match.groupdict().items()}
            return raw(sentence) % parts
    return None


def _part(words: Words, value: str) -> str:
    """A part of a sentence: a word of the terms' own, another sentence, or what somebody wrote."""
    known = _words(words.catalogue.gettext)
    if value in known:
        return known[value]
    parts = value.split(", ")
    if all(part in known for part in parts):
        return "\N{IDEOGRAPHIC COMMA}".join(known[part] for part in parts)
    return _said(words, value) or value


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """What a person wrote may hold colons; everything else would swallow the name of the charge before it."""
    every = (_sentences_of_usage, _sentences_of_prices, _sentences_of_periods, _sentences_of_agreements)
    sentences = [sentence for some in every for sentence in some(lambda text: text)]
    spelled = [_FREE.sub(r"<\1>.", _PLACE.sub(r"(?P<\1>[^:]+?)", re.escape(one))) for one in sentences]
    return [(re.compile(pattern), one) for pattern, one in zip(spelled, sentences, strict=True)]


def _words(_: Callable[[str], str]) -> dict[str, str]:
    return {
        "sum": _("the sum"),
        "count": _("how many there are"),
        "max": _("the greatest"),
        "unique": _("how many different ones"),
        "latest": _("the latest"),
        "time_weighted": _("the level over time"),
        "inclusive": _("an inclusive upper bound"),
        "exclusive": _("an exclusive upper bound"),
        "is due": _("is due"),
        "is not due": _("is not due"),
        "period": _("period"),
        "second": _("second"),
        "minute": _("minute"),
        "hour": _("hour"),
        "day": _("day"),
        "week": _("week"),
        "month": _("month"),
        "quarter": _("quarter"),
        "year": _("year"),
        "unit price": _("unit price"),
        "amount": _("amount"),
        "the last valid one": _("the last valid one"),
        "the last one of any kind": _("the last one of any kind"),
        "after discounts": _("after discounts"),
        "before discounts": _("before discounts"),
        "exact": _("exact"),
        **_words_of_agreements(_),
        **rounding_modes(_),
    }


def _words_of_agreements(_: Callable[[str], str]) -> dict[str, str]:
    return {
        "mean": _("mean"),
        "greatest": _("greatest"),
        "least": _("least"),
        "every day": _("every day"),
        "every season": _("every season"),
        "like any day": _("like any day"),
        "left out": _("left out"),
        "only": _("only"),
        "missed": _("missed"),
        "met": _("met"),
        "not judged": _("not judged"),
        "mon": _("mon"),
        "tue": _("tue"),
        "wed": _("wed"),
        "thu": _("thu"),
        "fri": _("fri"),
        "sat": _("sat"),
        "sun": _("sun"),
        "what is free": _("what is free"),
        "the minimum": _("the minimum"),
        "the maximum": _("the maximum"),
        "a discount of an amount": _("a discount of an amount"),
        "the free part of the events": _("the free part of the events"),
        "rounded": _("rounded"),
    }


# Those with more words come before those that they contain.
def _sentences_of_usage(_: Callable[[str], str]) -> tuple[str, ...]:
    return (
        _("aggregation: %(how)s"),
        _("how many different values of %(label)s"),
        _("a level is counted by the %(per)s, %(opening)s at first, and each use sets it"),
        _("a level is counted by the %(per)s, %(opening)s at first, and each use changes it"),
        _("a level is %(opening)s at first, and each use sets it"),
        _("a level is %(opening)s at first, and each use changes it"),
        _("a line for each %(labels)s"),
        _("an event without a price does not count"),
        _("quantity times %(by)s, divided by %(through)s, counted in %(unit)s"),
        _("at least %(amount)s is due, by the part of the period"),
        _("at most %(amount)s is due, by the part of the period"),
        _("at least %(amount)s is due"),
        _("at most %(amount)s is due"),
        _("the first %(events)s events or the first %(amount)s are free, whichever ends first"),
        _("the first %(events)s events are free"),
        _("the first %(amount)s are free"),
        _("an event costs at least %(amount)s"),
        _("an event costs at most %(amount)s"),
        _("hours after midnight go by their own day"),
        _("hours after midnight go by the day on which the window began"),
        _("counts only within %(seconds)s s after a %(type)s with the same %(labels)s"),
        _("a repeat within %(seconds)s s of %(since)s with the same %(labels)s does not count"),
        _("counts only when received within %(seconds)s s"),
        _("events whose %(label)s is one of %(marks)s are a robot's and do not count"),
        _(
            "an event is a robot's and does not count when more than %(most)s with the same %(labels)s come within a "
            "minute"
        ),
        _("no mark and no number of events is named by which robots are known"),
        _("refused by %(types)s that name the event's id"),
        _("%(units)s units free, before conversion, by the part of the period"),
        _("%(units)s units free, after conversion, by the part of the period"),
        _("%(units)s units free, before conversion"),
        _("%(units)s units free, after conversion"),
        _("quantity rounded %(mode)s to %(places)s places"),
    )


def _sentences_of_prices(_: Callable[[str], str]) -> tuple[str, ...]:
    return (
        _("counts only what is of type %(types)s"),
        _("counts only where %(label)s is %(values)s"),
        _("discount %(place)s of %(percent)s percent"),
        _("discount %(place)s of %(amount)s, by the part of the period"),
        _("discount %(place)s of %(amount)s"),
        _("over all charges of the period"),
        _("over the charges %(positions)s, counted from 0"),
        _("window %(window)s from %(start)s to %(end)s, %(days)s, %(seasons)s, on holidays %(holidays)s"),
        _("window %(window)s at every other hour"),
        _("season %(season)s from %(start)s to %(end)s"),
        _("holidays are %(days)s"),
        _("minimum and maximum apply %(when)s"),
        _("%(what)s holds once for the whole period, also when the price changes in it"),
        _("%(what)s holds anew for each price inside a period"),
        _("tiers and free units continue across a change of price inside a period"),
        _("up_to is an inclusive upper bound"),
        _("up_to is an exclusive upper bound"),
        _("the first tier's flat fee %(due)s at zero usage"),
        _("usage beyond the last tier is refused"),
        _("usage beyond the last tier costs nothing"),
        _("usage beyond the last tier is priced by the last tier"),
        _("the greatest of each %(bucket)s; prices apply to each bucket"),
        _("the greatest of each %(bucket)s; prices apply to the sum"),
        _("a begun package is a whole one"),
        _("only full packages count"),
        _("one package is due when nothing was used"),
        _("each event brings its %(what)s, times %(factor)s"),
        _("usage over an interval that crosses a window's edge is shared out by time"),
        _("usage over an interval that crosses a window's edge is counted in the window in which it begins"),
        _("usage over an interval that crosses a window's edge is counted in the window in which it ends"),
        _("usage over an interval in which the price changes is shared out by time"),
        _("usage over an interval in which the price changes has the price at which it begins"),
        _("usage over an interval in which the price changes has the price at which it ends"),
        _("what a meter counted between two readings belongs to the period of the later one"),
        _("an hour nobody saw weighs %(weight)s"),
        _("an hour at a speed that is not listed weighs %(weight)s"),
    )


def _sentences_of_periods(_: Callable[[str], str]) -> tuple[str, ...]:
    return (
        _("billed early when %(amounts)s is reached by usage alone, without fees and minimum, then every %(amount)s"),
        _("billed early when %(amounts)s is reached by usage alone, without fees and minimum"),
        _("billed early when %(amounts)s is reached, then every %(amount)s"),
        _("billed early when %(amounts)s is reached"),
        _("part of a period: %(rule)s"),
        _("part of a calendar month: %(rule)s"),
        _("whole for any part of the period"),
        _("%(count)s, of the whole period, the ratio rounded %(mode)s to %(places)s places"),
        _("%(count)s, of the period as it was cut by the agreement, the ratio rounded %(mode)s to %(places)s places"),
        _("%(count)s, of the whole period, the ratio rounded to %(places)s places"),
        _("%(count)s, of the period as it was cut by the agreement, the ratio rounded to %(places)s places"),
        _("%(count)s, of the whole period"),
        _("%(count)s, of the period as it was cut by the agreement"),
        _("by local days, the end day not counted"),
        _("by local days, every day that is touched"),
        _("by local days, first and last day counted"),
        _("by seconds"),
        _("by days, thirty to a month"),
        _("periods: %(cycle)s, on the clock of %(zone)s"),
        _("every %(unit)s from day %(day)s; where a month is shorter, from its last day of %(month)s"),
        _("every %(unit)s from day %(day)s; where a month is shorter, from the first of the next month of %(month)s"),
        _("every %(unit)s from day %(day)s; where a month is shorter, from its last day"),
        _("every %(unit)s from day %(day)s; where a month is shorter, from the first of the next month"),
        _("every %(unit)s from day %(day)s of %(month)s"),
        _("every %(unit)s from day %(day)s"),
        _("every %(unit)s, counted from %(weekday)s %(day)s"),
        _("closed periods are rated again by order: %(order)s"),
        _("coupon %(code)s"),
        _("rest of coupon %(code)s"),
        _("what is left of the coupon is carried on to the next invoice (%(rest)s of %(amount)s)"),
        _("what is left of the coupon is not carried on (%(rest)s of %(amount)s)"),
        _("tax is rounded once a rate, over the sum of its lines, half away from zero; a credit note's tax is on the "
          "%(net)s net"),
        _("tax is rounded on each line, half away from zero; a credit note's tax is on the %(net)s net"),
        _("a meter silent for more than %(minutes)s minutes at the end of a period is billed by its mean power so far, "
          "marked as estimated, and corrected when it is read again; the energy of such a gap is shared out by time"),
    )  # fmt: skip


def _sentences_of_agreements(_: Callable[[str], str]) -> tuple[str, ...]:
    return (
        _("a period is closed %(days)s days after its end"),
        _("due %(days)s days after the invoice's day"),
        _("due %(days)s days after the end of the invoice's month"),
        _("a payment that names no invoice settles the oldest due first"),
        _("a payment that names no invoice waits for a person"),
        _("what is paid too much becomes prepaid balance"),
        _("what is paid too much is paid back"),
        _("interest of %(percent)s percent a year on what is overdue"),
        _("dunning step %(step)s %(days)s days after the due day, fee %(fee)s, suspends use on credit"),
        _("dunning step %(step)s %(days)s days after the due day, fee %(fee)s"),
        _("records are billed once at least %(many)s of these have cosigned their log: %(names)s"),
        _("good is %(metric)s of at least %(least)s and at most %(most)s"),
        _("good is %(metric)s of at least %(least)s"),
        _("good is %(metric)s of at most %(most)s"),
        _("guaranteed for %(target)s percent of the time that counts"),
        _("holds on weekdays %(days)s from %(start)s to %(end)s"),
        _("a moment is good when all sensors are"),
        _("a moment is good when any sensor is"),
        _("a moment is good when the mean of the sensors is"),
        _("the %(statistic)s of each window is compared"),
        _("a window is known when %(percent)s percent of it was sampled"),
        _("time that nobody measured is bad"),
        _("time that nobody measured is good"),
        _("time that nobody measured does not count"),
        _("with less than %(percent)s percent known the outcome is %(outcome)s"),
        _("%(cause)s does not count, from %(begins)s to %(ends)s of %(device)s and %(more)s minutes more, at most "
          "%(most)s minutes"),
        _("good for less than %(below)s percent of the time is a credit of %(credit)s percent"),
        _("the credit is of all charges of the period, on the next invoice"),
        _("the credit is of all charges of the period, by a credit note"),
        _("the credit is of the charges %(kinds)s, on the next invoice"),
        _("the credit is of the charges %(kinds)s, by a credit note"),
        _("the credit of a period is at most %(cap)s"),
        _("objections within %(days)s days"),
    )  # fmt: skip
