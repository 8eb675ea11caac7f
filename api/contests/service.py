"""Contesting what was asked of the platform, and somebody's decision on it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.alerts import repository as alerts
from api.alerts.ladder import InForce
from api.alerts.standing import acted
from api.alerts.tables import NEVER_US
from api.alerts.urgency import time_allowed_us
from api.audit.service import Audit
from api.audit.views import listed
from api.contests import repository
from api.contests.repository import Place
from api.contests.schemas import (
    Contest,
    ContestQuery,
    Contests,
    ContestState,
    Grounds,
    NewContest,
    NewDecision,
)
from api.contests.tables import ContestRow
from api.interventions import repository as owed
from api.interventions.tables import InterventionRow
from api.paging import cursor_of, read_cursor
from api.problems import (
    ALREADY_CONTESTED,
    ALREADY_DECIDED,
    NOT_CONTESTABLE,
    OWN_ORDER,
    UNKNOWN_CONTEST,
    UNKNOWN_INTERVENTION,
    Problem,
)
from api.store.database import Store
from api.webhooks.outbox import Outbox
from detector.events.instants import rfc3339_ms
from detector.ladder.actions import SUPPRESSING
from detector.ladder.interventions import Intervention

_intervention = msgspec.json.Decoder(Intervention).decode
_PLACE = re.compile(r"(\d{1,17})-(ct_[0-9a-f]{32})")


class ContestsService:
    """Contests of a deployment.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, ladder: InForce, outbox: Outbox, clock: Callable[[], int]) -> None:
        self._store = store
        self._ladder = ladder
        self._outbox = outbox
        self._clock = clock

    async def open(
        self, session: AsyncSession, intervention_id: str, said: NewContest, who: Principal
    ) -> Contest:
        """Contest an intervention that is in force; its deadline is that of its level's review.

        Raises
        ------
        Problem
            There is no such intervention, it cannot be contested, or it was already.
        """
        row = await owed.find(session, intervention_id, lock=True)
        if row is None:
            raise Problem(UNKNOWN_INTERVENTION, "It never existed.")
        now_us = self._clock()
        if await repository.of_intervention(session, row.id) is not None:
            raise Problem(ALREADY_CONTESTED, "See how the contest stands.")
        if not row.contest or row.state == "lifted" or row.ends_us <= now_us:
            raise Problem(NOT_CONTESTABLE, "Only what is automated, from L3 up, and still in force can be.")
        due_us = now_us + time_allowed_us(await self._ladder(), row.jurisdiction, row.level)
        contest = ContestRow(
            id=f"ct_{secrets.token_hex(16)}",
            intervention=row.id,
            alert=row.alert,
            player=row.player,
            pseudonym=row.pseudonym,
            reason=said.reason,
            opened_by=who.actor,
            opened_us=now_us,
            due_us=due_us,
            next_us=due_us,
            escalations=0,
            decision=None,
            reasons=None,
            decided_by=None,
            decided_us=None,
        )
        await repository.add(session, contest)
        row.contested = "open"
        subject = f"contest:{contest.id}"
        Audit.tell(session, who.actor, "contest.opened", subject, intervention=row.id, reason=said.reason)
        data = {"contest": contest.id, "alert": row.alert, "level": row.level, "due_at": rfc3339_ms(due_us)}
        await self._outbox.tell(session, "desk", "contest.opened", data, subject=subject)
        return shown(contest, who, now_us)

    async def find(self, query: ContestQuery, who: Principal) -> Contests:
        """A page of contests, those due first; whom it shows is recorded."""
        now_us, place = self._clock(), _place_of(query.cursor)
        async with self._store.read() as session:
            rows = await repository.after(session, query.state, place, now_us, query.limit + 1)
        page = rows[: query.limit]
        if who.sees_players:
            await listed(self._store, who, "/v1/contests", [row.pseudonym for row in page])
        return Contests(
            items=[shown(row, who, now_us) for row in page],
            next_cursor=_cursor_of(page[-1]) if len(rows) > len(page) else None,
        )

    async def decide(
        self, session: AsyncSession, contest_id: str, given: NewDecision, who: Principal
    ) -> Contest:
        """Uphold or lift what was contested; a review by a person, which the alert's deadline may be of.

        Raises
        ------
        Problem
            There is no such contest, it was decided already, or whoever decides ordered it.
        """
        unlocked = await repository.find(session, contest_id)
        if unlocked is None:
            raise Problem(UNKNOWN_CONTEST, "It never existed.")
        # In the order in which everybody locks: alert, intervention, contest.
        alert = await alerts.find(session, unlocked.alert, lock=True)
        asked = await owed.find(session, unlocked.intervention, lock=True)
        row = await repository.find(session, contest_id, lock=True)
        assert row is not None
        assert asked is not None
        now_us = self._clock()
        if row.decision is not None:
            raise Problem(ALREADY_DECIDED, "A decision stands.")
        if asked.ordered_by == who.actor:
            raise Problem(OWN_ORDER, "Have a colleague decide.")
        row.decision, row.next_us = given.decision, NEVER_US
        row.reasons = msgspec.json.encode(given.reasons).decode()
        row.decided_by, row.decided_us = who.actor, now_us
        asked.contested = given.decision
        if alert is not None:
            acted(alert, now_us, by_people=True)
        Audit.tell(
            session,
            who.actor,
            "contest.decided",
            f"contest:{row.id}",
            decision=given.decision,
            reasons=list(given.reasons),
            intervention=asked.id,
        )
        if given.decision == "lifted":
            await self._lift(session, asked, now_us, who.actor)
        return shown(row, who, now_us)

    async def _lift(self, session: AsyncSession, asked: InterventionRow, now_us: int, actor: str) -> None:
        """Take an intervention back: what is on its way is stopped, and marketing may come back."""
        asked.state = "lifted"
        subject = f"intervention:{asked.id}"
        await self._outbox.cancel(session, subject, ("intervention.asked",))
        if asked.action in SUPPRESSING:
            await owed.lift_suppression(session, asked.id, now_us)
            await self._outbox.cancel(session, f"marketing:{asked.id}", ("marketing.suppressed",))
        told = _intervention(asked.body)
        until_us = await owed.suppressed_until(session, asked.player, now_us)
        data = {
            "intervention": asked.id,
            "player": told.player,
            "action": asked.action,
            "lifted_at": rfc3339_ms(now_us),
            # Another intervention may keep marketing away still.
            "marketing_until": None if until_us is None else rfc3339_ms(until_us),
        }
        await self._outbox.tell(session, "platform", "intervention.lifted", data, subject=subject)
        Audit.tell(session, actor, "intervention.lifted", subject, asked=asked.action, alert=asked.alert)


def shown(row: ContestRow, who: Principal, now_us: int) -> Contest:
    """A contest as it is shown to somebody."""
    undecided: ContestState = "overdue" if row.due_us <= now_us else "open"
    return Contest(
        id=row.id,
        intervention=row.intervention,
        alert=row.alert,
        player=row.player if who.sees_players else row.pseudonym,
        reason=row.reason,
        state=row.decision or undecided,
        opened_at=rfc3339_ms(row.opened_us),
        due_at=rfc3339_ms(row.due_us),
        escalations=row.escalations,
        reasons=[] if row.reasons is None else msgspec.json.decode(row.reasons, type=list[Grounds]),
        decided_by=row.decided_by,
        decided_at=None if row.decided_us is None else rfc3339_ms(row.decided_us),
    )


def _cursor_of(row: ContestRow) -> str:
    return cursor_of(f"{row.due_us}-{row.id}")


def _place_of(cursor: str | None) -> Place | None:
    match = read_cursor(cursor, _PLACE)
    if match is None:
        return None
    return int(match[1]), match[2]
