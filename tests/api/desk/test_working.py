"""Agents at work on alerts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis import Redis

from api.players.tables import PlayerFacts
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.desk.office import (
    HOUR_US,
    Clock,
    alert,
    audit_rows,
    deadlines,
    deployment_of,
    endpoint,
    give,
    messages,
    opened,
)
from tests.api.partners.entries import enter
from tests.api.serving import NOW_US, As, issue, problem
from tests.drivers.small import MINUTE_US

A1 = f"/v1/alerts/{1:032x}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def client(
    valkey: Server, redis: Redis, store_url: str, clock: Clock
) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(valkey.url, store_url, clock) as each:
        yield each


async def agent(client: httpx.AsyncClient) -> tuple[str, As]:
    """Another agent: the id of their key, and what they ask with."""
    key = await issue(client.app, "agent")  # type: ignore[attr-defined]
    assert isinstance(client.auth, As)
    return key.split("_")[1], As({**client.auth.keys, "agent": key}, "agent")


async def work(client: httpx.AsyncClient, number: int = 1) -> dict[str, Any]:
    response = await client.get(f"/v1/alerts/{number:032x}")
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


CONFIRMED = {"verdict": "confirmed", "reasons": ["pattern_confirmed"]}
NOT_CONFIRMED = {"verdict": "not_confirmed", "reasons": ["usual_for_player"]}
UNCLEAR = {"verdict": "unclear", "reasons": ["second_opinion"]}
SPOKEN = {"action": "human_contact", "outcome": "done", "code": "spoken"}
REVIEWED = {"action": "human_review", "outcome": "done", "code": "right"}


class TestAssignment:
    async def test_taken_given_away_and_put_back(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        me, _ = await agent(client)
        other, as_other = await agent(client)
        taken = await client.post(f"{A1}/assign", json={"to": "me"}, auth=as_other)
        assert (taken.status_code, taken.json()["assignee"]) == (200, other)
        again = await client.post(f"{A1}/assign", json={"to": "me"}, auth=as_other)
        assert again.json() == taken.json()
        assert (await client.post(f"{A1}/assign", json={"to": me}, auth=as_other)).json()["assignee"] == me
        refused = await client.post(f"{A1}/assign", json={"to": None}, auth=as_other)
        assert problem(refused) == (409, "already-assigned")
        put_back = await client.post(f"{A1}/assign", json={"to": None, "from": me}, auth=as_other)
        assert put_back.json()["assignee"] is None
        rows = await audit_rows(client, "alert.assigned")
        assert [(row["from"], row["to"]) for row in rows] == [
            (None, f"key:{other}"),
            (f"key:{other}", f"key:{me}"),
            (f"key:{me}", None),
        ]

    async def test_taking_over_names_who_has_it(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        one, as_one = await agent(client)
        two, as_two = await agent(client)
        await client.post(f"{A1}/assign", json={"to": "me"}, auth=as_one)
        assert problem(await client.post(f"{A1}/assign", json={"to": "me"}, auth=as_two)) == (
            409,
            "already-assigned",
        )
        wrong = await client.post(f"{A1}/assign", json={"to": "me", "from": two}, auth=as_two)
        assert problem(wrong) == (409, "already-assigned")
        right = await client.post(f"{A1}/assign", json={"to": "me", "from": one}, auth=as_two)
        assert right.json()["assignee"] == two

    async def test_only_to_who_works_on_alerts(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        analyst = (await issue(client.app, "analyst")).split("_")[1]  # type: ignore[attr-defined]
        for to in (analyst, "0" * 12):
            assert problem(await client.post(f"{A1}/assign", json={"to": to})) == (400, "invalid-parameter")

    async def test_of_twenty_agents_who_race_for_fifty_alerts_each_has_one_winner(
        self, client: httpx.AsyncClient
    ) -> None:
        await give(client, *(alert(number) for number in range(50)))
        agents = [await agent(client) for _ in range(20)]

        async def grab(number: int, auth: As) -> tuple[int, int]:
            path = f"/v1/alerts/{number:032x}/assign"
            response = await client.post(path, json={"to": "me"}, auth=auth)
            return number, response.status_code

        # Each agent tries every fourth one, beginning somewhere else: five of them after each alert.
        tries = [
            grab((start + 4 * step) % 50, auth)
            for start, (_, auth) in enumerate(agents)
            for step in range(13)
        ]
        codes = await asyncio.gather(*tries)
        for number in range(50):
            met = sorted(code for each, code in codes if each == number)
            assert met[0] == 200
            assert set(met[1:]) <= {200, 409}
        rows = await audit_rows(client, "alert.assigned")
        assert len(rows) == len({row["subject"] for row in rows}) == 50, "nobody took anything away"
        holders = {key for key, _ in agents}
        page = (await client.get("/v1/alerts", params={"limit": 100})).json()["items"]
        assert all(each["work"]["assignee"] in holders for each in page)
        by_alert = {row["subject"].removeprefix("alert:"): row["to"] for row in rows}
        assert {each["id"]: f"key:{each['work']['assignee']}" for each in page} == by_alert


class TestVerdicts:
    async def test_confirmed_only_once_something_was_done(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        assert problem(await client.post(f"{A1}/verdict", json=CONFIRMED)) == (409, "nothing-done")
        tried = {"action": "human_contact", "outcome": "attempted", "code": "no_answer"}
        assert (await client.post(f"{A1}/actions", json=tried)).status_code == 201
        assert problem(await client.post(f"{A1}/verdict", json=CONFIRMED)) == (409, "nothing-done")
        assert (await client.post(f"{A1}/actions", json=SPOKEN)).json()["work"]["state"] == "acted"
        given = await client.post(f"{A1}/verdict", json=CONFIRMED)
        assert given.status_code == 201
        assert (given.json()["state"], given.json()["verdict"]) == ("closed", "confirmed")

    async def test_what_the_platform_did_counts(self, client: httpx.AsyncClient) -> None:
        asked = await give(client, alert())
        hold = asked[f"{1:032x}"]["deposit_hold"]
        said = {"outcome": "done", "at": rfc3339_ms(NOW_US)}
        await client.post(f"/v1/interventions/{hold.id}/acknowledge", json=said)
        told = await work(client)
        assert told["work"]["acted_at"] == rfc3339_ms(NOW_US)
        assert told["work"]["state"] == "open", "at L3 somebody has to look"
        assert (await client.post(f"{A1}/verdict", json=CONFIRMED)).status_code == 201

    async def test_changed_with_its_history_kept(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        assert (await client.post(f"{A1}/verdict", json=NOT_CONFIRMED)).json()["state"] == "closed"
        refused = await client.post(f"{A1}/verdict", json=UNCLEAR)
        assert problem(refused) == (409, "verdict-given")
        assert refused.json()["verdicts"] == 1
        changed = await client.post(f"{A1}/verdict", json={**UNCLEAR, "changes": 1})
        assert changed.json()["state"] == "open", "nothing was ever done about it"
        told = await work(client)
        assert [each["verdict"] for each in told["verdicts"]] == ["not_confirmed", "unclear"]
        assert [each["number"] for each in told["verdicts"]] == [1, 2]

    @pytest.mark.parametrize("verdict", [CONFIRMED, NOT_CONFIRMED])
    async def test_whoever_gives_one_has_reviewed_it(
        self, client: httpx.AsyncClient, verdict: dict[str, Any]
    ) -> None:
        asked = (await give(client, alert()))[f"{1:032x}"]
        said = {"outcome": "done", "at": rfc3339_ms(NOW_US)}
        await client.post(f"/v1/interventions/{asked['deposit_hold'].id}/acknowledge", json=said)
        who, auth = await agent(client)
        assert (await client.post(f"{A1}/verdict", json=UNCLEAR, auth=auth)).status_code == 201
        told = await work(client)
        assert {each["action"]: each["state"] for each in told["interventions"]}["human_review"] == "undone"
        given = await client.post(f"{A1}/verdict", json={**verdict, "changes": 1}, auth=auth)
        assert given.status_code == 201
        told = await work(client)
        (review,) = [each for each in told["interventions"] if each["action"] == "human_review"]
        assert (review["state"], [each["outcome"] for each in review["answers"]]) == ("done", ["done"])
        answered = (await audit_rows(client, "intervention.answered"))[1:]
        assert [(row["actor"], row["asked"], row["outcome"]) for row in answered] == [
            (f"key:{who}", "human_review", "done")
        ]
        changed = {**NOT_CONFIRMED, "reasons": ["wrong_data"], "changes": 2}
        assert (await client.post(f"{A1}/verdict", json=changed)).status_code == 201
        assert len(await audit_rows(client, "intervention.answered")) == 2, "it was reviewed before"

    @pytest.mark.parametrize("what", [{"response": "L4"}, {"response": "L5"}, {"severity": "critical"}])
    async def test_that_there_was_nothing_to_a_grave_one_takes_two(
        self, client: httpx.AsyncClient, what: dict[str, Any]
    ) -> None:
        await give(client, alert(**what))
        _, as_one = await agent(client)
        _, as_two = await agent(client)

        async def judge(verdict: dict[str, Any], number: int, auth: As) -> str:
            body = {**verdict, "changes": number or None}
            response = await client.post(f"{A1}/verdict", json=body, auth=auth)
            assert response.status_code == 201, response.text
            state: str = response.json()["state"]
            return state

        assert await judge(NOT_CONFIRMED, 0, as_one) == "open"
        due_at = (await work(client))["work"]["due_at"]
        assert await judge(NOT_CONFIRMED, 1, as_one) == "open", "saying it twice is not two"
        assert await judge(UNCLEAR, 2, as_two) == "open"
        assert await judge(NOT_CONFIRMED, 3, as_one) == "open", "the other had doubts since"
        assert await judge(NOT_CONFIRMED, 4, as_two) == "closed"
        assert await judge(UNCLEAR, 5, as_two) == "open"
        told = await work(client)
        assert (told["work"]["due_at"], len(told["verdicts"])) == (due_at, 6)
        assert (await client.post(f"{A1}/actions", json=SPOKEN)).json()["work"]["state"] == "acted"
        assert await judge(CONFIRMED, 6, as_one) == "closed"
        assert await judge(NOT_CONFIRMED, 7, as_two) == "acted", "one alone does not undo it"
        assert await judge(NOT_CONFIRMED, 8, as_one) == "closed"

    async def test_nothing_to_a_grave_one_says_one_and_it_is_overdue_all_the_same(
        self, client: httpx.AsyncClient, clock: Clock
    ) -> None:
        await endpoint(client, "desk")
        await give(client, alert(response="L4"))
        await client.post(f"{A1}/verdict", json=NOT_CONFIRMED)
        clock.now_us += 4 * HOUR_US
        await (await deadlines(deployment_of(client))).round()
        assert [each["alert"] for each in await messages(client, "alert.overdue")] == [f"{1:032x}"]

    async def test_of_many_at_once_one_holds_and_nothing_is_lost(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        answers = await asyncio.gather(*(client.post(f"{A1}/verdict", json=UNCLEAR) for _ in range(20)))
        assert sorted(each.status_code for each in answers) == [201] + [409] * 19
        assert len((await work(client))["verdicts"]) == 1

    @pytest.mark.parametrize(
        "body",
        [
            {"verdict": "confirmed", "reasons": []},
            {"verdict": "confirmed", "reasons": ["usual_for_player"]},
            {"verdict": "unclear", "reasons": ["second_opinion", "second_opinion"]},
            {"verdict": "guilty", "reasons": ["second_opinion"]},
            {"verdict": "unclear", "reasons": ["second_opinion"], "note": "in my words"},
        ],
    )
    async def test_in_no_words_but_the_codes(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        await give(client, alert())
        assert problem(await client.post(f"{A1}/verdict", json=body)) == (400, "invalid-parameter")

    async def test_sent_twice_with_one_key_it_is_given_once(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        headers = {"Idempotency-Key": "k1"}
        first = await client.post(f"{A1}/verdict", json=UNCLEAR, headers=headers)
        again = await client.post(f"{A1}/verdict", json=UNCLEAR, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert len((await work(client))["verdicts"]) == 1


class TestSnoozing:
    def until(self, us: int) -> dict[str, str]:
        return {"until": rfc3339_ms(us), "reason": "contact_agreed"}

    async def test_out_of_the_queue_until_then(self, client: httpx.AsyncClient, clock: Clock) -> None:
        await give(client, alert())
        put_off = await client.post(f"{A1}/snooze", json=self.until(NOW_US + HOUR_US))
        assert (put_off.status_code, put_off.json()["state"]) == (200, "snoozed")
        queue = {"order": "queue"}
        assert (await client.get("/v1/alerts", params=queue)).json()["items"] == []
        assert len((await client.get("/v1/alerts", params={"state": "snoozed"})).json()["items"]) == 1
        clock.now_us += HOUR_US
        (back,) = (await client.get("/v1/alerts", params=queue)).json()["items"]
        assert back["work"]["state"] == "open"
        assert back["work"]["due_at"] == put_off.json()["due_at"], "the deadline stays"

    async def test_never_behind_the_deadline_nor_into_the_past(
        self, client: httpx.AsyncClient, clock: Clock
    ) -> None:
        await give(client, alert())
        for us in (NOW_US, NOW_US - 1000, NOW_US + 12 * HOUR_US + 1000):
            assert problem(await client.post(f"{A1}/snooze", json=self.until(us))) == (
                400,
                "invalid-parameter",
            )
        assert (await client.post(f"{A1}/snooze", json=self.until(NOW_US + 12 * HOUR_US))).status_code == 200
        clock.now_us += 12 * HOUR_US
        late = await client.post(f"{A1}/snooze", json=self.until(clock.now_us + HOUR_US))
        assert problem(late) == (409, "cannot-wait")

    @pytest.mark.parametrize("what", [{"response": "L4"}, {"response": "L5"}, {"severity": "critical"}])
    async def test_not_what_is_grave(self, client: httpx.AsyncClient, what: dict[str, Any]) -> None:
        await give(client, alert(**what))
        refused = await client.post(f"{A1}/snooze", json=self.until(NOW_US + MINUTE_US))
        assert problem(refused) == (409, "cannot-wait")

    async def test_not_what_nothing_is_due_about(self, client: httpx.AsyncClient) -> None:
        await give(client, alert())
        await client.post(f"{A1}/actions", json=REVIEWED)
        refused = await client.post(f"{A1}/snooze", json=self.until(NOW_US + MINUTE_US))
        assert problem(refused) == (409, "cannot-wait")


class TestActions:
    async def test_a_talk_is_recorded_and_answers_what_was_asked_of_people(
        self, client: httpx.AsyncClient
    ) -> None:
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
        self, client: httpx.AsyncClient, redis: Redis, clock: Clock
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

    async def test_at_a_level_that_is_named_if_the_ladder_has_it_there(
        self, client: httpx.AsyncClient
    ) -> None:
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

    async def test_with_one_key_it_is_ordered_once(self, client: httpx.AsyncClient) -> None:
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
    async def test_that_make_no_sense(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        await give(client, alert())
        assert problem(await client.post(f"{A1}/actions", json=body)) == (400, "invalid-parameter")

    async def test_about_no_alert(self, client: httpx.AsyncClient) -> None:
        for path, body in (
            ("assign", {"to": "me"}),
            ("verdict", UNCLEAR),
            ("actions", SPOKEN),
            ("snooze", {"until": rfc3339_ms(NOW_US + 1), "reason": "contact_agreed"}),
        ):
            assert problem(await client.post(f"{A1}/{path}", json=body)) == (404, "unknown-alert")


async def test_nothing_that_people_have_to_do_is_sent_to_the_platforms_machines(
    client: httpx.AsyncClient,
) -> None:
    await endpoint(client, "platform")
    asked = (await give(client, alert(response="L4")))[f"{1:032x}"]
    sent = {each["action"] for each in await messages(client, "intervention.asked")}
    assert sent == set(asked) - {"human_review", "human_contact", "offer_referral"}
    page = (await client.get("/v1/interventions")).json()["items"]
    assert {each["action"] for each in page} == set(asked)


async def test_agents_are_told_of_grave_alerts_and_of_no_player(client: httpx.AsyncClient) -> None:
    await endpoint(client, "desk")
    await give(client, alert(1), alert(2, response="L2"), alert(3, response="L1", severity="critical"))
    told = await messages(client, "alert.opened")
    assert {each["alert"] for each in told} == {f"{1:032x}", f"{3:032x}"}
    assert "player" not in str(told)


class TestOfferingHelp:
    async def test_where_no_organisation_may_be_named_nothing_is_recorded(
        self, client: httpx.AsyncClient
    ) -> None:
        await give(client, alert(response="L4"))
        refused = await client.post(f"{A1}/actions", json={"action": "offer_referral"})
        assert problem(refused) == (409, "no-referral")
        told = await work(client)
        assert (told["actions"], told["work"]["state"]) == ([], "open")

    async def test_it_opens_a_prompt_for_the_alerts_reasons_and_settles_what_was_asked_of_people(
        self, client: httpx.AsyncClient
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
        assert isinstance(client.auth, As)
        prompts = await client.get("/v1/players/player-1/prompts", auth=As(client.auth.keys, "platform"))
        assert offered.json()["prompt"] in prompts.text
        told = await work(client)
        states = {each["action"]: each["state"] for each in told["interventions"]}
        assert states["offer_referral"] == "done"
        assert told["actions"][0]["prompt"] == offered.json()["prompt"]
