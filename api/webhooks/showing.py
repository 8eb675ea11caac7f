"""How endpoints and deliveries look from outside, and where a page of them ended."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from api.paging import cursor_of, read_cursor
from api.webhooks.schemas import AttemptShown, DeliveryShown, DeliveryState, EndpointShown, PublicKey
from api.webhooks.tables import Attempt, Endpoint, EndpointSecret, Message, MessageState
from detector.events.instants import rfc3339_ms

_PLACE = re.compile(r"(\d{1,18})\.([a-z]{2,3}_[0-9a-f]{1,40})")

# What goes on inside is nobody's business: sending is waiting, recalled is cancelled.
STATES: dict[DeliveryState, tuple[MessageState, ...]] = {
    "waiting": ("waiting", "sending"),
    "cancelled": ("cancelled", "recalled"),
    "delivered": ("delivered",),
    "failed": ("failed",),
    "expired": ("expired",),
    "parked": ("parked",),
}
_SHOWN: dict[MessageState, DeliveryState] = {
    inner: state for state, inners in STATES.items() for inner in inners
}


def endpoint_shown(row: Endpoint, secrets: Sequence[EndpointSecret]) -> EndpointShown:
    """An endpoint without secrets."""
    paused_us = max(row.open_until_us or 0, row.held_until_us)
    return EndpointShown(
        id=row.id,
        owner=row.owner,
        owner_id=row.owner_id,
        kind=row.kind,
        url=row.url,
        signing=row.signing,
        types=None if row.types is None else msgspec.json.decode(row.types),
        rate_per_s=row.rate_per_s,
        burst=row.burst,
        state=row.state,
        public_keys=[
            PublicKey(key=each.public, until=_time(each.until_us)) for each in secrets if each.public
        ],
        failures=row.failures,
        failing_since=_time(row.failing_since_us),
        paused_until=_time(paused_us or None),
        created_at=rfc3339_ms(row.created_us),
    )


def delivery_shown(row: Message, attempts: Sequence[Attempt]) -> DeliveryShown:
    """A message without its body."""
    state = _SHOWN[row.state]
    return DeliveryShown(
        id=row.id,
        endpoint=row.endpoint,
        type=row.type,
        state=state,
        created_at=rfc3339_ms(row.created_us),
        next_attempt_at=rfc3339_ms(row.due_us) if state == "waiting" else None,
        not_after=_time(row.not_after_us),
        done_at=_time(row.done_us),
        attempts=[
            AttemptShown(
                number=each.number,
                at=rfc3339_ms(each.at_us),
                outcome=each.outcome,
                status=each.status,
                milliseconds=each.milliseconds,
            )
            for each in attempts
        ],
    )


def cursor_after(at_us: int, row_id: str) -> str:
    """Where a page ended, for the next question."""
    return cursor_of(f"{at_us}.{row_id}")


def place_of(cursor: str | None) -> tuple[int, str] | None:
    """Where the page before ended; a Problem unless we wrote it."""
    match = read_cursor(cursor, _PLACE)
    if match is None:
        return None
    return int(match[1]), match[2]


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339_ms(us)
