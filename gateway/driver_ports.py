"""What a driver must be able to do, on a serial line and behind a broker, and what it may besides. PURE.

The surprise is what it never does: it opens nothing, waits for nothing and has no clock. Bytes and the time of the line
go in, events come out; who holds the line asks for the next bytes when it can send them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

from gateway.device_events import Counters, Event, Publish, Request, Want


class SerialDriver(Protocol):
    """A device protocol on a serial line, without the line. Pure: bytes and `now` (line time, seconds) go in, events
    come out; the same bytes in any pieces give the same events; nothing it is fed makes it raise.

    A class may say more, and the session does what it says:

    - `bus: ClassVar[str]`: the discipline of its wires ("modbus"). Only devices that say the same share a line; who
      says nothing shares it with its own kind alone. `listens: ClassVar[bool]`: it talks unasked, so it has its line to
      itself, and is fed all that comes.
    - `shipped: ClassVar[tuple[str, ...]]`: line formats it is met with, the likeliest first ("9600 8N1"); and
      `candidates() -> Iterable[dict[str, Any]]` (classmethod): settings to try when a line is searched.
    - `again(wants, sent, answer, now) -> list[Event] | None`: the same wants are the same question whatever was said
      before, so the line may ask it several times before anybody looks. `answer` came to `sent`, in its usual length:
      what `request` and `feed` would say, or None where these must be asked.
    - `limits: block_reads.Limits`: what one request may read. `holds: ClassVar[int]`: bytes it keeps at most (1,024).
    - `outgoing() -> bytes`: takes what must be written at once; asked after every `feed`, `kept` and `idle`.
    - `kept(event) -> None`: the journal holds the records of this event, on disk: now the device may hear "got it".
      An event that could not be stored is not told, so the device repeats it.
    - `idle(now) -> list[Event]`: a tenth of a second passed without a byte (its own time-outs and repeats).
    - `remember(dids, boot) -> None`: before the line is opened, the names of the last events the journal holds of it,
      newest first, and the name of this boot: a device that repeats what it was not confirmed may do so across ours.
    - `drives(slot) -> bool`: it has motors, and takes commands; `heard_at: float | None`: when its last frame came.
    """

    kind: ClassVar[str]
    link: ClassVar[Literal["serial", "mqtt"]]
    counters: Counters

    @property
    def cfg(self) -> str:
        """Hash of everything that gives the bytes their meaning."""

    @property
    def wants(self) -> Sequence[Want]:
        """What to ask for on a grid; empty for a listener."""

    @property
    def answered(self) -> bool:
        """True when the last request needs no more waiting."""

    def pending(self) -> Request | None:
        """A question that goes before everything on the grid (who are you) or follows an answer (the next part);
        None when there is none. The same bytes twice running: it waits for the grid.
        """

    def request(self, wants: Sequence[Want]) -> Request:
        """Ask for these wants, neighbours of one table, in one frame. A read, always: it may be asked at any time."""

    def feed(self, data: bytes, now: float) -> list[Event]:
        """Bytes from the line."""

    def expired(self, now: float) -> list[Event]:
        """The answer did not come in time. What is said here is recorded too (a result that stays unknown)."""

    def restarted(self) -> None:
        """The line was opened anew or the device was away: forget what was learnt about it."""


class Talker(SerialDriver, Protocol):
    """A driver that has the line to itself and speaks when it must: conversations of many frames, and their timers."""

    def outgoing(self) -> bytes:
        """What wants to leave now; asked for after each `feed` and `tick`."""

    def due(self, now: float) -> float:
        """Line time at which `tick` wants to be called, at the latest."""

    def tick(self, now: float) -> list[Event]:
        """What time alone brings about."""


class SerialSwitch(Protocol):
    """What a driver on a serial line has besides, when its device can switch. Who may, is decided elsewhere."""

    def switch(self, *, on: bool, at: int) -> Request:
        """The command, void a minute after `at` (ms UTC). Its answer is a CommandTaken and proves nothing."""

    def look(self) -> Request:
        """Asks how the switch stands. Its answer is a SwitchState."""


class MqttDriver(Protocol):
    """A device protocol behind a broker, without the broker. Pure; nothing it is fed makes it raise."""

    kind: ClassVar[str]
    link: ClassVar[Literal["serial", "mqtt"]]
    counters: Counters
    outgoing: list[Publish]

    @property
    def cfg(self) -> str:
        """Hash of everything that gives the messages their meaning."""

    @property
    def topics(self) -> Sequence[str]:
        """What to subscribe to, patterns among them; it may grow with what is heard."""

    def feed(self, topic: str, payload: bytes, now: float, *, retained: bool = False) -> list[Event]:
        """One message. A retained one is never the cause of a reading or of a record of goods."""

    def tick(self, now: float) -> None:
        """Some seconds have passed."""


@runtime_checkable
class MqttSwitch(Protocol):
    """The same for a device behind a broker; answers come as messages when they come."""

    def switch(self, *, on: bool, at: int) -> Sequence[Publish]:
        """The command."""

    def look(self) -> Sequence[Publish]:
        """Asks how the switch stands; a SwitchState follows."""
