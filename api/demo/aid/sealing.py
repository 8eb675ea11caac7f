"""Contact details that only the organisation can read: JWE to its own X25519 key."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

ALGORITHMS = ["ECDH-ES", "A256GCM"]


class Sealing:
    """A key pair of the organisation's own."""

    def __init__(self) -> None:
        self._key = OKPKey.generate_key("X25519", private=True)

    @property
    def public(self) -> dict[str, Any]:
        """The public half as a JWK, for whoever seals."""
        return dict(self._key.as_dict(private=False))

    def open(self, sealed: str) -> dict[str, str]:
        """What was sealed; ValueError if it was not sealed to us, or is not what we expect."""
        try:
            found = jwe.decrypt_compact(sealed, self._key, algorithms=ALGORITHMS)
            told = json.loads(found.plaintext or b"")
        except (JoseError, ValueError):
            raise ValueError("not sealed to this organisation") from None
        if not isinstance(told, dict):
            raise ValueError("no contact details")
        return {str(name): str(value) for name, value in told.items()}
