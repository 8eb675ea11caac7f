"""What is owed to players and what became of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec

from api.interventions.repository import InterventionsRepository, Place
from api.interventions.schemas import Acknowledgement, InterventionQuery, PlatformAnswer, Progress, State
from api.problems import CONTRADICTION, INVALID_PARAMETER, UNKNOWN_INTERVENTION, Problem
from detector.events.instants import micros, rfc3339_ms
from detector.ladder.interventions import Intervention

AHEAD = timedelta(minutes=5)
"""How far a platform's clock may be ahead of ours."""

_FINALITY = {"failed": 0, "refused": 1, "done": 2}

_intervention = msgspec.json.Decoder(Intervention)


class InterventionsService:
    """Interventions for the platform that carries them out, and for those who see to it that it does.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, repository: InterventionsRepository, clock: Callable[[], int]) -> None:
        self._repository = repository
        self._clock = clock

    async def find(self, query: InterventionQuery) -> bytes:
        """The answer's JSON: `items`, those due first, and `next_cursor`."""
        now_us = self._clock()
        await self._repository.lapse(now_us)
        overdue = query.state == "overdue"
        places = await self._repository.after(
            "undone" if overdue else query.state,
            _place_of(query.cursor),
            now_us if overdue else None,
            query.limit + 1,
        )
        shown = places[: query.limit]
        records = await self._repository.records([each for _, each in shown]) if shown else []
        items = b",".join(_item(*record, now_us) for record in records if record is not None)
        cursor = msgspec.json.encode(_cursor_of(shown[-1]) if len(places) > len(shown) else None)
        return b'{"items":[%b],"next_cursor":%b}' % (items, cursor)

    async def get(self, intervention_id: str) -> bytes:
        """One intervention's JSON; Problem if there is none of that id."""
        told, answers = await self._record(intervention_id)
        return _item(told, answers, self._clock())

    async def acknowledge(self, intervention_id: str, said: Acknowledgement) -> bytes:
        """Take the platform's answer; the same one again changes nothing.

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
            raise _wrong("at", "It lies in the future")
        told, _ = await self._record(intervention_id)
        answer = PlatformAnswer(said.outcome, rfc3339_ms(micros(said.at)), said.reason, rfc3339_ms(now_us))
        answers = await self._repository.answer(
            intervention_id, _intervention.decode(told).due_us, lambda before: _with(before, answer)
        )
        if answers is None:
            raise _unknown()
        return _item(told, answers, now_us)

    async def _record(self, intervention_id: str) -> tuple[bytes, list[PlatformAnswer]]:
        (record,) = await self._repository.records([intervention_id])
        if record is None:
            raise _unknown()
        return record


def _unknown() -> Problem:
    return Problem(UNKNOWN_INTERVENTION, "It never existed, or was done long ago.")


def _with(before: list[PlatformAnswer], answer: PlatformAnswer) -> list[PlatformAnswer] | None:
    """The answers with one more, None if it is there already; Problem if it contradicts the last."""
    if any(_same(each, answer) for each in before):
        return None
    if before:
        last = before[-1]
        rises = _FINALITY[answer.outcome] > _FINALITY[last.outcome]
        tried_again = answer.outcome == last.outcome == "failed" and answer.at > last.at
        if not (rises or tried_again):
            raise Problem(CONTRADICTION, f"It was acknowledged as {last.outcome} already.")
    return [*before, answer]


def _same(one: PlatformAnswer, other: PlatformAnswer) -> bool:
    return (one.outcome, one.at, one.reason) == (other.outcome, other.at, other.reason)


def _item(told: bytes, answers: Sequence[PlatformAnswer], now_us: int) -> bytes:
    progress = Progress(_state(_intervention.decode(told), answers, now_us), list(answers))
    return b"%b,%b" % (told[:-1], msgspec.json.encode(progress)[1:])


def _state(intervention: Intervention, answers: Sequence[PlatformAnswer], now_us: int) -> State:
    if answers and answers[-1].outcome == "done":
        return "done"
    if intervention.ends_us is not None and intervention.ends_us <= now_us:
        return "lapsed"
    return "overdue" if intervention.due_us <= now_us else "undone"


def _wrong(name: str, reason: str) -> Problem:
    return Problem(INVALID_PARAMETER, "See `parameters`.", parameters=[{"name": name, "reason": reason}])


def _cursor_of(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place[0]}-{place[1]}".encode()).decode().rstrip("=")


def _place_of(cursor: str | None) -> Place | None:
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    if not re.fullmatch(r"\d{1,17}-[0-9a-f]{32}", text):
        raise _wrong("cursor", "Use `next_cursor` of an answer as it is")
    due, _, intervention_id = text.partition("-")
    return int(due), intervention_id
