"""The service in this process, as a client sees it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from redis import Redis

from api.access.limits import STRANGERS
from api.access.roles import ROLES, Role
from api.access.schemas import NewKey
from api.access.service import AccessService
from api.app import create_app
from api.settings import Settings
from tests.drivers.small import NOON_US
from tests.stores import sqlite_store

NOW_US = NOON_US

GENEROUS = dict.fromkeys((*ROLES, STRANGERS), "100000/second")
"""A test asks faster than people do; limits have tests of their own, which say theirs."""

USUAL: Mapping[str, Role] = {
    "/v1/events": "platform",
    "/v1/interventions": "platform",
    "/v1/help": "platform",
    "/v1/prompts": "platform",
    "/v1/consents": "platform",
    "/v1/partners": "admin",
    "/v1/endpoints": "admin",
    "/v1/deliveries": "admin",
    "/v1/keys": "admin",
    "/v1/rules": "analyst",
    "/v1/audit": "compliance",
    "/v1/reports": "compliance",
}
"""Beginning of a path → who usually asks there; everywhere else it is an agent."""


class As(httpx.Auth):
    """Sends the key of a role: the one given, else whoever usually asks there."""

    def __init__(self, keys: Mapping[Role, str], role: Role | None = None) -> None:
        self.keys = keys
        self.role = role

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if "authorization" not in request.headers:
            role = self.role or usual(request.url.path)
            request.headers["authorization"] = f"Bearer {self.keys[role]}"
        yield request


class Client(httpx.AsyncClient):
    """A client of a service in this process, with a key for each role."""

    def __init__(self, app: FastAPI, keys: Mapping[Role, str]) -> None:
        super().__init__(transport=httpx.ASGITransport(app), base_url="http://localhost", auth=As(keys))
        self.app = app
        self.keys = keys


def usual(path: str) -> Role:
    """Who usually asks for a path."""
    return next((role for start, role in USUAL.items() if path.startswith(start)), "agent")


async def issue(app: FastAPI, role: Role, partner: str | None = None, name: str | None = None) -> str:
    """A new key of a running service; a partner's is `demo-aid`'s unless said otherwise."""
    access: AccessService = app.state.access
    async with access.store.write() as session:
        return (await access.issue(session, _wanted(role, partner, name), "system:test")).key


async def issue_each(app: FastAPI) -> dict[Role, str]:
    """A new key of each role, all of them in one transaction."""
    access: AccessService = app.state.access
    async with access.store.write() as session:
        return {role: (await access.issue(session, _wanted(role), "system:test")).key for role in ROLES}


def _wanted(role: Role, partner: str | None = None, name: str | None = None) -> NewKey:
    of = (partner or "demo-aid") if role == "partner" else None
    return NewKey(name=name or f"the {role}", role=role, partner=of)


@asynccontextmanager
async def serving(
    redis_url: str,
    settings: Settings | None = None,
    now_us: int = NOW_US,
    *,
    database_url: str | None = None,
    clock: Callable[[], int] | None = None,
) -> AsyncIterator[Client]:
    """A client of a service whose clock stands at `now_us`."""
    with tempfile.TemporaryDirectory(prefix="tw-serving-") as home:
        own = {"data_dir": Path(home), "database_url": database_url or sqlite_store(Path(home))}
        chosen = (settings or Settings()).model_dump()
        limits = GENEROUS | chosen["request_limits"]
        made = Settings.model_validate(chosen | own | {"request_limits": limits})
        app = create_app(made, redis_url, clock=clock or (lambda: now_us))
        async with (
            app.router.lifespan_context(app),
            Client(app, await issue_each(app)) as client,
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


def stored(redis: Redis) -> list[Any]:
    """The keys of Redis but those that count requests."""
    found: Any = redis.keys()
    return [key for key in found if not key.startswith(b"tw:limits")]
