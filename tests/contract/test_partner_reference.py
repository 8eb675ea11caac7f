"""The vectors of the partner protocol, by other people's libraries alone: `api.webhooks` is not here."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwe
from joserfc.jwk import OKPKey
from standardwebhooks import Webhook, WebhookVerificationError

from tests.docs.markdown import ROOT

PROTOCOL = ROOT / "docs/protocol"


def vectors(name: str) -> Any:
    return json.loads((PROTOCOL / "vectors" / name).read_text("utf-8"))


def schema(name: str) -> Any:
    return json.loads((PROTOCOL / f"{name}.schema.json").read_bytes())


MESSAGES = vectors("messages.json")
CALLBACKS = vectors("callbacks.json")
SEALED = vectors("sealed_contact.json")

each_message = pytest.mark.parametrize("each", MESSAGES["messages"], ids=lambda each: each["name"])
each_callback = pytest.mark.parametrize("each", CALLBACKS["callbacks"], ids=lambda each: each["name"])


def content(each: Any) -> bytes:
    headers = each["headers"]
    return f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{each['body']}".encode()


def ed25519(each: Any, key: str, header: str) -> bool:
    """Whether a public key has made one of the signatures of a header."""
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix("whpk_")))
    for part in header.split(" "):
        scheme, _, signature = part.partition(",")
        if scheme == "v1a":
            try:
                public.verify(base64.b64decode(signature), content(each))
            except InvalidSignature:
                continue
            return True
    return False


class AtNoon(Webhook):
    """The reference library, at the time of the vectors."""

    def _Webhook__verify_timestamp(self, timestamp_header: str) -> Any:  # noqa: N802
        from datetime import UTC, datetime

        assert timestamp_header == "1767268800"
        return datetime(2026, 1, 1, 12, tzinfo=UTC)


def reference(each: Any, secret: str, header: str) -> Any:
    headers = each["headers"] | {"webhook-signature": header}
    return AtNoon(secret).verify(each["body"], headers)


@each_message
def test_messages_by_hmac(each: Any) -> None:
    first, second = MESSAGES["verify_with"]["v1"]
    signatures = each["webhook-signature"]
    for header in (signatures["v1"], signatures["both"], signatures["in rotation"]):
        assert reference(each, first, header) == json.loads(each["body"])
    assert reference(each, second, signatures["in rotation"]) == json.loads(each["body"])
    with pytest.raises(WebhookVerificationError):
        reference(each, second, signatures["v1"])
    with pytest.raises(WebhookVerificationError):
        reference({**each, "body": each["body"] + " "}, first, signatures["v1"])


@each_message
def test_messages_by_ed25519(each: Any) -> None:
    first, second = MESSAGES["verify_with"]["v1a"]
    signatures = each["webhook-signature"]
    for name in ("v1a", "both", "in rotation"):
        assert ed25519(each, first, signatures[name])
    assert ed25519(each, second, signatures["in rotation"])
    assert not ed25519(each, second, signatures["v1a"])
    assert not ed25519({**each, "body": each["body"] + " "}, first, signatures["v1a"])


@each_message
def test_messages_are_what_their_schema_has(each: Any) -> None:
    document = json.loads(each["body"])
    assert list(document) == ["data", "timestamp", "type"]
    if document["type"] == "endpoint.test":
        assert document["data"] == {}
    else:
        jsonschema.validate(document["data"], schema(document["type"]))


@each_callback
def test_callbacks_are_signed_as_written_down(each: Any) -> None:
    keys, registered = CALLBACKS["sign_with"], CALLBACKS["registered"]
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(keys["v1a"].removeprefix("whsk_")))
    made = "v1a," + base64.b64encode(private.sign(content(each))).decode()
    assert made == each["webhook-signature"]["v1a"]
    assert ed25519(each, registered["v1a"], made)
    assert reference(each, registered["v1"], each["webhook-signature"]["v1"]) == json.loads(each["body"])
    jsonschema.validate(json.loads(each["body"]), schema("status-callback"))


def test_a_sealed_contact_is_opened() -> None:
    found = jwe.decrypt_compact(
        SEALED["sealed_contact"], OKPKey.import_key(SEALED["private"]), algorithms=["ECDH-ES", "A256GCM"]
    )
    assert found.protected["alg"] == "ECDH-ES"
    assert found.protected["enc"] == "A256GCM"
    assert found.protected["kid"] == SEALED["public"]["kid"]
    assert json.loads(found.plaintext or b"") == SEALED["contact"]
    jsonschema.validate(SEALED["contact"], schema("sealed-contact"))
