"""What a player contests, and who decides."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from api.contests.duty import OverdueContests
from detector.events.instants import rfc3339_ms
from detector.ladder.interventions import Intervention
from tests.api.desk.agents import agent
from tests.api.desk.office import (
    HOUR_US,
    Clock,
    alert,
    audit_rows,
    deployment_of,
    endpoint,
    give,
    lease_of,
    messages,
)
from tests.api.serving import NOW_US, Client, problem
from tests.drivers.small import DAY_US

WHY = {"reason": "means_changed"}
LIFTED = {"decision": "lifted", "reasons": ["means_verified"]}
UPHELD = {"decision": "upheld", "reasons": ["player_at_risk"]}


@pytest.fixture
async def asked(client: Client) -> dict[str, Intervention]:
    """What an alert of L3 asks for, by action."""
    await endpoint(client, "platform")
    await endpoint(client, "desk")
    return (await give(client, alert(1)))[f"{1:032x}"]


async def contest(client: Client, intervention: str, **headers: str) -> httpx.Response:
    return await client.post(f"/v1/interventions/{intervention}/contest", json=WHY, headers=headers)


async def decide(client: Client, contest_id: str, **more: Any) -> httpx.Response:
    body = more.pop("body", LIFTED)
    return await client.post(f"/v1/contests/{contest_id}/decide", json=body, **more)


async def listed(client: Client, state: str) -> list[str]:
    answer = await client.get("/v1/contests", params={"state": state})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


async def test_contested_reviewed_and_lifted(client: Client, asked: dict[str, Intervention]) -> None:
    hold = asked["deposit_hold"]
    made = await contest(client, hold.id)
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["state"], told["player"], told["reason"]) == ("open", "player-1", "means_changed")
    assert told["due_at"] == rfc3339_ms(NOW_US + 12 * HOUR_US), "the review's time in Ontario"
    assert await listed(client, "open") == [told["id"]]
    (opened_message,) = await messages(client, "contest.opened")
    assert "player" not in opened_message
    shown = (await client.get(f"/v1/interventions/{hold.id}")).json()
    assert shown["contested"] == "open"
    decided = await decide(client, told["id"])
    assert (decided.status_code, decided.json()["state"]) == (200, "lifted")
    assert await listed(client, "open") == []
    assert await listed(client, "lifted") == [told["id"]]
    shown = (await client.get(f"/v1/interventions/{hold.id}")).json()
    assert (shown["state"], shown["contested"]) == ("lifted", "lifted")
    (lifted,) = await messages(client, "intervention.lifted")
    assert (lifted["intervention"], lifted["player"]) == (hold.id, "player-1")
    sent = {each["id"]: each["state"] for each in await messages(client, "intervention.asked")}
    assert sent[hold.id] == "cancelled", "nobody is asked any more for what was lifted"
    work = (await client.get(f"/v1/alerts/{1:032x}")).json()["work"]
    assert work["state"] == "acted", "somebody has looked"
    actions = [row["action"] for row in await audit_rows(client)]
    assert [each for each in actions if each.startswith("contest") or each.endswith("lifted")] == [
        *("contest.opened", "contest.decided", "intervention.lifted")
    ]


async def test_marketing_comes_back_where_it_was_lifted_and_nothing_else_keeps_it_away(
    client: Client, asked: dict[str, Intervention]
) -> None:
    other = (await give(client, alert(4, response="L2")))[f"{4:032x}"]["marketing_off"]
    told = (await contest(client, asked["marketing_off"].id)).json()
    path = "/v1/players/player-1/marketing"
    assert (await client.get(path)).json()["until"] == asked["marketing_off"].until
    await decide(client, told["id"])
    assert (await client.get(path)).json() == {"suppressed": True, "until": other.until}
    (lifted,) = await messages(client, "intervention.lifted")
    assert lifted["marketing_until"] == other.until


async def test_upheld_it_stays_in_force(client: Client, asked: dict[str, Intervention]) -> None:
    told = (await contest(client, asked["deposit_hold"].id)).json()
    assert (await decide(client, told["id"], body=UPHELD)).json()["state"] == "upheld"
    shown = (await client.get(f"/v1/interventions/{asked['deposit_hold'].id}")).json()
    assert (shown["state"], shown["contested"]) == ("undone", "upheld")
    assert await messages(client, "intervention.lifted") == []
    assert problem(await contest(client, asked["deposit_hold"].id)) == (409, "already-contested")
    assert problem(await decide(client, told["id"])) == (409, "already-decided")


async def test_only_what_is_automated_and_in_force(
    client: Client, asked: dict[str, Intervention], clock: Clock
) -> None:
    assert problem(await contest(client, asked["human_review"].id)) == (409, "not-contestable")
    low = (await give(client, alert(2, response="L2")))[f"{2:032x}"]["marketing_off"]
    assert problem(await contest(client, low.id)) == (409, "not-contestable")
    clock.now_us += 3 * DAY_US
    assert problem(await contest(client, asked["deposit_hold"].id)) == (409, "not-contestable")
    assert problem(await contest(client, "0" * 32)) == (404, "unknown-intervention")
    assert problem(await decide(client, "ct_" + "0" * 32)) == (404, "unknown-contest")


async def test_nobody_decides_on_what_they_ordered(client: Client) -> None:
    await give(client, alert(1))
    ordered = await client.post(f"/v1/alerts/{1:032x}/actions", json={"action": "block"})
    told = (await contest(client, ordered.json()["intervention"])).json()
    assert problem(await decide(client, told["id"])) == (403, "own-order")
    _, colleague = await agent(client)
    assert (await decide(client, told["id"], auth=colleague)).status_code == 200


async def test_of_many_decisions_at_once_one_holds(client: Client, asked: dict[str, Intervention]) -> None:
    contests = await asyncio.gather(*(contest(client, asked["deposit_hold"].id) for _ in range(10)))
    assert sorted(each.status_code for each in contests) == [201] + [409] * 9
    (contest_id,) = await listed(client, "open")
    answers = await asyncio.gather(
        *(decide(client, contest_id, body=(UPHELD, LIFTED)[n % 2]) for n in range(10))
    )
    assert sorted(each.status_code for each in answers) == [200] + [409] * 9
    (decided,) = [each.json() for each in answers if each.status_code == 200]
    assert await listed(client, decided["state"]) == [contest_id]
    assert len(await audit_rows(client, "contest.decided")) == 1


async def test_undecided_past_its_deadline_the_desk_is_told(
    client: Client, asked: dict[str, Intervention], clock: Clock
) -> None:
    told = (await contest(client, asked["deposit_hold"].id)).json()
    timeline = []
    for hours in (11, 12, 13, 24, 25):
        clock.now_us = NOW_US + hours * HOUR_US
        deployment = deployment_of(client)
        for _ in range(2):
            await OverdueContests(deployment, await lease_of(deployment)).round()
        timeline.append((hours, len(await messages(client, "contest.overdue"))))
    assert timeline == [(11, 0), (12, 1), (13, 1), (24, 2), (25, 2)]
    assert await listed(client, "overdue") == [told["id"]]
    await decide(client, told["id"])
    clock.now_us += 100 * HOUR_US
    await OverdueContests(deployment, await lease_of(deployment)).round()
    assert len(await messages(client, "contest.overdue")) == 2


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "lifted", "reasons": ["signs_stand"]},
        {"decision": "lifted", "reasons": []},
        {"decision": "perhaps", "reasons": ["signs_stand"]},
        {"decision": "upheld", "reasons": ["signs_stand"], "words": "…"},
    ],
)
async def test_decisions_are_codes(
    client: Client, asked: dict[str, Intervention], body: dict[str, Any]
) -> None:
    told = (await contest(client, asked["deposit_hold"].id)).json()
    assert problem(await decide(client, told["id"], body=body)) == (400, "invalid-parameter")
