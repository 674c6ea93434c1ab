"""Bars by day, one picture for page, PDF and mail.

The surprise: a chart carries no number that is billed. It is drawn from the same uses as the lines, but nobody pays by
a picture, so heights are rounded to tenths of a point and the table beside it is what counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from itertools import cycle
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

WIDTH, HEIGHT = 520, 110
LEFT, TOP, BOTTOM = 44, 8, 18
# Dark enough on white paper and light enough on a dark page; told apart by lightness, not by hue alone.
SHADES = ("#3568a8", "#c9812b", "#7fae6c", "#8a5a9e", "#b0b0b0")
LABELS = 7


class Bar(NamedTuple):
    """One day: its label, and one value for each part of the stack."""

    label: str
    parts: tuple[Decimal, ...]


class Line(NamedTuple):
    """A horizontal line at a value, such as a target."""

    value: Decimal
    label: str


class Box(NamedTuple):
    """A filled rectangle, in points from the upper left."""

    x: Decimal
    y: Decimal
    width: Decimal
    height: Decimal
    shade: str


class Label(NamedTuple):
    """Words at a place."""

    x: Decimal
    y: Decimal
    words: str
    anchor: Literal["start", "middle", "end"] = "start"


def draw(bars: Sequence[Bar], *, unit: str, title: str, parts: Sequence[str] = (), line: Line | None = None) -> str:
    """The picture as SVG text. ``parts``: the names of the stack's parts, from the bottom."""
    highest = max([sum(bar.parts, Decimal(0)) for bar in bars] + ([line.value] if line else []), default=Decimal(0))
    top = _round_up(highest)
    scale = [(value, _y(value, top)) for value in (Decimal(0), top / 2, top)]
    labels = [Label(Decimal(LEFT - 4), y + 3, _scale_text(value, top, unit), "end") for value, y in scale]
    labels += _days(bars)
    if line is not None:
        labels.append(Label(Decimal(LEFT + 4), _y(line.value, top) - 2, line.label))
    named = list(_legend(parts)) if len(parts) > 1 else []
    drawn: str = _template().render(
        width=WIDTH,
        height=HEIGHT + (14 if named else 0),
        left=LEFT,
        title=title,
        grid=[y for _, y in scale],
        dashes=[_y(line.value, top)] if line else [],
        boxes=[*_stacks(bars, top), *(box for box, _ in named)],
        labels=[*labels, *(label for _, label in named)],
    )
    return drawn


def _scale_text(value: Decimal, top: Decimal, unit: str) -> str:
    return f"{value.normalize():f} {unit}" if value == top else f"{value.normalize():f}"


def _stacks(bars: Sequence[Bar], top: Decimal) -> Iterator[Box]:
    step = Decimal(WIDTH - LEFT) / max(len(bars), 1)
    width = _tenth(step * Decimal("0.72"))
    for place, bar in enumerate(bars):
        left, below = _tenth(LEFT + step * place + step * Decimal("0.14")), Decimal(0)
        for shade, value in zip(cycle(SHADES), bar.parts, strict=False):
            upper, lower = _y(below + value, top), _y(below, top)
            if lower > upper:
                yield Box(left, upper, width, lower - upper, shade)
            below += value


def _days(bars: Sequence[Bar]) -> list[Label]:
    """Not every day is named: as many as can be read."""
    step = Decimal(WIDTH - LEFT) / max(len(bars), 1)
    every = max(1, -(-len(bars) // LABELS))
    foot = Decimal(HEIGHT - 4)
    return [
        Label(_tenth(LEFT + step * place + step / 2), foot, bar.label, "middle")
        for place, bar in enumerate(bars)
        if place % every == 0
    ]


def _legend(parts: Sequence[str]) -> Iterator[tuple[Box, Label]]:
    step = Decimal(WIDTH - LEFT) / len(parts)
    for place, (shade, name) in enumerate(zip(cycle(SHADES), parts, strict=False)):
        x = _tenth(LEFT + step * place)
        box = Box(x, Decimal(HEIGHT + 3), Decimal(8), Decimal(8), shade)
        yield box, Label(x + 12, Decimal(HEIGHT + 10), name)


@cache
def _template() -> Any:  # noqa: ANN401 - jinja2's Template
    loader = PackageLoader("cloud.documents")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("bars.svg")


def _y(value: Decimal, top: Decimal) -> Decimal:
    room = HEIGHT - TOP - BOTTOM
    return _tenth(Decimal(HEIGHT - BOTTOM) - room * value / top)


def _tenth(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.1"))


def _round_up(value: Decimal) -> Decimal:
    """The next 1, 2 or 5 times a power of ten, so that the scale reads well."""
    if value <= 0:
        return Decimal(1)
    power = Decimal(1).scaleb(value.adjusted())
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)
