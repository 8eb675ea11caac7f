"""Standard Webhooks as a receiver knows them: signatures checked by the reference library, and made.

The reference library does HMAC (`v1`); ed25519 (`v1a`) is done here with cryptography.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

PUBLIC, SECRET = "whpk_", "whsec_"

TOLERANCE_S = 300
"""How far a message's time may be from ours; the reference library has the same."""


class Unsigned(Exception):  # noqa: N818  (a finding about a message)
    """A message that none of the keys signed, or not lately."""


def check(keys: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    """Make sure that the holder of one of the keys sent a message just now.

    Parameters
    ----------
    keys
        Public keys (`whpk_…`) and shared secrets (`whsec_…`).

    Returns
    -------
    str
        The message's `webhook-id`.

    Raises
    ------
    Unsigned
        Headers are missing or malformed, the time is off, or no signature is any key's.
    """
    told = {name.lower(): value for name, value in headers.items()}
    if any(_is_signed(key, told, body) for key in keys):
        return told["webhook-id"]
    raise Unsigned


def _is_signed(key: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        if key.startswith(PUBLIC):
            return _is_signed_v1a(key, headers, body)
        Webhook(key).verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True


def _is_signed_v1a(key: str, headers: Mapping[str, str], body: bytes) -> bool:
    told, sent = headers.get("webhook-id"), headers.get("webhook-timestamp", "")
    if not told or not re.fullmatch(r"[0-9]{1,12}", sent) or abs(int(sent) - time.time()) > TOLERANCE_S:
        return False
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix(PUBLIC)))
    for each in headers.get("webhook-signature", "").split(" "):
        version, _, signature = each.partition(",")
        if version == "v1a":
            try:
                public.verify(base64.b64decode(signature), f"{told}.{sent}.".encode() + body)
            except (InvalidSignature, ValueError):
                continue
            return True
    return False


class Signer(Protocol):
    """Signs what the organisation sends."""

    def headers(self, message_id: str, body: bytes) -> dict[str, str]:
        """The three headers of a message sent now."""
        ...


class Ed25519Signer:
    """Signs with a key pair of its own; whoever checks needs the public half alone."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = PUBLIC + base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def headers(self, message_id: str, body: bytes) -> dict[str, str]:
        sent = str(int(time.time()))
        signature = base64.b64encode(self._key.sign(f"{message_id}.{sent}.".encode() + body)).decode()
        return _headers(message_id, sent, f"v1a,{signature}")


class SecretSigner:
    """Signs with a secret that both sides know."""

    def __init__(self, secret: str) -> None:
        self._webhook = Webhook(secret)

    def headers(self, message_id: str, body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        signature = self._webhook.sign(message_id, now, body.decode())
        return _headers(message_id, str(int(now.timestamp())), signature)


def _headers(message_id: str, sent: str, signature: str) -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": signature}
