"""What two parties agree on for a meter that is silent when a period ends. PURE.

The surprise: without this there is no estimate at all. Energy that nobody read then belongs to the period in which the
meter is read again; with it, the end of a period is billed by the mean power so far and put right by a delta line.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class EstimateTerms(BaseModel):
    """Energy beyond the last reading is estimated when the meter has been silent for longer than ``silent_minutes``."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    method: Literal["mean_power"] = "mean_power"
    silent_minutes: Annotated[
        int, Field(ge=1, le=44_640, description="a gap up to this long is no silence: its kWh count where it ends")
    ] = 60

    @property
    def silent_ms(self) -> int:
        """The same in ms."""
        return self.silent_minutes * 60_000

    def in_words(self) -> str:
        """The convention, as a statement prints it."""
        return (
            f"a meter silent for more than {self.silent_minutes} minutes at the end of a period is billed by its mean "
            "power so far, marked as estimated, and corrected when it is read again; the energy of such a gap is "
            "shared out by time"
        )
