"""What goes back to Kafka from the desk: verdicts, snoozes, orders."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis import Redis

from api.audit.walking import Walking
from api.backoffice import progress
from api.kafka.line import BrokersAway, Line, Outgoing
from api.kafka.telling import PLACE, telling_workers
from api.settings import Settings
from detector.drivers.kafka import topics
from detector.drivers.kafka.connection import Connection
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.desk.agents import A1, CONFIRMED, SPOKEN
from tests.api.desk.office import HOUR_US, alert, deployment_of, give, lease_of, taking_over
from tests.api.serving import NOW_US, Client, serving
from tests.brokers import Broker

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

ALERT = f"{1:032x}"
PLAYER = "player-1"


def settings(kafka: Broker) -> Settings:
    return Settings(kafka=kafka.servers, kafka_check_crcs=kafka.check_crcs)


async def telling(client: Client, line: Line | None = None) -> Walking[Outgoing]:
    deployment = deployment_of(client)
    own = line or deployment.line
    assert own is not None
    return telling_workers(deployment, await lease_of(deployment), own)


async def place(client: Client) -> str | None:
    async with deployment_of(client).store.read() as session:
        return await progress.reached(session, PLACE)


async def work_on(client: Client) -> None:
    """Snooze an alert, act on it, judge it."""
    await give(client, alert(), alert(2))
    until = {"until": rfc3339_ms(NOW_US + HOUR_US), "reason": "contact_agreed"}
    snoozed = await client.post(f"{A1}/snooze", json=until)
    assert snoozed.status_code in (200, 201), snoozed.text
    assert (await client.post(f"{A1}/actions", json=SPOKEN)).status_code == 201
    assert (await client.post(f"{A1}/verdict", json=CONFIRMED)).status_code == 201


async def test_verdicts_and_snoozes_are_told_to_workers(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        await work_on(client)
        duty = await telling(client)
        while await duty.round() == 0:
            pass
        agent = f"key:{client.keys['agent'].split('_')[1]}"
    snooze, verdict = kafka.read(topics.COMMANDS, 2)
    common = {"alert": ALERT, "player": PLAYER, "by": agent, "at": NOW_US}
    assert snooze.key == f"snooze:{ALERT}".encode()
    assert json.loads(snooze.value or b"") == {
        "kind": "snooze",
        "until": NOW_US + HOUR_US,
        **common,
    }
    assert verdict.key == f"verdict:{ALERT}".encode()
    assert json.loads(verdict.value or b"") == {"kind": "verdict", "verdict": "confirmed", **common}


async def test_the_place_moves_once_the_brokers_have_it(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        await work_on(client)
        away = Line(Connection(("127.0.0.1:1",)))
        duty = await telling(client, away)
        with pytest.raises(BrokersAway):
            await duty.round()
        assert await place(client) is None
        duty = await telling(client)
        await duty.round()
        assert await place(client) is not None
        # Nothing more was said, so nothing more is told.
        await duty.round()
        await client.get("/v1/alerts")
    assert len(kafka.read(topics.COMMANDS, 2)) == 2


async def test_what_people_order_reaches_the_platform_by_kafka(
    valkey: Server, redis: Redis, kafka: Broker, store_url: str
) -> None:
    async with serving(valkey.url, settings(kafka), database_url=store_url) as client:
        await give(client, alert(), ask=False)
        ordered = await client.post(f"{A1}/actions", json={"action": "deposit_hold"})
        assert ordered.status_code == 201, ordered.text
        duty = await taking_over(deployment_of(client))
        await duty.round()
        await duty.round()
    found: list[Any] = kafka.read(topics.INTERVENTIONS, 1)
    assert [each.key for each in found] == [PLAYER.encode()]
    assert json.loads(found[0].value)["id"] == ordered.json()["intervention"]
    assert not redis.xlen("tw:interventions")  # the bridge brings it
