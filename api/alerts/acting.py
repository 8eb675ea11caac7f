"""Acting on an alert: what a person did, and what is ordered of the platform, along the ladder."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.service import Principal
from api.alerts import repository
from api.alerts.ladder import InForce
from api.alerts.schemas import ActionTaken, NewAction
from api.alerts.standing import acted, standing
from api.alerts.tables import AlertAction, AlertRow
from api.alerts.working import locked
from api.audit.service import Audit
from api.interventions.asking import Asking
from api.interventions.service import settle
from api.problems import NOT_ON_THE_LADDER, Problem
from api.referrals.protocol import Reason, Urgency
from detector.engine.alerts import Alert
from detector.ladder.actions import HUMAN
from detector.ladder.interventions import Intervention, make_intervention, reasons_of
from detector.ladder.load import REVIEWED_FROM

_alert = msgspec.json.Decoder(Alert).decode


class Offering(Protocol):
    """Asks a player whether an aid organisation may help."""

    async def offer(
        self,
        session: AsyncSession,
        *,
        player: str,
        alert: str | None,
        reasons: Sequence[Reason],
        urgency: Urgency,
        jurisdiction: str | None,
        actor: str,
    ) -> str: ...


class Acting:
    """Takes what agents did about alerts, and has ordered what they order.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(
        self,
        ladder: InForce,
        asking: Asking,
        consent: Offering,
        clock: Callable[[], int],
    ) -> None:
        self._ladder = ladder
        self._asking = asking
        self._consent = consent
        self._clock = clock

    async def act(
        self, session: AsyncSession, alert_id: str, wanted: NewAction, who: Principal
    ) -> ActionTaken:
        """Take what was done, or order what is to be done.

        Raises
        ------
        Problem
            There is no such alert, the ladder does not have the action there, or no referral can be offered.
        """
        row = await locked(session, alert_id)
        now_us = self._clock()
        done = AlertAction(
            id=secrets.token_hex(16),
            alert=row.id,
            at_us=now_us,
            actor=who.actor,
            action=wanted.action,
            outcome="done",
            code=wanted.code,
            level=None,
            intervention=None,
            prompt=None,
        )
        if wanted.action == "offer_referral":
            done.outcome, done.prompt = "offered", await self._offer(session, row, wanted, who.actor)
        elif wanted.outcome is not None:
            done.outcome = wanted.outcome
        else:
            ordered = await self._order(session, row, wanted, done.id, who.actor, now_us)
            done.outcome, done.level, done.intervention = "ordered", ordered.level, ordered.id
        await repository.add(session, done)
        if done.outcome != "attempted":
            by_people = wanted.action in HUMAN
            acted(row, now_us, by_people=by_people)
            if by_people:
                await settle(session, row.id, wanted.action, who.actor, now_us)
        told = {"did": done.action, "outcome": done.outcome, "code": done.code, "level": done.level}
        Audit.tell(
            session,
            who.actor,
            "alert.acted",
            f"alert:{row.id}",
            **told,
            intervention=done.intervention,
            prompt=done.prompt,
        )
        return ActionTaken(
            id=done.id,
            action=wanted.action,
            outcome=done.outcome,
            intervention=done.intervention,
            prompt=done.prompt,
            work=standing(row, now_us),
        )

    async def _order(
        self, session: AsyncSession, row: AlertRow, wanted: NewAction, nonce: str, actor: str, now_us: int
    ) -> Intervention:
        """Ask the platform for an action, at a level that has it where the player is."""
        ladder = await self._ladder()
        place = ladder.jurisdiction(row.jurisdiction)
        level = wanted.level or _level(
            row.level, [each for each, rung in place.rungs.items() if wanted.action in rung.actions]
        )
        if level is None or wanted.action not in place.rungs[level].actions:
            raise Problem(NOT_ON_THE_LADDER, "Where the player is, no such level asks for this action.")
        intervention = make_intervention(
            _alert(row.body.encode()),
            wanted.action,
            row.jurisdiction,
            now_us,
            place.rungs[level],
            ladder,
            intervention_id=_order_id(row.id, wanted.action, nonce),
        )
        await self._asking.take(session, [intervention], actor)
        return intervention

    async def _offer(self, session: AsyncSession, row: AlertRow, wanted: NewAction, actor: str) -> str:
        alert = _alert(row.body.encode())
        by_level: Urgency = (
            "urgent" if row.level >= "L4" else "soon" if row.level >= REVIEWED_FROM else "routine"
        )
        return await self._consent.offer(
            session,
            player=alert.player,
            alert=row.id,
            reasons=list(dict.fromkeys(wanted.reasons or cast(list[Reason], reasons_of(alert)))),
            urgency=wanted.urgency or by_level,
            jurisdiction=row.jurisdiction,
            actor=actor,
        )


def _level(own: str, having: Sequence[str]) -> str | None:
    """The alert's level if it has the action, else the lowest above it that has, else the highest below."""
    above = [each for each in having if each >= own]
    return min(above) if above else max(having, default=None)


def _order_id(alert_id: str, action: str, nonce: str) -> str:
    return hashlib.sha256(msgspec.json.encode([alert_id, action, nonce])).hexdigest()[:32]
