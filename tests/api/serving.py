"""The service in this process, as a client sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from api.app import create_app
from api.settings import Settings
from tests.drivers.small import NOON_US

NOW_US = NOON_US


@asynccontextmanager
async def serving(
    redis_url: str, settings: Settings | None = None, now_us: int = NOW_US
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service whose clock stands at `now_us`."""
    app = create_app(settings or Settings(), redis_url, clock=lambda: now_us)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        yield client


def problem(response: httpx.Response) -> tuple[int, str]:
    """Status and short type of an answer that has to be a problem."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == response.status_code
    assert body["title"]
    return response.status_code, body["type"].removeprefix("urn:problem-type:tiltwatch:")


async def post(
    client: httpx.AsyncClient, body: bytes, media_type: str | None = "application/json", **headers: str
) -> httpx.Response:
    """Send events."""
    if media_type is not None:
        headers["content-type"] = media_type
    return await client.post("/v1/events", content=body, headers=headers)
