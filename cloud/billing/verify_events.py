"""The counted events of a bundle: those that the statement names, each once, from sources of the agreement. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from cloud.agreements.terms import Version
from cloud.billing.bundle import Bundle
from cloud.billing.facts import Fact
from cloud.billing.usage import event_fact
from cloud.billing.verify_logs import Finding
from cloud.rating.events import root_of


def check_events(bundle: Bundle, versions: Sequence[Version], findings: list[Finding]) -> list[Fact]:
    """The events as facts; what is wrong with them is added to the findings."""
    stated = bundle.statement.head.events
    sources = {source for version in versions for source in version.terms.event_sources or []}

    def wrong(what: str) -> None:
        findings.append(Finding(0, "events", what))

    if stated is None:
        if bundle.events or sources:
            wrong("the statement says nothing of counted events")
        return []
    if len(bundle.events) != stated.count or root_of(bundle.events) != stated.root:
        wrong("the counted events are not those that the statement names by their root")
    if any(before.serial >= after.serial for before, after in pairwise(bundle.events)):
        wrong("the counted events are not in the order of their arrival")
    if len({event.key for event in bundle.events}) != len(bundle.events):
        wrong("an event is there twice")
    for event in bundle.events:
        if event.source not in sources:
            wrong(f"event {event.serial} is of {event.source}, which the agreement does not name")
        if event.serial > stated.to or event.serial < 1:
            wrong(f"event {event.serial} came after the statement")
    return [event_fact(event) for event in bundle.events]
