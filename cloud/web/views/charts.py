"""Bars by day with their titles and words: one picture for page and paper. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from cloud.documents.bars import Bar, draw
from cloud.documents.daily import Series
from cloud.documents.paper import Chart
from cloud.web.figures import long_day, quantity
from cloud.web.languages import Words


def chart_of(words: Words, series: Series, names: Mapping[str, str]) -> Chart:
    """A service's picture; its alternative text tells the sum and the greatest day."""
    _ = words.gettext
    device = names.get(series.device, series.device)
    title = _("Pieces drawn, by day") if series.service == "goods" else _("%(device)s, energy by day", device=device)
    bars = [Bar(str(date.fromisoformat(day).day), tuple(values)) for day, values in series.days.items()]
    parts = series.parts if len(series.parts) > 1 else []
    drawn = draw(bars, unit=_("pc") if series.unit == "pc" else series.unit, title=title, parts=parts)
    highest = max(series.days, key=lambda day: sum(series.days[day]))
    said = _(
        "%(title)s: %(total)s in all, most on %(day)s",
        title=title,
        total=quantity(words, series.total.normalize() + 0, series.unit),
        day=long_day(words, date.fromisoformat(highest)),
    )
    return Chart(title, drawn, said)


def charts_of(words: Words, found: Sequence[Series], names: Mapping[str, str]) -> list[Chart]:
    """All pictures of a statement."""
    return [chart_of(words, one, names) for one in found]
