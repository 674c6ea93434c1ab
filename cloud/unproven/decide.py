"""The owner's verdict at the supplier's desk: sent to the gateway, which alone writes it down, in its own log.

The surprise is that nothing changes here until it has: what is billed follows from records that both sides hold, and a
verdict that only one side knows is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from cloud.database import Tx
from cloud.fleet import desired
from cloud.replenishment.repository import gateways_of
from cloud.unproven import repository
from cloud.unproven.repository import Key, Unproven

PART = "verdicts"
Outcome = Literal["confirmed", "not_dispensed"]


class NoSuchDrawError(Exception):
    """No draw of this name was ever unproven."""


class NotOpenError(Exception):
    """The draw waits for nobody any more; the message says why."""


class OwnDrawError(Exception):
    """Who has drawn it cannot decide it himself."""


def decide(tx: Tx, tenant: str, key: Key, outcome: Outcome, because: str, who: str) -> Unproven:
    """Takes a verdict and sends it. Raises NoSuchDrawError, NotOpenError, OwnDrawError."""
    found = repository.find(tx, tenant, key)
    if found is None:
        raise NoSuchDrawError(f"There is no unproven draw {'/'.join(map(str, key))}.")
    if found.outcome:
        raise NotOpenError(f"This draw is decided already: {found.outcome}.")
    if found.person and found.person == who:
        raise OwnDrawError("Who has drawn it cannot decide it himself.")
    repository.say(tx, tenant, key, outcome, because, who)
    publish_verdicts(tx, tenant, [found.device_id])
    return found._replace(said=outcome, said_because=because, said_by=who)


def publish_verdicts(tx: Tx, tenant: str, devices: Iterable[str]) -> None:
    """Tells the gateways of these devices what is said about draws that are still open."""
    wanted = sorted(set(devices))
    for device, gateway in gateways_of(tx, tenant, wanted) if wanted else ():
        body = {
            f"{one.ep}/{one.n}": {"outcome": one.said, "evidence": one.said_because, "who": one.said_by}
            for one in repository.waiting(tx, tenant, device)
        }
        desired.publish(tx, tenant, gateway, part=PART, key=device, body=body)
