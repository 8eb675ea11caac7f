"""The service as its clients see it: over HTTP, each role with its key."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from api.access.roles import Role

TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is decoded where it is JSON, else None."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def problem(self) -> str | None:
        """The short name of the problem, where it is one."""
        if self.headers.get("content-type") != "application/problem+json":
            return None
        return str(self.body["type"]).rpartition(":")[2]


class Client:
    """Everybody who asks the service something.

    Raises
    ------
    aiohttp.ClientError, TimeoutError
        From every call: the service does not answer.
    """

    def __init__(self, url: str, keys: Mapping[Role, str], session: aiohttp.ClientSession) -> None:
        self.url = url
        self._keys = keys
        self._session = session

    async def get(self, role: Role, path: str, **query: str | int) -> Answer:
        """Ask for something."""
        return await self._ask(role, "GET", path, params=query)

    async def every(self, role: Role, path: str, **query: str | int) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        more: dict[str, str | int] = {}
        while True:
            answer = await self.get(role, path, limit=500, **query, **more)
            for each in answer.body["items"]:
                yield each
            if answer.body["next_cursor"] is None:
                return
            more = {"cursor": answer.body["next_cursor"]}

    async def post(self, role: Role, path: str, body: Any = None, *, once: str | None = None) -> Answer:
        """Have something done; with another `once` than in calls before it is another request."""
        headers = {"Idempotency-Key": once or secrets.token_hex(12)}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else msgspec.json.encode(body)
        return await self._ask(role, "POST", path, data=data, headers=headers)

    async def events(self, lines: list[bytes]) -> Answer:
        """Send events, as the platform does."""
        headers = {"Content-Type": "application/x-ndjson"}
        return await self._ask("platform", "POST", "/v1/events", data=b"\n".join(lines), headers=headers)

    async def _ask(self, role: Role, method: str, path: str, **what: Any) -> Answer:
        headers = {**what.pop("headers", {}), "Authorization": f"Bearer {self._keys[role]}"}
        async with self._session.request(
            method, self.url + path, headers=headers, allow_redirects=False, **what
        ) as answer:
            raw = await answer.read()
            is_json = answer.content_type in ("application/json", "application/problem+json")
            told = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, msgspec.json.decode(raw) if is_json and raw else None, told)


@asynccontextmanager
async def client(url: str, keys: Mapping[Role, str]) -> AsyncIterator[Client]:
    """A client of the service at an address."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as session:
        yield Client(url, keys, session)
