"""Cursors: where a page ended, as text that says nothing to whoever passes it back."""

from __future__ import annotations

import base64
import binascii
import re

from api.problems import INVALID_PARAMETER, Problem


def cursor_of(place: str) -> str:
    """A place as a cursor."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, form: re.Pattern[str]) -> re.Match[str] | None:
    """The place that a cursor names, None for the beginning; Problem unless it has the form of our own."""
    if cursor is None:
        return None
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        place = ""
    match = form.fullmatch(place)
    if match is None:
        told = {"name": "cursor", "reason": "Use `next_cursor` of an answer as it is"}
        raise Problem(INVALID_PARAMETER, "See `parameters`.", parameters=[told])
    return match
