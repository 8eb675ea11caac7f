"""Reading alerts: the queue, the newest, and one with all that was done about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.alerts import repository
from api.alerts.codes import Because
from api.alerts.repository import Sought
from api.alerts.schemas import AlertQuery, Done, VerdictGiven
from api.alerts.standing import work
from api.alerts.tables import NEVER_US, AlertAction, AlertRow, AlertVerdict
from api.audit.service import Audit
from api.audit.views import listed
from api.interventions import repository as owed
from api.interventions.service import item
from api.keyring import Keyring
from api.paging import cursor_of, read_cursor
from api.problems import UNKNOWN_ALERT, Problem
from api.store.adding import storable
from api.store.database import Store
from detector.events.instants import micros, rfc3339_ms

_NEWEST = re.compile(r"n(\d{1,17})\.([0-9a-f]{32})")
_QUEUE = re.compile(r"q(-\d{1,4}|0)\.(\d{1,19})\.([0-9a-f]{32})")


class AlertsService:
    """Alerts for those who read them; whoever sees no players reads pseudonyms.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, keyring: Keyring, clock: Callable[[], int]) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock

    async def find(self, query: AlertQuery, who: Principal) -> bytes:
        """The answer's JSON: `items`, each alert as the detector wrote it plus `notes` and `work`."""
        now_us = self._clock()
        sought = self._sought(query, who, now_us)
        async with self._store.read() as session:
            if query.order == "queue":
                rows = await repository.queued(session, sought, _queue_place(query.cursor), query.limit + 1)
            else:
                rows = await repository.newest(session, sought, _newest_place(query.cursor), query.limit + 1)
            shown = rows[: query.limit]
            notes = await repository.notes_of(session, [row.id for row in shown])
        if who.sees_players:
            await listed(self._store, who, "/v1/alerts", [row.pseudonym for row in shown])
        items = b",".join(self._item(row, notes[row.id], who, now_us) for row in shown)
        cursor = _cursor_of(shown[-1], query.order) if len(rows) > len(shown) else None
        return b'{"items":[%b],"next_cursor":%b}' % (items, msgspec.json.encode(cursor))

    async def get(self, session: AsyncSession, alert_id: str, who: Principal) -> bytes:
        """One alert's JSON with `notes`, `work`, `interventions`, `actions` and `verdicts`.

        Who sees the player is recorded as having seen them.

        Raises
        ------
        Problem
            There is no such alert.
        """
        row = await repository.find(session, alert_id)
        if row is None:
            raise Problem(UNKNOWN_ALERT, "It was never taken over.")
        now_us = self._clock()
        notes = (await repository.notes_of(session, [row.id]))[row.id]
        asked = await owed.of_alert(session, row.id)
        answers = await owed.answers(session, [each.id for each in asked])
        shown = [item(each, answers[each.id], now_us) for each in asked]
        if who.sees_players:
            self._view(session, who, row.player)
        else:
            shown = [self._blurred(each, row) for each in shown]
        done = [_done(each) for each in await repository.actions_of(session, row.id)]
        verdicts = [_verdict(each) for each in await repository.verdicts_of(session, row.id)]
        return b'%b,"interventions":[%b],"actions":%b,"verdicts":%b}' % (
            self._item(row, notes, who, now_us)[:-1],
            b",".join(shown),
            msgspec.json.encode(done),
            msgspec.json.encode(verdicts),
        )

    def _sought(self, query: AlertQuery, who: Principal, now_us: int) -> Sought:
        player = None if query.player is None else storable(query.player)
        assignee = who.id if query.assignee == "me" else query.assignee
        return Sought(
            now_us,
            player=player if who.sees_players else None,
            pseudonym=None if who.sees_players else player,
            rule=None if query.rule is None else storable(query.rule),
            severity=query.severity,
            audience=query.audience,
            since_us=None if query.since is None else micros(query.since),
            state="open" if query.order == "queue" and query.state is None else query.state,
            assignee=None if assignee == "nobody" else assignee,
            is_assigned=False if assignee == "nobody" else None,
            overdue=query.overdue,
        )

    def _item(self, row: AlertRow, notes: Sequence[str], who: Principal, now_us: int) -> bytes:
        alert, told = row.body.encode(), [each.encode() for each in notes]
        if not who.sees_players:
            alert, told = self._blurred(alert, row), [self._blurred(each, row) for each in told]
        return b'%b,"notes":[%b],"work":%b}' % (
            alert[:-1],
            b",".join(told),
            msgspec.json.encode(work(row, now_us)),
        )

    def _blurred(self, told: bytes, row: AlertRow) -> bytes:
        """JSON with a pseudonym in the player's place; ids of events may be made of the player's, too."""
        found: dict[str, Any] = msgspec.json.decode(told)
        player = found["player"]
        found["player"] = row.pseudonym
        if "events" in found:
            found["events"] = [each.replace(player, row.pseudonym) for each in found["events"]]
        if "event" in found:
            found["event"] = found["event"].replace(player, row.pseudonym)
        return msgspec.json.encode(found)

    def _view(self, session: AsyncSession, who: Principal, player: str) -> None:
        subject = f"player:{self._keyring.pseudonym(player)}"
        Audit.tell(session, who.actor, "player.viewed", subject, what="alert")


def _done(row: AlertAction) -> Done:
    return Done(
        row.id,
        row.action,
        row.outcome,
        row.code,
        row.level,
        row.intervention,
        row.prompt,
        row.actor,
        rfc3339_ms(row.at_us),
    )


def _verdict(row: AlertVerdict) -> VerdictGiven:
    reasons = msgspec.json.decode(row.reasons, type=list[Because])
    return VerdictGiven(row.number, row.verdict, reasons, row.actor, rfc3339_ms(row.at_us))


def _cursor_of(row: AlertRow, order: str) -> str:
    text = f"q{row.rank}.{row.due_us}.{row.id}" if order == "queue" else f"n{row.opened_us}.{row.id}"
    return cursor_of(text)


def _newest_place(cursor: str | None) -> tuple[int, str] | None:
    match = read_cursor(cursor, _NEWEST)
    return None if match is None else (int(match[1]), match[2])


def _queue_place(cursor: str | None) -> tuple[int, int, str] | None:
    match = read_cursor(cursor, _QUEUE)
    if match is None:
        return None
    # Whoever makes one up must not get a number into a query that no database holds.
    return int(match[1]), min(int(match[2]), NEVER_US), match[3]
