from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import httpx
import pytest
from redis import Redis

from detector.drivers.valkey import Server
from tests.api.serving import post, problem, serving
from tests.drivers.small import event


async def test_alive(client: httpx.AsyncClient) -> None:
    response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("state", "detector"), [(None, "absent"), ("loading", "loading"), ("running", "ok")])
async def test_ready_when_the_detector_is(
    client: httpx.AsyncClient, redis: Redis, state: str | None, detector: str
) -> None:
    if state is not None:
        redis.hset("tw:detector", "state", state)
    response = await client.get("/readyz")
    checks = {"redis": "ok", "detector": detector}
    if detector == "ok":
        assert (response.status_code, response.json()) == (200, checks)
    else:
        assert problem(response) == (503, "not-ready")
        assert response.json()["checks"] == checks
        assert response.json()["detail"] == f"detector: {detector}"


async def test_redis_may_be_killed_and_come_back_with_all_that_was_confirmed() -> None:
    with tempfile.TemporaryDirectory(prefix="tw") as home:
        with Server(Path(home)) as server:
            url = server.url
        async with serving(url) as client:
            for number in range(3):
                assert problem(await post(client, event(f"e{number}"))) == (503, "store-unavailable")
                with Server(Path(home)) as server:
                    assert (await post(client, event(f"e{number}"))).json()["accepted"] == 1
                    assert server.pid is not None
                    os.kill(server.pid, signal.SIGKILL)
        with Server(Path(home)), Redis.from_url(url, protocol=2) as redis:
            assert redis.xlen("tw:events") == 3


async def test_without_redis() -> None:
    with tempfile.TemporaryDirectory(prefix="tw") as home:
        async with serving(f"unix://{Path(home)}/nobody.sock") as client:
            assert (await client.get("/healthz")).status_code == 200
            response = await client.get("/readyz")
            assert response.json()["checks"] == {"redis": "unreachable", "detector": "unknown"}
            for failed in (await post(client, event("a")), await client.get("/v1/alerts")):
                assert problem(failed) == (503, "store-unavailable")
                assert int(failed.headers["retry-after"]) > 0
