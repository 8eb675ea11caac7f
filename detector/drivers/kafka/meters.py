"""A worker's metrics. No label names a player, and no value is one's."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from detector.drivers.kafka.outgoing import Outgoing
from detector.drivers.kafka.status import Status

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 10, 50, 100, 250, 500, 1000, 2000, 4000)


class Meters:
    """What Prometheus may ask of a worker; see docs/kafka.md."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"tiltwatch_worker_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"tiltwatch_worker_{name}", text, labels, registry=registry)

        self.events = counter("events", "Events read, by what became of them.", "outcome")
        self.dead_letters = counter("dead_letters", "Records refused, by reason.", "reason")
        self.late_events = gauge("late_events", "Events later than the grace, since the partitions began.")
        self.alerts = counter("alerts", "Alerts of live rules, by kind.", "kind")
        self.withheld = counter("withheld", "Interventions not asked for, their alerts being too old.")
        self.lag = gauge("partition_lag", "Records from where a partition stands to its end.", "partition")
        self.watermark = gauge(
            "watermark_seconds", "Event time up to which a partition is judged, Unix time.", "partition"
        )
        self.checkpoints = counter("checkpoints", "Checkpoints kept.")
        self.checkpoint_seconds = Histogram(
            "tiltwatch_worker_checkpoint_seconds",
            "How long a checkpoint takes.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch_events = Histogram(
            "tiltwatch_worker_batch_events", "Records fetched at once.", buckets=_SIZES, registry=registry
        )
        self.rebalances = counter("rebalances", "Times that partitions were assigned.")
        self.recovery_seconds = gauge("recovery_seconds", "How long making partitions ready took last.")
        self.recovering = gauge("recovering", "1 while partitions are made ready.")
        self.restores = counter("restores", "Partitions taken up again without rebalance, by cause.", "cause")
        self.commands = gauge("commands", "Commands read, by kind.", "kind")
        self.players = gauge("players", "Players in memory.")
        self.recovering.set(1)

    def count(self, out: Outgoing) -> None:
        """Count what a batch came to."""
        counted = out.counted
        for outcome in ("accepted", "repeated", "refused", "dropped"):
            if number := getattr(counted, outcome):
                self.events.labels(outcome).inc(number)
        for refused in out.refused:
            self.dead_letters.labels(refused.refusal.reason).inc()
        for alert in out.effects.alerts:
            self.alerts.labels(alert.kind).inc()
        if out.withheld:
            self.withheld.inc(out.withheld)

    def recovered(self, seconds: float) -> None:
        """Note that assigned partitions are ready."""
        self.rebalances.inc()
        self.recovery_seconds.set(seconds)

    def saved(self, seconds: float) -> None:
        """Note a checkpoint."""
        self.checkpoints.inc()
        self.checkpoint_seconds.observe(seconds)

    def show(self, told: Status, commands: Mapping[str, int], late: int, *, is_ready: bool) -> None:
        """Show how the worker is."""
        self.recovering.set(0 if is_ready else 1)
        self.lag.clear()
        self.watermark.clear()
        for number, partition in told.partitions.items():
            self.lag.labels(number).set(partition.lag)
            self.watermark.labels(number).set(partition.watermark_us / 1_000_000)
        for kind, count in commands.items():
            self.commands.labels(kind).set(count)
        self.late_events.set(late)
        self.players.set(told.players)
