"""Which counted events are valid: clicks, views, leads, actions, orders, sales. Every refusal names its reason. PURE.

The surprise: the verdict on an event never depends on the order in which events arrived, only on their own times; a
refused event stays known, because the next repeat is measured from it or from the last valid one, as the rules say.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from cloud.rating.terms_fields import Id
from cloud.rating.uses import Use, in_order, ordered, told_once

Reason = Literal["conflict", "robot", "refused", "outside_window", "received_late", "no_price", "repeat"]
REASONS: dict[Reason, str] = {
    "conflict": "the same source and id was told before with another content",
    "robot": "it bears a robot's mark, or more of its kind came in a minute than a person makes",
    "refused": "it was refused or taken back by another event",
    "outside_window": "no event that it must follow came before it within the window",
    "received_late": "it was received later than the agreement allows",
    "no_price": "it brings no price, and its charge needs one",
    "repeat": "it repeats another within the time in which repeats do not count",
}


class Rules(BaseModel):
    """A part of the validity rules: unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Repeats(Rules):
    """Events with the same labels within so many seconds count once."""

    seconds: Annotated[int, Field(ge=1, le=31_622_400)]
    same: Annotated[list[Id], Field(min_length=1)] = ["subject"]
    counted_from: Literal["last_valid", "last_of_any"] = "last_valid"


class Robots(Rules):
    """Marks of robots, by label; and the most that one (by its labels) makes within any minute."""

    marks: dict[Id, list[str]] = {}
    most_a_minute: Annotated[int | None, Field(ge=1)] = None
    same: Annotated[list[Id], Field(min_length=1)] = ["subject"]

    def options(self) -> list[str]:
        """The marks and the most a minute, in words."""
        said = [
            f"events whose {label} is one of {', '.join(values)} are a robot's and do not count"
            for label, values in sorted(self.marks.items())
            if values
        ]
        if self.most_a_minute is not None:
            said.append(
                f"an event is a robot's and does not count when more than {self.most_a_minute} with the same "
                f"{', '.join(self.same)} come within a minute"
            )
        return said or ["no mark and no number of events is named by which robots are known"]


class Follows(Rules):
    """An event of a type must have come before, with the same labels, at most so many seconds earlier."""

    type: str
    seconds: Annotated[int, Field(ge=1, le=31_622_400)]
    same: Annotated[list[Id], Field(min_length=1)] = ["subject"]


class Validity(Rules):
    """When an event counts. ``refused_by``: the type of events whose label ``of`` names the id of one that is
    refused.
    """

    follows: Follows | None = None
    received_within_seconds: Annotated[int | None, Field(ge=0)] = None
    repeats: Repeats | None = None
    robots: Robots | None = None
    refused_by: list[str] = []
    needs_price: bool = False

    def options(self) -> list[str]:
        """The rules in words."""
        said = []
        if self.follows is not None:
            one = self.follows
            said.append(f"counts only within {one.seconds} s after a {one.type} with the same {', '.join(one.same)}")
        if self.repeats is not None:
            since = "the last valid one" if self.repeats.counted_from == "last_valid" else "the last one of any kind"
            alike = ", ".join(self.repeats.same)
            said.append(f"a repeat within {self.repeats.seconds} s of {since} with the same {alike} does not count")
        if self.received_within_seconds is not None:
            said.append(f"counts only when received within {self.received_within_seconds} s")
        if self.robots is not None:
            said += self.robots.options()
        if self.refused_by:
            said.append(f"refused by {', '.join(self.refused_by)} that name the event's id")
        if self.needs_price:
            said.append("an event without a price does not count")
        return said


class Refusal(NamedTuple):
    """An event that does not count, and why."""

    use: Use
    reason: Reason


class Verdict(NamedTuple):
    """What counts, in order of time, and what does not."""

    valid: list[Use]
    refused: list[Refusal]


def judge(candidates: Sequence[Use], all_uses: Sequence[Use], rules: Validity) -> Verdict:
    """Which of these uses count; ``all_uses`` are those that windows and refusals look at."""
    told = told_once(candidates)
    refused = [Refusal(use, "conflict") for use in told.conflicts]
    valid: list[Use] = []
    taken_back = _taken_back(all_uses, rules)
    followed = _times_followed(all_uses, rules)
    crowds = _crowds(told.uses, rules)
    last: dict[tuple[str, ...], int] = {}
    # Repeats are measured from the one before in time, whatever the order of arrival.
    for use in ordered(told.uses):
        reason = _reason(use, rules, taken_back, followed, crowds) or _repeat(use, rules, last)
        if reason is None:
            valid.append(use)
        else:
            refused.append(Refusal(use, reason))
        if rules.repeats is not None and (reason is None or rules.repeats.counted_from == "last_of_any"):
            last[_key(use, rules.repeats.same)] = use.at
    return Verdict(valid, sorted(refused, key=lambda one: in_order(one.use)))


def _reason(
    use: Use,
    rules: Validity,
    taken_back: set[str],
    followed: dict[tuple[str, ...], list[int]],
    crowds: dict[tuple[str, ...], list[int]],
) -> Reason | None:
    if rules.robots is not None and _is_robot(use, rules.robots, crowds):
        return "robot"
    if use.id and use.id in taken_back:
        return "refused"
    if rules.follows is not None:
        times = followed.get(_key(use, rules.follows.same), [])
        place = bisect_right(times, use.at) - 1
        if place < 0 or use.at - times[place] > rules.follows.seconds * 1000:
            return "outside_window"
    late = rules.received_within_seconds
    if late is not None and use.received and use.received - use.at > late * 1000:
        return "received_late"
    return "no_price" if rules.needs_price and not use.price else None


def _repeat(use: Use, rules: Validity, last: dict[tuple[str, ...], int]) -> Reason | None:
    if rules.repeats is None:
        return None
    before = last.get(_key(use, rules.repeats.same))
    return "repeat" if before is not None and use.at - before < rules.repeats.seconds * 1000 else None


def _is_robot(use: Use, robots: Robots, crowds: dict[tuple[str, ...], list[int]]) -> bool:
    if any(use.labels.get(label) in values for label, values in robots.marks.items()):
        return True
    if robots.most_a_minute is None:
        return False
    times = crowds[_key(use, robots.same)]
    within = bisect_right(times, use.at) - bisect_left(times, use.at - 59_999)
    return within > robots.most_a_minute


def _key(use: Use, labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(use.labels.get(label, "") for label in labels)


def _taken_back(uses: Sequence[Use], rules: Validity) -> set[str]:
    return {use.labels.get("of", "") for use in uses if use.labels.get("type") in rules.refused_by} - {""}


def _times_followed(uses: Sequence[Use], rules: Validity) -> dict[tuple[str, ...], list[int]]:
    if rules.follows is None:
        return {}
    return _times([use for use in uses if use.labels.get("type") == rules.follows.type], rules.follows.same)


def _crowds(uses: Sequence[Use], rules: Validity) -> dict[tuple[str, ...], list[int]]:
    return {} if rules.robots is None else _times(uses, rules.robots.same)


def _times(uses: Sequence[Use], labels: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for use in sorted(uses, key=in_order):
        found.setdefault(_key(use, labels), []).append(use.at)
    return found
