"""One full, valid event of each type, as a platform would send it."""

from __future__ import annotations

import json
from typing import Any

_COMMON = {
    "id": "e-1",
    "source": "casino-a",
    "player": "p-1",
    "ts": "2026-01-01T10:00:00.123456Z",
    "brand": "acme",
    "jurisdiction": "CA-ON",
    "session": "s-1",
}
_PAYMENT = {
    "amount": 20_000,
    "currency": "CAD",
    "method": "card",
    "payment": "pay-1",
    "balance_after": 25_000,
    "reason": "declined",
}
_LIMIT = {
    "limit": "deposit",
    "period": "7d",
    "old": 50_000,
    "new": None,
    "currency": "CAD",
    "share": 0.8,
}
_CARRIED = {
    "type": "bet",
    "ts": "2026-01-01T09:59:00Z",
    "session": "s-0",
    "stake": 200,
    "payout": 500,
    "currency": "CAD",
    "placed_at": "2026-01-01T09:58:00-05:00",
}
_OWN: dict[str, dict[str, Any]] = {
    "session_start": {"channel": "web", "reason": "login"},
    "session_end": {"channel": "web", "reason": "logout"},
    "deposit": _PAYMENT,
    "deposit_failed": _PAYMENT,
    "withdrawal_request": {name: _PAYMENT[name] for name in ("amount", "currency", "method", "payment")},
    "withdrawal_cancel": {name: _PAYMENT[name] for name in ("amount", "currency", "method", "payment")},
    "withdrawal": {name: _PAYMENT[name] for name in ("amount", "currency", "method", "payment")},
    "bet": {
        "stake": 200,
        "payout": 150,
        "currency": "CAD",
        "bonus_stake": 100,
        "product": "casino_slot",
        "game": "g-7",
        "placed_at": "2026-01-01T09:59:59Z",
        "balance_after": 25_000,
    },
    "void": {"target": "e-0", "voided": _CARRIED},
    "tick": {},
    "refund": {"amount": 500, "currency": "CAD", "payment": "pay-1", "wagering_required": 0},
    "bonus": {"amount": 500, "currency": "CAD", "payment": "pay-1", "wagering_required": 15_000},
    "limit_change": _LIMIT,
    "limit_reached": _LIMIT,
    "break_start": {"until": "2026-01-08T10:00:00Z"},
    "self_exclusion": {"until": "2026-07-01T00:00:00-04:00"},
    "self_exclusion_end": {"until": "2026-07-01T00:00:00-04:00"},
    "contact": {"topic": "distress"},
    "identity_check": {"outcome": "passed", "over_age": True, "birth_year": 1990},
    "player_profile": {"timezone": "America/Toronto", "birth_year": 1990, "language": "fr"},
}

SAMPLES: dict[str, dict[str, Any]] = {name: {"type": name} | _COMMON | own for name, own in _OWN.items()}
"""Type → its full event; copy before changing."""

for _name, _sample in SAMPLES.items():
    if _name not in ("void", "tick"):
        _sample |= {"replaces": "e-0", "replaced": _CARRIED}

PLAIN: dict[str, dict[str, Any]] = {
    name: {key: value for key, value in each.items() if key not in ("replaces", "replaced")}
    for name, each in SAMPLES.items()
}
"""The same without a correction in them."""


def encode(event: dict[str, Any]) -> bytes:
    """The event as its sender's bytes, compact."""
    return json.dumps(event, separators=(",", ":")).encode()
