"""Faust's recovery of tables, done our way: a partition's writer is opened first, then its changelog read to
the end by a consumer of its own, many records at a time.

Faust reads changelogs one message after the other through its streams, and cannot tell where one ends whose
last offset is the mark of a transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery
from faust.types import TP
from mode import Service

log = structlog.get_logger()

_AGAIN_S = 1.0

Restore = Callable[[set[int]], Awaitable[Mapping[TP, int]]]
"""Makes partitions ready and tells each input's next offset, where one is known."""


class OwnRecovery(Recovery):
    """Has partitions restored by whoever owns them, then lets the streams go on from where those stood."""

    @Service.task
    async def _restart_recovery(self) -> None:
        while not await self.wait_for_stopped(self.signal_recovery_start):  # type: ignore[arg-type]  # an event
            self.signal_recovery_start.clear()
            self.completed.clear()
            self.in_recovery = True
            try:
                await self._restore(self._generation_id)
            finally:
                self.in_recovery = False

    async def _restore(self, generation: int) -> None:
        """Make what is assigned ready, as often as it takes while it stays assigned."""
        app: Any = self.app
        restore: Restore = app.restore
        while not self.should_stop and not self.signal_recovery_start.is_set():
            try:
                places = await restore({tp.partition for tp in self.active_tps})
                if self.app.consumer_generation_id == generation:
                    await self._go_on(generation, places)
                return
            except (RebalanceAgain, IllegalStateError):
                # Other partitions are on their way; those are restored next.
                return
            except KafkaError as error:
                log.warning("partitions cannot be made ready", error=type(error).__name__)
                await self.sleep(_AGAIN_S)

    async def _go_on(self, generation: int, places: Mapping[TP, int]) -> None:
        consumer = self.app.consumer
        seek = consumer.perform_seek

        async def to_our_places() -> None:
            await seek()
            assigned = consumer.assignment()
            for tp, offset in places.items():
                if tp in assigned:
                    await consumer.seek(tp, offset)

        consumer.perform_seek = to_our_places  # type: ignore[method-assign]  # for the while of the next call
        try:
            await self._resume_streams(generation_id=generation)
        finally:
            del consumer.perform_seek

    @Service.task
    async def _slurp_changelogs(self) -> None:
        return None

    @Service.task
    async def _publish_stats(self) -> None:
        return None


class OwnTables(TableManager):
    """Faust's tables with the recovery above."""

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            made: Any = OwnRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
            self._recovery = made
        assert self._recovery is not None
        return self._recovery
