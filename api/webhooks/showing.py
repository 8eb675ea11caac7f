"""How endpoints and deliveries look from outside, and where a page of them ended."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import msgspec

from api.problems import INVALID_PARAMETER, Problem
from api.webhooks.schemas import AttemptShown, DeliveryShown, DeliveryState, EndpointShown, PublicKey
from api.webhooks.tables import Attempt, Endpoint, EndpointSecret, Message
from detector.events.instants import rfc3339_ms

_PLACE = re.compile(r"(\d{1,18})\.([a-z]{2,3}_[0-9a-f]{1,40})")

# What goes on inside is nobody's business: sending is waiting, recalled is cancelled.
STATES: dict[str, tuple[str, ...]] = {
    "waiting": ("waiting", "sending"),
    "cancelled": ("cancelled", "recalled"),
    "delivered": ("delivered",),
    "failed": ("failed",),
    "expired": ("expired",),
    "parked": ("parked",),
}
_SHOWN: dict[str, str] = {inner: state for state, inners in STATES.items() for inner in inners}


def endpoint_shown(row: Endpoint, secrets: Sequence[EndpointSecret]) -> EndpointShown:
    """An endpoint without secrets."""
    paused_us = max(row.open_until_us or 0, row.held_until_us)
    return EndpointShown.model_validate(
        {
            "id": row.id,
            "owner": row.owner,
            "owner_id": row.owner_id,
            "kind": row.kind,
            "url": row.url,
            "signing": row.signing,
            "types": None if row.types is None else msgspec.json.decode(row.types),
            "rate_per_s": row.rate_per_s,
            "burst": row.burst,
            "state": row.state,
            "public_keys": [
                PublicKey(key=each.public, until=_time(each.until_us)) for each in secrets if each.public
            ],
            "failures": row.failures,
            "failing_since": _time(row.failing_since_us),
            "paused_until": _time(paused_us or None),
            "created_at": rfc3339_ms(row.created_us),
        }
    )


def delivery_shown(row: Message, attempts: Sequence[Attempt]) -> DeliveryShown:
    """A message without its body."""
    state: DeliveryState = msgspec.convert(_SHOWN[row.state], DeliveryState)
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
            AttemptShown.model_validate(
                {
                    "number": each.number,
                    "at": rfc3339_ms(each.at_us),
                    "outcome": each.outcome,
                    "status": each.status,
                    "milliseconds": each.milliseconds,
                }
            )
            for each in attempts
        ],
    )


def cursor_of(at_us: int, row_id: str) -> str:
    """Where a page ended, for the next question."""
    return base64.urlsafe_b64encode(f"{at_us}.{row_id}".encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> tuple[int, str] | None:
    """Where the page before ended; a Problem unless we wrote it."""
    if cursor is None:
        return None
    try:
        told = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        told = ""
    match = _PLACE.fullmatch(told)
    if match is None:
        named = [{"name": "cursor", "reason": "Use `next_cursor` of an answer as it is"}]
        raise Problem(INVALID_PARAMETER, "See `parameters`.", parameters=named)
    return int(match[1]), match[2]


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339_ms(us)
