"""What agents find there was to an alert, and how that changes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from detector.events.instants import rfc3339_ms
from tests.api.desk.agents import (
    A1,
    CONFIRMED,
    NOT_CONFIRMED,
    SPOKEN,
    UNCLEAR,
    agent,
    work,
)
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
)
from tests.api.serving import NOW_US, As, Client, problem


class TestVerdicts:
    async def test_confirmed_only_once_something_was_done(self, client: Client) -> None:
        await give(client, alert())
        assert problem(await client.post(f"{A1}/verdict", json=CONFIRMED)) == (409, "nothing-done")
        tried = {"action": "human_contact", "outcome": "attempted", "code": "no_answer"}
        assert (await client.post(f"{A1}/actions", json=tried)).status_code == 201
        assert problem(await client.post(f"{A1}/verdict", json=CONFIRMED)) == (409, "nothing-done")
        assert (await client.post(f"{A1}/actions", json=SPOKEN)).json()["work"]["state"] == "acted"
        given = await client.post(f"{A1}/verdict", json=CONFIRMED)
        assert given.status_code == 201
        assert (given.json()["state"], given.json()["verdict"]) == ("closed", "confirmed")

    async def test_what_the_platform_did_counts(self, client: Client) -> None:
        asked = await give(client, alert())
        hold = asked[f"{1:032x}"]["deposit_hold"]
        said = {"outcome": "done", "at": rfc3339_ms(NOW_US)}
        await client.post(f"/v1/interventions/{hold.id}/acknowledge", json=said)
        told = await work(client)
        assert told["work"]["acted_at"] == rfc3339_ms(NOW_US)
        assert told["work"]["state"] == "open", "at L3 somebody has to look"
        assert (await client.post(f"{A1}/verdict", json=CONFIRMED)).status_code == 201

    async def test_changed_with_its_history_kept(self, client: Client) -> None:
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
    async def test_whoever_gives_one_has_reviewed_it(self, client: Client, verdict: dict[str, Any]) -> None:
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
        self, client: Client, what: dict[str, Any]
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
        self, client: Client, clock: Clock
    ) -> None:
        await endpoint(client, "desk")
        await give(client, alert(response="L4"))
        await client.post(f"{A1}/verdict", json=NOT_CONFIRMED)
        clock.now_us += 4 * HOUR_US
        await (await deadlines(deployment_of(client))).round()
        assert [each["alert"] for each in await messages(client, "alert.overdue")] == [f"{1:032x}"]

    async def test_of_many_at_once_one_holds_and_nothing_is_lost(self, client: Client) -> None:
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
    async def test_in_no_words_but_the_codes(self, client: Client, body: dict[str, Any]) -> None:
        await give(client, alert())
        assert problem(await client.post(f"{A1}/verdict", json=body)) == (400, "invalid-parameter")

    async def test_sent_twice_with_one_key_it_is_given_once(self, client: Client) -> None:
        await give(client, alert())
        headers = {"Idempotency-Key": "k1"}
        first = await client.post(f"{A1}/verdict", json=UNCLEAR, headers=headers)
        again = await client.post(f"{A1}/verdict", json=UNCLEAR, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert len((await work(client))["verdicts"]) == 1
