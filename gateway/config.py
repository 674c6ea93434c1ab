"""What a person writes in ``gateway.toml``: the shapes. ``config_file`` reads it and names every mistake.

The program never writes this file; what it learns (identity, planogram, badges) and what the set-up pages were told
(site.toml) lies in the state folder. A line or a device may live in one of the two only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.access import AccessPolicy
from gateway.control_rules import Control
from gateway.drivers.badge_numbers import Gives, Reads
from gateway.ports import BrokerSettings, SerialSettings

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Section(BaseModel):
    """A table of the file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GatewaySection(Section):
    """The gateway itself."""

    name: str = Field("gateway", max_length=64, description="What people call it; shown on its pages.")
    state: Path = Field(Path("/var/lib/tallystick"), description="Folder for the journal, the key and the cache.")
    adapters: Path = Field(Path("/dev/serial/by-id"), description="Where serial adapters have names that stay.")
    profiles: Path | None = Field(None, description="A folder with meter profiles of your own, one TOML file a model.")


class CloudSection(Section):
    """Where records go. Without a url the gateway works on its own."""

    url: str = Field("", description="https://... of the cloud; empty: none yet.")
    ca: str = Field("", description="A CA file of your own, where the system's do not do.")
    poll_seconds: int = Field(30, ge=1, le=300, description="How long one question for news may stay open.")

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not url.startswith(("https://", "http://")):
            raise ValueError("a url starts with https:// (or http:// inside one machine)")
        return url.rstrip("/")


class JournalSection(Section):
    """The store of records."""

    path: Path | None = Field(None, description="The journal's file; empty: journal.db in the state folder.")
    quota_mb: int = Field(4096, ge=0, description="Largest size; 0: whatever the disk holds.")
    ballast_mb: int = Field(8, ge=0, le=1024, description="Space kept back for a full disk.")
    keep_days: int = Field(90, ge=0, description="Cosigned and backed-up records stay at least so long.")
    demo: bool = Field(
        default=False, description="true allows a journal that forgets: for trying out, never for billing."
    )

    @model_validator(mode="after")
    def _evidence_stays(self) -> JournalSection:
        if self.keep_days < 90 and not self.demo:
            raise ValueError("keep_days below 90 is for demo = true only: records are evidence")
        return self


class ClockSection(Section):
    """A demo's time: the clock shows ``origin`` at the real instant ``since`` and runs ``scale`` times as fast."""

    scale: float = Field(1.0, ge=1.0, le=100_000.0)
    origin: datetime | None = None
    since: datetime | None = None

    @model_validator(mode="after")
    def _whole(self) -> ClockSection:
        if self.scale != 1.0 and self.origin is None:
            raise ValueError("scale needs an origin: a clock that runs fast must not look like today's")
        if self.since is not None and self.origin is None:
            raise ValueError("since needs an origin")
        return self

    @property
    def origin_ms(self) -> int | None:
        """Milliseconds UTC."""
        return _ms(self.origin)

    @property
    def since_ms(self) -> int | None:
        """Milliseconds UTC."""
        return _ms(self.since)


class WebSection(Section):
    """The pages served here."""

    enabled: bool = True
    host: str = Field("127.0.0.1", description="0.0.0.0 shows the pages to the whole network.")
    port: int = Field(8480, ge=0, le=65535, description="0: any free port.")
    names: tuple[str, ...] = Field((), description="Host names with dots under which browsers may ask for the pages.")
    kiosk: Literal["local", "network"] = Field("local", description="network: goods may be drawn from other machines.")
    wedge_reads: Reads = Field("text", description="What a badge reader types that acts as a keyboard.")
    wedge_gives: Gives = Field("as_read", description="How the list of badges writes that.")
    logout_seconds: int = Field(15, ge=5, le=600, description="Nobody stays logged in for so long without a touch.")


class AccessSection(Section):
    """Whom a list of badges lets in when the cloud has not confirmed it for long."""

    max_age_days: int = Field(30, ge=0, description="0: the list is good for ever.")
    when_old: Literal["deny", "essentials", "allow"] = "deny"
    refuse_empty: bool = Field(default=False, description="Refuse a slot that is empty by our own count.")
    switchers: tuple[str, ...] = Field(("supplier",), description="Groups whose badges may cut a customer off.")

    @property
    def policy(self) -> AccessPolicy:
        """The same for the decision."""
        return AccessPolicy(self.max_age_days, self.when_old, self.refuse_empty)


class Device(BaseModel):
    """One device: its id (the ``src`` of its records), its kind, and the settings of that kind."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Name
    kind: str

    @property
    def settings(self) -> dict[str, Any]:
        """What the driver's own model checks."""
        return dict(self.model_extra or {})


class Line(Section):
    """A serial line."""

    name: Name
    port: str = Field(description="/dev/serial/by-id/... stays the same after a reboot.")
    baud: int = Field(9600, ge=300, le=1_000_000)
    bytesize: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    echo: bool = Field(default=False, description="true for an adapter that hears what it sends.")
    devices: tuple[Device, ...] = ()

    @property
    def link(self) -> SerialSettings:
        """What opens the line."""
        return SerialSettings(self.name, self.port, self.baud, self.bytesize, self.parity, self.stopbits, self.echo)


TopicPart = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^+#/\x00]+$")]


class EdgeNode(Section):
    """Publishes what the gateway knows at this broker, as a Sparkplug B edge node."""

    group: TopicPart
    node: TopicPart


class Broker(Section):
    """An MQTT broker."""

    name: Name
    host: str
    port: int = Field(1883, ge=1, le=65535)
    client_id: str = Field("tallystick-gateway", min_length=1, max_length=64)
    username: str = ""
    password_file: Path | None = Field(None, description="A file with the password; it is never in this one.")
    tls_ca: str = ""
    keepalive: int = Field(30, ge=5, le=600)
    window: int = Field(400, ge=1, le=5000, description="Messages the broker may have on the way at once.")
    sparkplug: EdgeNode | None = Field(None, description="Sparkplug B: our readings, published here.")
    devices: tuple[Device, ...] = ()

    @property
    def link(self) -> BrokerSettings:
        """What connects. Raises OSError when the password file cannot be read."""
        password = self.password_file.read_text("utf-8").strip() if self.password_file else ""
        return BrokerSettings(
            self.name, self.host, self.port, self.client_id, self.username, password, self.tls_ca, self.keepalive,
            self.window,
        )  # fmt: skip


class Config(Section):
    """The whole file."""

    gateway: GatewaySection = GatewaySection()
    cloud: CloudSection = CloudSection()
    journal: JournalSection = JournalSection()
    clock: ClockSection = ClockSection()
    web: WebSection = WebSection()
    access: AccessSection = AccessSection()
    lines: tuple[Line, ...] = ()
    brokers: tuple[Broker, ...] = ()
    controls: tuple[Control, ...] = ()

    @property
    def journal_path(self) -> Path:
        """Where the journal lies."""
        return self.journal.path or self.gateway.state / "journal.db"

    def devices(self) -> list[tuple[str, Device]]:
        """Every device with the name of its line or broker."""
        found = [(line.name, device) for line in self.lines for device in line.devices]
        return found + [(broker.name, device) for broker in self.brokers for device in broker.devices]


def _ms(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)
