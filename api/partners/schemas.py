"""What `/v1/partners` is asked and answers."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from api.referrals.protocol import MOST_LINK, REGION, Channel, Language, Purpose
from api.webhooks.signatures import HMAC_PREFIX, PUBLIC_PREFIX, is_weak

PARTNER_ID = r"^[a-z][a-z0-9-]{1,62}$"
_PRINTABLE = r"^[^\x00-\x1f\x7f\u2028\u2029]*$"

Safeguard = Literal["adequate", "contract", "none"]
Signing = Literal["v1a", "v1", "both"]

MOST_KEYS = 8
_KEY_LENGTHS = {PUBLIC_PREFIX: range(32, 33), HMAC_PREFIX: range(24, 65)}


def _is_verification_key(key: str) -> str:
    for prefix, lengths in _KEY_LENGTHS.items():
        if key.startswith(prefix):
            try:
                raw = base64.b64decode(key.removeprefix(prefix), validate=True)
            except binascii.Error:
                continue
            if len(raw) in lengths and not (prefix == PUBLIC_PREFIX and is_weak(raw)):
                return key
    # Its own words, not the value: it may be a secret.
    raise ValueError("a key is whpk_ with 32 bytes in base64, or whsec_ with 24 to 64")


def _is_point(x: str) -> str:
    try:
        # Of points of small order everybody knows the shared secret; the exchange refuses them.
        X25519PrivateKey.generate().exchange(
            X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "="))
        )
    except (binascii.Error, ValueError):
        raise ValueError("`x` is an X25519 public key, 32 bytes in base64url") from None
    return x


Text = Annotated[str, Field(min_length=1, max_length=120, pattern=_PRINTABLE)]
Jurisdiction = Annotated[str, Field(pattern=REGION)]
VerificationKey = Annotated[str, Field(max_length=128), AfterValidator(_is_verification_key)]
HttpsLink = Annotated[str, Field(max_length=MOST_LINK, pattern=r"^https://[!-~]+$")]
PartnerId = Annotated[str, Field(pattern=PARTNER_ID, description="A short name of its own, for good.")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Texts(_Strict):
    """The same in both languages."""

    en: Text
    fr: Text

    def in_(self, language: Language) -> str:
        return self.fr if language == "fr" else self.en


class Mou(_Strict):
    """The memorandum that the organisation and the platform have signed."""

    reference: Text
    expires_at: Annotated[AwareDatetime, Field(description="From then on no new referral is made.")]


class EncryptionKey(_Strict):
    """An X25519 public key as a JWK (RFC 8037), to which contact details are encrypted."""

    kty: Literal["OKP"]
    crv: Literal["X25519"]
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$"), AfterValidator(_is_point)]
    kid: Annotated[str | None, Field(max_length=64, pattern=r"^[\x21-\x7e]+$")] = None
    use: Literal["enc"] | None = None
    alg: Literal["ECDH-ES"] | None = None


class Contact(_Strict):
    """How a player reaches the organisation themselves, with the code that they are given."""

    phone: Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ().-]{3,30}$")]
    mail: Annotated[str | None, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] = None
    hours: Texts


class ByWebhook(_Strict):
    """Referrals go to an address of the organisation, signed; it reports by callbacks."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(max_length=2048, pattern=r"^https?://[!-~]+$")]
    signing: Signing = "v1a"
    rate_per_s: Annotated[int, Field(ge=1, le=1000)] = 10
    burst: Annotated[int, Field(ge=1, le=1000)] = 20


class BySlip(_Strict):
    """Nothing is sent: the player calls and quotes a code, agents record what the organisation says."""

    kind: Literal["slip"]


Delivery = Annotated[ByWebhook | BySlip, Field(discriminator="kind")]


class Entry(_Strict):
    """What stands in the register of an organisation."""

    names: Texts
    mou: Mou
    location: Annotated[
        str, Field(pattern=r"^[A-Z]{2}$", description="The country in which it keeps what it is sent.")
    ]
    jurisdictions: Annotated[
        list[Jurisdiction], Field(min_length=1, max_length=64, description="Whose players it serves.")
    ]
    safeguards: Annotated[
        dict[Jurisdiction, Safeguard],
        Field(
            max_length=64,
            description="By a player's jurisdiction, what protects them where it lies in another country: "
            "an adequacy decision, a contract, or nothing. Without either, no such player is referred.",
        ),
    ] = {}
    languages: Annotated[list[Language], Field(min_length=1, max_length=2)]
    channels: Annotated[
        list[Channel], Field(min_length=1, max_length=5, description="How it can get in touch with a player.")
    ]
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=2)] = ["help"]
    capacity_per_hour: Annotated[
        int, Field(ge=1, le=100_000, description="To how many players it is named in an hour, at most.")
    ]
    sla_hours: Annotated[
        int, Field(ge=1, le=720, description="Within how long it acknowledges a referral.")
    ] = 48
    delivery: Delivery
    contact: Contact | None = None
    links: Annotated[
        dict[Language, HttpsLink], Field(description="A page of its own for players, by language.")
    ] = {}
    encryption_key: EncryptionKey | None = None

    @property
    def is_sent_to(self) -> bool:
        """Whether referrals are sent to it; else the player calls."""
        return self.delivery.kind == "webhook"

    @property
    def sealing_key(self) -> EncryptionKey | None:
        """What contact details are encrypted to, where any are sent."""
        return self.encryption_key if self.is_sent_to else None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.delivery.kind == "slip" and self.contact is None:
            raise ValueError("`contact` is needed where nothing is sent")
        return self


_EXAMPLE: dict[str, Any] = {
    "id": "demo-aid",
    "names": {"en": "Demo Aid", "fr": "Aide Démo"},
    "mou": {"reference": "MOU-2026-01", "expires_at": "2030-01-01T00:00:00Z"},
    "location": "CA",
    "jurisdictions": ["CA-ON"],
    "languages": ["en", "fr"],
    "channels": ["phone", "text", "email"],
    "capacity_per_hour": 20,
    "delivery": {"kind": "webhook", "url": "https://aid.example/referrals"},
    "links": {"en": "https://aid.example/start"},
}


class NewPartner(Entry):
    """An organisation to be entered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    id: PartnerId
    verification_keys: Annotated[
        list[VerificationKey],
        Field(max_length=MOST_KEYS, description="What its callbacks are verified with: whpk_ or whsec_."),
    ] = []


class PartnerChanges(_Strict):
    """What is to stand there instead; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"capacity_per_hour": 30}]})

    names: Texts | None = None
    mou: Mou | None = None
    location: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$")] = None
    jurisdictions: Annotated[list[Jurisdiction] | None, Field(min_length=1, max_length=64)] = None
    safeguards: Annotated[dict[Jurisdiction, Safeguard] | None, Field(max_length=64)] = None
    languages: Annotated[list[Language] | None, Field(min_length=1, max_length=2)] = None
    channels: Annotated[list[Channel] | None, Field(min_length=1, max_length=5)] = None
    purposes: Annotated[list[Purpose] | None, Field(min_length=1, max_length=2)] = None
    capacity_per_hour: Annotated[int | None, Field(ge=1, le=100_000)] = None
    sla_hours: Annotated[int | None, Field(ge=1, le=720)] = None
    delivery: Delivery | None = None
    contact: Contact | None = None
    links: dict[Language, HttpsLink] | None = None


class KeyChanges(_Strict):
    """Keys that come and go; during a rotation the old and the new one both hold."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"new_shared_secret": True}]})

    add: Annotated[list[VerificationKey], Field(max_length=MOST_KEYS)] = []
    new_shared_secret: Annotated[
        bool, Field(description="Have one made; it is in this answer and never shown again.")
    ] = False
    retire: Annotated[
        list[Annotated[str, Field(pattern=r"^pk_[a-z2-7]{16}$")]],
        Field(max_length=MOST_KEYS, description="Ids of keys that verify nothing any more."),
    ] = []
    encryption_key: Annotated[
        EncryptionKey | None, Field(description="The key that takes the place of the one there is.")
    ] = None


class VerificationKeyShown(BaseModel):
    """A key that callbacks are verified with; a shared one is not shown."""

    id: str
    kind: Literal["public", "shared"]
    public: str | None
    created_at: str
    retired_at: str | None


class PartnerShown(Entry):
    """An organisation as it stands in the register."""

    id: str
    state: Literal["active", "suspended"]
    endpoint: str | None
    verification_keys: list[VerificationKeyShown]
    created_at: str
    changed_at: str


class PartnerEntered(PartnerShown):
    """An organisation with what it needs to verify what it is sent, where an endpoint was just opened."""

    signing_keys: Annotated[list[str], Field(description="whpk_: public keys that its webhooks bear out.")]
    signing_secret: Annotated[
        str | None, Field(description="whsec_: where it wants HMAC. In this answer and never shown again.")
    ]


class KeysChanged(PartnerShown):
    """The organisation after a change of keys."""

    shared_secret: Annotated[str | None, Field(description="The one just made, where one was asked for.")]


class Partners(BaseModel):
    """The register, by id."""

    items: list[PartnerShown]
