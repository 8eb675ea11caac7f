"""Aid organisations for tests."""

from __future__ import annotations

import base64
import copy
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from api.webhooks.signatures import public_key, sign

PRIVATE = "whsk_" + base64.b64encode(bytes(range(32))).decode()
"""What the organisation signs its callbacks with."""

OTHER_PRIVATE = "whsk_" + base64.b64encode(bytes(range(1, 33))).decode()

SEALING = X25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


def jwk(key: X25519PrivateKey = SEALING, **more: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).decode().rstrip("=")
    return {"kty": "OKP", "crv": "X25519", "x": x, **more}


_ENTRY: dict[str, Any] = {
    "id": "demo-aid",
    "names": {"en": "Demo Aid", "fr": "Aide Démo"},
    "mou": {"reference": "MOU-7", "expires_at": "2030-01-01T00:00:00Z"},
    "location": "CA",
    "jurisdictions": ["CA-ON"],
    "languages": ["en", "fr"],
    "channels": ["phone", "text", "email"],
    "purposes": ["help", "donation"],
    "capacity_per_hour": 20,
    "delivery": {"kind": "webhook", "url": "https://aid.example/referrals"},
    "links": {"en": "https://aid.example/start", "fr": "https://aid.example/debut"},
    "verification_keys": [public_key(PRIVATE)],
}

CONTACT = {
    "phone": "+1 555 010 0199",
    "mail": "desk@aid.example",
    "hours": {"en": "Monday to Friday, 9 to 17", "fr": "du lundi au vendredi, de 9 h à 17 h"},
}


def entry(**more: Any) -> dict[str, Any]:
    """An organisation in Ontario that takes webhooks, with something otherwise."""
    return copy.deepcopy(_ENTRY) | more


def slip(**more: Any) -> dict[str, Any]:
    """An organisation that is telephoned."""
    return entry(id="phone-aid", delivery={"kind": "slip"}, contact=CONTACT, verification_keys=[]) | more


async def enter(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """Enter an organisation; returns it as it then stands."""
    response = await client.post("/v1/partners", json=entry(**more))
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def signed(body: bytes, message_id: str, at_us: int, private: str = PRIVATE) -> dict[str, str]:
    """The headers of a callback."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_us // 1_000_000),
        "webhook-signature": sign([private], message_id, at_us // 1_000_000, body),
        "content-type": "application/json",
    }
