"""Asking the platform: keeping what it is asked as owed, and sending it on its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.alerts.tables import NEVER_US
from api.audit.service import Audit
from api.interventions import repository
from api.keyring import Keyring
from api.store.adding import storable
from api.webhooks.outbox import Outbox
from detector.ladder.actions import HUMAN, SUPPRESSING
from detector.ladder.interventions import Intervention

DETECTOR = "system:detector"


class Asking:
    """Takes interventions, whoever asks for them.

    What people have to do is kept like all others, but not sent to the platform's webhooks.
    """

    def __init__(self, keyring: Keyring, outbox: Outbox, clock: Callable[[], int]) -> None:
        self._keyring = keyring
        self._outbox = outbox
        self._clock = clock

    async def take(
        self, session: AsyncSession, asked: Sequence[Intervention], ordered_by: str | None = None
    ) -> int:
        """Take what is not there yet; returns how much that was.

        Parameters
        ----------
        ordered_by
            Who ordered it; None for the detector, which has put it on the stream already.
        """
        now_us = self._clock()
        by_id = {each.id: each for each in asked}
        rows = [self._row(each, now_us, ordered_by) for each in by_id.values()]
        new = [by_id[each] for each in await repository.add(session, rows)]
        await repository.suppress(session, [_suppression(each) for each in new if each.action in SUPPRESSING])
        await self._tell(session, new, now_us, ordered_by or DETECTOR)
        return len(new)

    def _row(self, each: Intervention, now_us: int, ordered_by: str | None) -> dict[str, Any]:
        return {
            "id": each.id,
            "alert": each.alert,
            "player": storable(each.player),
            "pseudonym": self._keyring.pseudonym(each.player),
            "level": each.level,
            "action": each.action,
            "jurisdiction": None if each.jurisdiction is None else storable(each.jurisdiction),
            "contest": each.contest,
            "due_us": each.due_us,
            "ends_us": NEVER_US if each.ends_us is None else each.ends_us,
            "taken_us": now_us,
            "ordered_by": ordered_by,
            "on_stream": ordered_by is None,
            "state": "undone",
            "contested": None,
            "body": each.to_json().decode(),
        }

    async def _tell(
        self, session: AsyncSession, new: Sequence[Intervention], now_us: int, actor: str
    ) -> None:
        """Have it on record, and on its way to the platform's webhooks."""
        asked, suppressed = [], []
        for each in new:
            Audit.tell(
                session,
                actor,
                "intervention.asked",
                f"intervention:{each.id}",
                asked=each.action,
                level=each.level,
                alert=each.alert,
                due_at=each.due_at,
                ladder=each.ladder,
            )
            if each.action in HUMAN or (each.ends_us is not None and each.ends_us <= now_us):
                continue
            asked.append((f"intervention:{each.id}", msgspec.to_builtins(each)))
            if each.action in SUPPRESSING:
                suppressed.append((f"marketing:{each.id}", _suppressed(each)))
                player = f"player:{self._keyring.pseudonym(each.player)}"
                Audit.tell(
                    session,
                    actor,
                    "marketing.suppressed",
                    player,
                    until=each.until,
                    intervention=each.id,
                )
        await self._outbox.tell_all(session, "platform", "intervention.asked", asked)
        await self._outbox.tell_all(session, "platform", "marketing.suppressed", suppressed)


def _suppressed(each: Intervention) -> dict[str, Any]:
    return {
        "player": each.player,
        "action": each.action,
        "until": each.until,
        "level": each.level,
        "jurisdiction": each.jurisdiction,
        "intervention": each.id,
    }


def _suppression(each: Intervention) -> dict[str, Any]:
    return {
        "intervention": each.id,
        "player": storable(each.player),
        "action": each.action,
        "from_us": each.opened_us,
        "until_us": each.due_us if each.ends_us is None else each.ends_us,
        "lifted_us": None,
    }
