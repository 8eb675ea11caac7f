"""Contact details, encrypted so that the organisation they were typed in for alone can read them."""

from __future__ import annotations

import msgspec
from joserfc import jwe
from joserfc.jwk import OKPKey

from api.partners.schemas import EncryptionKey


def seal(contact: dict[str, str], key: EncryptionKey) -> str:
    """A compact JWE (ECDH-ES, A256GCM) of contact details to an organisation's X25519 key."""
    public = OKPKey.import_key({"kty": key.kty, "crv": key.crv, "x": key.x})
    protected = {"alg": "ECDH-ES", "enc": "A256GCM"} | ({} if key.kid is None else {"kid": key.kid})
    return jwe.encrypt_compact(protected, msgspec.json.encode(contact), public)
