"""Events as their senders have them, and what is taken of messages about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers

from api.events.bodies import split
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent

EVENTS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("vectors").joinpath("events.json").read_text("utf-8")
)
"""One event of every type or more, some of them corrections."""


def plain(event: Mapping[str, Any]) -> AnyEvent:
    """The event as it is without any envelope."""
    decoded = Decoder(Currencies()).decode(json.dumps(event).encode())
    assert not isinstance(decoded, Refusal), decoded.detail
    return decoded


def take_http(headers: Mapping[str, str], body: bytes) -> list[AnyEvent | Refusal]:
    """What `POST /v1/events` reads out of a request."""
    decoder = Decoder(Currencies())
    return [
        each if isinstance(each, Refusal) else decoder.decode(each) for each in split(body, Headers(headers))
    ]
