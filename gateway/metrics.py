"""The gateway's metrics for Prometheus, read from its status when somebody asks: nothing is counted twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.status import Status


class StatusCollector(Collector):
    """Turns the status of the moment into metric families."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """One family a fact."""
        now = self._status()
        yield _gauge("tally_gateway_up_seconds", "Seconds since this process began.", now.up_seconds)
        yield _gauge("tally_gateway_clock_synchronised", "1 when the system vouches for the clock.", now.clock == "S")
        yield _gauge("tally_journal_ok", "1 when the journal takes records.", now.journal.state == "ok")
        yield _gauge("tally_journal_full", "1 when the journal has no room.", now.journal.state == "full")
        yield _counter("tally_journal_records", "Records stored since this process began.", now.journal.appended)
        yield _counter("tally_journal_commits", "Synced commits since this process began.", now.journal.commits)
        yield _counter("tally_journal_failures", "Failed writes since this process began.", now.journal.failures)
        yield _gauge("tally_journal_damaged_records", "Records found changed on the disk.", now.journal.damaged)
        yield _gauge("tally_sync_pending_records", "Records the cloud has not cosigned.", now.pending)
        if now.pending_seconds is not None:
            yield _gauge("tally_sync_pending_seconds", "Age of the oldest of them.", now.pending_seconds)
        yield _gauge("tally_sync_sealed_size", "Entries with an index in our log.", now.uplink.sealed)
        yield _gauge("tally_sync_cosigned_size", "Entries the cloud has cosigned.", now.uplink.cosigned)
        yield _gauge("tally_sync_backed_up_size", "Entries the cloud's backups reach.", now.uplink.backed_up)
        yield _gauge("tally_sync_failures_in_a_row", "Failed exchanges since the last good one.", now.uplink.failures)
        yield _gauge("tally_sync_frozen", "1 when the log is forked and not synced.", bool(now.uplink.frozen))
        yield _gauge("tally_desired_version", "Version of the list and planogram in force.", now.desired.version)
        if now.desired.age_seconds is not None:
            yield _gauge("tally_desired_age_seconds", "Since the cloud last confirmed it.", now.desired.age_seconds)
        answered = GaugeMetricFamily("tally_device_answers", "1 when the device answers.", labels=["device", "line"])
        for device in now.devices:
            if device.answered is not None:
                answered.add_metric([device.device, device.line], int(device.answered))
        yield answered
        alarms = GaugeMetricFamily("tally_alarm", "1 for each alarm that is raised.", labels=["code", "about"])
        for alarm in now.alarms:
            alarms.add_metric([alarm.code, alarm.about], 1)
        yield alarms


def exposition(status: Callable[[], Status]) -> bytes:
    """The metrics in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(status))
    return generate_latest(registry)


def _gauge(name: str, text: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=int(value))


def _counter(name: str, text: str, value: int) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)
