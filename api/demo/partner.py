"""Entering the demonstration's aid organisation in the register, as an administrator would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from api.demo.client import Client
from api.demo.neighbour import Neighbour
from detector.errors import StateError


async def enter(service: Client, aid: Neighbour, partner_id: str, *, sla_hours: int = 48) -> dict[str, Any]:
    """Enter it with its keys, and give it those that our webhooks are signed with.

    Raises
    ------
    StateError
        The service does not take the entry.
    """
    answer = await service.post("admin", "/v1/partners", entry(aid, partner_id, sla_hours))
    if answer.status != 201:
        raise StateError(f"the aid organisation could not be entered: {answer.status} {answer.problem}")
    found: dict[str, Any] = answer.body
    await aid.practise(keys=found["signing_keys"])
    return found


def entry(aid: Neighbour, partner_id: str, sla_hours: int) -> dict[str, Any]:
    """What stands in the register of it."""
    signed = datetime.now(UTC) + timedelta(days=365)
    return {
        "id": partner_id,
        "names": {"en": "Demo Aid", "fr": "Aide Démo"},
        "mou": {"reference": "MOU-DEMO-1", "expires_at": signed.isoformat(timespec="seconds")},
        "location": "CA",
        "jurisdictions": ["CA-ON"],
        "languages": ["en", "fr"],
        "channels": ["phone", "text", "email", "chat"],
        "purposes": ["help", "donation"],
        "capacity_per_hour": 1000,
        "sla_hours": sla_hours,
        "delivery": {"kind": "webhook", "url": aid.where.hook, "signing": "v1a"},
        "links": {"en": "https://aid.example/start", "fr": "https://aid.example/debut"},
        "verification_keys": [aid.where.signing],
        "encryption_key": aid.where.sealing,
    }
