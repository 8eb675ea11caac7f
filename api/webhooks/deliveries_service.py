"""Deliveries: seen, and sent again."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.problems import CONTRADICTION, UNKNOWN_DELIVERY, UNKNOWN_ENDPOINT, Problem
from api.webhooks import repository
from api.webhooks.schemas import Deliveries, DeliveryQuery, DeliveryShown, Replayed, ReplayWanted
from api.webhooks.showing import STATES, cursor_after, delivery_shown, place_of
from api.webhooks.tables import Endpoint, Message
from detector.events.instants import micros

ATTEMPTS_SHOWN = 10
MOST_REPLAYED = 500
"""Messages sent again in one transaction."""


class DeliveriesService:
    """What is on its way, and what got stuck there.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, audit: Audit, clock: Callable[[], int]) -> None:
        self._audit = audit
        self._clock = clock

    async def find(self, session: AsyncSession, query: DeliveryQuery) -> Deliveries:
        """A page of deliveries, the newest first."""
        rows = await repository.messages(
            session,
            place_of(query.cursor),
            query.limit + 1,
            states=None if query.state is None else STATES[query.state],
            endpoint=query.endpoint,
            type_=query.type,
        )
        page = rows[: query.limit]
        attempts = await repository.attempts(session, page, ATTEMPTS_SHOWN)
        more = len(rows) > query.limit
        return Deliveries(
            items=[delivery_shown(row, attempts[row.id]) for row in page],
            next_cursor=cursor_after(page[-1].created_us, page[-1].id) if more else None,
        )

    async def replay(self, session: AsyncSession, message_id: str, actor: str) -> DeliveryShown:
        """Send a message that was given up again, under the same id.

        Raises
        ------
        Problem
            There is none such, it was not given up, or it is of no use any more.
        """
        row = await repository.message(session, message_id, lock=True)
        if row is None:
            raise Problem(UNKNOWN_DELIVERY, "It never existed.")
        if row.state != "failed":
            raise Problem(CONTRADICTION, "Only what failed is sent again.")
        if self._too_late(row):
            raise Problem(CONTRADICTION, "What it says is over.")
        endpoint = await repository.endpoint(session, row.endpoint)
        assert endpoint is not None
        self._again(session, row, endpoint, actor)
        return delivery_shown(row, (await repository.attempts(session, [row], ATTEMPTS_SHOWN))[row.id])

    async def replay_all(
        self, session: AsyncSession, endpoint_id: str, wanted: ReplayWanted, actor: str
    ) -> Replayed:
        """Send what an endpoint failed to take since a time again, the oldest first, so many at a time."""
        endpoint = await repository.endpoint(session, endpoint_id)
        if endpoint is None:
            raise Problem(UNKNOWN_ENDPOINT, "It never existed.")
        now_us = self._clock()
        rows = await repository.given_up(
            session, endpoint_id, micros(wanted.since), now_us, MOST_REPLAYED + 1
        )
        for row in rows[:MOST_REPLAYED]:
            self._again(session, row, endpoint, actor)
        return Replayed(replayed=min(len(rows), MOST_REPLAYED), more=len(rows) > MOST_REPLAYED)

    def _too_late(self, row: Message) -> bool:
        return row.not_after_us is not None and row.not_after_us <= self._clock()

    def _again(self, session: AsyncSession, row: Message, endpoint: Endpoint, actor: str) -> None:
        now_us = self._clock()
        row.state = "waiting" if endpoint.state == "enabled" else "parked"
        row.due_us, row.since_us, row.tries, row.done_us = now_us, now_us, 0, None
        self._audit.tell(session, actor, "delivery.replayed", f"delivery:{row.id}", endpoint=endpoint.id)
