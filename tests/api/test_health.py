from __future__ import annotations

import tempfile
from pathlib import Path

import httpx
import pytest
from redis import Redis

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


async def test_without_redis() -> None:
    with tempfile.TemporaryDirectory(prefix="tw") as home:
        async with serving(f"unix://{Path(home)}/nobody.sock") as client:
            assert (await client.get("/healthz")).status_code == 200
            response = await client.get("/readyz")
            assert response.json()["checks"] == {"redis": "unreachable", "detector": "unknown"}
            for failed in (await post(client, event("a")), await client.get("/v1/alerts")):
                assert problem(failed) == (503, "store-unavailable")
                assert int(failed.headers["retry-after"]) > 0
