"""What tests of the decoder say over and over: accept this, refuse that and say where."""

from __future__ import annotations

from typing import Any

from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.money import Currencies
from detector.events.vocabulary import WIRE_FIELDS, AnyEvent
from tests.events.samples import PLAIN, encode

CURRENCIES = Currencies({"BTC": 8})
BET = PLAIN["bet"]
BARE = {
    name: {"type", *(field for field, spec in fields.items() if spec.required)}
    for name, fields in WIRE_FIELDS.items()
}


def accept(event: dict[str, Any] | bytes, decoder: Decoder | None = None) -> AnyEvent:
    raw = event if isinstance(event, bytes) else encode(event)
    decoded = (decoder or Decoder(CURRENCIES)).decode(raw)
    assert not isinstance(decoded, Refusal), decoded
    return decoded


def refuse(event: dict[str, Any] | bytes) -> tuple[str, str]:
    """Reason and path of the refusal."""
    raw = event if isinstance(event, bytes) else encode(event)
    refused = Decoder(CURRENCIES).decode(raw)
    assert isinstance(refused, Refusal), refused
    assert refused.reason in REASONS
    assert refused.original is raw
    return refused.reason, refused.detail.partition(":")[0]


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}
