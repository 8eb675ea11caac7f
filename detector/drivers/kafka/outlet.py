"""What leaves a worker at once: alerts, notes, interventions, what was refused, ticks and its status.

It is sent as soon as it is known, and acknowledged before the checkpoint after which it is not made again.
Whoever reads it may find the same twice, by the same id, after a worker was lost.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from detector.drivers.kafka import status
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.outgoing import Outgoing
from detector.drivers.kafka.topics import (
    ALERTS,
    DEAD,
    EVENTS,
    INTERVENTIONS,
    NOTES,
    SHADOW,
    STATUS,
    Headers,
)
from detector.drivers.pausing import tick_event


class Outlet:
    """The producer of a worker."""

    def __init__(self, connection: Connection, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._clock = clock
        self._producer: AIOKafkaProducer

    async def start(self) -> None:
        """Connect."""
        self._producer = AIOKafkaProducer(
            **self._connection.aiokafka(),
            acks="all",
            enable_idempotence=True,
            linger_ms=2,
            max_request_size=8 << 20,
        )
        await self._producer.start()

    async def stop(self) -> None:
        """Send what is still here, and disconnect."""
        await self._producer.stop()

    async def send(self, out: Outgoing, partition: int) -> list[Future[Any]]:
        """Send what follows from a batch; returns what to wait for."""
        sent: list[Future[Any]] = []
        now = b"%d" % self._clock()
        for alert in out.effects.alerts:
            headers: Headers = [("t", now)]
            jurisdiction = out.effects.jurisdictions[alert.id]
            if jurisdiction is not None:
                headers.append(("j", jurisdiction.encode()))
            sent.append(await self._send(ALERTS, alert.to_json(), alert.player, headers))
        plain = [
            *((SHADOW, alert.to_json(), alert.player, [("t", now)]) for alert in out.effects.shadow),
            *((NOTES, msgspec.json.encode(note), note.alert, None) for note in out.effects.notes),
            *((INTERVENTIONS, asked.to_json(), asked.player, None) for asked in out.interventions),
        ]
        for topic, value, key, with_headers in plain:
            sent.append(await self._send(topic, value, key, with_headers))
        for refused in out.refused:
            told: Headers = [
                ("reason", refused.refusal.reason.encode()),
                ("detail", refused.refusal.detail.encode()),
                ("at", b"%d" % refused.at_us),
            ]
            place = f"{refused.topic}/{partition}/{refused.offset}"
            sent.append(await self._send(DEAD, refused.refusal.original, place, told))
        return sent

    async def _send(self, topic: str, value: bytes, key: str, headers: Headers | None = None) -> Future[Any]:
        sent: Future[Any] = await self._producer.send(topic, value, key=key.encode(), headers=headers or [])
        return sent

    async def tick(self, partition: int, at_us: int) -> None:
        """Record that time passes for a partition, where a replay sees it too."""
        await self._producer.send_and_wait(EVENTS, tick_event(at_us), partition=partition)

    async def tell(self, told: status.Status) -> Future[Any]:
        """Tell how the worker is; returns what to wait for."""
        sent: Future[Any] = await self._producer.send(
            STATUS, status.encode(told), key=told.worker.encode(), partition=0
        )
        return sent
