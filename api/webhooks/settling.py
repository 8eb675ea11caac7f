"""What becomes of messages after an attempt, many of them in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.webhooks import breaking, claims, repository
from api.webhooks.carrying import Answer, Job
from api.webhooks.outbox import Outbox
from api.webhooks.retrying import SECOND_US, Options, retry_after_us
from api.webhooks.tables import Attempt, Endpoint, Message, MessageState
from detector.drivers.faults import where
from detector.events.instants import rfc3339_ms

log = structlog.get_logger()

ACTOR = "system:deliveries"

_OURS = ("delivery.given_up", "partner.down", "partner.up")

Handler = Callable[[AsyncSession, Message, bytes], Awaitable[None]]
"""Called in the transaction that marks a message; the bytes are the answer's, none if they were too many."""

Holder = Callable[[AsyncSession, Sequence[Message]], Awaitable[Collection[str]]]
"""Called in the transaction that claims messages; the ids of those that must not go out now."""


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt that is over; `answer` is None if it was not made after all."""

    job: Job
    answer: Answer | None
    at_us: int
    milliseconds: int


class Settling:
    """Writes what came of attempts.

    Parameters
    ----------
    on_delivered, on_given_up
        By type of message. One that raises has the message tried again: nothing is marked without it.
    """

    def __init__(
        self,
        audit: Audit,
        outbox: Outbox,
        options: Options,
        on_delivered: Mapping[str, Handler],
        on_given_up: Mapping[str, Handler],
    ) -> None:
        self._audit = audit
        self._outbox = outbox
        self._options = options
        self._on_delivered = on_delivered
        self._on_given_up = on_given_up

    async def settle(
        self, session: AsyncSession, batch: Sequence[Done], freed_us: Mapping[str, int], now_us: int
    ) -> Mapping[str, Endpoint]:
        """Write a batch of attempts in the order in which they ended; returns their endpoints as they are.

        Parameters
        ----------
        freed_us
            Of each endpoint: when the last slot of its pace is free.
        """
        endpoints = await claims.endpoints(session, {done.job.endpoint for done in batch})
        messages = await claims.messages(session, {done.job.message for done in batch})
        for done in batch:
            endpoint, message = endpoints[done.job.endpoint], messages[done.job.message]
            # A claim that is not ours any more: somebody else has it, or it was settled.
            if message.attempts != done.job.number or message.state not in claims.IN_FLIGHT:
                continue
            if done.answer is None:
                message.attempts -= 1
                message.state = _put_back(message, endpoint)
            else:
                await self._one(session, done, done.answer, message, endpoint, now_us)
            if message.state == "recalled":
                message.state, message.done_us = "cancelled", now_us
        for endpoint_id, freed in freed_us.items():
            if endpoint_id in endpoints:
                endpoints[endpoint_id].freed_us = freed
        return endpoints

    async def _one(
        self,
        session: AsyncSession,
        done: Done,
        answer: Answer,
        message: Message,
        endpoint: Endpoint,
        now_us: int,
    ) -> None:
        outcome = answer.outcome
        if outcome == "delivered":
            if breaking.got_through(endpoint):
                await self._tell_of(session, endpoint, "partner.up", at=rfc3339_ms(now_us))
            if message.state == "sending":
                if await self._handled(session, self._on_delivered, message, answer.body):
                    message.state, message.done_us = "delivered", now_us
                    self._note(session, "delivery.delivered", message)
                else:
                    outcome = "unheeded"
        claims.note(
            session,
            Attempt(
                message=message.id,
                number=done.job.number,
                at_us=done.at_us,
                outcome=outcome,
                status=answer.status,
                milliseconds=done.milliseconds,
            ),
        )
        if outcome == "delivered":
            return
        if outcome == "unheeded":
            await self._try_again(session, message, endpoint, now_us, counts=True)
            return
        if outcome == "gone":
            await self._gone(session, endpoint, now_us)
        else:
            self._hold(endpoint, answer, now_us)
            if answer.status != 429:  # it is there, and busy
                breaking.failed(endpoint, now_us, self._options)
        if message.state == "sending":
            # Being busy does not use tries up, until it has been busy for as long as we would try.
            counts = answer.status != 429 or now_us - message.since_us >= self._options.span_us
            await self._try_again(session, message, endpoint, now_us, counts=counts)

    async def _try_again(
        self, session: AsyncSession, message: Message, endpoint: Endpoint, now_us: int, *, counts: bool
    ) -> None:
        tries = message.tries + counts
        pause_us = self._options.pause_before(tries)
        if pause_us is None and endpoint.state == "enabled":
            if await self._handled(session, self._on_given_up, message, b""):
                message.tries, message.state, message.done_us = tries, "failed", now_us
                self._note(session, "delivery.given_up", message)
                await self._tell_given_up(session, message, endpoint)
                return
            pause_us = self._options.schedule_us[-1]
        message.tries = tries
        message.due_us = max(now_us + (pause_us or 0), endpoint.held_until_us)
        message.state = _put_back(message, endpoint)

    def _hold(self, endpoint: Endpoint, answer: Answer, now_us: int) -> None:
        if answer.status not in (429, 503):
            return
        until_us = retry_after_us(answer.retry_after, now_us)
        if until_us is None and answer.status == 429:
            until_us = now_us + min(self._options.schedule_us[0], 5 * SECOND_US)
        endpoint.held_until_us = max(endpoint.held_until_us, until_us or 0)

    async def _gone(self, session: AsyncSession, endpoint: Endpoint, now_us: int) -> None:
        if endpoint.state != "enabled":
            return
        endpoint.state, endpoint.version = "gone", endpoint.version + 1
        endpoint.failing_since_us = endpoint.failing_since_us or now_us
        await repository.park(session, endpoint.id)
        self._audit.tell(session, ACTOR, "endpoint.gone", f"endpoint:{endpoint.id}")
        await self.tell_down(session, endpoint, "gone", now_us)

    async def tell_down(self, session: AsyncSession, endpoint: Endpoint, reason: str, now_us: int) -> None:
        """Tell the desk, once, that nothing gets through to an endpoint."""
        if endpoint.told_us is None:
            endpoint.told_us = now_us
            since = rfc3339_ms(endpoint.failing_since_us or now_us)
            await self._tell_of(session, endpoint, "partner.down", since=since, reason=reason)

    def expire(self, session: AsyncSession, message: Message, now_us: int) -> None:
        """Drop a message that is of no use any more."""
        message.state, message.done_us = "expired", now_us
        self._note(session, "delivery.expired", message)

    async def _tell_given_up(self, session: AsyncSession, message: Message, endpoint: Endpoint) -> None:
        if message.type in _OURS:
            return  # or two dead endpoints of the desk would tell of each other for ever
        await self._tell_of(
            session, endpoint, "delivery.given_up", delivery=message.id, message_type=message.type
        )

    async def _tell_of(self, session: AsyncSession, endpoint: Endpoint, type_: str, **more: Any) -> None:
        data = {"endpoint": endpoint.id, "owner": endpoint.owner, "partner": endpoint.owner_id, **more}
        await self._outbox.tell(
            session, "desk", type_, data, subject=f"endpoint:{endpoint.id}", but=endpoint.id
        )

    async def _handled(
        self, session: AsyncSession, handlers: Mapping[str, Handler], message: Message, body: bytes
    ) -> bool:
        handler = handlers.get(message.type)
        if handler is None:
            return True
        try:
            async with self._audit.savepoint(session):
                await handler(session, message, body)
        except Exception as error:
            log.error("what follows a delivery failed", error=type(error).__name__, where=where(error))
            await session.refresh(message)
            return False
        return True

    def _note(self, session: AsyncSession, action: str, message: Message) -> None:
        self._audit.tell(
            session, ACTOR, action, f"delivery:{message.id}", type=message.type, endpoint=message.endpoint
        )


def _put_back(message: Message, endpoint: Endpoint) -> MessageState:
    if message.state == "recalled":
        return "recalled"
    return "waiting" if endpoint.state == "enabled" else "parked"
