"""Taking over what the detector wrote: alerts, notes, interventions; each once, however often they come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts import repository
from api.alerts.ladder import InForce
from api.alerts.tables import NEVER_US
from api.alerts.urgency import (
    NO_DEADLINE,
    deadline,
    is_grave,
    needs_people,
    time_allowed_us,
    urgency,
)
from api.audit.service import Audit
from api.interventions import repository as owed
from api.interventions.asking import Asking
from api.keyring import Keyring
from api.store.adding import storable
from api.webhooks.outbox import Outbox
from detector.drivers.interventions import is_past
from detector.engine.alerts import Note
from detector.events.instants import rfc3339_ms
from detector.ladder.actions import HUMAN
from detector.ladder.interventions import Intervention, instant_us
from detector.ladder.ladder import Ladder
from detector.language.rule import SEVERITIES

log = structlog.get_logger()

ACTOR = "system:bridge"


@dataclass(frozen=True, slots=True)
class AlertTold:
    """An alert as the detector told it: its JSON, where the player is, and when it was told.

    `told_us` is None where that is not known: it then counts as told now.
    """

    body: bytes
    jurisdiction: str | None = None
    told_us: int | None = None


class _Face(msgspec.Struct):
    """What is filtered and sorted on."""

    id: str
    player: str
    rule: str
    kind: str
    category: str
    audience: str
    severity: str
    opened_at: str
    response: str


_face = msgspec.json.Decoder(_Face).decode
_note = msgspec.json.Decoder(Note).decode
_intervention = msgspec.json.Decoder(Intervention).decode


class Bridge:
    """Puts what a detector told into the store; who feeds it keeps the place in the stream it came from.

    Parameters
    ----------
    within_us
        An alert told longer than this after its opening is of the past.
    """

    def __init__(
        self,
        ladder: InForce,
        keyring: Keyring,
        outbox: Outbox,
        clock: Callable[[], int],
        within_us: int,
    ) -> None:
        self._ladder = ladder
        self._keyring = keyring
        self._outbox = outbox
        self._clock = clock
        self._within_us = within_us
        self._asking = Asking(keyring, outbox, clock)

    async def take(
        self,
        session: AsyncSession,
        alerts: Sequence[AlertTold],
        notes: Sequence[bytes],
        interventions: Sequence[bytes],
    ) -> int:
        """Take over what is not there yet; returns how much that was.

        What cannot be read is left out, and logged: it must not stand in the way of what comes behind it.
        """
        now_us = self._clock()
        ladder = await self._ladder()
        rows = {
            row["id"]: row for each in alerts if (row := _read(each, self._row, ladder, now_us)) is not None
        }
        new = await repository.add_alerts(session, list(rows.values()))
        await self._tell(session, [rows[alert_id] for alert_id in new], ladder)
        told = [found for each in interventions if (found := _read(each, _intervention)) is not None]
        asked = await self._asking.take(session, told)
        # Where the interventions of an alert came before it, somebody may have been quicker than it was.
        for alert_id, action in await owed.done_of(session, new):
            await repository.note_action(session, alert_id, now_us, by_people=action in HUMAN)
        noted = await repository.add_notes(
            session, [row for n, each in enumerate(notes) if (row := _read(each, _note_row, now_us, n))]
        )
        return len(new) + asked + noted

    def _row(self, told: AlertTold, ladder: Ladder, now_us: int) -> dict[str, Any]:
        face = _face(told.body)
        opened_us = instant_us(face.opened_at)
        told_us = now_us if told.told_us is None else told.told_us
        # What a level asks for that is on no ladder nobody knows; the alert is kept, and people are told.
        known = _is_known(ladder, told.jurisdiction, face.response, face.severity)
        past = not known or is_past(face.response, opened_us, told_us, self._within_us)
        due = (
            NO_DEADLINE
            if past
            else deadline(opened_us, time_allowed_us(ladder, told.jurisdiction, face.response))
        )
        return {
            "id": face.id,
            "player": storable(face.player),
            "pseudonym": self._keyring.pseudonym(face.player),
            "rule": face.rule,
            "rule_id": face.rule.partition("@")[0],
            "kind": face.kind,
            "category": face.category,
            "audience": face.audience,
            "severity": storable(face.severity),
            "level": storable(face.response),
            "jurisdiction": None if told.jurisdiction is None else storable(told.jurisdiction),
            "opened_us": opened_us,
            "taken_us": now_us,
            "body": told.body.decode(),
            "stage": "past" if past else "open",
            "rank": -urgency(face.response, face.severity, 0) if known else 0,
            "by_people": known and needs_people(ladder, told.jurisdiction, face.response),
            "due_us": due.due_us,
            "period_us": due.period_us,
            "next_us": due.due_us,
            "escalations": 0,
            "snoozed_until_us": 0,
            "verdicts": 0,
        }

    async def _tell(self, session: AsyncSession, rows: Sequence[dict[str, Any]], ladder: Ladder) -> None:
        """Have it on record that alerts are owed something; let agents know of what is grave or not known."""
        grave, unreadable = [], []
        for row in rows:
            subject = f"alert:{row['id']}"
            if not _is_known(ladder, row["jurisdiction"], row["level"], row["severity"]):
                Audit.tell(session, ACTOR, "alert.unreadable", subject)
                unreadable.append((subject, {"alert": row["id"]}))
            if row["due_us"] == NEVER_US:
                continue
            due_at = rfc3339_ms(row["due_us"])
            told = {"level": row["level"], "severity": row["severity"], "due_at": due_at}
            Audit.tell(session, ACTOR, "alert.opened", subject, rule=row["rule"], **told)
            if is_grave(row["level"], row["severity"]):
                grave.append((subject, {"alert": row["id"], **told}))
        await self._outbox.tell_all(session, "desk", "alert.opened", grave)
        await self._outbox.tell_all(session, "desk", "alert.unreadable", unreadable)


def _is_known(ladder: Ladder, jurisdiction: str | None, level: str, severity: str) -> bool:
    """Whether it can be told what an alert asks for, and how urgent it is."""
    return level in ladder.jurisdiction(jurisdiction).rungs and severity in SEVERITIES


def _note_row(body: bytes, now_us: int, number: int) -> dict[str, Any]:
    note_id = hashlib.sha256(body).hexdigest()[:32]
    return {
        "id": note_id,
        "alert": _note(body).alert,
        "taken_us": now_us,
        "number": number,
        "body": body.decode(),
    }


def _read(what: Any, read: Callable[..., Any], *more: Any) -> Any:
    """What `read` makes of one thing told; None where it cannot be read."""
    try:
        return read(what, *more)
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        log.error("what the detector told cannot be taken over", error=type(error).__name__)
        return None
