"""Finding alerts: pages of the newest, filtered."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime

import msgspec

from api.alerts.repository import AlertsRepository
from api.alerts.schemas import AlertQuery
from api.problems import INVALID_PARAMETER, Problem

PAGE = 500
MOST_READ = 20_000
"""Alerts looked at for one answer; a rare filter's answer may hold fewer than asked for and a cursor."""


class _Face(msgspec.Struct):
    """What filters look at."""

    id: str
    player: str
    rule: str
    severity: str
    audience: str
    opened_at: datetime


_face = msgspec.json.Decoder(_Face)


class AlertsService:
    """Alerts for those who read them."""

    def __init__(self, repository: AlertsRepository) -> None:
        self._repository = repository

    async def find(self, query: AlertQuery) -> bytes:
        """The answer's JSON: `items`, each alert as the detector wrote it plus `notes`, and `next_cursor`."""
        entry = _entry_of(query.cursor)
        found: list[tuple[str, bytes]] = []
        read, more = 0, True
        while more and len(found) < query.limit and read < MOST_READ:
            page = await self._repository.before(entry, PAGE)
            more = len(page) == PAGE
            for entry, alert in page:
                read += 1
                face = _face.decode(alert)
                if _matches(face, query):
                    found.append((face.id, alert))
                    if len(found) == query.limit:
                        more = more or entry != page[-1][0]
                        break
        notes = await self._repository.notes([alert_id for alert_id, _ in found]) if found else []
        items = b",".join(
            b'%b,"notes":[%b]}' % (alert[:-1], b",".join(lines))
            for (_, alert), lines in zip(found, notes, strict=True)
        )
        cursor = msgspec.json.encode(_cursor_of(entry) if more and entry is not None else None)
        return b'{"items":[%b],"next_cursor":%b}' % (items, cursor)


def _matches(face: _Face, query: AlertQuery) -> bool:
    return (
        (query.player is None or face.player == query.player)
        and (query.rule is None or query.rule in (face.rule, face.rule.partition("@")[0]))
        and (query.severity is None or face.severity == query.severity)
        and (query.audience is None or face.audience == query.audience)
        and (query.since is None or face.opened_at >= query.since)
    )


def _cursor_of(entry: str) -> str:
    return base64.urlsafe_b64encode(entry.encode()).decode().rstrip("=")


def _entry_of(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        entry = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        entry = ""
    if not re.fullmatch(r"\d{1,18}-\d{1,18}", entry):
        raise Problem(
            INVALID_PARAMETER,
            "See `parameters`.",
            parameters=[{"name": "cursor", "reason": "Use `next_cursor` of an answer as it is"}],
        )
    return entry
