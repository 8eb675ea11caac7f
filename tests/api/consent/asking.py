"""A service, an organisation that listens, and a player between the two."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import select

from api.access.roles import Role
from api.audit.tables import AuditRow
from api.backoffice.lease import OfficeLease
from api.consent.duty import RunningOut
from api.consent.tables import Consent, Prompt
from api.players.tables import PlayerFacts
from api.referrals.duty import Acknowledgements
from api.referrals.service import CREATED
from api.referrals.tables import Referral, ReferralStatus
from api.settings import Settings
from api.store.tables import Table
from api.webhooks.tables import Message
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.partners.entries import PRIVATE, enter, entry, jwk, signed
from tests.api.serving import As, Client, serving
from tests.api.webhooks.receiving import (
    LONG_US,
    LOOPBACK,
    Clock,
    House,
    Office,
    Receiver,
    delivering,
    receiving,
)

PLAYER = "p-1"
PLAN = {"channel": "phone", "window": "evening"}

_numbers = itertools.count(1)


@dataclass
class Story:
    """What happens to players in a test."""

    client: Client
    receiver: Receiver
    house: House
    clock: Clock

    def as_(self, role: Role) -> As:
        return As(self.client.keys, role)

    @property
    def state(self) -> Any:
        return self.client.app.state

    async def enter(self, **more: Any) -> dict[str, Any]:
        """An organisation that listens, unless said otherwise."""
        delivery = {"kind": "webhook", "url": self.receiver.url, "rate_per_s": 1000, "burst": 1000}
        return await enter(self.client, **({"delivery": delivery, "encryption_key": jwk()} | more))

    async def know(self, player: str = PLAYER, **facts: Any) -> None:
        """What is known of a player: verified, in Ontario, reads English, unless said otherwise."""
        known = {
            "player": player,
            "pseudonym": self.house.ground.keyring.pseudonym(player),
            "since_day": "2026-01-01",
            **dict.fromkeys(("brand", "outcome", "over_age", "birth_year", "adult_us")),
            **{f"{name}_us": 0 for name in ("brand", "jurisdiction", "language", "outcome")},
            "over_age_us": 0,
            "birth_year_us": 0,
            "jurisdiction": "CA-ON",
            "language": "en",
            "identity": "verified",
        } | facts
        async with self.house.ground.store.write() as session:
            await session.merge(PlayerFacts(**known))

    async def help(self, player: str = PLAYER, **more: Any) -> dict[str, Any]:
        """A player asks; what they are answered."""
        response = await self.client.post("/v1/help", json={"player": player, "channel": "app"} | more)
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    async def asked(self, player: str = PLAYER, **more: Any) -> dict[str, Any]:
        """A player asks, and there is something to ask them."""
        found = await self.help(player, **more)
        prompt: dict[str, Any] = found["prompt"]
        assert prompt is not None, found
        return prompt

    async def shown(self, player: str = PLAYER, language: str | None = None) -> dict[str, Any]:
        """What there is to show a player."""
        response = await self.client.get(
            f"/v1/players/{player}/prompts",
            params={} if language is None else {"language": language},
            auth=self.as_("platform"),
        )
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def try_answer(self, prompt: dict[str, Any], **given: Any) -> httpx.Response:
        """An answer as it is given."""
        return await self.client.post(f"/v1/prompts/{prompt['id']}/answer", json=self.answer(prompt, **given))

    @staticmethod
    def answer(prompt: dict[str, Any], **given: Any) -> dict[str, Any]:
        """Yes to the first question, unless said otherwise."""
        echoed = [{"text": each["text"], "hash": each["hash"]} for each in prompt["texts"]]
        answer = {"referral": True, "texts": echoed, "language": prompt["texts"][0]["language"]} | given
        if answer["referral"] and prompt["purpose"] == "help":
            answer = {"contact_by": PLAN} | answer
        return answer

    async def say(self, prompt: dict[str, Any], **given: Any) -> dict[str, Any]:
        """An answer that is taken; what came of it."""
        response = await self.try_answer(prompt, **given)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def agree(self, player: str = PLAYER, **given: Any) -> dict[str, Any]:
        """A player asks for help and says yes; their referral as they see it."""
        await self.know(player)
        taken = await self.say(await self.asked(player), **given)
        referral: dict[str, Any] = taken["referral"]
        assert referral is not None, taken
        return referral

    async def withdraw(self, consent_id: str) -> dict[str, Any]:
        response = await self.client.post(f"/v1/consents/{consent_id}/withdraw")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def call(
        self, token: str, status: str, message: str | None = None, key: str = PRIVATE, **more: Any
    ) -> httpx.Response:
        """The organisation calls back."""
        said = {"status": status, "at": rfc3339_ms(self.clock()), **more}
        body = json.dumps(said).encode()
        headers = signed(body, message or f"cb_{next(_numbers)}", self.clock(), key)
        return await self.client.post(f"/v1/referrals/{token}/status", content=body, headers=headers)

    async def report(self, token: str, status: str, **more: Any) -> dict[str, Any]:
        """A call that is taken in; what it is answered."""
        response = await self.call(token, status, **more)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    async def referral(self, token: str, role: Role = "agent") -> dict[str, Any]:
        """A referral as somebody reads it."""
        response = await self.client.get(f"/v1/referrals/{token}", auth=self.as_(role))
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    @asynccontextmanager
    async def office(self) -> AsyncIterator[Office]:
        """Somebody delivers."""
        referrals = self.state.referrals
        async with delivering(
            self.house,
            on_delivered={CREATED: referrals.delivered},
            on_given_up={CREATED: referrals.given_up},
            holders={CREATED: self.state.consent.held_back},
        ) as office:
            yield office

    async def deliver(self) -> None:
        """All that can be delivered now is."""
        async with self.office() as office:
            await office.rest(self.house)

    async def watch(self) -> None:
        """What runs out or is overdue is seen to."""
        store = self.house.ground.store
        lease = OfficeLease(store, self.clock, LONG_US)
        assert await lease.take()
        for duty in (
            RunningOut(store, lease, self.state.consent),
            Acknowledgements(store, lease, self.state.referrals),
        ):
            while not await duty.round():
                pass
        await lease.give_back()

    async def recall(self) -> None:
        """What somebody under age was asked or agreed to is taken back, while another office delivers."""
        store, consent = self.house.ground.store, self.state.consent
        more = True
        while more:
            async with store.write() as session:
                more = bool(await consent.close_prompts(session, 1)) or await consent.recall(session)

    async def listen(self, owner: str = "desk") -> None:
        """Somebody of ours has webhooks sent to the same receiver."""
        wanted = {"owner": owner, "kind": "webhook", "url": self.receiver.url, "rate_per_s": 1000}
        response = await self.client.post("/v1/endpoints", json=wanted)
        assert response.status_code == 201, response.text

    def received(self, type_: str) -> list[dict[str, Any]]:
        """The data of what was received of a type, in order."""
        return [each.document["data"] for each in self.receiver.received if each.document["type"] == type_]

    async def audited(self, *prefixes: str) -> list[str]:
        async with self.house.ground.store.read() as session:
            rows = await session.scalars(select(AuditRow).order_by(AuditRow.seq))
            return [row.action for row in rows if row.action.startswith(prefixes)]

    async def rows(self, table: type[Table]) -> list[Any]:
        async with self.house.ground.store.read() as session:
            return list(await session.scalars(select(table)))

    async def everything(self) -> str:
        """All that is stored of consents, referrals, messages and in the audit, as text."""
        tables = (Prompt, Consent, Referral, ReferralStatus, Message, AuditRow)
        found = [str(vars(row)) for table in tables for row in await self.rows(table)]
        return "\n".join(found)


@asynccontextmanager
async def telling(valkey: Server, store_url: str, **settings: Any) -> AsyncIterator[Story]:
    """A story on one kind of database."""
    clock = Clock()
    made = Settings(webhook_networks=LOOPBACK, public_url="https://tiltwatch.example", **settings)
    async with (
        receiving() as receiver,
        serving(valkey.url, made, database_url=store_url, clock=clock) as client,
    ):
        ground = client.app.state.deployment
        yield Story(client, receiver, House(ground, clock), clock)


__all__ = ["PLAYER", "Story", "entry", "telling"]
