"""Issuing keys, and telling from a key who asks."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from api.access import repository
from api.access.roles import GRANTS, SEES_PLAYERS, Role, Scope
from api.access.schemas import IssuedKey, Key, Keys, NewKey
from api.access.tables import ApiKey
from api.audit.service import Audit
from api.problems import UNKNOWN_KEY, Problem, wrong
from api.store.database import Store
from detector.events.instants import micros, rfc3339_ms

FRESH_US = 2_000_000
"""How long a key that was looked up is known by heart; a revoked one may work this much longer."""
MOST_KNOWN = 10_000

_KEY = re.compile(r"tw_([0-9a-f]{12})_([\w-]{43})")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks; `partner` is the partner whose key it is."""

    id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    partner: str | None = None

    @property
    def actor(self) -> str:
        """How the audit names them."""
        return f"key:{self.id}"

    @property
    def sees_players(self) -> bool:
        """Whether a player's own id may be shown to them."""
        return self.role in SEES_PLAYERS


class AccessService:
    """The API keys of a deployment.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(self, store: Store, audit: Audit, clock: Callable[[], int]) -> None:
        self.store = store
        self._audit = audit
        self._clock = clock
        self._known: dict[str, tuple[int, Principal, int | None]] = {}

    async def issue(self, session: AsyncSession, wanted: NewKey, actor: str) -> IssuedKey:
        """Make a key; its secret is in the answer and nowhere else."""
        now_us = self._clock()
        expires_us = None if wanted.expires_at is None else micros(wanted.expires_at)
        if expires_us is not None and expires_us <= now_us:
            raise wrong("expires_at", "It lies in the past")
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = ApiKey(
            id=key_id,
            name=wanted.name,
            role=wanted.role,
            scopes=None if wanted.scopes is None else msgspec.json.encode(sorted(wanted.scopes)).decode(),
            partner=wanted.partner,
            hash=_hash(secret),
            created_us=now_us,
            expires_us=expires_us,
            revoked_us=None,
        )
        await repository.add(session, row)
        self._audit.tell(session, actor, "key.issued", f"key:{key_id}", role=wanted.role)
        return IssuedKey(**_shown(row).model_dump(), key=f"tw_{key_id}_{secret}")

    async def revoke(self, session: AsyncSession, key_id: str, actor: str) -> Key:
        """Have a key no longer open anything; once revoked it stays so."""
        row = await repository.find(session, key_id, lock=True)
        if row is None:
            raise Problem(UNKNOWN_KEY, "It never existed.")
        if row.revoked_us is None:
            row.revoked_us = self._clock()
            self._audit.tell(session, actor, "key.revoked", f"key:{key_id}")
        for told in [told for told, (_, each, _) in self._known.items() if each.id == key_id]:
            del self._known[told]
        return _shown(row)

    async def all(self) -> Keys:
        """Every key there ever was, without secrets."""
        async with self.store.read() as session:
            return Keys(items=[_shown(row) for row in await repository.all_keys(session)])

    async def who(self, told: str) -> Principal | None:
        """Whose key this is; None if it is nobody's, has expired or was revoked."""
        now_us = self._clock()
        looked_us, principal, expires_us = self._known.get(told, (0, None, None))
        if principal is None or not 0 <= now_us - looked_us < FRESH_US:
            found = await self._look_up(told)
            if found is None:
                self._known.pop(told, None)
                return None
            principal, expires_us = found
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[told] = (now_us, principal, expires_us)
        if expires_us is not None and expires_us <= now_us:
            return None
        return principal

    async def _look_up(self, told: str) -> tuple[Principal, int | None] | None:
        match = _KEY.fullmatch(told)
        if match is None:
            return None
        async with self.store.read() as session:
            row = await repository.find(session, match[1])
        if row is None or row.revoked_us is not None:
            return None
        if not hmac.compare_digest(row.hash, _hash(match[2])):
            return None
        shown = _shown(row)
        principal = Principal(row.id, row.name, shown.role, frozenset(shown.scopes), row.partner)
        return principal, row.expires_us


def _hash(secret: str) -> str:
    # 256 random bits need no salt and no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def scopes_of(row: ApiKey) -> Collection[Scope]:
    """What a key is good for: all that its role may do, or the part of it that it was issued for."""
    return GRANTS[row.role] if row.scopes is None else msgspec.json.decode(row.scopes, type=list[Scope])


def _shown(row: ApiKey) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        role=row.role,
        scopes=sorted(scopes_of(row)),
        partner=row.partner,
        created_at=rfc3339_ms(row.created_us),
        expires_at=None if row.expires_us is None else rfc3339_ms(row.expires_us),
        revoked_at=None if row.revoked_us is None else rfc3339_ms(row.revoked_us),
    )
