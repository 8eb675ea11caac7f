"""Putting messages on their way, in the transaction of whatever they tell of."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.webhooks import repository
from api.webhooks.tables import NO_BODY, Message
from detector.events.instants import rfc3339_ms

_encode = msgspec.json.Encoder(order="sorted").encode


class Outbox:
    """Messages that wait to be delivered.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    async def put(
        self,
        session: AsyncSession,
        endpoint: str,
        type_: str,
        data: Mapping[str, Any],
        *,
        subject: str,
        not_after_us: int | None = None,
    ) -> str:
        """Have a message delivered once this transaction is committed; returns its id.

        Parameters
        ----------
        endpoint
            Id of the endpoint. Where it is not enabled the message is parked until it is.
        data
            JSON values, all that the receiver learns beside type and time.
        subject
            What it is about, as `kind:id`, so that `cancel` finds it. Two of one subject are never on their
            way to one endpoint at the same time.
        not_after_us
            When it is of no use any more and is dropped.
        """
        enabled = await repository.state_of(session, endpoint) == "enabled"
        message = self._message(endpoint, enabled, type_, data, subject, not_after_us)
        await repository.add(session, message)
        return message.id

    async def tell(
        self,
        session: AsyncSession,
        owner: Literal["platform", "desk"],
        type_: str,
        data: Mapping[str, Any],
        *,
        subject: str,
        but: str | None = None,
    ) -> list[str]:
        """Put a message for every enabled endpoint of an owner that subscribes to its type.

        Parameters
        ----------
        but
            An endpoint to leave out.
        """
        return [
            await self.put(session, endpoint, type_, data, subject=subject)
            for endpoint in await repository.subscribed(session, owner, type_)
            if endpoint != but
        ]

    async def tell_all(
        self,
        session: AsyncSession,
        owner: Literal["platform", "desk"],
        type_: str,
        told: Sequence[tuple[str, Mapping[str, Any]]],
    ) -> None:
        """Tell many things of one type, each as its subject and its data, as cheaply as one."""
        for endpoint in await repository.subscribed(session, owner, type_) if told else ():
            enabled = await repository.state_of(session, endpoint) == "enabled"
            rows = [self._message(endpoint, enabled, type_, data, subject) for subject, data in told]
            await repository.add(session, *rows)

    def _message(
        self,
        endpoint: str,
        enabled: bool,
        type_: str,
        data: Mapping[str, Any],
        subject: str,
        not_after_us: int | None = None,
    ) -> Message:
        now_us = self._clock()
        body = _encode({"type": type_, "timestamp": rfc3339_ms(now_us), "data": data}).decode()
        return Message(
            id=f"msg_{secrets.token_hex(16)}",
            endpoint=endpoint,
            type=type_,
            subject=subject,
            body=body,
            state="waiting" if enabled else "parked",
            created_us=now_us,
            since_us=now_us,
            due_us=now_us,
            not_after_us=not_after_us,
            attempts=0,
            tries=0,
            done_us=None,
            erased=None,
        )

    async def cancel(
        self, session: AsyncSession, subject: str, types: Collection[str], *, erase: bool = False
    ) -> bool:
        """Take back what was not delivered yet; True if any of it may have gone out all the same.

        What is being sent at this moment may still arrive, but is not tried again and moves nothing here.
        With `erase` nothing is kept of what they said, delivered or not.
        """
        now_us, gone_out = self._clock(), False
        for message in await repository.about(session, subject, types):
            gone_out |= message.attempts > 0
            if erase:
                message.body = NO_BODY  # none of them is ever sent again
            if message.state == "sending":
                message.state = "recalled"
            elif message.state in ("waiting", "parked", "failed", "expired"):
                message.state, message.done_us = "cancelled", now_us
        return gone_out
