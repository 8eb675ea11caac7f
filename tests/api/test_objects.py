"""The matrix of roles over objects that are really there: one's own, somebody else's, and none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from redis import Redis

from api.access.roles import ROLES
from api.webhooks.signatures import public_key
from detector.drivers.valkey import Server
from tests.api.consent.asking import PLAYER, Story, telling
from tests.api.desk.office import alert, give
from tests.api.matrix import ALLOWED, SIGNED
from tests.api.partners.entries import OTHER_PRIVATE
from tests.api.serving import As, issue, problem

Objects = Mapping[str, str]
"""Route's beginning → the id of an object of its kind."""


@pytest.fixture
async def story(valkey: Server, redis: Redis, store_url: str) -> AsyncIterator[Story]:
    async with telling(valkey, store_url) as each:
        yield each


@pytest.fixture
async def objects(story: Story) -> Objects:
    """One of each kind; the referral is with `demo-aid`."""
    await story.enter()
    await story.listen()
    referral = await story.agree()
    asked = await give(story.client, alert(response="L3"))
    ((alert_id, interventions),) = asked.items()
    hold = interventions["deposit_hold"].id
    contested = await story.client.post(
        f"/v1/interventions/{hold}/contest", json={"reason": "not_my_play"}, auth=story.as_("platform")
    )
    assert contested.status_code == 201, contested.text
    keys = (await story.client.get("/v1/keys")).json()["items"]
    deliveries = (await story.client.get("/v1/deliveries")).json()["items"]
    endpoints = (await story.client.get("/v1/endpoints")).json()["items"]
    return {
        "/v1/alerts": alert_id,
        "/v1/interventions": hold,
        "/v1/contests": contested.json()["id"],
        "/v1/players": PLAYER,
        "/v1/prompts": (await story.asked())["id"],
        "/v1/consents": referral["consents"][0]["id"],
        "/v1/partners": "demo-aid",
        "/v1/referrals": referral["token"],
        "/v1/endpoints": endpoints[0]["id"],
        "/v1/deliveries": deliveries[0]["id"],
        "/v1/keys": next(each["id"] for each in keys if each["role"] == "analyst"),
    }


def path_of(route: str, objects: Objects) -> str:
    path = route.split(" ")[1]
    start = "/".join(path.split("/")[:3])
    for name in ("{id}", "{player}", "{token}"):
        path = path.replace(name, objects.get(start, ""))
    return path


async def test_who_may_not_learns_nothing_of_what_is_there(story: Story, objects: Objects) -> None:
    for route in sorted(each for each in ALLOWED if "{" in each):
        method = route.split(" ")[0]
        for role in ROLES:
            if role in ALLOWED[route]:
                continue
            body: dict[str, Any] | None = {} if method == "POST" else None
            path = path_of(route, objects)
            answer = await story.client.request(method, path, auth=story.as_(role), json=body)
            assert problem(answer) == (403, "forbidden"), (route, role)
    assert (await story.referral(objects["/v1/referrals"]))["state"] == "consented"


async def test_who_may_finds_what_is_there(story: Story, objects: Objects) -> None:
    await story.deliver()
    for route in sorted(each for each in ALLOWED if "{" in each and each.startswith("GET")):
        for role in sorted(ALLOWED[route]):
            answer = await story.client.get(path_of(route, objects), auth=story.as_(role))
            told = problem(answer) if answer.status_code >= 400 else None
            # Nothing was played here, so there is no risk and nothing in the archive to tell.
            at_play = "/risk" in route or "/timeline" in route
            assert told is None or (at_play and told == (404, "unknown-player")), (route, role, told)


async def test_a_partner_has_its_own_referrals_alone(story: Story, objects: Objects) -> None:
    token = objects["/v1/referrals"]
    unknown = "rf_" + "a" * 32
    await story.enter(id="other-aid", verification_keys=[public_key(OTHER_PRIVATE)])
    app = story.client.app
    own, other = [
        As({"partner": await issue(app, "partner", each)}, "partner") for each in ("demo-aid", "other-aid")
    ]
    get = story.client.get
    await story.deliver()
    assert [each["token"] for each in (await get("/v1/referrals", auth=own)).json()["items"]] == [token]
    assert (await get("/v1/referrals", auth=other)).json()["items"] == []
    for path in ("/v1/referrals/{}", "/v1/referrals/{}/slip"):
        mine, theirs = await get(path.format(token), auth=own), await get(path.format(token), auth=other)
        none = await get(path.format(unknown), auth=other)
        assert mine.status_code == 200
        assert PLAYER not in mine.text
        assert problem(theirs) == problem(none) == (404, "unknown-referral")
        assert theirs.content == none.content
    assert {"POST /v1/referrals/{token}/status"} == SIGNED
    forged = await story.call(token, "acknowledged", key=OTHER_PRIVATE)
    assert problem(forged) == (404, "unknown-referral")
    assert (await story.call(token, "acknowledged")).status_code == 200


async def test_nobody_decides_on_what_they_ordered(story: Story, objects: Objects) -> None:
    alert_id = objects["/v1/alerts"]
    app = story.client.app
    one, other = [As({"agent": await issue(app, "agent", name=each)}, "agent") for each in ("one", "other")]
    post = story.client.post
    order = {"action": "deposit_hold", "level": "L4"}
    ordered = await post(f"/v1/alerts/{alert_id}/actions", json=order, auth=one)
    assert ordered.status_code == 201, ordered.text
    intervention = ordered.json()["intervention"]
    contested = await post(
        f"/v1/interventions/{intervention}/contest",
        json={"reason": "not_my_play"},
        auth=story.as_("platform"),
    )
    assert contested.status_code == 201, contested.text
    path = f"/v1/contests/{contested.json()['id']}/decide"
    decision = {"decision": "upheld", "reasons": ["signs_stand"]}
    assert problem(await post(path, json=decision, auth=one))[0] == 403
    assert (await post(path, json=decision, auth=other)).status_code in (200, 201)


async def test_an_alert_is_taken_from_a_colleague_by_name_alone(story: Story, objects: Objects) -> None:
    app = story.client.app
    one, other = [As({"agent": await issue(app, "agent", name=each)}, "agent") for each in ("one", "other")]
    path = f"/v1/alerts/{objects['/v1/alerts']}/assign"
    first = await story.client.post(path, json={"to": "me"}, auth=one)
    assert first.status_code in (200, 201), first.text
    assert problem(await story.client.post(path, json={"to": "me"}, auth=other))[0] == 409
    taken = await story.client.post(path, json={"to": "me", "from": first.json()["assignee"]}, auth=other)
    assert taken.status_code in (200, 201), taken.text


async def test_an_analyst_never_meets_a_player_by_their_name(story: Story, objects: Objects) -> None:
    who = (await story.client.get(f"/v1/alerts/{objects['/v1/alerts']}", auth=story.as_("agent"))).json()[
        "player"
    ]
    for path in (
        "/v1/alerts",
        f"/v1/alerts/{objects['/v1/alerts']}",
        "/v1/reports/alerts-without-action",
        "/v1/reports/outcomes",
        f"/v1/alerts?player={who}",
    ):
        answer = await story.client.get(path, auth=story.as_("analyst"))
        assert answer.status_code == 200
        assert f'"{who}"' not in answer.text
    asked = await story.client.get("/v1/alerts", params={"player": who}, auth=story.as_("analyst"))
    assert asked.json()["items"] == [], "a name that is tried out would tell whose pseudonym it is"
