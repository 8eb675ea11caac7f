"""`/metrics`."""

from __future__ import annotations

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from api.access.roles import Role
from api.backoffice.lease import OfficeLease
from api.metrics.service import FRESH_US
from detector.drivers.progress import Progress
from detector.drivers.streams import PROGRESS
from detector.drivers.valkey import Server
from tests.api.archive.office import Clock
from tests.api.serving import As, Client, post, problem, serving
from tests.docker.metrics import told as documented
from tests.drivers.small import NOON_US, event

LASTS_US = 5_000_000


async def numbers(client: Client) -> dict[tuple[str, ...], float]:
    """Name, then the labels' values by the labels' names → value."""
    keys = client.keys
    answer = await client.get("/metrics", auth=As(keys, "admin"))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_what_came_in_and_what_became_of_it(valkey: Server, redis: Redis, store_url: str) -> None:
    async with serving(valkey.url, database_url=store_url) as client:
        await post(client, b"[" + event("e1") + b"," + event("e1") + b"," + b'{"type":"x"}' + b"]")
        await client.get("/v1/nothing/of/the/kind")
        await client.request("BREW", "/v1/alerts")
        found = await numbers(client)
    outcomes = [found["tiltwatch_events_total", each] for each in ("accepted", "repeated", "rejected")]
    assert outcomes == [1, 1, 1]
    assert found["tiltwatch_events_rejected_total", "unknown_type"] == 1
    assert found["tiltwatch_requests_total", "POST", "/v1/events", "202"] == 1
    assert found["tiltwatch_requests_total", "GET", "-", "404"] == 1
    assert [key for key in found if key[0] == "tiltwatch_requests_total" and "BREW" in key] == []


async def test_how_things_stand(valkey: Server, redis: Redis, store_url: str) -> None:
    clock = Clock()
    async with serving(valkey.url, database_url=store_url, clock=clock) as client:
        redis.xgroup_create("tw:events", "detector", id="0", mkstream=True)
        await post(client, event("e1"))
        store = client.app.state.store
        assert await OfficeLease(store, clock, LASTS_US).take()
        clock.us += 2_000_000
        found = await numbers(client)
        assert found["tiltwatch_backlog", "detector"] == 1
        assert found["tiltwatch_audit_entries",] == 7
        assert found["tiltwatch_alerts_overdue",] == 0
        assert found["tiltwatch_back_office_lease_age_seconds",] == 2
        await post(client, event("e2"))
        assert (await numbers(client))["tiltwatch_backlog", "detector"] == 1  # as it was read just now
        clock.us += FRESH_US
        assert (await numbers(client))["tiltwatch_backlog", "detector"] == 2


async def test_how_far_the_trainer_has_come(valkey: Server, redis: Redis, store_url: str) -> None:
    clock = Clock()
    async with serving(valkey.url, database_url=store_url, clock=clock) as client:
        assert not [key for key in await numbers(client) if key[0].startswith("tiltwatch_trainer")]
        clock.us += FRESH_US
        told = Progress(
            at=clock.us - 3_000_000,
            behind=17,
            samples=400,
            labels=12,
            lost=5,
            unkept_since=clock.us - 40_000_000,
            registered=None,
        )
        redis.set(PROGRESS, msgspec.json.encode(told))
        found = await numbers(client)
        names = ("lag", "samples", "labels", "lost", "sign_age_seconds", "unkept_seconds")
        assert [found[f"tiltwatch_trainer_{name}",] for name in names] == [17, 400, 12, 5, 3, 40]
        assert ("tiltwatch_trainer_challengers_age_seconds",) not in found
        clock.us += FRESH_US
        told = msgspec.structs.replace(told, unkept_since=None, registered=clock.us - 60_000_000)
        redis.set(PROGRESS, msgspec.json.encode(told))
        found = await numbers(client)
        assert found["tiltwatch_trainer_unkept_seconds",] == 0
        assert found["tiltwatch_trainer_challengers_age_seconds",] == 60
        # Every one of them is documented, and none is that is not there.
        there = {name for name, *_ in found if name.startswith("tiltwatch_trainer_")}
        assert there == {name for name, of in documented().items() if of == "trainer"}
        clock.us += FRESH_US
        redis.set(PROGRESS, b"of another version")
        assert not [key for key in await numbers(client) if key[0].startswith("tiltwatch_trainer")]


async def test_no_player_and_nothing_made_up_is_in_it(valkey: Server, redis: Redis, store_url: str) -> None:
    async with serving(valkey.url, database_url=store_url) as client:
        await post(client, event("CANARY-id", NOON_US, "CANARY-player", amount=31337))
        await client.get("/v1/players/CANARY-player/risk")
        await client.get("/CANARY-path?x=CANARY-query")
        await client.request("CANARYMETHOD", "/v1/alerts")
        keys = client.keys
        text = (await client.get("/metrics", auth=As(keys, "admin"))).text
    assert "CANARY" not in text
    assert "31337" not in text


@pytest.mark.parametrize("role", ["platform", "agent", "partner"])
async def test_who_may_not_read_it(client: Client, role: Role) -> None:
    keys = client.keys
    answer = await client.get("/metrics", auth=As(keys, role))
    assert problem(answer) == (403, "forbidden")
    answer = await client.get("/metrics", headers={"authorization": "Bearer x"})
    assert problem(answer) == (401, "unauthenticated")
