"""What an operator sets, from the environment: ``TALLY_DATABASE``, ``TALLY_STATE``, ``TALLY_LISTEN`` and a few more.

A name that looks like a misspelt setting is an error with a suggestion, since a setting silently ignored is worse.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud.clock import Clock, demo_clock

PREFIX = "TALLY_"


class SettingsError(ValueError):
    """A setting cannot be used; the message names it and says what would do."""


class Settings(BaseModel):
    """The cloud's settings; each field is the environment variable of its name with ``TALLY_`` in front."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: Path = Field(Path("tallystick-cloud"), description="Folder of the cosigner's key and the embedded database.")
    database: str = Field("", description="sqlite:///path or postgresql://...; empty: cloud.db in the state folder.")
    listen: str = Field("127.0.0.1:8400", pattern=r"^.+:\d{1,5}$", description="Address and port of the web server.")
    cosigner: str = Field("tallystick.cloud", pattern=r"^[^\s+]{1,64}$", description="Name printed on cosignatures.")
    connections: int = Field(4, ge=1, le=64, description="Connections of one process to PostgreSQL.")
    group_records: int = Field(200, ge=0, le=4096, description="Batches up to this many records share a transaction.")
    check_seconds: int = Field(86_400, ge=0, description="How often everything that must hold is checked; 0: never.")
    max_waiting: int = Field(1000, ge=1, description="Batches that may wait for a transaction before 429 is answered.")
    demo_clock: str = Field(
        "", pattern=r"^(\d+,\d+,\d+(\.\d+)?)?$", description="Demonstrations only: shown ms, at real ms, times as fast."
    )

    @property
    def database_address(self) -> str:
        """The database, with the default spelled out."""
        return self.database or f"sqlite:///{self.state / 'cloud.db'}"

    @property
    def host(self) -> str:
        """The address part of ``listen``."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of ``listen``."""
        return int(self.listen.rpartition(":")[2])

    def clock(self) -> Clock:
        """The real clock, or the demonstration's."""
        if not self.demo_clock:
            return Clock()
        origin, since, scale = self.demo_clock.split(",")
        return demo_clock(int(origin), int(since), float(scale))


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment; raises SettingsError."""
    known = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
    values: dict[str, str] = {}
    for variable, value in environment.items():
        if variable in known:
            values[known[variable]] = value
        elif variable.startswith(PREFIX) and (near := difflib.get_close_matches(variable, known, 1, 0.8)):
            raise SettingsError(f"{variable} is no setting; did you mean {near[0]}?")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise SettingsError(f"{PREFIX}{str(first['loc'][0]).upper()}: {first['msg']}") from error
