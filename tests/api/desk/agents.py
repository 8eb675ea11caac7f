"""Agents, the alert they work on, and what they say of it."""

from __future__ import annotations

from typing import Any

from tests.api.serving import As, Client, issue

A1 = f"/v1/alerts/{1:032x}"

CONFIRMED = {"verdict": "confirmed", "reasons": ["pattern_confirmed"]}
NOT_CONFIRMED = {"verdict": "not_confirmed", "reasons": ["usual_for_player"]}
UNCLEAR = {"verdict": "unclear", "reasons": ["second_opinion"]}
SPOKEN = {"action": "human_contact", "outcome": "done", "code": "spoken"}
REVIEWED = {"action": "human_review", "outcome": "done", "code": "right"}


async def agent(client: Client) -> tuple[str, As]:
    """Another agent: the id of their key, and what they ask with."""
    key = await issue(client.app, "agent")
    return key.split("_")[1], As({**client.keys, "agent": key}, "agent")


async def work(client: Client, number: int = 1) -> dict[str, Any]:
    response = await client.get(f"/v1/alerts/{number:032x}")
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told
