"""Dead letters: what a replay writes of a line that it refused."""

from __future__ import annotations

import base64

import msgspec

from detector.events.decode import Refusal

_encode = msgspec.json.Encoder().encode


class Letter(msgspec.Struct, array_like=True, order=True):
    """A refused line's number, why it was refused, and both with its bytes as a line of JSON."""

    line: int
    reason: str
    text: bytes


def dead_letter(line: int, refusal: Refusal) -> Letter:
    """A refused line: `line`, `reason`, `detail`, `original`; `encoding` says where that is base64."""
    letter: dict[str, object] = {"line": line, "reason": refusal.reason, "detail": refusal.detail}
    try:
        letter["original"] = refusal.original.decode()
    except UnicodeDecodeError:
        letter["original"] = base64.b64encode(refusal.original).decode()
        letter["encoding"] = "base64"
    return Letter(line, refusal.reason, _encode(letter))
