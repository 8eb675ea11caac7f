"""What the platform is asked for and answers, over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx
import pytest
from redis import Redis

from detector.drivers.interventions import Asked, queue
from detector.events.instants import rfc3339_ms
from detector.ladder.interventions import Intervention
from tests.api.desk.office import Clock, audit_rows, endpoint, messages, take_over
from tests.api.serving import NOW_US, Client, problem
from tests.drivers.small import DAY_US, MINUTE_US
from tests.ladder.samples import asked

HOUR_US = 60 * MINUTE_US


async def store(client: Client, redis: Redis, *sent: Intervention) -> None:
    """Write interventions as the detector does, and have them taken over."""
    with redis.pipeline(transaction=True) as pipe:
        queue(pipe, Asked(list(sent)))
        pipe.execute()
    await take_over(client, redis)


@pytest.fixture
async def friction(client: Client, redis: Redis) -> dict[str, Intervention]:
    """An alert of L3 half an hour ago: a hold, marketing, a message and a review, by action."""
    found = asked("L3", opened_us=NOW_US - HOUR_US // 2)
    await store(client, redis, *found.values())
    return found


def answer(outcome: str = "done", after_us: int = 0, **more: Any) -> dict[str, Any]:
    reason = {} if outcome == "done" else {"reason": "technical"}
    return {"outcome": outcome, "at": rfc3339_ms(NOW_US + after_us), **reason, **more}


async def acknowledge(client: Client, each: Intervention, **said: Any) -> httpx.Response:
    return await client.post(f"/v1/interventions/{each.id}/acknowledge", json=answer(**said))


async def ids(client: Client, state: str) -> list[str]:
    response = await client.get("/v1/interventions", params={"state": state})
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["items"]]


def ids_of(interventions: Iterable[Intervention]) -> list[str]:
    return [each.id for each in sorted(interventions, key=lambda each: (each.due_us, each.id))]


async def test_none(client: Client) -> None:
    for state in ("undone", "overdue", "done", "lapsed", "lifted"):
        response = await client.get("/v1/interventions", params={"state": state})
        assert response.json() == {"items": [], "next_cursor": None}


async def test_what_is_owed_stands_by_its_deadline_as_the_detector_wrote_it(
    client: Client, friction: dict[str, Intervention]
) -> None:
    items = (await client.get("/v1/interventions")).json()["items"]
    assert [each["id"] for each in items] == ids_of(friction.values())
    written = {each.id: json.loads(each.to_json()) for each in friction.values()}
    beside: dict[str, Any] = {"state": "undone", "answers": [], "contested": None}
    assert items == [written[each["id"]] | beside for each in items]
    one = await client.get(f"/v1/interventions/{items[0]['id']}")
    assert one.json() == items[0]


class TestAsTimePasses:
    @pytest.fixture
    def states(self, client: Client, clock: Clock) -> Callable[..., Awaitable[Any]]:
        async def states(each: Intervention, now_us: int) -> tuple[str, set[str]]:
            """What it is said to be at a time, and the lists that it is in."""
            clock.now_us = now_us
            said = (await client.get(f"/v1/interventions/{each.id}")).json()["state"]
            lists = {
                state
                for state in ("undone", "overdue", "done", "lapsed", "lifted")
                if each.id in await ids(client, state)
            }
            return said, lists

        return states

    async def test_a_hold_is_owed_then_overdue_then_no_longer_due(
        self, states: Callable[..., Awaitable[Any]], friction: dict[str, Intervention]
    ) -> None:
        hold = friction["deposit_hold"]
        assert hold.ends_us is not None
        assert await states(hold, hold.due_us - 1000) == ("undone", {"undone"})
        assert await states(hold, hold.due_us) == ("overdue", {"undone", "overdue"})
        assert await states(hold, hold.ends_us - 1000) == ("overdue", {"undone", "overdue"})
        assert await states(hold, hold.ends_us) == ("lapsed", {"lapsed"})

    async def test_what_people_owe_a_player_never_lapses(
        self, states: Callable[..., Awaitable[Any]], friction: dict[str, Intervention]
    ) -> None:
        review = friction["human_review"]
        assert await states(review, NOW_US + 1000 * DAY_US) == ("overdue", {"undone", "overdue"})

    async def test_marketing_that_was_never_stopped_is_seen_to_have_lapsed(
        self, states: Callable[..., Awaitable[Any]], client: Client, redis: Redis
    ) -> None:
        off = asked("L2", opened_us=NOW_US)["marketing_off"]
        await store(client, redis, off)
        assert await states(off, NOW_US + 15 * DAY_US) == ("lapsed", {"lapsed"})

    async def test_what_is_done_stays_done(
        self,
        states: Callable[..., Awaitable[Any]],
        client: Client,
        friction: dict[str, Intervention],
    ) -> None:
        hold = friction["deposit_hold"]
        assert (await acknowledge(client, hold)).json()["state"] == "done"
        assert await states(hold, NOW_US + 1000 * DAY_US) == ("done", {"done"})

    async def test_it_may_be_said_to_have_been_done_after_it_lapsed(
        self,
        states: Callable[..., Awaitable[Any]],
        client: Client,
        friction: dict[str, Intervention],
    ) -> None:
        hold = friction["deposit_hold"]
        later_us = NOW_US + 10 * DAY_US
        assert await states(hold, later_us) == ("lapsed", {"lapsed"})
        assert (await acknowledge(client, hold)).status_code == 200
        assert await states(hold, later_us) == ("done", {"done"})


class TestAnswers:
    async def test_done_is_kept_with_when_and_is_no_longer_owed(
        self, client: Client, friction: dict[str, Intervention]
    ) -> None:
        response = await acknowledge(client, friction["marketing_off"], after_us=-MINUTE_US)
        assert response.status_code == 200
        assert response.json()["answers"] == [
            {
                "outcome": "done",
                "at": rfc3339_ms(NOW_US - MINUTE_US),
                "reason": None,
                "received_at": rfc3339_ms(NOW_US),
            }
        ]
        assert friction["marketing_off"].id not in await ids(client, "undone")
        assert await ids(client, "done") == [friction["marketing_off"].id]

    async def test_the_same_again_changes_nothing(
        self, client: Client, friction: dict[str, Intervention]
    ) -> None:
        first = await acknowledge(client, friction["marketing_off"])
        # The same instant in another zone is the same answer.
        zoned = rfc3339_ms(NOW_US).replace("T12:", "T14:").replace("Z", "+02:00")
        for again in (
            await acknowledge(client, friction["marketing_off"]),
            await acknowledge(client, friction["marketing_off"], at=zoned),
        ):
            assert (again.status_code, again.json()) == (200, first.json())
        (row,) = await audit_rows(client, "intervention.answered")
        assert (row["outcome"], row["subject"]) == ("done", f"intervention:{friction['marketing_off'].id}")
        assert row["actor"].startswith("key:")

    @pytest.mark.parametrize("outcome", ["refused", "failed"])
    async def test_what_was_refused_or_failed_is_still_owed(
        self,
        client: Client,
        clock: Clock,
        friction: dict[str, Intervention],
        outcome: str,
    ) -> None:
        hold = friction["deposit_hold"]
        said = (await acknowledge(client, hold, outcome=outcome)).json()
        assert (said["state"], said["answers"][0]["reason"]) == ("undone", "technical")
        assert hold.id in await ids(client, "undone")
        clock.now_us = hold.due_us
        assert hold.id in await ids(client, "overdue")

    async def test_a_failure_is_tried_again_and_done_in_the_end(
        self, client: Client, friction: dict[str, Intervention]
    ) -> None:
        hold = friction["deposit_hold"]
        for said in (
            {"outcome": "failed", "after_us": -3 * MINUTE_US},
            {"outcome": "failed", "after_us": -2 * MINUTE_US},
            {"outcome": "refused", "after_us": -MINUTE_US, "reason": "not_supported"},
            {"outcome": "done"},
        ):
            response = await acknowledge(client, hold, **said)
            assert response.status_code == 200, response.text
        assert [each["outcome"] for each in response.json()["answers"]] == [
            *("failed", "failed", "refused", "done")
        ]
        # A delayed copy of an answer that was overtaken says nothing new.
        late = await acknowledge(client, hold, outcome="failed", after_us=-3 * MINUTE_US)
        assert (late.status_code, late.json()) == (200, response.json())

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({}, {"outcome": "failed"}),
            ({}, {"outcome": "refused"}),
            ({}, {"after_us": 1000}),
            ({}, {"reason": "already_in_force"}),
            ({"outcome": "refused"}, {"outcome": "failed"}),
            ({"outcome": "refused"}, {"outcome": "refused", "reason": "not_permitted"}),
            ({"outcome": "failed"}, {"outcome": "failed", "after_us": -MINUTE_US}),
            ({"outcome": "failed"}, {"outcome": "failed", "reason": "unreachable"}),
        ],
    )
    async def test_an_answer_that_takes_back_what_was_said_is_refused(
        self,
        client: Client,
        friction: dict[str, Intervention],
        first: dict[str, Any],
        second: dict[str, Any],
    ) -> None:
        said = (await acknowledge(client, friction["deposit_hold"], **first)).json()
        refused = await acknowledge(client, friction["deposit_hold"], **second)
        assert problem(refused) == (409, "contradiction")
        assert (await client.get(f"/v1/interventions/{said['id']}")).json() == said

    async def test_of_many_at_once_one_holds_and_the_others_are_told(
        self, client: Client, friction: dict[str, Intervention]
    ) -> None:
        hold = friction["deposit_hold"]
        answers = [acknowledge(client, hold, after_us=-1000 * number) for number in range(20)]
        codes = sorted(each.status_code for each in await asyncio.gather(*answers))
        assert codes == [200] + [409] * 19
        held = (await client.get(f"/v1/interventions/{hold.id}")).json()
        assert len(held["answers"]) == 1

    async def test_of_an_unknown_one(self, client: Client) -> None:
        unknown = "0" * 32
        body = answer()
        assert problem(await client.get(f"/v1/interventions/{unknown}")) == (404, "unknown-intervention")
        response = await client.post(f"/v1/interventions/{unknown}/acknowledge", json=body)
        assert problem(response) == (404, "unknown-intervention")

    @pytest.mark.parametrize(
        ("body", "name"),
        [
            ({"at": "2026-01-01T12:00:00Z"}, "outcome"),
            ({"outcome": "done"}, "at"),
            ({"outcome": "perhaps", "at": "2026-01-01T12:00:00Z"}, "outcome"),
            ({"outcome": "done", "at": "2026-01-01T12:00:00"}, "at"),
            ({"outcome": "done", "at": 1767268800}, "at"),
            ({"outcome": "done", "at": "2026-01-01T12:05:00.001Z"}, "at"),
            ({"outcome": "done", "at": "2026-01-01T12:00:00Z", "by": "x"}, "by"),
            ({"outcome": "failed", "at": "2026-01-01T12:00:00Z"}, "reason"),
            ({"outcome": "refused", "at": "2026-01-01T12:00:00Z", "reason": None}, "reason"),
            ({"outcome": "maybe", "at": "2026-01-01T12:00:00Z"}, "outcome"),
            ({"outcome": "failed", "at": "2026-01-01T12:00:00Z", "reason": "mood"}, "reason"),
            ([], "body"),
        ],
    )
    async def test_that_cannot_be_read(
        self, client: Client, friction: dict[str, Intervention], body: Any, name: str
    ) -> None:
        path = f"/v1/interventions/{friction['deposit_hold'].id}/acknowledge"
        response = await client.post(path, json=body)
        assert problem(response) == (400, "invalid-parameter")
        (wrong,) = response.json()["parameters"]
        assert wrong["name"] == name
        assert not wrong["reason"].startswith("Value error")
        assert (await client.get(path.removesuffix("/acknowledge"))).json()["answers"] == []

    async def test_in_another_form(self, client: Client, friction: dict[str, Intervention]) -> None:
        path = f"/v1/interventions/{friction['deposit_hold'].id}/acknowledge"
        body = json.dumps(answer())
        plain = await client.post(path, content=body, headers={"content-type": "text/plain"})
        assert problem(plain) == (415, "unsupported-body")
        long = await client.post(
            path, content=body + " " * 5000, headers={"content-type": "application/json"}
        )
        assert problem(long) == (413, "body-too-large")
        broken = await client.post(path, content=body[:-1], headers={"content-type": "application/json"})
        assert problem(broken) == (400, "invalid-parameter")


class TestPages:
    @pytest.fixture
    async def many(self, client: Client, redis: Redis) -> list[str]:
        """What forty alerts ask for, much of it due at the same moment; ids in the order of deadlines."""
        found = [
            each
            for number in range(40)
            for each in asked("L4", opened_us=NOW_US + number // 10 * HOUR_US, alert_id=f"a{number}").values()
        ]
        await store(client, redis, *found)
        return ids_of(found)

    async def pages(self, client: Client, **query: Any) -> list[list[str]]:
        found = []
        while True:
            page = (await client.get("/v1/interventions", params=query)).json()
            found.append([each["id"] for each in page["items"]])
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    @pytest.mark.parametrize("limit", [1, 7, 240, 241, 500])
    async def test_leave_nothing_out(self, client: Client, many: list[str], limit: int) -> None:
        found = await self.pages(client, limit=limit)
        assert [each for page in found for each in page] == many
        assert all(len(page) == limit for page in found[:-1])
        assert found[-1]

    async def test_go_on_where_they_were_while_things_get_done(self, client: Client, many: list[str]) -> None:
        first = (await client.get("/v1/interventions", params={"limit": 50})).json()
        for each in first["items"]:
            path = f"/v1/interventions/{each['id']}/acknowledge"
            assert (await client.post(path, json=answer())).status_code == 200
        rest = await self.pages(client, limit=50, cursor=first["next_cursor"])
        assert [each for page in rest for each in page] == many[50:]
        assert await ids(client, "done") == many[:50]

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ({"state": "late"}, "state"),
            ({"limit": "0"}, "limit"),
            ({"limit": "501"}, "limit"),
            ({"cursor": "AAAA"}, "cursor"),
            ({"cursor": "é"}, "cursor"),
            ({"player": "p-1"}, "player"),
        ],
    )
    async def test_of_what_makes_no_sense(self, client: Client, query: dict[str, str], name: str) -> None:
        response = await client.get("/v1/interventions", params=query)
        assert problem(response) == (400, "invalid-parameter")
        assert [each["name"] for each in response.json()["parameters"]] == [name]


class TestMarketing:
    async def told(self, client: Client, player: str = "p-1") -> dict[str, Any]:
        response = await client.get(f"/v1/players/{player}/marketing")
        assert response.status_code == 200, response.text
        told: dict[str, Any] = response.json()
        return told

    async def test_stays_away_from_when_it_is_asked_until_its_time(
        self, client: Client, redis: Redis, clock: Clock
    ) -> None:
        await endpoint(client, "platform")
        assert await self.told(client) == {"suppressed": False, "until": None}
        low = asked("L2", opened_us=NOW_US)["marketing_off"]
        high = asked("L4", opened_us=NOW_US, alert_id="a2")["marketing_off"]
        await store(client, redis, low, high)
        assert await self.told(client) == {"suppressed": True, "until": high.until}, "the later one holds"
        assert await self.told(client, "somebody/else") == {"suppressed": False, "until": None}
        told = await messages(client, "marketing.suppressed")
        assert {(each["intervention"], each["until"], each["player"]) for each in told} == {
            (each.id, each.until, "p-1") for each in (low, high)
        }
        clock.now_us = NOW_US + 90 * DAY_US
        assert await self.told(client) == {"suppressed": False, "until": None}
