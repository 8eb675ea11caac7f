"""The page that a monitoring system reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from redis.asyncio import Redis

from api.backoffice.office import LASTS_S
from api.kafka.workers import live_workers
from api.metrics import repository
from api.metrics.counting import Counts
from api.store.database import Store
from api.webhooks.repository import waiting_by_owner
from detector.drivers.progress import Progress

FRESH_US = 5_000_000
"""How long what was read of the store is told again: it has to look at every alert."""


class MetricsService:
    """Counts of this process, and gauges of what all processes share."""

    def __init__(
        self,
        store: Store,
        redis: Redis,
        counts: Counts,
        clock: Callable[[], int],
        *,
        is_distributed: bool = False,
    ) -> None:
        self._is_distributed = is_distributed
        self._store = store
        self._redis = redis
        self._counts = counts
        self._clock = clock
        self._turn = asyncio.Lock()
        self._read_us = 0
        self._gauges = b""

    async def page(self) -> bytes:
        """Everything, in the text format of Prometheus."""
        async with self._turn:
            now_us = self._clock()
            if not (self._gauges and 0 <= now_us - self._read_us < FRESH_US):
                self._gauges, self._read_us = await self._look(now_us), now_us
        return generate_latest(self._counts.registry) + self._gauges

    async def _look(self, now_us: int) -> bytes:
        page = CollectorRegistry()

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"tiltwatch_{name}", told, labels, registry=page)

        backlog = gauge("backlog", "Events that a reader of the stream has yet to read.", "reader")
        for reader, count in (await repository.backlog(self._redis)).items():
            backlog.labels(reader).set(count)
        if self._is_distributed:
            live = await live_workers(self._redis, now_us)
            states = gauge("workers", "Workers that gave a sign lately.", "state")
            for state in ("recovering", "running"):
                states.labels(state).set(sum(each.state == state for each in live))
            partitions = [each for worker in live for each in worker.partitions.values()]
            gauge("workers_partitions", "Partitions that they have.").set(len(partitions))
            gauge("workers_lag", "Records of the inputs that they have yet to read.").set(
                sum(each.lag for each in partitions)
            )
            # Before its first event a partition has none.
            marks = [each.watermark_us for each in partitions if each.watermark_us > 0]
            if marks:
                oldest = gauge("workers_watermark_age_seconds", "Age of the watermark furthest behind.")
                oldest.set((now_us - min(marks)) / 1e6)
        if (told := await repository.progress(self._redis)) is not None:
            _show(told, now_us, gauge)
        async with self._store.read() as session:
            alerts = gauge(
                "alerts", "Alerts, by how the work on them stands.", "severity", "audience", "stage"
            )
            for severity, audience, stage, count in await repository.alerts(session):
                alerts.labels(severity, audience, stage).set(count)
            overdue = await repository.overdue(session, now_us)
            gauge("alerts_overdue", "Alerts past their deadline.").set(overdue)
            waiting = gauge("outbox_messages", "Messages that wait to be delivered.", "owner")
            oldest = gauge("outbox_oldest_seconds", "For how long the oldest of them has waited.", "owner")
            for owner, depth, since_us in await waiting_by_owner(session):
                waiting.labels(owner).set(depth)
                oldest.labels(owner).set((now_us - since_us) / 1e6)
            entries = await repository.entries(session)
            gauge("audit_entries", "Entries of the audit chain.").set(entries)
            until_us = await repository.lease_until_us(session)
            if until_us is not None:
                age = gauge("back_office_lease_age_seconds", "Since a back office last gave a sign.")
                age.set((now_us - until_us) / 1e6 + LASTS_S)
        return generate_latest(page)


def _show(told: Progress, now_us: int, gauge: Callable[[str, str], Gauge]) -> None:
    """Show how far the trainer has come."""
    gauge("trainer_lag", "Entries that the trainer has yet to hear.").set(told.behind)
    gauge("trainer_samples", "Samples that it has taken in.").set(told.samples)
    gauge("trainer_labels", "Labels that it has taken in.").set(told.labels)
    gauge("trainer_lost", "Entries that were gone before it heard them.").set(told.lost)
    gauge("trainer_sign_age_seconds", "Since it last gave a sign.").set((now_us - told.at) / 1e6)
    unkept_s = 0.0 if told.unkept_since is None else (now_us - told.unkept_since) / 1e6
    gauge("trainer_unkept_seconds", "For how long it has not kept what it heard.").set(unkept_s)
    if told.registered is not None:
        age = gauge("trainer_challengers_age_seconds", "Since it last registered challengers.")
        age.set((now_us - told.registered) / 1e6)
