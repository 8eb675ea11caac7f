"""Telling workers what people said of alerts: verdicts, and until when an alert may wait."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.tables import AlertRow
from api.audit.tables import AuditRow
from api.backoffice import progress
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.line import Line, Outgoing
from detector.drivers.kafka.commands import Command, Snooze, Verdict
from detector.drivers.kafka.topics import COMMANDS
from detector.ladder.interventions import instant_us

PLACE = "commands"
"""The name under which it is kept up to which entry of the audit chain workers were told."""
EVERY_S = 0.5
BATCH = 500

_KINDS = {"alert.judged": "verdict", "alert.snoozed": "snooze"}


class TellingWorkers:
    """Goes along the audit chain, whose entries stand in the order of their commits, and misses none.

    A verdict is told at least once: the place moves when the brokers have it.
    """

    name = "telling workers"

    def __init__(self, deployment: Deployment, lease: OfficeLease, line: Line) -> None:
        self._store = deployment.store
        self._lease = lease
        self._line = line

    async def round(self) -> float:
        async with self._store.read() as session:
            await self._lease.check(session)
            place = int(await progress.reached(session, PLACE) or "0")
            query = select(AuditRow).where(AuditRow.seq > place).order_by(AuditRow.seq).limit(BATCH)
            rows = list((await session.execute(query)).scalars())
            told = [each for row in rows if (each := await _command(session, row)) is not None]
        if not rows:
            return EVERY_S
        if told:
            await self._line.send(told)
        async with self._store.write() as session:
            await self._lease.check(session)
            await progress.move(session, PLACE, str(rows[-1].seq))
        return 0.0 if len(rows) == BATCH else EVERY_S


async def _command(session: AsyncSession, row: AuditRow) -> Outgoing | None:
    """What workers are told of an entry; None where it is nothing to them."""
    kind = _KINDS.get(row.action)
    if kind is None:
        return None
    alert = row.subject.removeprefix("alert:")
    player = (await session.execute(select(AlertRow.player).where(AlertRow.id == alert))).scalar()
    if player is None:
        return None
    details: dict[str, Any] = msgspec.json.decode(row.details)
    told: Command
    if kind == "verdict":
        told = Verdict(alert, player, details["verdict"], row.actor, row.at_us)
    else:
        told = Snooze(alert, player, instant_us(details["until"]), row.actor, row.at_us)
    return Outgoing(COMMANDS, msgspec.json.encode(told), f"{kind}:{alert}".encode())
