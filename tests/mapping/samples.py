"""A mapping file to write otherwise, and what comes of a message by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detector.errors import Finding
from detector.events.decode import Decoder
from detector.events.money import Currencies
from detector.language.reading import Reading
from detector.mapping.feed import FeedMapping, Translation, translate
from detector.mapping.load import read_mapping

CURRENCIES = Currencies({"BTC": 8, "GOLD": 0})

BASE = """\
id: sample
title: A sample
money: {unit: major}
times: {format: rfc3339}
common:
  id: .id
  source: feed
  player: .player
  ts: .at
  currency: .currency
cases:
  - event: {type: deposit, amount: .amount}
"""

MESSAGE: dict[str, Any] = {
    "id": "m-1",
    "player": "p-1",
    "at": "2026-03-01T10:00:00Z",
    "currency": "CAD",
    "amount": "12.50",
}

Reads = Callable[..., Reading[FeedMapping]]


def read(folder: Path, text: str) -> Reading[FeedMapping]:
    """Read a mapping file of this text."""
    path = folder / "sample.yml"
    path.write_text(text, "utf-8")
    return read_mapping(path, CURRENCIES)


def loaded(folder: Path, text: str) -> FeedMapping:
    """The mapping of this text, which has to be one."""
    reading = read(folder, text)
    assert reading.found is not None, [str(finding) for finding in reading.findings]
    return reading.found


def only(reading: Reading[FeedMapping]) -> Finding:
    assert len(reading.findings) == 1, [str(finding) for finding in reading.findings]
    return reading.findings[0]


def place(text: str, needle: str) -> tuple[int, int]:
    """Line and column of a text's first occurrence, of what follows a `^` in it."""
    offset = text.index(needle.replace("^", "", 1)) + max(needle.find("^"), 0)
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def come(mapping: FeedMapping, message: Any, **changed: Any) -> Translation:
    """What comes of a message: bytes as they are, anything else as JSON."""
    raw = message if isinstance(message, bytes) else json.dumps({**message, **changed}).encode()
    return translate(mapping, Decoder(CURRENCIES), raw)


def events(found: Translation) -> list[dict[str, Any]]:
    """The events as they would have been sent, none of them refused."""
    assert found.refusal is None, found.refusal
    return [json.loads(taken.raw) for taken in found.taken]


def refusal(found: Translation) -> tuple[str, str]:
    """Reason and detail."""
    assert found.refusal is not None, [taken.raw for taken in found.taken]
    return found.refusal.reason, found.refusal.detail
