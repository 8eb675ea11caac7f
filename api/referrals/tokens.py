"""Names under which others know a referral: made of chance alone, so that they say nothing of the player."""

from __future__ import annotations

import base64
import secrets

ALPHABET = "ACDEFHJKMNPQRTVWXY34679"
"""No character that is read as another one in a hurried hand."""
CODE_LENGTH = 8


def new_token() -> str:
    """A referral's token: 160 random bits."""
    return f"rf_{_text(20)}"


def new_id(prefix: str) -> str:
    """An id of 130 random bits under a prefix."""
    return f"{prefix}_{_text(20)[:26]}"


def new_code() -> str:
    """What a player quotes; it opens nothing by itself."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def _text(count: int) -> str:
    return base64.b32encode(secrets.token_bytes(count)).decode().lower().rstrip("=")
