"""The demonstration's platform: its machines do what they are asked, its people are still at lunch."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp

from api.demo.client import Client
from api.demo.feeding import Say
from detector.events.instants import micros, rfc3339_ms
from detector.ladder.actions import HUMAN

ASK_EVERY_S = 2.0
"""How often the platform asks what it has to do."""


async def carry_out(service: Client, start: str, say: Say) -> None:
    """Do what machines are asked for, and say so of what was asked since `start`."""
    while True:
        await asyncio.sleep(ASK_EVERY_S)
        carried_out: dict[tuple[str, str], list[str]] = {}
        cursor: str | None = ""
        while cursor is not None:
            items, cursor = await _page(service, cursor)
            for each in items:
                if each["action"] in HUMAN or not await _acknowledge(service, each["id"]):
                    continue
                if each["opened_at"] >= start:
                    carried_out.setdefault((each["player"], each["level"]), []).append(each["action"])
        for (player, level), actions in carried_out.items():
            say(f"{clock()}  platform  {player}  {level}: {', '.join(actions)} done")


def clock() -> str:
    """The time of day in UTC, as lines on the terminal begin."""
    return f"{datetime.now(UTC):%H:%M:%S}"


async def _page(service: Client, cursor: str) -> tuple[list[dict[str, str]], str | None]:
    """A page of what is undone; nothing where the service has no time."""
    more = {"cursor": cursor} if cursor else {}
    try:
        answer = await service.get("platform", "/v1/interventions", limit=500, **more)
    except (aiohttp.ClientError, TimeoutError):
        return [], None
    return (answer.body["items"], answer.body["next_cursor"]) if answer.status == 200 else ([], None)


async def _acknowledge(service: Client, intervention: str) -> bool:
    said = {"outcome": "done", "at": rfc3339_ms(micros(datetime.now(UTC)))}
    try:
        answer = await service.post("platform", f"/v1/interventions/{intervention}/acknowledge", said)
    except (aiohttp.ClientError, TimeoutError):
        return False
    return answer.status == 200
