"""From an alert to what the platform is asked to do about it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from detector.events.instants import micros, rfc3339_ms
from detector.ladder.actions import HUMAN, MOST_REASONS, REASONS, SUPPRESSING
from detector.ladder.ladder import Ladder, Rung
from detector.ladder.load import REVIEWED_FROM

ASKING = ("open", "escalate")
"""The kinds of alert that ask for anything: a reminder tells people that what was asked for did not help."""


class Alerted(Protocol):
    """What is read of an alert."""

    @property
    def id(self) -> str: ...
    @property
    def player(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def audience(self) -> str: ...
    @property
    def response(self) -> str: ...
    @property
    def contributions(self) -> Mapping[str, int] | None: ...


class Intervention(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """One thing that a platform is asked to do; the fields are its JSON keys, in streams and over HTTP alike.

    Times are RFC 3339, UTC, in milliseconds. `expires_at` ends what is automated at L3 and higher, where
    `review` and `contest` say that somebody reviews it and that the player may contest it. `until` is how
    long marketing stays off. `ladder` names the ladder and the version it comes from. It says nothing of
    money, scores or rules.
    """

    id: str
    alert: str
    player: str
    level: str
    action: str
    reasons: list[str]
    jurisdiction: str | None
    ladder: str
    opened_at: str
    due_at: str
    expires_at: str | None
    until: str | None
    review: bool
    contest: bool

    def to_json(self) -> bytes:
        """One line of JSON, without the line end."""
        return _encode(self)

    @property
    def opened_us(self) -> int:
        """When the alert was opened, in whole milliseconds."""
        return instant_us(self.opened_at)

    @property
    def due_us(self) -> int:
        """The deadline, in whole milliseconds."""
        return instant_us(self.due_at)

    @property
    def ends_us(self) -> int | None:
        """When it ends by itself, in whole milliseconds; None for what has to be done however late."""
        ends = self.until or self.expires_at
        return None if ends is None else instant_us(ends)


_encode = msgspec.json.Encoder().encode


def instant_us(text: str) -> int:
    """A time as interventions have it, in µs since the epoch."""
    return micros(datetime.fromisoformat(text))


def interventions(
    alert: Alerted, jurisdiction: str | None, opened_us: int, ladder: Ladder
) -> list[Intervention]:
    """Return what an alert of a live rule asks of the platform, the most urgent first.

    Parameters
    ----------
    alert
        Its `response` is the level, raised for the player's band already (`Ladder.level`).
    jurisdiction
        The player's, None where it is not known.
    opened_us
        The alert's `opened_at`, to the microsecond.
    """
    if alert.kind not in ASKING or alert.audience == "operations":
        return []
    rung = ladder.jurisdiction(jurisdiction).rungs[alert.response]
    asked = sorted(rung.actions.items(), key=lambda each: (each[1], each[0]))
    return [make_intervention(alert, action, jurisdiction, opened_us, rung, ladder) for action, _ in asked]


def make_intervention(
    alert: Alerted,
    action: str,
    jurisdiction: str | None,
    opened_us: int,
    rung: Rung,
    ladder: Ladder,
    intervention_id: str | None = None,
) -> Intervention:
    """Return one action of a rung as it is asked for about an alert.

    Parameters
    ----------
    opened_us
        When its time begins to run.
    rung
        One of the jurisdiction's that has the action; it need not be of the alert's level.
    intervention_id
        None: that of the alert's own asking for this action.
    """
    reviewed = rung.level >= REVIEWED_FROM and action not in HUMAN
    until_us = expires_us = None
    if action in SUPPRESSING and rung.marketing_us is not None:
        until_us = opened_us + rung.marketing_us
    if reviewed and rung.expires_us is not None:
        expires_us = opened_us + rung.expires_us if until_us is None else until_us
    return Intervention(
        id=intervention_id or id_of(alert.id, action),
        alert=alert.id,
        player=alert.player,
        level=rung.level,
        action=action,
        reasons=reasons_of(alert),
        jurisdiction=jurisdiction,
        ladder=f"{ladder.jurisdiction(jurisdiction).name}@{ladder.version}",
        opened_at=rfc3339_ms(opened_us),
        due_at=rfc3339_ms(opened_us + rung.actions[action]),
        expires_at=None if expires_us is None else rfc3339_ms(expires_us),
        until=None if until_us is None else rfc3339_ms(until_us),
        review=reviewed,
        contest=reviewed,
    )


def id_of(alert_id: str, action: str) -> str:
    """The same action for the same alert has the same id, whoever computes it and however often."""
    return hashlib.sha256(msgspec.json.encode([alert_id, action])).hexdigest()[:32]


def reasons_of(alert: Alerted) -> list[str]:
    """Return at most three codes: the alert's own, then those that weigh most in the score behind it."""
    found = dict.fromkeys(_codes(alert))
    return list(found)[:MOST_REASONS]


def _codes(alert: Alerted) -> Iterator[str]:
    yield REASONS[alert.category]
    if alert.audience == "risk":
        heaviest = sorted((alert.contributions or {}).items(), key=lambda each: (-each[1], each[0]))
        yield from (REASONS[category] for category, points in heaviest if points > 0)
