"""What the back office does for the desk: taking alerts over from Redis, and watching their deadlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from redis.exceptions import ResponseError
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts import repository
from api.alerts.bridge import AlertTold, Bridge
from api.alerts.ladder import LadderInForce
from api.alerts.standing import told_at
from api.alerts.tables import AlertRow
from api.alerts.urgency import Deadline, urgency
from api.audit.service import Audit
from api.backoffice import progress
from api.backoffice.deadlines import escalate_due
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.interventions import repository as owed
from api.kafka.line import Outgoing
from api.webhooks.outbox import Outbox
from detector.drivers.kafka import topics
from detector.drivers.streams import ALERTS, INTERVENTIONS, NOTES, SERVICE, TAKEN_OVER, read_instant

log = structlog.get_logger()

Entries = Sequence[tuple[bytes, Mapping[bytes, bytes]]]

BATCH = 500
"""Most entries of each stream in one transaction."""
WAIT_MS = 500
"""How long one round waits for something to come."""

DEADLINES = "system:deadlines"


class TakingOver:
    """Takes alerts, notes and interventions from their streams into the store.

    The place in each stream is a row of the store that moves together with what was taken. The group on the
    stream follows once that is committed: it tells the detector what it may drop, and nothing hangs on it.
    """

    name = "taking over"

    def __init__(self, deployment: Deployment, lease: OfficeLease, wait_ms: int = WAIT_MS) -> None:
        self._store = deployment.store
        self._redis = deployment.redis
        self._line = deployment.line
        self._lease = lease
        self._wait_ms = wait_ms
        self._bridge = Bridge(
            LadderInForce(deployment.redis, deployment.settings.rules_dir),
            deployment.keyring,
            Outbox(deployment.clock),
            deployment.clock,
            deployment.settings.intervene_within_h * 3_600_000_000,
        )
        self._places: dict[str, bytes] = {}

    async def round(self) -> float:
        if not self._places:
            # What was committed last may not have been told to the groups.
            places = await self._read_places()
            for stream, place in places.items():
                await self._move_group(stream, place)
            self._places = places
        try:
            await self._put_on_stream()
            found = await self._read()
            if found:
                await self._take(found)
        except BaseException:
            self._places = {}  # whether it was committed is for the store to say
            raise
        return 0.0

    async def _read_places(self) -> dict[str, bytes]:
        async with self._store.read() as session:
            return {
                stream: (await progress.reached(session, stream) or "0-0").encode() for stream in TAKEN_OVER
            }

    async def _read(self) -> dict[str, Entries]:
        """What has come, by stream; waits a moment for it."""
        streams: Any = self._places
        answer: Any = await self._redis.xread(streams, count=BATCH, block=self._wait_ms)
        return {name.decode(): entries for name, entries in answer or ()}

    async def _take(self, found: Mapping[str, Entries]) -> None:
        alerts = [_alert(fields) for _, fields in found.get(ALERTS, ())]
        notes = [fields.get(b"n", b"") for _, fields in found.get(NOTES, ())]
        asked = [fields.get(b"i", b"") for _, fields in found.get(INTERVENTIONS, ())]
        moved = {stream: entries[-1][0] for stream, entries in found.items()}
        async with self._store.write() as session:
            await self._lease.check(session)
            await self._bridge.take(session, alerts, notes, asked)
            for stream, place in moved.items():
                await progress.move(session, stream, place.decode())
        self._places |= moved
        for stream, place in moved.items():
            await self._move_group(stream, place)

    async def _move_group(self, stream: str, place: bytes) -> None:
        """Have the detector know how far one has come."""
        try:
            await self._redis.xgroup_setid(stream, SERVICE, place)
        except ResponseError:
            # It is there before the detector has ever run, which makes the group else.
            try:
                await self._redis.xgroup_create(stream, SERVICE, place, mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
                await self._redis.xgroup_setid(stream, SERVICE, place)

    async def _put_on_stream(self) -> None:
        """Let a platform that listens to the stream have what people ordered; at least once."""
        async with self._store.read() as session:
            rows = await owed.off_stream(session, BATCH)
        if not rows:
            return
        if self._line is not None:
            # The bridge brings them back, and what is there already is taken once.
            await self._line.send(
                [Outgoing(topics.INTERVENTIONS, row.body.encode(), row.player.encode()) for row in rows]
            )
        else:
            async with self._redis.pipeline(transaction=True) as pipe:
                for row in rows:
                    pipe.xadd(INTERVENTIONS, {"i": row.body})
                await pipe.execute()
        async with self._store.write() as session:
            await self._lease.check(session)
            await owed.put_on_stream(session, [row.id for row in rows])


class Deadlines:
    """Escalates alerts whose deadline has passed, once for each period that it has."""

    name = "deadlines"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._store = deployment.store
        self._clock = deployment.clock
        self._lease = lease
        self._outbox = Outbox(deployment.clock)

    async def round(self) -> float:
        return await escalate_due(
            self._store,
            self._lease,
            self._clock(),
            first_due=repository.first_due,
            due=repository.due,
            escalate=self._escalate,
        )

    async def _escalate(self, session: AsyncSession, row: AlertRow, now_us: int) -> None:
        due = Deadline(row.due_us, row.period_us)
        # After an outage several periods may have passed: people are told once, of how things stand now.
        row.escalations = due.steps(now_us)
        row.next_us = due.after(row.escalations)
        row.rank = -urgency(row.level, row.severity, row.escalations)
        row.snoozed_until_us = 0
        Audit.tell(
            session,
            DEADLINES,
            "alert.escalated",
            f"alert:{row.id}",
            escalations=row.escalations,
            level=row.level,
        )
        data = {
            "alert": row.id,
            "level": row.level,
            "severity": row.severity,
            "due_at": told_at(row.due_us),
            "escalations": row.escalations,
            "assignee": row.assignee,
        }
        await self._outbox.tell(session, "desk", "alert.overdue", data, subject=f"alert:{row.id}")


def _alert(fields: Mapping[bytes, bytes]) -> AlertTold:
    jurisdiction = fields.get(b"j")
    return AlertTold(
        fields.get(b"a", b""),
        None if jurisdiction is None else jurisdiction.decode("utf-8", "replace"),
        read_instant(fields.get(b"t")),
    )
