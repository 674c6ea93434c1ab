"""The ratio of a meter's transformers, as an agreement declares it: a factor and when it begins. PURE.

The surprise: it is dated. A ratio that was wrong, or transformers that were exchanged, split what was measured; the raw
registers stay what the meter showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cloud.calendar import parse_instant
from cloud.rating.terms_fields import Positive


def _instant(text: str) -> str:
    moment = parse_instant(text)
    if moment.tzinfo is None:
        raise ValueError("an instant needs its offset, e.g. 2026-11-01T00:00:00+01:00")
    return text


class TransformerRatio(BaseModel):
    """From ``since`` on, the register's kWh times ``factor`` (CT x PT) are what was used."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    since: Annotated[str, AfterValidator(_instant), Field(description="instant with offset, 2026-11-01T00:00:00+01:00")]
    factor: Annotated[Positive, Field(description="current ratio times voltage ratio, e.g. 40")]

    @property
    def since_ms(self) -> int:
        """The instant in ms UTC."""
        moment = datetime.fromisoformat(self.since)
        return int(moment.timestamp()) * 1000


def in_order(ratios: Sequence[TransformerRatio] | None) -> Sequence[TransformerRatio] | None:
    """As they count. Raises ValueError when two begin at once."""
    instants = [ratio.since_ms for ratio in ratios or ()]
    if sorted(set(instants)) != instants:
        raise ValueError("ratios stand in order of time, each from another instant")
    return ratios


Ratios = Annotated[
    list[TransformerRatio] | None,
    AfterValidator(in_order),
    Field(description="transformer ratios with validity; none: the meter shows what was used"),
]
