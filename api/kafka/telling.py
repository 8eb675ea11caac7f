"""Telling workers what people said of alerts: verdicts, and until when an alert may wait."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.tables import AlertRow
from api.audit.tables import AuditRow
from api.audit.walking import Walking
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.line import Line, Outgoing
from detector.drivers.kafka.commands import Command, Snooze, Verdict
from detector.drivers.kafka.topics import COMMANDS
from detector.ladder.interventions import instant_us

PLACE = "commands"
"""The name under which it is kept up to which entry of the audit chain workers were told."""

_KINDS = {"alert.judged": "verdict", "alert.snoozed": "snooze"}


def telling_workers(deployment: Deployment, lease: OfficeLease, line: Line) -> Walking[Outgoing]:
    """The duty. What is told again has the same key and the same bytes."""
    return Walking(deployment, lease, "telling workers", PLACE, _command, line.send)


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
