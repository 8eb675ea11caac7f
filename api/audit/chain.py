"""How entries hang together: pure functions, so that anybody can write a second verifier."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

START = "0" * 64
"""What the first entry takes for the hash of the one before."""

_canonical = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is hashed; `details` is canonical JSON: sorted keys, no spaces."""

    seq: int
    at_us: int
    actor: str
    action: str
    subject: str
    details: str


@dataclass(frozen=True, slots=True)
class Signed:
    """The chain up to `seq` ends in `hash`, says the key of id `key`."""

    seq: int
    hash: str
    key: str
    signature: str


def canonical(details: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces."""
    return _canonical(details).decode()


def link(before: str, entry: Entry) -> str:
    """The hash of an entry behind the one whose hash is `before`."""
    body = [before, entry.seq, entry.at_us, entry.actor, entry.action, entry.subject, entry.details]
    return hashlib.sha256(_canonical(body)).hexdigest()


Kind = Literal["head", "checkpoint"]
"""A checkpoint says that the chain came through here; the head, of which there is one, that it ends here.

They are signed as different statements, so that nobody can cut a chain off at a checkpoint and pass that off
as its end.
"""


def sign(kind: Kind, seq: int, hash_: str, key_id: str, key: Ed25519PrivateKey) -> Signed:
    """Vouch for the chain up to an entry."""
    return Signed(seq, hash_, key_id, base64.b64encode(key.sign(_statement(kind, seq, hash_))).decode())


def is_signed(kind: Kind, signed: Signed, key: Ed25519PublicKey) -> bool:
    """Whether the signature is this key's and says what it stands beside."""
    try:
        key.verify(
            base64.b64decode(signed.signature, validate=True), _statement(kind, signed.seq, signed.hash)
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def _statement(kind: Kind, seq: int, hash_: str) -> bytes:
    return f"tiltwatch audit {kind} {seq} {hash_}".encode()


Keys = Mapping[str, Ed25519PublicKey]
"""Key id → the public key that checkpoints and the head are signed with."""


class Walk:
    """Goes along a chain and gathers everything that is wrong with it in `faults`, in words.

    Parameters
    ----------
    head
        The end as the store has it, None where it has none.
    checkpoints
        From anywhere; the same ones more than once do no harm.
    """

    def __init__(self, head: Signed | None, checkpoints: Iterable[Signed], keys: Keys) -> None:
        self.faults: list[str] = []
        self._head = head
        self._keys = keys
        self._before, self._expected = START, 1
        self._checkpoints: dict[int, list[Signed]] = {}
        for each in checkpoints:
            if _vouched("checkpoint", each, keys):
                self._checkpoints.setdefault(each.seq, []).append(each)
            else:
                told = "is not signed by any key of this deployment"
                self.faults.append(f"the checkpoint at entry {each.seq} {told}")

    def step(self, entry: Entry, hash_: str) -> None:
        """Go on to the next entry, which bears `hash_`."""
        if entry.seq > self._expected:
            last = entry.seq - 1
            missing = f"{last}" if last == self._expected else f"{self._expected} to {last}"
            self.faults.append(f"entry {missing}: missing")
        elif entry.seq < self._expected:
            self.faults.append(f"entry {entry.seq}: it stands there twice, or out of order")
        if link(self._before, entry) != hash_:
            self.faults.append(f"entry {entry.seq}: it was changed, or does not follow from the one before")
        if any(each.hash != hash_ for each in self._checkpoints.pop(entry.seq, ())):
            self.faults.append(f"entry {entry.seq}: it is not what a checkpoint vouched for")
        self._before, self._expected = hash_, entry.seq + 1

    def end(self) -> None:
        """There are no more entries."""
        for seq in sorted(self._checkpoints):
            self.faults.append(
                f"entry {seq}: missing, though a checkpoint vouched for it: the end was cut off"
            )
        head, last = self._head, self._expected - 1
        if head is None or head.seq == 0:
            self.faults.append("there is no end of the chain on record")
        elif not _vouched("head", head, self._keys):
            told = "is not signed by any key of this deployment"
            self.faults.append(f"the end of the chain, on record as entry {head.seq}, {told}")
        elif head.seq > last:
            self.faults.append(f"the chain stops at entry {last} of {head.seq}: the end was cut off")
        elif head.seq < last:
            self.faults.append(f"the chain goes to entry {last}, but ends on record at entry {head.seq}")
        elif head.hash != self._before:
            self.faults.append(f"entry {last}: it is not what the end on record vouches for")


def _vouched(kind: Kind, signed: Signed, keys: Keys) -> bool:
    key = keys.get(signed.key)
    return key is not None and is_signed(kind, signed, key)
