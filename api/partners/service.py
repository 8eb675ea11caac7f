"""Keeping the register of aid organisations."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.chain import canonical
from api.audit.service import Audit
from api.keyring import Keyring
from api.partners import repository
from api.partners.schemas import (
    MOST_KEYS,
    ByWebhook,
    Entry,
    KeyChanges,
    KeysChanged,
    NewPartner,
    PartnerChanges,
    PartnerEntered,
    Partners,
    PartnerShown,
    VerificationKeyShown,
)
from api.partners.tables import Partner, PartnerKey
from api.problems import CONTRADICTION, UNKNOWN_PARTNER, Problem, wrong
from api.store.database import Store
from api.webhooks.service import EndpointsService
from api.webhooks.signatures import HMAC_PREFIX, new_hmac_secret
from detector.events.instants import rfc3339_ms

TYPES = ("referral.created", "referral.withdrawn", "referral.expired", "endpoint.test")
"""What an organisation is sent."""


class PartnersService:
    """The register of a deployment.

    Parameters
    ----------
    clock
        Tells the wall clock, in µs since the epoch.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        audit: Audit,
        endpoints: EndpointsService,
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._audit = audit
        self._endpoints = endpoints
        self._clock = clock

    async def enter(self, session: AsyncSession, wanted: NewPartner, actor: str) -> PartnerEntered:
        """Enter an organisation, and open the endpoint it gets its webhooks at."""
        now_us = self._clock()
        entry = Entry.model_validate(wanted.model_dump(exclude={"id", "verification_keys"}))
        row = Partner(
            id=wanted.id,
            entry=_text(entry),
            endpoint=None,
            created_us=now_us,
            changed_us=now_us,
            suspended_us=None,
        )
        try:
            await repository.add(session, row)
        except IntegrityError:
            raise Problem(CONTRADICTION, "There is an organisation of this id already.") from None
        await self._open(session, row, entry, actor)
        await self._check_own(session, row.id, wanted.verification_keys, "verification_keys")
        for key in wanted.verification_keys:
            await self._keep(session, row.id, key, now_us)
        self._audit.tell(session, actor, "partner.entered", f"partner:{row.id}", entry=_digest(entry))
        await session.flush()
        return await self._entered(session, row, is_new=True)

    async def change(
        self, session: AsyncSession, partner_id: str, wanted: PartnerChanges, actor: str
    ) -> PartnerEntered:
        """Change what stands there; another way of signing its webhooks is another endpoint."""
        row = await self._locked(session, partner_id)
        before = entry_of(row)
        changed = wanted.model_dump(exclude_none=True)
        try:
            entry = Entry.model_validate(before.model_dump() | changed)
        except ValueError:
            raise wrong("contact", "It is needed where nothing is sent") from None
        endpoint = row.endpoint
        await self._deliver_by(session, row, before, entry, actor)
        row.entry, row.changed_us = _text(entry), self._clock()
        self._audit.tell(
            session,
            actor,
            "partner.changed",
            f"partner:{row.id}",
            fields=sorted(changed),
            entry=_digest(entry),
        )
        await session.flush()
        return await self._entered(session, row, is_new=row.endpoint != endpoint)

    async def suspend(self, session: AsyncSession, partner_id: str, actor: str) -> PartnerShown:
        """Have it get no new referrals; those it has go on."""
        row = await self._locked(session, partner_id)
        if row.suspended_us is None:
            row.suspended_us = row.changed_us = self._clock()
            self._audit.tell(session, actor, "partner.suspended", f"partner:{row.id}")
        return await self._shown(session, row)

    async def resume(self, session: AsyncSession, partner_id: str, actor: str) -> PartnerShown:
        """Have it get referrals again."""
        row = await self._locked(session, partner_id)
        if row.suspended_us is not None:
            row.suspended_us, row.changed_us = None, self._clock()
            self._audit.tell(session, actor, "partner.resumed", f"partner:{row.id}")
        return await self._shown(session, row)

    async def change_keys(
        self, session: AsyncSession, partner_id: str, wanted: KeyChanges, actor: str
    ) -> KeysChanged:
        """Add and retire keys that callbacks are verified with, and set the one contacts are sealed to."""
        row = await self._locked(session, partner_id)
        now_us = self._clock()
        kept = {each.id: each for each in await repository.keys(session, row.id)}
        for key_id in wanted.retire:
            if key_id not in kept:
                raise wrong("retire", "One of them is no key of this organisation")
            if kept[key_id].retired_us is None:
                kept[key_id].retired_us = now_us
                self._audit.tell(session, actor, "partner.key-retired", f"partner:{row.id}", key=key_id)
        await self._check_own(session, row.id, wanted.add, "add")
        made = new_hmac_secret() if wanted.new_shared_secret else None
        added = [*wanted.add, *([made] if made else [])]
        in_force = sum(each.retired_us is None for each in kept.values())
        if in_force + len(added) > MOST_KEYS:
            raise wrong("add", f"At most {MOST_KEYS} keys are in force; retire some")
        for key in added:
            key_id = await self._keep(session, row.id, key, now_us)
            self._audit.tell(session, actor, "partner.key-added", f"partner:{row.id}", key=key_id)
        if wanted.encryption_key is not None:
            entry = entry_of(row).model_copy(update={"encryption_key": wanted.encryption_key})
            row.entry = _text(entry)
            self._audit.tell(
                session, actor, "partner.encryption-key-set", f"partner:{row.id}", entry=_digest(entry)
            )
        row.changed_us = now_us
        await session.flush()
        return KeysChanged(**(await self._shown(session, row)).model_dump(), shared_secret=made)

    async def all(self) -> Partners:
        """The register, by id."""
        async with self._store.read() as session:
            keys = await repository.keys(session)
            rows = await repository.everyone(session)
        return Partners(items=[_show(row, [each for each in keys if each.partner == row.id]) for row in rows])

    async def get(self, partner_id: str) -> PartnerShown:
        """One organisation."""
        async with self._store.read() as session:
            row = await repository.find(session, partner_id)
            if row is None:
                raise Problem(UNKNOWN_PARTNER, "None of this id was entered.")
            return await self._shown(session, row)

    async def keys_in_force(self, session: AsyncSession) -> dict[str, list[str]]:
        """By organisation, what its callbacks are verified with."""
        found: dict[str, list[str]] = {}
        for key in await repository.keys(session):
            if key.retired_us is None:
                found.setdefault(key.partner, []).append(self._key(key))
        return found

    async def _check_own(
        self, session: AsyncSession, partner_id: str, keys: Sequence[str], where: str
    ) -> None:
        """Refuse keys of other organisations: who signs with one would be taken for the wrong one of two."""
        for key in await repository.keys(session):
            if key.partner != partner_id and self._key(key) in keys:
                raise wrong(where, "One of them is another organisation's")

    def _key(self, key: PartnerKey) -> str:
        if key.public is not None:
            return key.public
        assert key.sealed is not None
        return self._keyring.unseal(_context(key.id), key.sealed).decode()

    async def _keep(self, session: AsyncSession, partner_id: str, key: str, now_us: int) -> str:
        key_id = f"pk_{base64.b32encode(secrets.token_bytes(10)).decode().lower()}"
        is_shared = key.startswith(HMAC_PREFIX)
        row = PartnerKey(
            id=key_id,
            partner=partner_id,
            public=None if is_shared else key,
            sealed=self._keyring.seal(_context(key_id), key.encode()) if is_shared else None,
            created_us=now_us,
            retired_us=None,
        )
        await repository.add_key(session, row)
        return key_id

    async def _deliver_by(
        self, session: AsyncSession, row: Partner, before: Entry, after: Entry, actor: str
    ) -> None:
        old, new = before.delivery, after.delivery
        if old == new:
            return
        if isinstance(old, ByWebhook) and isinstance(new, ByWebhook) and old.signing == new.signing:
            # What waits goes along.
            assert row.endpoint is not None
            await self._endpoints.change_address(session, row.endpoint, new.url, actor)
            await self._endpoints.change_pace(session, row.endpoint, new.rate_per_s, new.burst, actor)
            return
        if row.endpoint is not None:
            await self._endpoints.close_endpoint(session, row.endpoint, actor)
        await self._open(session, row, after, actor)

    async def _open(self, session: AsyncSession, row: Partner, entry: Entry, actor: str) -> None:
        row.endpoint = None
        delivery = entry.delivery
        if isinstance(delivery, ByWebhook):
            opened = await self._endpoints.open_endpoint(
                session,
                owner="partner",
                owner_id=row.id,
                kind="webhook",
                url=delivery.url,
                signing=delivery.signing,
                rate_per_s=delivery.rate_per_s,
                burst=delivery.burst,
                types=list(TYPES),
                actor=actor,
            )
            row.endpoint = opened.id

    async def _entered(self, session: AsyncSession, row: Partner, *, is_new: bool) -> PartnerEntered:
        publics: list[str] = []
        secret: str | None = None
        if is_new and row.endpoint is not None:
            publics, secret = await self._endpoints.reveal(session, row.endpoint)
        shown = await self._shown(session, row)
        return PartnerEntered(**shown.model_dump(), signing_keys=publics, signing_secret=secret)

    @staticmethod
    async def _locked(session: AsyncSession, partner_id: str) -> Partner:
        row = await repository.find(session, partner_id, lock=True)
        if row is None:
            raise Problem(UNKNOWN_PARTNER, "None of this id was entered.")
        return row

    @staticmethod
    async def _shown(session: AsyncSession, row: Partner) -> PartnerShown:
        return _show(row, await repository.keys(session, row.id))


def entry_of(row: Partner) -> Entry:
    """What stands in the register."""
    return Entry.model_validate_json(row.entry)


def _show(row: Partner, keys: Sequence[PartnerKey]) -> PartnerShown:
    return PartnerShown(
        **entry_of(row).model_dump(),
        id=row.id,
        state="active" if row.suspended_us is None else "suspended",
        endpoint=row.endpoint,
        verification_keys=[
            VerificationKeyShown(
                id=key.id,
                kind="shared" if key.public is None else "public",
                public=key.public,
                created_at=rfc3339_ms(key.created_us),
                retired_at=None if key.retired_us is None else rfc3339_ms(key.retired_us),
            )
            for key in keys
        ],
        created_at=rfc3339_ms(row.created_us),
        changed_at=rfc3339_ms(row.changed_us),
    )


def _text(entry: Entry) -> str:
    return canonical(entry.model_dump(mode="json"))


def _digest(entry: Entry) -> str:
    """What the audit keeps of an entry: enough to prove what it was."""
    return hashlib.sha256(_text(entry).encode()).hexdigest()


def _context(key_id: str) -> str:
    return f"partner_keys.sealed:{key_id}"
