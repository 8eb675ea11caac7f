"""Signing and verifying as Standard Webhooks 1.0 has it: pure functions over keys, headers and bytes.

Keys are text: `whsec_` and base64 is an HMAC secret (`v1`), `whsk_` an ed25519 private key (`v1a`, the 32
bytes it is made from), `whpk_` its public half. What is signed is `ID.TIMESTAMP.BODY`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as random_bytes
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300
"""How far the time of a message may be from now, either way."""
MOST_SIGNATURES = 16
"""Signatures of one message that are looked at."""

HMAC_PREFIX, PRIVATE_PREFIX, PUBLIC_PREFIX = "whsec_", "whsk_", "whpk_"

_HMAC_BYTES = range(24, 65)
_ED25519_BYTES = 32
_P = 2**255 - 19
_EIGHTH = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset((0, 1, _P - 1, _EIGHTH, _P - _EIGHTH))
"""The y of ed25519's eight points whose order divides 8."""
_ID = re.compile(r"[\x21-\x7e]{1,256}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


class NotVerified(Exception):  # noqa: N818  (what it says of a message, not of us)
    """A message is not from who it claims, or is too old; it does not say which, and neither should you."""


def new_hmac_secret() -> str:
    """A secret for both sides."""
    return HMAC_PREFIX + _text(random_bytes.token_bytes(32))


def new_private_key() -> str:
    """A secret for us alone; `public_key` makes the other side's."""
    return PRIVATE_PREFIX + _text(random_bytes.token_bytes(_ED25519_BYTES))


def public_key(private: str) -> str:
    """The public half of a private key."""
    return PUBLIC_PREFIX + _text(_private(private).public_key().public_bytes_raw())


def is_weak(public: bytes) -> bool:
    """Whether an ed25519 public key is a point of small order: anybody makes signatures that bear it out."""
    y = int.from_bytes(public, "little") & ((1 << 255) - 1)
    return y % _P in _SMALL_ORDER


def checked_key(key: str) -> str:
    """A key as it is if `verify` can use it; ValueError, which repeats nothing of it, if not."""
    if key.startswith(HMAC_PREFIX):
        _hmac_secret(key)
    elif key.startswith(PUBLIC_PREFIX):
        _public(key)
    else:
        raise ValueError(f"a key begins with {HMAC_PREFIX} or {PUBLIC_PREFIX}")
    return key


def sign(secrets: Iterable[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: a signature with each secret, in their order.

    Raises
    ------
    ValueError
        A secret is none.
    """
    content = _content(message_id, str(timestamp_s), body)
    signatures = []
    for secret in secrets:
        if secret.startswith(PRIVATE_PREFIX):
            signatures.append("v1a," + _text(_private(secret).sign(content)))
        else:
            signatures.append("v1," + _text(hmac.digest(_hmac_secret(secret), content, hashlib.sha256)))
    return " ".join(signatures)


def verify(keys: Iterable[str], headers: Mapping[str, str], body: bytes, now_us: int) -> str:
    """The id of a message that one of the keys has signed.

    Parameters
    ----------
    keys
        `whpk_…` and `whsec_…`; any of them may have signed.
    headers
        In whatever case.

    Raises
    ------
    NotVerified
        It was signed by none of them, its headers are malformed, or its time is five minutes from now.
    """
    told = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = told.get(ID, ""), told.get(TIMESTAMP, "")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise NotVerified
    if abs(int(timestamp) * 1_000_000 - now_us) > TOLERANCE_S * 1_000_000:
        raise NotVerified
    content = _content(message_id, timestamp, body)
    signatures = list(_signatures(told.get(SIGNATURE, "")))
    found = False
    for key in keys:
        for scheme, signature in signatures:
            found |= _signed(key, scheme, signature, content)
    if not found:
        raise NotVerified
    return message_id


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode() + body


def _signatures(header: str) -> Iterable[tuple[str, bytes]]:
    for each in header.split(" ")[:MOST_SIGNATURES]:
        scheme, comma, text = each.partition(",")
        if comma and scheme in ("v1", "v1a"):
            try:
                yield scheme, base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                continue


def _signed(key: str, scheme: str, signature: bytes, content: bytes) -> bool:
    if key.startswith(HMAC_PREFIX):
        made = hmac.digest(_hmac_secret(key), content, hashlib.sha256)
        return scheme == "v1" and hmac.compare_digest(made, signature)
    if scheme != "v1a":
        return False
    try:
        _public(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _hmac_secret(key: str) -> bytes:
    raw = _raw(key, HMAC_PREFIX)
    if len(raw) not in _HMAC_BYTES:
        raise ValueError(f"{HMAC_PREFIX} is followed by 24 to 64 bytes in base64")
    return raw


def _private(key: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_raw(key, PRIVATE_PREFIX, _ED25519_BYTES))


def _public(key: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(_raw(key, PUBLIC_PREFIX, _ED25519_BYTES))


def _raw(key: str, prefix: str, length: int | None = None) -> bytes:
    try:
        raw = base64.b64decode(key.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not key.startswith(prefix) or not raw or (length is not None and len(raw) != length):
        raise ValueError(f"{prefix} is followed by {length or 'some'} bytes in base64")
    return raw


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
