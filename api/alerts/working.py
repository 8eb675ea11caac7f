"""Working on an alert: who does, putting it off, and what it came to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access import repository as keys
from api.access.roles import Scope
from api.access.service import Principal, scopes_of
from api.access.tables import ApiKey
from api.alerts import repository
from api.alerts.schemas import Assignment, NewVerdict, Snooze, Standing
from api.alerts.standing import standing
from api.alerts.tables import NEVER_US, AlertRow, AlertVerdict
from api.alerts.urgency import REVIEW, Deadline, may_wait, needs_two
from api.audit.service import Audit
from api.interventions.service import settle
from api.problems import (
    ALREADY_ASSIGNED,
    CANNOT_WAIT,
    NOTHING_DONE,
    UNKNOWN_ALERT,
    VERDICT_GIVEN,
    Problem,
    wrong,
)
from detector.events.instants import micros, rfc3339_ms

WORKS: Scope = "alerts:work"


class Working:
    """Lets agents work on alerts; every change of one is made with its row locked.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    async def assign(
        self, session: AsyncSession, alert_id: str, wanted: Assignment, who: Principal
    ) -> Standing:
        """Give an alert to somebody, or to nobody.

        Raises
        ------
        Problem
            There is no such alert; somebody else works on it, whom the request does not name; or whoever is
            to get it does not work on alerts.
        """
        row = await locked(session, alert_id)
        now_us = self._clock()
        to = who.id if wanted.to == "me" else wanted.to
        if to == row.assignee:
            return standing(row, now_us)
        if row.assignee not in (None, who.id, wanted.taken_from):
            raise Problem(ALREADY_ASSIGNED, "Name who has it as `from` to take it over.")
        if wanted.taken_from is not None and wanted.taken_from != row.assignee:
            raise Problem(ALREADY_ASSIGNED, "It is not with whom `from` names, or not any more.")
        if to is not None and to != who.id and not _works(await keys.find(session, to), now_us):
            raise wrong("to", "It is no key in force that works on alerts")
        before, row.assignee = row.assignee, to
        row.assigned_us = None if to is None else now_us
        named = {
            "to": None if to is None else f"key:{to}",
            "from": None if before is None else f"key:{before}",
        }
        Audit.tell(session, who.actor, "alert.assigned", f"alert:{row.id}", **named)
        return standing(row, now_us)

    async def snooze(self, session: AsyncSession, alert_id: str, wanted: Snooze, who: Principal) -> Standing:
        """Put work on an alert off; its deadline stays.

        Raises
        ------
        Problem
            There is no such alert, it cannot wait, or not until then.
        """
        row = await locked(session, alert_id)
        now_us, until_us = self._clock(), micros(wanted.until)
        if row.stage != "open":
            raise Problem(CANNOT_WAIT, "Nothing is due.")
        if not may_wait(row.level, row.severity):
            raise Problem(CANNOT_WAIT, "What is critical, or at L4 and L5, is worked on at once.")
        if row.due_us <= now_us:
            raise Problem(CANNOT_WAIT, "Its deadline has passed.")
        if until_us <= now_us:
            raise wrong("until", "It lies in the past")
        if until_us > row.due_us:
            raise wrong("until", "It lies behind the deadline")
        row.snoozed_until_us, row.snooze_reason = until_us, wanted.reason
        Audit.tell(
            session,
            who.actor,
            "alert.snoozed",
            f"alert:{row.id}",
            until=rfc3339_ms(until_us),
            reason=wanted.reason,
        )
        return standing(row, now_us)

    async def judge(
        self, session: AsyncSession, alert_id: str, given: NewVerdict, who: Principal
    ) -> Standing:
        """Take a verdict; one that changes an earlier one has to name it.

        Whoever confirms an alert or does not has reviewed it. That there was nothing to a grave one takes two
        of them: until the second says so too, all stays as it was.

        Raises
        ------
        Problem
            There is no such alert; another verdict was given than the one to be changed; or it would confirm
            an alert about which nothing was done.
        """
        row = await locked(session, alert_id)
        now_us = self._clock()
        if (given.changes or 0) != row.verdicts:
            raise Problem(
                VERDICT_GIVEN,
                "Name the number of the verdict in force as `changes` to change it.",
                verdicts=row.verdicts,
            )
        if given.verdict == "confirmed" and row.acted_us is None:
            raise Problem(NOTHING_DONE, "Do something about it first, or order it.")
        row.verdicts += 1
        row.verdict = given.verdict
        verdict = AlertVerdict(
            alert=row.id,
            number=row.verdicts,
            verdict=given.verdict,
            reasons=msgspec.json.encode(given.reasons).decode(),
            actor=who.actor,
            at_us=now_us,
        )
        await repository.add(session, verdict)
        _conclude(row, closes=is_settled(row, await repository.verdicts_of(session, row.id)))
        Audit.tell(
            session,
            who.actor,
            "alert.judged",
            f"alert:{row.id}",
            number=row.verdicts,
            verdict=given.verdict,
            reasons=list(given.reasons),
        )
        if given.verdict != "unclear":
            await settle(session, row.id, REVIEW, who.actor, now_us)
        return standing(row, now_us)


def is_settled(row: AlertRow, given: Sequence[AlertVerdict]) -> bool:
    """Whether the last of the verdicts given on an alert, the first first, ends the work on it."""
    last = given[-1].verdict
    if last != "not_confirmed" or not needs_two(row.level, row.severity):
        return last != "unclear"
    agreeing = itertools.takewhile(lambda each: each.verdict == "not_confirmed", reversed(given))
    return len({each.actor for each in agreeing}) > 1


def _conclude(row: AlertRow, *, closes: bool) -> None:
    """Close an alert, or have it become again what it was without a verdict."""
    if closes:
        row.stage, row.next_us = "closed", NEVER_US
    elif row.stage == "closed" and row.due_us == NEVER_US:
        row.stage = "past"
    elif row.stage == "closed" and row.met_us is not None:
        row.stage = "acted"
    elif row.stage == "closed":
        # It is owed again, as if nobody had ever looked.
        row.stage = "open"
        row.next_us = Deadline(row.due_us, row.period_us).after(row.escalations)


async def locked(session: AsyncSession, alert_id: str) -> AlertRow:
    """An alert that nobody else changes until this transaction ends; Problem if there is none."""
    row = await repository.find(session, alert_id, lock=True)
    if row is None:
        raise Problem(UNKNOWN_ALERT, "It was never taken over.")
    return row


def _works(key: ApiKey | None, now_us: int) -> bool:
    """Whether who holds a key can work on alerts."""
    if key is None or key.revoked_us is not None or (key.expires_us or now_us + 1) <= now_us:
        return False
    return WORKS in scopes_of(key)
