"""The deployment's secrets: one file of master keys, from which all others are derived.

The file holds `{"keys": [{"id": "…", "secret": "<32 bytes, base64>"}]}`; the last key is the one in use,
those before it still open and verify what was made with them.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from detector.errors import SettingsError, StateError

_KEY_BYTES = 32
_NONCE_BYTES = 12


class _Master(msgspec.Struct, frozen=True):
    id: str
    secret: str


class _File(msgspec.Struct, frozen=True):
    keys: list[_Master]


class Keyring:
    """Seals what is kept secret in the store, signs the audit's checkpoints, gives players pseudonyms.

    Parameters
    ----------
    masters
        Key id → 32 bytes, the one in use last. Ids are 1 to 32 letters, digits or dashes.
    """

    def __init__(self, masters: dict[str, bytes]) -> None:
        if not masters:
            raise SettingsError("the keyring is empty")
        for key_id, master in masters.items():
            if not key_id.replace("-", "a").isalnum() or len(key_id) > 32 or len(master) != _KEY_BYTES:
                raise SettingsError("a key of the keyring needs an id and a secret of 32 bytes in base64")
        self._masters = masters
        self._current = list(masters)[-1]
        # The first one: neither a player's pseudonym nor a fingerprint may change when keys are rotated.
        first = next(iter(masters.values()))
        self._pseudonyms, self._fingerprints = _derive(first, "pseudonyms"), _derive(first, "fingerprints")

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its keys."""
        return frozenset(self._masters)

    def seal(self, context: str, plain: bytes) -> str:
        """Encrypt for one place in the store, which `context` names: table, column and row."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(_derive(self._masters[self._current], "sealing")).encrypt(
            nonce, plain, context.encode()
        )
        return f"{self._current}.{base64.b64encode(nonce + sealed).decode()}"

    def unseal(self, context: str, sealed: str) -> bytes:
        """Decrypt what was sealed for the same place; StateError if it was not, or its key is gone."""
        key_id, _, text = sealed.partition(".")
        master = self._masters.get(key_id)
        if master is None:
            raise StateError(
                f"the keyring has no key {key_id!r}, with which a secret in the store was sealed"
            )
        try:
            raw = base64.b64decode(text, validate=True)
            return AESGCM(_derive(master, "sealing")).decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()
            )
        except (InvalidTag, binascii.Error, ValueError):
            raise StateError(f"a secret in the store cannot be opened: {context.partition(':')[0]}") from None

    def signing_key(self, purpose: str, key_id: str | None = None) -> tuple[str, Ed25519PrivateKey]:
        """The key that signs for a purpose, with its id; StateError if the keyring has none of that id."""
        key_id = key_id or self._current
        if key_id not in self._masters:
            raise StateError(f"the keyring has no key {key_id!r}")
        return key_id, Ed25519PrivateKey.from_private_bytes(_derive(self._masters[key_id], f"sign {purpose}"))

    def pseudonym(self, player: str) -> str:
        """A name for a player that only this keyring can tell is theirs; always the same one."""
        digest = hmac.digest(self._pseudonyms, player.encode(), sha256)
        return "ps_" + base64.b32encode(digest[:15]).decode().lower()

    def fingerprint(self, what: bytes) -> str:
        """What tells the same bytes again, and helps nobody without this keyring to guess them."""
        return hmac.digest(self._fingerprints, what, sha256).hex()


def read_keyring(path: Path) -> Keyring:
    """Read a keyring; where there is none, make one that only this user can read.

    Raises
    ------
    SettingsError
        It cannot be read, is open to others, or is not a keyring.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(path)
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} is open to others; chmod 600 closes it")
        found = msgspec.json.decode(path.read_bytes(), type=_File)
        if len({each.id for each in found.keys}) < len(found.keys):
            raise SettingsError(f"{path} has a key twice")
        return Keyring({each.id: base64.b64decode(each.secret, validate=True) for each in found.keys})
    except OSError as error:
        raise SettingsError(f"the keyring {path} cannot be used: {error.strerror}") from None
    except (msgspec.DecodeError, binascii.Error):
        raise SettingsError(f"{path} is no keyring") from None


def _make(path: Path) -> None:
    """Write a new keyring unless there is one; of two processes that start at once one wins."""
    if path.exists():
        return
    key = _Master(f"k{secrets.token_hex(4)}", base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
        handle.write(msgspec.json.encode(_File([key])))
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, None, f"tiltwatch {purpose}".encode()).derive(master)
