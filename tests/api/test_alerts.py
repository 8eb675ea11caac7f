from __future__ import annotations

import json
from typing import Any

import pytest
from redis import Redis

from detector.engine.alerts import Alert
from detector.events.instants import rfc3339_ms
from tests.api.desk.office import audit_rows, give, take_over
from tests.api.serving import NOW_US, As, Client, problem
from tests.drivers.small import MINUTE_US


def alert(number: int, **more: Any) -> Alert:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "player": f"p{number % 3}",
        "rule": f"rule-{number % 2}@{1 + number % 5}",
        "kind": "open",
        "title": "É",
        "category": "deposits",
        "audience": "compliance" if number % 4 == 0 else "risk",
        "severity": "critical" if number % 10 == 0 else "low",
        "opened_at": rfc3339_ms(NOW_US + number * MINUTE_US),
        "score": None,
        "band": None,
        "contributions": None,
        "evidence": [],
        "events": ["e1"],
        "explanation": "…",
        "sources": [],
        "response": "L1",
    }
    return Alert(**(values | more))


@pytest.fixture
async def hundred(client: Client) -> list[dict[str, Any]]:
    """A hundred alerts taken over; returned newest first, as they should be answered."""
    made = [alert(n) for n in range(100)]
    await give(client, *made, ask=False)
    return [json.loads(each.to_json()) | {"notes": []} for each in reversed(made)]


def plain(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Alerts as the detector wrote them, and their notes."""
    return [{name: value for name, value in each.items() if name != "work"} for each in items]


async def pages(client: Client, **query: Any) -> list[list[dict[str, Any]]]:
    found = []
    while True:
        response = await client.get("/v1/alerts", params=query)
        assert response.status_code == 200, response.text
        found.append(plain(response.json()["items"]))
        if response.json()["next_cursor"] is None:
            return found
        query["cursor"] = response.json()["next_cursor"]


async def test_none(client: Client) -> None:
    assert (await client.get("/v1/alerts")).json() == {"items": [], "next_cursor": None}


async def test_newest_first_exactly_as_written(client: Client, hundred: list[dict[str, Any]]) -> None:
    response = await client.get("/v1/alerts")
    assert plain(response.json()["items"]) == hundred[:50]
    assert list(response.json()["items"][0]) == [*Alert.__struct_fields__, "notes", "work"]


@pytest.mark.parametrize("limit", [1, 7, 50, 99, 100, 101, 500])
async def test_pages_leave_nothing_out(client: Client, hundred: list[dict[str, Any]], limit: int) -> None:
    found = await pages(client, limit=limit)
    assert [each for page in found for each in page] == hundred
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


async def test_a_cursor_is_not_moved_by_new_alerts(client: Client, hundred: list[dict[str, Any]]) -> None:
    cursor = (await client.get("/v1/alerts", params={"limit": 10})).json()["next_cursor"]
    await give(client, alert(100), ask=False)
    response = await client.get("/v1/alerts", params={"limit": 10, "cursor": cursor})
    assert plain(response.json()["items"]) == hundred[10:20]


@pytest.mark.parametrize(
    "query",
    [
        {"player": "p1"},
        {"rule": "rule-1"},
        {"rule": "rule-1@2"},
        {"rule": "rule"},
        {"severity": "critical"},
        {"audience": "compliance"},
        {"since": "2026-01-01T13:30:00Z"},
        {"since": "2026-01-01T08:30:00-05:00"},
        {"player": "p0", "severity": "critical", "rule": "rule-0", "audience": "compliance"},
        {"player": "nobody"},
    ],
)
async def test_filters(
    client: Client,
    hundred: list[dict[str, Any]],
    query: dict[str, str],
) -> None:
    expected = [
        each
        for each in hundred
        if all(
            each["opened_at"] >= "2026-01-01T13:30:00.000Z"
            if name == "since"
            else value in (each[name], each[name].partition("@")[0])
            for name, value in query.items()
        )
    ]
    found = await pages(client, limit=4, **query)
    assert [each for page in found for each in page] == expected


async def test_notes_stand_with_their_alert(
    client: Client, redis: Redis, hundred: list[dict[str, Any]]
) -> None:
    about = {"player": hundred[1]["player"], "alert": hundred[1]["id"], "event": "v"}
    notes = [about | {"code": code, "at": "2026-01-01T12:00:00.000Z"} for code in ("b", "a")]
    for each in notes:
        redis.xadd("tw:notes", {"n": json.dumps(each)})
    await take_over(client, redis)
    items = (await client.get("/v1/alerts", params={"limit": 3})).json()["items"]
    assert [each["notes"] for each in items] == [[], notes, []]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "501"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"severity": "urgent"}, "severity"),
        ({"audience": "press"}, "audience"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-01-01T13:30:00"}, "since"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"cursor": "LQ"}, "cursor"),
        ({"player": "x" * 129}, "player"),
        ({"plaier": "p1"}, "plaier"),
    ],
)
async def test_wrong_parameters(
    client: Client, hundred: list[dict[str, Any]], query: dict[str, str], name: str
) -> None:
    response = await client.get("/v1/alerts", params=query)
    assert problem(response) == (400, "invalid-parameter")
    (parameter,) = response.json()["parameters"]
    assert parameter["name"] == name
    assert parameter["reason"]
    (value,) = query.values()
    assert len(value) < 4 or value not in response.text


async def test_whoever_sees_no_players_reads_pseudonyms(
    client: Client, redis: Redis, hundred: list[dict[str, Any]]
) -> None:
    analyst = As(client.keys, "analyst")
    own = hundred[1]["player"]
    note = {"player": own, "alert": hundred[1]["id"], "event": f"{own}-7", "code": "a", "at": "x"}
    redis.xadd("tw:notes", {"n": json.dumps(note)})
    await take_over(client, redis)
    page = await client.get("/v1/alerts", params={"limit": 3}, auth=analyst)
    one = await client.get(f"/v1/alerts/{hundred[1]['id']}", auth=analyst)
    pseudonym = one.json()["player"]
    for answer in (page, one):
        assert f'"{own}"' not in answer.text
        assert f"{own}-7" not in answer.text
    assert pseudonym.startswith("ps_")
    assert page.json()["items"][1]["player"] == page.json()["items"][1]["notes"][0]["player"] == pseudonym
    by_id = await client.get("/v1/alerts", params={"player": own}, auth=analyst)
    assert by_id.json()["items"] == [], "not even whether there is such a player"
    by_name = await client.get("/v1/alerts", params={"player": pseudonym, "limit": 100}, auth=analyst)
    assert len(by_name.json()["items"]) == len([each for each in hundred if each["player"] == own])


async def test_who_sees_a_player_is_on_record(client: Client, hundred: list[dict[str, Any]]) -> None:
    path = f"/v1/alerts/{hundred[0]['id']}"
    for role in ("agent", "compliance", "analyst"):
        assert (await client.get(path, auth=As(client.keys, role))).status_code == 200
    views = await audit_rows(client, "player.viewed")
    assert len(views) == 2
    (subject,) = {each["subject"] for each in views}
    assert subject.startswith("player:ps_")
    assert len({each["actor"] for each in views}) == 2
