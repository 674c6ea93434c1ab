"""What an MQTT cabinet never forgets: its events, its commands' results, its counters. PURE.

The surprise: the result of a command *is* an event of this journal, so a command told twice is answered by sending the
old event again, byte for byte, and nobody can tell a repetition of the broker from one of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

Json = dict[str, object]


@dataclass
class Event:
    """One event as it goes out; ``acked`` once the broker has taken it."""

    boot: int
    seq: int
    mid: str
    payload: bytes
    acked: bool = False


@dataclass
class Dispense:
    """A command that was written down. ``result`` is the ``mid`` of its event once there is one."""

    cmd_id: str
    slot: str
    result: str = ""


@dataclass
class SlotMemory:
    """Non-volatile facts of one slot: pieces believed in it, pieces ever seen to drop, and its state."""

    level: int
    ctr: int = 0
    st: str = "ok"


@dataclass
class CabinetJournal:
    """The non-volatile memory of one cabinet; survives power cuts, and holds ``keep`` events at most."""

    keep: int = 1000
    boot: int = 0
    seq: int = 0
    autonomous: bool = False
    slots: dict[str, SlotMemory] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    dispenses: dict[str, Dispense] = field(default_factory=dict)

    def start(self, t: str, clk: str, fw: str) -> None:
        """A new boot and its first event."""
        before = (self.boot, self.seq)
        self.boot, self.seq = self.boot + 1, 0
        self.write("boot", {"fw": fw, "prev_boot": before[0], "prev_seq": before[1]}, t, clk)

    def write(self, kind: str, fields: Mapping[str, object], t: str, clk: str) -> Event:
        """Writes the next event down."""
        self.seq += 1
        mid = f"B{self.boot}S{self.seq}"
        envelope: Json = {"v": 1, "mid": mid, "boot": self.boot, "seq": self.seq, "t": t, "clk": clk, "type": kind}
        event = Event(self.boot, self.seq, mid, encode({**envelope, **fields}))
        self.events.append(event)
        # The oldest that the broker has goes first; what it does not have is kept as long as there is another way.
        while len(self.events) > self.keep:
            taken = next((place for place, one in enumerate(self.events) if one.acked), 0)
            del self.events[taken]
        return event

    def unacked(self) -> list[Event]:
        """What the broker has not taken yet, oldest first."""
        return [one for one in self.events if not one.acked]

    def find(self, mid: str) -> Event | None:
        """The event of this name, if it is still kept."""
        return next((one for one in reversed(self.events) if one.mid == mid), None)

    def between(self, boot: int, first: int, last: int) -> tuple[list[Event], list[tuple[int, int]]]:
        """The events ``first``..``last`` of a boot that are still kept, and the runs of those that are not."""
        kept = {one.seq: one for one in self.events if one.boot == boot}
        gone: list[tuple[int, int]] = []
        for seq in range(first, last + 1):
            if seq not in kept:
                gone = [*gone[:-1], (gone[-1][0], seq)] if gone and gone[-1][1] == seq - 1 else [*gone, (seq, seq)]
        return [kept[seq] for seq in range(first, last + 1) if seq in kept], gone


def encode(payload: Json) -> bytes:
    """One JSON object as the firmware writes it: no blanks, order as given."""
    return json.dumps(payload, separators=(",", ":")).encode()
