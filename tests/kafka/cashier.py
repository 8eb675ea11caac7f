"""A platform's own payments, several a message: a foreign input beside the events."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from detector.events.money import Currencies
from detector.mapping.catalogue import load_mapping
from detector.mapping.feed import FeedMapping

CURRENCIES = Currencies()
CASHIER = """\
id: cashier
title: A cashier, several payments a message
each: $.payments
money: {unit: minor}
times: {format: rfc3339}
common:
  id: .ref
  source: cashier
  player: $.customer
  ts: .at
  amount: .amount
  currency: .currency
cases:
  - when: {.kind: probe}
    drop: no money moves
  - when: {.kind: in}
    event: {type: deposit}
examples:
  - name: a deposit
    message:
      customer: p1
      payments: [{ref: r1, kind: in, at: "2026-01-01T12:00:00Z", amount: 1000, currency: CAD}]
    events:
      - type: deposit
        id: r1
        source: cashier
        player: p1
        ts: "2026-01-01T12:00:00Z"
        amount: 1000
        currency: CAD
  - name: a probe
    message:
      customer: p1
      payments: [{ref: r1, kind: probe}]
    dropped: no money moves
"""


@functools.cache
def cashier() -> FeedMapping:
    """The mapping of the payments."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "cashier.yml")
        path.write_text(CASHIER)
        return load_mapping(path, CURRENCIES)


def payments(*items: tuple[str, int], player: str = "p1", kind: str = "in") -> bytes:
    """One message of the cashier's: each payment's reference, and minutes after noon."""
    told = [
        {"ref": ref, "kind": kind, "at": f"2026-01-01T12:{at:02}:00Z", "amount": 1000, "currency": "CAD"}
        for ref, at in items
    ]
    return json.dumps({"customer": player, "payments": told}).encode()
