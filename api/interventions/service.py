"""What is owed to players and what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.alerts import repository as alerts
from api.audit.service import Audit
from api.audit.views import listed
from api.interventions import repository
from api.interventions.repository import Place
from api.interventions.schemas import (
    Acknowledgement,
    InterventionQuery,
    Marketing,
    PlatformAnswer,
    Progress,
    State,
)
from api.interventions.tables import InterventionAnswer, InterventionRow
from api.paging import cursor_of, read_cursor
from api.problems import CONTRADICTION, UNKNOWN_INTERVENTION, Problem, wrong
from api.store.database import Store
from detector.events.instants import micros, rfc3339_ms
from detector.ladder.actions import HUMAN

AHEAD = timedelta(minutes=5)
"""How far a platform's clock may be ahead of ours."""

_FINALITY = {"failed": 0, "refused": 1, "done": 2}

_PLACE = re.compile(r"(\d{1,17})-([0-9a-f]{32})")


class InterventionsService:
    """Interventions for the platform that carries them out, and for those who see to it that it does.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def find(self, query: InterventionQuery, who: Principal) -> bytes:
        """The answer's JSON: `items`, those due first, and `next_cursor`; whom it shows is recorded."""
        now_us, place = self._clock(), _place_of(query.cursor)
        async with self._store.read() as session:
            rows = await repository.after(session, query.state, place, now_us, query.limit + 1)
            shown = rows[: query.limit]
            answers = await repository.answers(session, [row.id for row in shown])
        await self._view(who, "/v1/interventions", shown)
        items = b",".join(item(row, answers[row.id], now_us) for row in shown)
        more = len(rows) > len(shown)
        cursor = msgspec.json.encode(_cursor_of((shown[-1].due_us, shown[-1].id)) if more else None)
        return b'{"items":[%b],"next_cursor":%b}' % (items, cursor)

    async def get(self, intervention_id: str, who: Principal) -> bytes:
        """One intervention's JSON, whose view is recorded; Problem if there is none of that id."""
        async with self._store.read() as session:
            row = await repository.find(session, intervention_id)
            if row is None:
                raise _unknown()
            answers = await repository.answers(session, [row.id])
        await self._view(who, "/v1/interventions/{id}", [row])
        return item(row, answers[row.id], self._clock())

    async def _view(self, who: Principal, route: str, rows: Sequence[InterventionRow]) -> None:
        # The platform fetches what it is to do; nobody looks at a player then.
        if who.role != "platform":
            await listed(self._store, who, route, [row.pseudonym for row in rows])

    async def acknowledge(
        self, session: AsyncSession, intervention_id: str, said: Acknowledgement, actor: str
    ) -> bytes:
        """Take an answer; the same one again changes nothing.

        Returns
        -------
        bytes
            The intervention's JSON as it stands then.

        Raises
        ------
        Problem
            There is no such intervention, the answer lies in the future, or it takes back what was said.
        """
        now_us = self._clock()
        if micros(said.at) > now_us + AHEAD // timedelta(microseconds=1):
            raise wrong("at", "It lies in the future")
        row = await repository.find(session, intervention_id)
        if row is None:
            raise _unknown()
        # First the alert, as everybody does who locks both.
        await alerts.find(session, row.alert, lock=True)
        row = await repository.find(session, intervention_id, lock=True)
        assert row is not None
        answer = PlatformAnswer(said.outcome, rfc3339_ms(micros(said.at)), said.reason, rfc3339_ms(now_us))
        before = (await repository.answers(session, [row.id]))[row.id]
        after = await record(session, row, before, answer, actor)
        if after is not before and answer.outcome == "done":
            await alerts.note_action(session, row.alert, now_us, by_people=row.action in HUMAN)
        return item(row, after, now_us)

    async def marketing(self, session: AsyncSession, player: str) -> Marketing:
        """Whether marketing, or bonuses, have to stay away from a player now, and until when."""
        until_us = await repository.suppressed_until(session, player, self._clock())
        return Marketing(
            suppressed=until_us is not None, until=None if until_us is None else rfc3339_ms(until_us)
        )


async def record(
    session: AsyncSession,
    row: InterventionRow,
    before: list[InterventionAnswer],
    answer: PlatformAnswer,
    actor: str,
) -> list[InterventionAnswer]:
    """Add an answer to a locked intervention, unless it is there already.

    Returns
    -------
    list of InterventionAnswer
        All answers: `before` itself where nothing was added.

    Raises
    ------
    Problem
        It contradicts the last one.
    """
    if not _is_new([_kept(each) for each in before], answer):
        return before
    added = InterventionAnswer(
        intervention=row.id,
        number=len(before) + 1,
        outcome=answer.outcome,
        at_us=micros(datetime.fromisoformat(answer.at)),
        reason=answer.reason,
        received_us=micros(datetime.fromisoformat(answer.received_at)),
        actor=actor,
    )
    await repository.answer(session, added)
    if answer.outcome == "done" and row.state == "undone":
        row.state = "done"
    Audit.tell(
        session,
        actor,
        "intervention.answered",
        f"intervention:{row.id}",
        outcome=answer.outcome,
        reason=answer.reason,
        at=answer.at,
        asked=row.action,
        alert=row.alert,
    )
    return [*before, added]


async def settle(session: AsyncSession, alert: str, action: str, actor: str, now_us: int) -> None:
    """Answer what an alert, which is locked, asked of people with what one of them did."""
    at = rfc3339_ms(now_us)
    for row in await repository.undone_of(session, alert, action):
        before = (await repository.answers(session, [row.id]))[row.id]
        await record(session, row, before, PlatformAnswer("done", at, None, at), actor)


def _unknown() -> Problem:
    return Problem(UNKNOWN_INTERVENTION, "It never existed.")


def _is_new(before: Sequence[PlatformAnswer], answer: PlatformAnswer) -> bool:
    """Whether an answer is not there already; Problem if it contradicts the last."""
    if any(_same(each, answer) for each in before):
        return False
    if before:
        last = before[-1]
        rises = _FINALITY[answer.outcome] > _FINALITY[last.outcome]
        tried_again = answer.outcome == last.outcome == "failed" and answer.at > last.at
        if not (rises or tried_again):
            raise Problem(CONTRADICTION, f"It was acknowledged as {last.outcome} already.")
    return True


def _same(one: PlatformAnswer, other: PlatformAnswer) -> bool:
    return (one.outcome, one.at, one.reason) == (other.outcome, other.at, other.reason)


def _kept(row: InterventionAnswer) -> PlatformAnswer:
    return PlatformAnswer(row.outcome, rfc3339_ms(row.at_us), row.reason, rfc3339_ms(row.received_us))


def item(row: InterventionRow, answers: Sequence[InterventionAnswer], now_us: int) -> bytes:
    """The JSON of an intervention and of where it stands."""
    progress = Progress(state_of(row, now_us), [_kept(each) for each in answers], row.contested)
    return b"%b,%b" % (row.body.encode()[:-1], msgspec.json.encode(progress)[1:])


def state_of(row: InterventionRow, now_us: int) -> State:
    """What an intervention is said to be."""
    if row.state != "undone":
        return row.state
    if row.ends_us <= now_us:
        return "lapsed"
    return "overdue" if row.due_us <= now_us else "undone"


def _cursor_of(place: Place) -> str:
    return cursor_of(f"{place[0]}-{place[1]}")


def _place_of(cursor: str | None) -> Place | None:
    match = read_cursor(cursor, _PLACE)
    if match is None:
        return None
    return int(match[1]), match[2]
