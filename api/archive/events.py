"""As much of an event as the archive looks at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from detector.events.instants import micros


class Face(msgspec.Struct, gc=False):
    """What the archive and the facts of players need of an event; the values were checked at the door."""

    type: str
    ts: datetime
    player: str = ""
    brand: str | None = None
    jurisdiction: str | None = None
    language: Any = None
    outcome: Any = None
    over_age: Any = None
    birth_year: Any = None

    @property
    def ts_us(self) -> int:
        return micros(self.ts)


_decode = msgspec.json.Decoder(Face).decode


def face(original: bytes) -> Face | None:
    """The face of an event; None of what is no event, whoever put it on the stream."""
    try:
        found = _decode(original)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if found.ts.tzinfo is None else found


def line(original: bytes) -> bytes:
    """An event on one line: what breaks lines in JSON is white space."""
    if b"\n" in original or b"\r" in original:
        return original.replace(b"\r", b" ").replace(b"\n", b" ")
    return original
