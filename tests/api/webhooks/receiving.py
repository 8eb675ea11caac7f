"""A receiver of webhooks on a real socket, and an office that delivers to it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from sqlalchemy import select

from api.audit.service import Audit
from api.audit.tables import AuditRow
from api.backoffice.lease import OfficeLease
from api.deployment import Ground
from api.keyring import Keyring
from api.settings import Settings
from api.store.database import Store
from api.webhooks.carrying import Carrier
from api.webhooks.delivery import Deliveries
from api.webhooks.guard import read_networks
from api.webhooks.outbox import Outbox
from api.webhooks.retrying import SECOND_US, Options
from api.webhooks.service import EndpointsService
from api.webhooks.settling import Handler, Holder
from api.webhooks.tables import Attempt, Endpoint, Message
from tests.drivers.small import NOON_US

LOOPBACK = ["127.0.0.0/8", "::1/128"]
LONG_US = 3_650 * 86_400 * SECOND_US

_numbers = itertools.count(1)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_us = NOON_US

    def __call__(self) -> int:
        return self.now_us

    def forward(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND_US)


@dataclass
class Received:
    """One request as it came in."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return msgspec.json.decode(self.body)


Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """Answers as it is told; `answers` are used up one a request, then it is 204."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[web.Response | Answering] = field(default_factory=list)
    always: Answering | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.received.append(Received(dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if self.answers else self.always
        if answer is None:
            return web.Response(status=204)
        return answer if isinstance(answer, web.Response) else await answer(request)


@asynccontextmanager
async def receiving(host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://{host if ':' not in host else f'[{host}]'}:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class House:
    """A deployment without Redis, and what tests do with it."""

    ground: Ground
    clock: Clock

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.clock)

    @property
    def endpoints(self) -> EndpointsService:
        networks = read_networks(self.ground.settings.webhook_networks)
        return EndpointsService(self.ground.keyring, self.ground.audit, self.clock, networks)

    async def open(self, url: str, **other: Any) -> Endpoint:
        """An endpoint; a partner's with v1a, as fast as can be, unless said otherwise."""
        wanted: dict[str, Any] = {
            "owner": "partner",
            "owner_id": "demo-aid",
            "kind": "webhook",
            "url": url,
            "signing": "v1a",
            "rate_per_s": 1000,
            "burst": 100,
            "types": None,
            "actor": "system:test",
        } | other
        async with self.ground.store.write() as session:
            return await self.endpoints.open_endpoint(session, **wanted)

    async def put(self, endpoint: Endpoint, type_: str = "referral.created", **other: Any) -> str:
        """A message, about something of its own unless said otherwise."""
        wanted = {"subject": f"referral:{next(_numbers)}"} | other
        async with self.ground.store.write() as session:
            return await self.outbox.put(session, endpoint.id, type_, {"token": "rf_x"}, **wanted)

    async def message(self, message_id: str) -> Message:
        """A message as it is now."""
        async with self.ground.store.read() as session:
            found = await session.get(Message, message_id)
            assert found is not None
            return found

    async def endpoint(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint as it is now."""
        async with self.ground.store.read() as session:
            found = await session.get(Endpoint, endpoint.id)
            assert found is not None
            return found

    async def outcomes(self, message_id: str) -> list[tuple[str, int | None]]:
        """Outcome and status of each attempt."""
        async with self.ground.store.read() as session:
            asked = select(Attempt).where(Attempt.message == message_id).order_by(Attempt.number)
            return [(row.outcome, row.status) for row in await session.scalars(asked)]

    async def bodies(self, endpoint: Endpoint) -> list[Any]:
        """What was put for an endpoint, in the order it was put."""
        async with self.ground.store.read() as session:
            asked = select(Message).where(Message.endpoint == endpoint.id)
            rows = (await session.scalars(asked.order_by(Message.created_us, Message.id))).all()
            return [msgspec.json.decode(row.body) for row in rows]

    async def audited(self, prefix: str) -> list[str]:
        """Actions in the audit chain that begin so, in order."""
        async with self.ground.store.read() as session:
            rows = await session.scalars(select(AuditRow).order_by(AuditRow.seq))
            return [row.action for row in rows if row.action.startswith(prefix)]


@asynccontextmanager
async def housing(store_url: str, tmp_path: Path, **settings: Any) -> AsyncIterator[House]:
    """A deployment that may send to loopback."""
    made = Settings.model_validate({"webhook_networks": LOOPBACK, "data_dir": tmp_path} | settings)
    clock, store = Clock(), Store(store_url)
    keyring = Keyring({"k1": bytes(range(32))})
    ground = Ground(made, store, keyring, Audit(store, keyring, clock), clock)
    await ground.begin()
    try:
        yield House(ground, clock)
    finally:
        await store.close()


FAST = Options(gather_s=0.001, idle_s=0.01, jitter=0, timeout_s=5)


class Office:
    """One that delivers, a round at a time."""

    def __init__(self, duty: Deliveries) -> None:
        self.duty = duty

    async def until(self, done: Callable[[], Awaitable[bool]], rounds: int = 2_000) -> None:
        """Go on until something is so."""
        for _ in range(rounds):
            await self.duty.round()
            if await done():
                return
        raise AssertionError("it never came to that")

    async def rest(self, house: House) -> None:
        """Go on until nothing is due."""

        async def resting() -> bool:
            async with house.ground.store.read() as session:
                asked = (
                    select(Message.id)
                    .join(Endpoint, Endpoint.id == Message.endpoint)
                    .where(
                        (Message.state.in_(("sending", "recalled")))
                        | (
                            (Message.state == "waiting")
                            & (Message.due_us <= house.clock())
                            & (Endpoint.open_until_us.is_(None) | (Endpoint.open_until_us <= house.clock()))
                            & (Endpoint.held_until_us <= house.clock())
                        )
                    )
                )
                return (await session.execute(asked.limit(1))).first() is None

        await self.until(resting)


@asynccontextmanager
async def delivering(
    house: House,
    options: Options = FAST,
    *,
    on_delivered: Mapping[str, Handler] | None = None,
    on_given_up: Mapping[str, Handler] | None = None,
    holders: Mapping[str, Holder] | None = None,
    carriers: Mapping[str, Carrier] | None = None,
) -> AsyncIterator[Office]:
    """An office that has the lease."""
    lease = OfficeLease(house.ground.store, house.clock, LONG_US)
    assert await lease.take()
    duty = Deliveries(
        house.ground,
        lease,
        options,
        on_delivered=on_delivered,
        on_given_up=on_given_up,
        holders=holders,
        carriers=carriers,
    )
    try:
        yield Office(duty)
    finally:
        await duty.end()
        await lease.give_back()


def options(**other: Any) -> Options:
    """Real pauses, no jitter, no waiting where the clock is moved by hand."""
    return Options(**({"gather_s": 0.001, "idle_s": 0.01, "jitter": 0, "timeout_s": 5} | other))


def failing(status: int = 500) -> Any:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    return answer
