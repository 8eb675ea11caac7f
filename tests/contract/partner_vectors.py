"""Make the test vectors of the partner protocol: `python -m tests.contract.partner_vectors`.

The keys are made for them and used nowhere else. Only what needs chance (the sealed contact) differs from one
run to the next; the rest is deterministic.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec

from api.consent.sealing import seal
from api.partners.schemas import EncryptionKey
from api.referrals.payload import Agreed, payload
from api.referrals.protocol import ContactBy, Ended
from api.webhooks.signatures import public_key, sign
from tests.api.partners.entries import SEALING, jwk
from tests.docs.markdown import ROOT

FOLDER = ROOT / "docs/protocol/vectors"

OUR_KEYS = ["whsk_" + base64.b64encode(bytes([7] * 31 + [n])).decode() for n in (1, 2)]
OUR_SECRETS = ["whsec_" + base64.b64encode(bytes([8] * 31 + [n])).decode() for n in (1, 2)]
THEIR_KEY = "whsk_" + base64.b64encode(bytes([9] * 32)).decode()
THEIR_SECRET = "whsec_" + base64.b64encode(bytes([10] * 32)).decode()

AT_S = 1_767_268_800
"""2026-01-01 12:00 UTC."""
TOKEN = "rf_" + "a2b3c4d5e6f7g2h3" * 2
CONTACT = {"name": "Sam", "phone": "+1 416 555 0142"}
KID = "aid-2026"

_encode = msgspec.json.Encoder(order="sorted").encode


def body(type_: str, data: Any) -> str:
    return _encode({"type": type_, "timestamp": "2026-01-01T12:00:00.000Z", "data": data}).decode()


def created(sealed: str | None = None, purpose: str = "help") -> Any:
    agreed = Agreed(
        purpose=purpose,  # type: ignore[arg-type]
        consent="cs_" + "k" * 26,
        text="referral@1" if purpose == "help" else "donation@1",
        outcome=purpose == "help",
        expires_us=(AT_S + 60 * 86_400) * 1_000_000,
        jurisdiction="CA-ON",
        urgency="soon",
        reasons=["money", "time"],
        contact_by=ContactBy("phone", "fr", "evening"),
        sealed_contact=sealed,
    )
    return payload(TOKEN, agreed, f"https://tiltwatch.example/v1/referrals/{TOKEN}/status")


def message(name: str, number: int, text: str) -> dict[str, Any]:
    """A message of ours, signed with each kind of key, and with two at a time as during a rotation."""
    message_id = f"msg_{number:032x}"
    raw = text.encode()
    return {
        "name": name,
        "body": text,
        "headers": {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(AT_S),
        },
        "webhook-signature": {
            "v1a": sign(OUR_KEYS[:1], message_id, AT_S, raw),
            "v1": sign(OUR_SECRETS[:1], message_id, AT_S, raw),
            "both": sign([OUR_KEYS[0], OUR_SECRETS[0]], message_id, AT_S, raw),
            "in rotation": sign([*OUR_KEYS[::-1], *OUR_SECRETS[::-1]], message_id, AT_S, raw),
        },
    }


def callback(name: str, number: int, said: dict[str, Any]) -> dict[str, Any]:
    """A call of an organisation's."""
    message_id, raw = f"cb_{number}", json.dumps(said, separators=(",", ":")).encode()
    return {
        "name": name,
        "path": f"/v1/referrals/{TOKEN}/status",
        "body": raw.decode(),
        "headers": {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(AT_S),
        },
        "webhook-signature": {
            "v1a": sign([THEIR_KEY], message_id, AT_S, raw),
            "v1": sign([THEIR_SECRET], message_id, AT_S, raw),
        },
    }


def vectors() -> dict[str, Any]:
    """Every file, by name."""
    sealed = seal(CONTACT, EncryptionKey.model_validate(jwk(kid=KID)))
    ended = Ended(TOKEN, "2026-01-01T12:00:00.000Z")
    messages = [
        ("a referral", "referral.created", created()),
        ("a referral with contact details", "referral.created", created(sealed)),
        ("somebody who would like to give", "referral.created", created(purpose="donation")),
        ("taken back", "referral.withdrawn", ended),
        ("run out", "referral.expired", ended),
        ("a test", "endpoint.test", {}),
    ]
    at = "2026-01-01T11:59:00Z"
    callbacks: list[tuple[str, dict[str, Any]]] = [
        ("we have it", {"status": "acknowledged", "at": at, "status_token": "s-81"}),
        ("we have reached them", {"status": "contacted", "at": at}),
        ("we could not", {"status": "unreachable", "at": at}),
        ("we cannot take it", {"status": "declined", "at": at, "reason": "no_capacity"}),
        ("we have finished", {"status": "closed", "at": at, "outcome": "advice_given"}),
    ]
    d = base64.urlsafe_b64encode(SEALING.private_bytes_raw()).decode().rstrip("=")
    return {
        "messages.json": {
            "about": "What tiltwatch sends, with the keys that verify it; whpk_ is the public half of whsk_.",
            "verify_with": {"v1a": [public_key(each) for each in OUR_KEYS], "v1": OUR_SECRETS},
            "signed_with": {"v1a": OUR_KEYS, "v1": OUR_SECRETS},
            "messages": [
                message(name, n, body(type_, data)) for n, (name, type_, data) in enumerate(messages, 1)
            ],
        },
        "callbacks.json": {
            "about": "What an organisation sends, with the keys it signs with and those it has registered.",
            "sign_with": {"v1a": THEIR_KEY, "v1": THEIR_SECRET},
            "registered": {"v1a": public_key(THEIR_KEY), "v1": THEIR_SECRET},
            "callbacks": [callback(name, n, said) for n, (name, said) in enumerate(callbacks, 1)],
        },
        "sealed_contact.json": {
            "about": "Contact details sealed to an organisation's X25519 key: compact JWE, ECDH-ES, A256GCM.",
            "public": jwk(kid=KID),
            "private": jwk(kid=KID, d=d),
            "sealed_contact": sealed,
            "contact": CONTACT,
        },
    }


if __name__ == "__main__":
    for name, content in vectors().items():
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (FOLDER / name).write_text(text + "\n", "utf-8")
