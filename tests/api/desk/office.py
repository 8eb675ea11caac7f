"""The desk's part of the back office, beside a service in this process."""

from __future__ import annotations

import json
from typing import Any

from redis import Redis
from sqlalchemy import delete, select

from api.alerts.bridge import AlertTold, Bridge
from api.alerts.duty import Deadlines, TakingOver
from api.alerts.ladder import LadderInForce
from api.audit.tables import AuditRow
from api.backoffice.lease import OfficeLease
from api.backoffice.tables import Lease
from api.deployment import Deployment
from api.webhooks.outbox import Outbox
from api.webhooks.tables import Endpoint, Message
from detector.drivers.streams import TAKEN_OVER
from detector.engine.alerts import Alert
from detector.events.instants import rfc3339_ms
from detector.ladder.interventions import Intervention, instant_us, interventions
from detector.ladder.load import LADDERS
from tests.api.serving import NOW_US, Client
from tests.drivers.small import MINUTE_US

HOUR_US = 60 * MINUTE_US


class Clock:
    """A clock that a test turns."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def deployment_of(client: Client) -> Deployment:
    found: Deployment = client.app.state.deployment
    return found


async def lease_of(deployment: Deployment) -> OfficeLease:
    """The lease of an office that has just begun, whoever had it."""
    async with deployment.store.write() as session:
        await session.execute(delete(Lease))
    lease = OfficeLease(deployment.store, deployment.clock, 5_000_000)
    assert await lease.take()
    return lease


async def taking_over(deployment: Deployment) -> TakingOver:
    return TakingOver(deployment, await lease_of(deployment), wait_ms=1)


async def deadlines(deployment: Deployment) -> Deadlines:
    return Deadlines(deployment, await lease_of(deployment))


def is_behind(redis: Redis) -> bool:
    """Whether there is something on a stream that the service has not taken over."""
    for stream in TAKEN_OVER:
        newest: Any = redis.xrevrange(stream, count=1)
        if not newest:
            continue
        groups = {each["name"]: each["last-delivered-id"] for each in redis.xinfo_groups(stream)}
        if groups.get(b"service") != newest[0][0]:
            return True
    return False


async def take_over(client: Client, redis: Redis) -> None:
    """Have everything on the streams taken over."""
    duty = await taking_over(deployment_of(client))
    while is_behind(redis):
        await duty.round()


def bridge_of(deployment: Deployment) -> Bridge:
    ladder = LadderInForce(deployment.redis, deployment.settings.rules_dir)
    within_us = deployment.settings.intervene_within_h * HOUR_US
    return Bridge(ladder, deployment.keyring, Outbox(deployment.clock), deployment.clock, within_us)


async def give(
    client: Client,
    *alerts: Alert,
    jurisdiction: str | None = "CA-ON",
    ask: bool = True,
    told_us: int | None = None,
) -> dict[str, dict[str, Intervention]]:
    """Put alerts into the store as the detector's; what each asks for by action, by the alert's id."""
    deployment = deployment_of(client)
    asked = {each.id: asked_by(each, jurisdiction) if ask else {} for each in alerts}
    async with deployment.store.write() as session:
        await bridge_of(deployment).take(
            session,
            [AlertTold(each.to_json(), jurisdiction, told_us) for each in alerts],
            [],
            [one.to_json() for each in asked.values() for one in each.values()],
        )
    return asked


def asked_by(alert: Alert, jurisdiction: str | None = "CA-ON") -> dict[str, Intervention]:
    found = interventions(alert, jurisdiction, instant_us(alert.opened_at), LADDERS.packaged)
    return {each.action: each for each in found}


def alert(number: int = 1, opened_us: int = NOW_US, **more: Any) -> Alert:
    """An alert of L3 and high severity, unless said otherwise."""
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "player": f"player-{number % 3}",
        "rule": f"rule-{number % 2}@1",
        "kind": "open",
        "title": "Three deposits",
        "category": "deposits",
        "audience": "risk",
        "severity": "high",
        "opened_at": rfc3339_ms(opened_us),
        "score": 40,
        "band": "medium",
        "contributions": {"deposits": 40},
        "evidence": [],
        "events": ["e1"],
        "explanation": "3 deposits in an hour",
        "sources": [],
        "response": "L3",
    }
    return Alert(**(values | more))


async def audit_rows(client: Client, action: str | None = None) -> list[dict[str, Any]]:
    """The audit's entries, the first first."""
    async with deployment_of(client).store.read() as session:
        rows = list((await session.execute(select(AuditRow).order_by(AuditRow.seq))).scalars())
    return [
        {"actor": row.actor, "action": row.action, "subject": row.subject, **json.loads(row.details)}
        for row in rows
        if action is None or row.action == action
    ]


async def endpoint(client: Client, owner: str) -> str:
    """An endpoint of the platform or the desk that hears everything; nothing is ever sent there."""
    async with deployment_of(client).store.write() as session:
        values: dict[str, Any] = {
            "id": f"ep_{owner}",
            "owner": owner,
            "owner_id": None,
            "kind": "webhook",
            "url": "https://example.org/hook",
            "signing": "v1a",
            "rate_per_s": 10,
            "burst": 10,
            "types": None,
            "state": "enabled",
            "created_us": NOW_US,
            "version": 1,
            "failures": 0,
            "open_until_us": None,
            "pause_us": 0,
            "failing_since_us": None,
            "told_us": None,
            "held_until_us": 0,
            "freed_us": 0,
        }
        session.add(Endpoint(**values))
    return f"ep_{owner}"


async def messages(client: Client, type_: str) -> list[dict[str, Any]]:
    """The data of the messages of a type that wait to be delivered or were cancelled, with their state."""
    async with deployment_of(client).store.read() as session:
        query = select(Message).where(Message.type == type_).order_by(Message.created_us, Message.id)
        rows = list((await session.execute(query)).scalars())
    return [{"state": row.state, **json.loads(row.body)["data"]} for row in rows]
