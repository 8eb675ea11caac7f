"""Signatures agree with the reference library and with cryptography, and with nobody who forges them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from api.webhooks import signatures
from api.webhooks.signatures import NotVerified

NOW_S = 1_767_268_800
NOW_US = NOW_S * 1_000_000
BODY = b'{"data":{},"timestamp":"2026-01-01T12:00:00.000Z","type":"endpoint.test"}'


def headers(
    secrets: list[str], message_id: str = "msg_1", at_s: int = NOW_S, body: bytes = BODY
) -> dict[str, str]:
    """The headers of a signed message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": signatures.sign(secrets, message_id, at_s, body),
    }


def test_hmac_signatures_are_the_reference_librarys() -> None:
    secret = signatures.new_hmac_secret()
    theirs = Webhook(secret).sign("msg_1", datetime.fromtimestamp(NOW_S, UTC), BODY.decode())
    assert signatures.sign([secret], "msg_1", NOW_S, BODY) == theirs


def test_the_reference_library_verifies_ours() -> None:
    secret = signatures.new_hmac_secret()
    now_s = int(datetime.now(UTC).timestamp())  # it looks at the wall clock and cannot be told otherwise
    assert Webhook(secret).verify(BODY, headers([secret], at_s=now_s)) is not None


def test_ed25519_signatures_are_what_cryptography_makes_and_verifies() -> None:
    private = signatures.new_private_key()
    raw = base64.b64decode(private.removeprefix("whsk_"))
    made = signatures.sign([private], "msg_1", NOW_S, BODY)
    content = b"msg_1.%d." % NOW_S + BODY
    assert made == "v1a," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(raw).sign(content)).decode()
    public = base64.b64decode(signatures.public_key(private).removeprefix("whpk_"))
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(made.removeprefix("v1a,")), content)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_any_of_several_keys_will_do_on_either_side(which: int) -> None:
    secrets = [signatures.new_private_key(), signatures.new_hmac_secret(), signatures.new_private_key()]
    keys = [signatures.public_key(secrets[0]), secrets[1], signatures.public_key(secrets[2])]
    assert signatures.verify([keys[which]], headers(secrets), BODY, NOW_US) == "msg_1"
    assert signatures.verify(keys, headers([secrets[which]]), BODY, NOW_US) == "msg_1"


def test_header_names_come_in_any_case() -> None:
    secret = signatures.new_hmac_secret()
    told = {name.title(): value for name, value in headers([secret]).items()}
    assert signatures.verify([secret], told, BODY, NOW_US) == "msg_1"


@pytest.mark.parametrize(("off_s", "fine"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_a_message_is_good_for_five_minutes_either_way(off_s: int, fine: bool) -> None:
    secret = signatures.new_hmac_secret()
    signed = headers([secret], at_s=NOW_S + off_s)
    if fine:
        assert signatures.verify([secret], signed, BODY, NOW_US) == "msg_1"
    else:
        with pytest.raises(NotVerified):
            signatures.verify([secret], signed, BODY, NOW_US)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-id": "msg 1"},
        {"webhook-id": "msg_1\n"},
        {"webhook-timestamp": str(NOW_S + 1)},
        {"webhook-timestamp": f"{NOW_S}.0"},
        {"webhook-timestamp": f" {NOW_S}"},
        {"webhook-timestamp": "١٧٦٧٢٦٨٨٠٠"},
        {"webhook-timestamp": "9" * 5_000},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
        {"webhook-signature": "v1,!!!!"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": "v1a,AAAA"},
    ],
)
def test_whatever_is_wrong_is_one_and_the_same_error(change: dict[str, str]) -> None:
    secret, private = signatures.new_hmac_secret(), signatures.new_private_key()
    keys = [secret, signatures.public_key(private)]
    signed = headers([secret, private])
    for spoilt in (signed | change, {name: text for name, text in signed.items() if name not in change}):
        with pytest.raises(NotVerified, match=r"^$"):
            signatures.verify(keys, spoilt, BODY, NOW_US)


def test_another_body_and_another_key_are_not_signed() -> None:
    secret, private = signatures.new_hmac_secret(), signatures.new_private_key()
    keys = [secret, signatures.public_key(private)]
    others = [signatures.new_hmac_secret(), signatures.public_key(signatures.new_private_key())]
    signed = headers([secret, private])
    for wrong_keys, body in ((keys, BODY + b" "), (others, BODY), ([], BODY)):
        with pytest.raises(NotVerified):
            signatures.verify(wrong_keys, signed, body, NOW_US)


def test_a_public_key_is_no_hmac_secret() -> None:
    public = signatures.public_key(signatures.new_private_key())
    forged = "whsec_" + public.removeprefix("whpk_")
    with pytest.raises(NotVerified):
        signatures.verify([public], headers([forged]), BODY, NOW_US)


def test_a_signature_beyond_the_sixteenth_is_not_looked_at() -> None:
    secret = signatures.new_hmac_secret()
    signed = headers([secret])
    signed["webhook-signature"] = "v1,AAAA " * 16 + signed["webhook-signature"]
    with pytest.raises(NotVerified):
        signatures.verify([secret], signed, BODY, NOW_US)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()))
def test_no_header_makes_verifying_fail_otherwise(told: dict[str, str]) -> None:
    keys = ["whsec_" + base64.b64encode(b"x" * 32).decode()]
    with pytest.raises(NotVerified):
        signatures.verify(keys, told, BODY, NOW_US)


@pytest.mark.parametrize(
    "key", ["", "whsec_", "whsec_AAAA", "whpk_AAAA", "whsec_!", "whsk_" + "A" * 43 + "=", "x"]
)
def test_a_key_that_is_none_is_told_without_being_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="wh") as told:
        signatures.checked_key(key)
    assert len(key) <= 6 or key not in str(told.value)


def test_keys_that_are_keys_are_taken_as_they_are() -> None:
    for key in (signatures.new_hmac_secret(), signatures.public_key(signatures.new_private_key())):
        assert signatures.checked_key(key) == key
