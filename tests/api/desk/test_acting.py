"""What agents do about an alert, and what reaches the platform of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis

from api.players.tables import PlayerFacts
from detector.events.instants import rfc3339_ms
from tests.api.desk.agents import (
    A1,
    SPOKEN,
    UNCLEAR,
    work,
)
from tests.api.desk.office import (
    HOUR_US,
    Clock,
    alert,
    deployment_of,
    endpoint,
    give,
    messages,
)
from tests.api.partners.entries import enter
from tests.api.serving import NOW_US, As, Client, problem
from tests.drivers.small import MINUTE_US


class TestActions:
    async def test_a_talk_is_recorded_and_answers_what_was_asked_of_people(self, client: Client) -> None:
        asked = await give(client, alert(response="L4"))
        done = await client.post(f"{A1}/actions", json=SPOKEN)
        assert (done.status_code, done.json()["outcome"]) == (201, "done")
        told = await work(client)
        (action,) = told["actions"]
        assert (action["action"], action["code"], action["by"][:4]) == ("human_contact", "spoken", "key:")
        states = {each["action"]: each["state"] for each in told["interventions"]}
        assert states["human_contact"] == "done"
        assert states["human_review"] == "undone"
        assert told["work"]["met_at"] is not None
        assert {each["id"] for each in told["interventions"]} == {
            each.id for each in asked[f"{1:032x}"].values()
        }

    async def test_an_order_reaches_the_platform_with_the_times_of_its_rung(
        self, client: Client, redis: Redis, clock: Clock
    ) -> None:
        await endpoint(client, "platform")
        await give(client, alert(response="L2"))
        before = len(await messages(client, "intervention.asked"))
        clock.now_us = NOW_US + 10 * MINUTE_US
        ordered = (await client.post(f"{A1}/actions", json={"action": "deposit_hold"})).json()
        assert ordered["outcome"] == "ordered"
        told = (await client.get(f"/v1/interventions/{ordered['intervention']}")).json()
        assert (told["level"], told["action"], told["contest"]) == ("L3", "deposit_hold", True)
        assert told["opened_at"] == rfc3339_ms(clock.now_us)
        assert told["due_at"] == rfc3339_ms(clock.now_us + HOUR_US)
        assert told["expires_at"] == rfc3339_ms(clock.now_us + 72 * HOUR_US)
        assert len(await messages(client, "intervention.asked")) == before + 1
        again = (await client.post(f"{A1}/actions", json={"action": "deposit_hold"})).json()
        assert again["intervention"] != ordered["intervention"], "an order of its own"

    async def test_at_a_level_that_is_named_if_the_ladder_has_it_there(self, client: Client) -> None:
        await give(client, alert(response="L2"))
        refused = await client.post(f"{A1}/actions", json={"action": "deposit_hold", "level": "L2"})
        assert problem(refused) == (409, "not-on-the-ladder")
        nowhere = await client.post(f"{A1}/actions", json={"action": "bonuses_off"})
        assert problem(nowhere) == (409, "not-on-the-ladder")
        at = await client.post(f"{A1}/actions", json={"action": "marketing_off", "level": "L5"})
        told = (await client.get(f"/v1/interventions/{at.json()['intervention']}")).json()
        assert told["level"] == "L5"
        lower = await client.post(f"{A1}/actions", json={"action": "suggest_break"})
        assert lower.json()["work"]["state"] == "acted"

    async def test_with_one_key_it_is_ordered_once(self, client: Client) -> None:
        await give(client, alert())
        answers = await asyncio.gather(
            *(
                client.post(
                    f"{A1}/actions",
                    json={"action": "pause_unless_answered"},
                    headers={"Idempotency-Key": "k"},
                )
                for _ in range(8)
            )
        )
        assert {each.status_code for each in answers} <= {409}, "Ontario's ladder does not have it"
        answers = await asyncio.gather(
            *(
                client.post(f"{A1}/actions", json={"action": "block"}, headers={"Idempotency-Key": "b"})
                for _ in range(8)
            )
        )
        made = {each.json()["intervention"] for each in answers if each.status_code == 201}
        assert len(made) == 1
        assert len((await work(client))["actions"]) == 1

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "human_contact"},
            {"action": "human_contact", "outcome": "done"},
            {"action": "human_contact", "outcome": "done", "code": "no_answer"},
            {"action": "human_review", "outcome": "done", "code": "spoken"},
            {"action": "human_review", "outcome": "done", "code": "right", "level": "L3"},
            {"action": "deposit_hold", "outcome": "done", "code": "right"},
            {"action": "deposit_hold", "reasons": ["money"]},
            {"action": "tell_family"},
        ],
    )
    async def test_that_make_no_sense(self, client: Client, body: dict[str, Any]) -> None:
        await give(client, alert())
        assert problem(await client.post(f"{A1}/actions", json=body)) == (400, "invalid-parameter")

    async def test_about_no_alert(self, client: Client) -> None:
        for path, body in (
            ("assign", {"to": "me"}),
            ("verdict", UNCLEAR),
            ("actions", SPOKEN),
            ("snooze", {"until": rfc3339_ms(NOW_US + 1), "reason": "contact_agreed"}),
        ):
            assert problem(await client.post(f"{A1}/{path}", json=body)) == (404, "unknown-alert")


async def test_nothing_that_people_have_to_do_is_sent_to_the_platforms_machines(
    client: Client,
) -> None:
    await endpoint(client, "platform")
    asked = (await give(client, alert(response="L4")))[f"{1:032x}"]
    sent = {each["action"] for each in await messages(client, "intervention.asked")}
    assert sent == set(asked) - {"human_review", "human_contact", "offer_referral"}
    page = (await client.get("/v1/interventions")).json()["items"]
    assert {each["action"] for each in page} == set(asked)


class TestOfferingHelp:
    async def test_where_no_organisation_may_be_named_nothing_is_recorded(self, client: Client) -> None:
        await give(client, alert(response="L4"))
        refused = await client.post(f"{A1}/actions", json={"action": "offer_referral"})
        assert problem(refused) == (409, "no-referral")
        told = await work(client)
        assert (told["actions"], told["work"]["state"]) == ([], "open")

    async def test_it_opens_a_prompt_for_the_alerts_reasons_and_settles_what_was_asked_of_people(
        self, client: Client
    ) -> None:
        await enter(client)
        deployment = deployment_of(client)
        known: dict[str, Any] = {
            "player": "player-1",
            "pseudonym": deployment.keyring.pseudonym("player-1"),
            "since_day": "2026-01-01",
            **dict.fromkeys(("brand", "outcome", "over_age", "birth_year", "adult_us")),
            **{f"{name}_us": 0 for name in ("brand", "jurisdiction", "language", "outcome", "over_age")},
            "birth_year_us": 0,
            "jurisdiction": "CA-ON",
            "language": "en",
            "identity": "verified",
        }
        async with deployment.store.write() as session:
            session.add(PlayerFacts(**known))
        await give(client, alert(response="L4"))
        offered = await client.post(f"{A1}/actions", json={"action": "offer_referral"})
        assert offered.status_code == 201, offered.text
        assert (offered.json()["outcome"], offered.json()["work"]["state"]) == ("offered", "acted")
        prompts = await client.get("/v1/players/player-1/prompts", auth=As(client.keys, "platform"))
        assert offered.json()["prompt"] in prompts.text
        told = await work(client)
        states = {each["action"]: each["state"] for each in told["interventions"]}
        assert states["offer_referral"] == "done"
        assert told["actions"][0]["prompt"] == offered.json()["prompt"]
