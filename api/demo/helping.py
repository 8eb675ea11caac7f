"""Players who ask for help or are offered it, and what becomes of it, as lines on the terminal."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from itertools import cycle
from typing import Any

import aiohttp

from api.demo.client import Answer, Client
from api.demo.feeding import Say
from api.demo.platform import clock
from api.demo.receiver import Receiver

EVERY_S = 15.0
"""How often somebody asks, or is offered something."""
LOOK_EVERY_S = 0.5
THINKS_S = 3.0
"""How long a player looks at a question."""


class Helping:
    """The players of the demonstration, where it is about help; two of three agree.

    Parameters
    ----------
    platform
        Gets what the platform is told; players are asked in its pages.
    since
        Alerts opened before are history.
    """

    def __init__(self, service: Client, platform: Receiver, since: str, say: Say) -> None:
        self._service = service
        self._platform = platform
        self._since = since
        self._say = say
        self._done: set[str] = set()
        self._told: set[str] = set()
        self._minds: Iterator[bool] = cycle((True, True, False))
        self._answering: deque[asyncio.Task[None]] = deque(maxlen=100)

    async def run(self) -> None:
        """Go on until cancelled."""
        stories = cycle((self._player_asks, self._agent_offers))
        try:
            while True:
                for _ in range(round(EVERY_S / LOOK_EVERY_S)):
                    await asyncio.sleep(LOOK_EVERY_S)
                    self._tell_what_became()
                await self._quietly(next(stories)())
        finally:
            for each in self._answering:
                each.cancel()

    async def _quietly(self, story: Awaitable[None]) -> None:
        """The service may be busy, or about to stop: the next story comes soon."""
        with suppress(aiohttp.ClientError, TimeoutError):
            await story

    async def _player_asks(self) -> None:
        """Somebody about whom there was an alert presses help."""
        alert = await self._next_alert()
        if alert is None:
            return
        wanted = {"player": alert["player"], "channel": "app"}
        answer = await self._service.post("platform", "/v1/help", wanted)
        prompt = answer.body.get("prompt") if answer.status < 300 else None
        if prompt is None:
            why = answer.body.get("reason") or answer.problem
            self._line(
                "player", alert["player"], f"asks for help; nobody can be named ({why}), only signposts"
            )
            return
        name = prompt["partner"]["name"]
        self._line("player", alert["player"], f"asks for help; asked whether {name} may get in touch")
        self._think(alert["player"], prompt)

    async def _agent_offers(self) -> None:
        """An agent offers somebody a referral."""
        alert = await self._next_alert()
        if alert is None:
            return
        path = f"/v1/alerts/{alert['id']}/actions"
        answer = await self._service.post("agent", path, {"action": "offer_referral"})
        if answer.status != 201:
            why = answer.body.get("reason") or answer.problem
            self._line("agent", alert["player"], f"would offer a referral, but {why}")
            return
        self._line("agent", alert["player"], "offers a referral")
        shown = await self._service.get("platform", f"/v1/players/{alert['player']}/prompts")
        for prompt in shown.body["items"]:
            if prompt["id"] == answer.body["prompt"]:
                self._think(alert["player"], prompt)

    async def _next_alert(self) -> dict[str, Any] | None:
        """The newest grave alert of a player who was not asked yet."""
        answer = await self._service.get("agent", "/v1/alerts", severity="critical", limit=100)
        for alert in answer.body["items"] if answer.status == 200 else []:
            if alert["opened_at"] >= self._since and alert["player"] not in self._done:
                self._done.add(alert["player"])
                found: dict[str, Any] = alert
                return found
        return None

    def _think(self, player: str, prompt: dict[str, Any]) -> None:
        self._answering.append(asyncio.create_task(self._quietly(self._answer(player, prompt))))

    async def _answer(self, player: str, prompt: dict[str, Any]) -> None:
        await asyncio.sleep(THINKS_S)
        agrees = next(self._minds)
        said: dict[str, Any] = {
            "referral": agrees,
            "outcome": agrees,
            "texts": [{"text": each["text"], "hash": each["hash"]} for each in prompt["texts"]],
            "language": prompt["texts"][0]["language"],
        }
        if agrees:
            said["contact_by"] = {"channel": "phone", "window": "evening"}
            said["contact"] = {"phone": "+1 555 0100"}
        answer = await self._service.post("platform", f"/v1/prompts/{prompt['id']}/answer", said)
        self._line("player", player, _became(answer))

    def _tell_what_became(self) -> None:
        """Lines for what the platform was told of referrals."""
        for message_id, message in list(self._platform.messages.items()):
            if message["type"] == "referral.changed" and message_id not in self._told:
                self._told.add(message_id)
                data = message["data"]
                self._line("referral", data["player"], data["state"])

    def _line(self, who: str, player: str, what: str) -> None:
        self._say(f"{clock()}  {who:8}  {player}  {what}")


def _became(answer: Answer) -> str:
    """What came of an answer, in words."""
    if answer.status >= 300:
        return f"answers, but {answer.problem}"
    if not answer.body["agreed"]:
        return "says no; nothing is sent"
    referral = answer.body.get("referral")
    if referral is None:
        return f"says yes, but nothing may be sent ({answer.body['reason']})"
    return f"says yes; {referral['partner']['name']} is told, without a name"
