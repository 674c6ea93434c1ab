"""What an operator's monitoring reads at ``/metrics``."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The counters of one running cloud."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "tally_ingest_records_total",
            "Leaves of batches that were answered with a cosignature.",
            registry=self.registry,
        )
        self.batches = Counter(
            "tally_ingest_batches_total",
            "Batches by how they ended: cosigned, repeated, or the problem's name.",
            ["outcome"],
            registry=self.registry,
        )
        self._cosigned = self.batches.labels("cosigned")
        self.quarantined = Counter(
            "tally_ingest_quarantined_total", "Leaves that could not be used yet.", registry=self.registry
        )
        self.seconds = Histogram(
            "tally_ingest_seconds",
            "From a batch's arrival to its answer.",
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        )
        self.group_size = Histogram(
            "tally_ingest_group_requests",
            "How many requests shared a transaction.",
            registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
        )

        self.holds = Gauge(
            "tally_open_holds",
            "Logs of which nothing is billed because an invariant is broken.",
            registry=self.registry,
        )
        self.forks = Gauge("tally_frozen_logs", "Logs that a fork has frozen.", registry=self.registry)

    def taken(self, batches: int, leaves: int, quarantined: int) -> None:
        """So many batches were cosigned together, with so many leaves; so many of those wait in quarantine."""
        self._cosigned.inc(batches)
        self.records.inc(leaves)
        self.quarantined.inc(quarantined)

    def page(self) -> bytes:
        """All of them in Prometheus' text form."""
        return generate_latest(self.registry)
