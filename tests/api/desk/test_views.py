"""Whoever reads a list of players' affairs is on record with whom they saw."""

from __future__ import annotations

from typing import Any

from api.access.roles import Role
from tests.api.desk.office import alert, audit_rows, deployment_of, give
from tests.api.serving import As, Client


async def get(client: Client, path: str, role: Role, **query: Any) -> dict[str, Any]:
    response = await client.get(path, params=query, auth=As(client.keys, role))
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


async def listed(client: Client) -> list[tuple[str, list[str]]]:
    return [(row["subject"], row["players"]) for row in await audit_rows(client, "players.listed")]


def pseudonyms(client: Client, *numbers: int) -> list[str]:
    keyring = deployment_of(client).keyring
    return sorted(keyring.pseudonym(f"player-{number}") for number in numbers)


PATHS = ("/v1/alerts", "/v1/interventions", "/v1/contests", "/v1/reports/alerts-without-action")


async def test_each_page_is_one_entry_with_everybody_on_it(client: Client) -> None:
    asked = await give(client, *(alert(number) for number in range(5)))  # players 0, 1, 2, 0, 1
    for number in (1, 2):
        hold = asked[f"{number:032x}"]["deposit_hold"].id
        path = f"/v1/interventions/{hold}/contest"
        assert (await client.post(path, json={"reason": "means_changed"})).status_code == 201
    for path, on_them in zip(PATHS, ((0, 1, 2), (0, 1, 2), (1, 2), (0, 1, 2)), strict=True):
        before = len(await listed(client))
        await get(client, path, "compliance")
        assert (await listed(client))[before:] == [(f"page:{path}", pseudonyms(client, *on_them))]


async def test_the_next_page_is_an_entry_of_its_own(client: Client) -> None:
    await give(client, *(alert(number) for number in range(3)))
    first = await get(client, "/v1/alerts", "agent", order="queue", limit=2)
    await get(client, "/v1/alerts", "agent", order="queue", limit=2, cursor=first["next_cursor"])
    await get(client, "/v1/alerts", "agent", player="player-2")
    assert await listed(client) == [
        ("page:/v1/alerts", pseudonyms(client, 0, 1)),
        *[("page:/v1/alerts", pseudonyms(client, 2))] * 2,
    ]
    assert await audit_rows(client, "player.viewed") == []


async def test_one_intervention_too_for_agents_and_not_for_the_platform_that_carries_it_out(
    client: Client,
) -> None:
    asked = (await give(client, alert(1)))[f"{1:032x}"]
    path = f"/v1/interventions/{asked['deposit_hold'].id}"
    await get(client, "/v1/interventions", "platform")
    await get(client, path, "platform")
    assert await listed(client) == []
    for role in ("agent", "compliance"):
        await get(client, path, role)
    assert await listed(client) == [("page:/v1/interventions/{id}", pseudonyms(client, 1))] * 2
    assert len({row["actor"] for row in await audit_rows(client, "players.listed")}) == 2


async def test_nothing_where_nobody_was_seen(client: Client) -> None:
    for path in PATHS:
        await get(client, path, "compliance")
    await give(client, alert(1))
    for path in ("/v1/alerts", "/v1/reports/alerts-without-action"):
        await get(client, path, "analyst")
    assert await listed(client) == []
