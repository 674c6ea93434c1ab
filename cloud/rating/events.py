"""A counted event from outside (click, view, lead, action, order, sale), and the root over many of them. PURE.

The surprise: an event has a serial number within its tenant's source, given once when it arrived; a statement says up
to which number it had them in hand, as it does for leaves. ``(source, id)`` is unique for ever. Source: CloudEvents
1.0.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cloud.rating.uses import Use
from wire.log import Frontier, leaf_hash

EVENTS = -1


class CountedEvent(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """``value * 10**scale`` of something that happened at ``at`` (ms UTC), told at ``received``; ``serial`` from 1."""

    serial: int
    source: str
    id: str
    type: str
    at: int
    received: int
    subject: str = ""
    value: int = 1
    scale: int = 0
    price: str = ""
    labels: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other event."""
        return (self.source, self.id)

    @property
    def src(self) -> str:
        """No device of ours."""
        return ""

    @property
    def use(self) -> Use:
        """As a charge sees it."""
        labels = {**self.labels, "type": self.type, **({"subject": self.subject} if self.subject else {})}
        return Use(
            at=self.at, value=self.value, scale=self.scale, source=self.source, id=self.id, price=self.price,
            received=self.received, labels=labels,
        )  # fmt: skip

    @property
    def leaf(self) -> bytes:
        """Its canonical JSON: what the root is over."""
        return _encoder.encode(self)


_encoder = msgspec.json.Encoder(order="sorted")


def root_of(events: Sequence[CountedEvent]) -> str:
    """The RFC 9162 Merkle root (hex) over events, in the order of their serial numbers."""
    ordered = sorted(events, key=lambda event: event.serial)
    return Frontier().extend([leaf_hash(event.leaf) for event in ordered]).root().hex()
