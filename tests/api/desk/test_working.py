"""Who works on an alert, and until when it can wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from detector.events.instants import rfc3339_ms
from tests.api.desk.agents import (
    A1,
    REVIEWED,
    agent,
)
from tests.api.desk.office import (
    HOUR_US,
    Clock,
    alert,
    audit_rows,
    endpoint,
    give,
    messages,
)
from tests.api.serving import NOW_US, As, Client, issue, problem
from tests.drivers.small import MINUTE_US


class TestAssignment:
    async def test_taken_given_away_and_put_back(self, client: Client) -> None:
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

    async def test_taking_over_names_who_has_it(self, client: Client) -> None:
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

    async def test_only_to_who_works_on_alerts(self, client: Client) -> None:
        await give(client, alert())
        analyst = (await issue(client.app, "analyst")).split("_")[1]
        for to in (analyst, "0" * 12):
            assert problem(await client.post(f"{A1}/assign", json={"to": to})) == (400, "invalid-parameter")

    async def test_of_twenty_agents_who_race_for_fifty_alerts_each_has_one_winner(
        self, client: Client
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


class TestSnoozing:
    def until(self, us: int) -> dict[str, str]:
        return {"until": rfc3339_ms(us), "reason": "contact_agreed"}

    async def test_out_of_the_queue_until_then(self, client: Client, clock: Clock) -> None:
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

    async def test_never_behind_the_deadline_nor_into_the_past(self, client: Client, clock: Clock) -> None:
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
    async def test_not_what_is_grave(self, client: Client, what: dict[str, Any]) -> None:
        await give(client, alert(**what))
        refused = await client.post(f"{A1}/snooze", json=self.until(NOW_US + MINUTE_US))
        assert problem(refused) == (409, "cannot-wait")

    async def test_not_what_nothing_is_due_about(self, client: Client) -> None:
        await give(client, alert())
        await client.post(f"{A1}/actions", json=REVIEWED)
        refused = await client.post(f"{A1}/snooze", json=self.until(NOW_US + MINUTE_US))
        assert problem(refused) == (409, "cannot-wait")


async def test_agents_are_told_of_grave_alerts_and_of_no_player(client: Client) -> None:
    await endpoint(client, "desk")
    await give(client, alert(1), alert(2, response="L2"), alert(3, response="L1", severity="critical"))
    told = await messages(client, "alert.opened")
    assert {each["alert"] for each in told} == {f"{1:032x}", f"{3:032x}"}
    assert "player" not in str(told)
