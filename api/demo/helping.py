"""Players who ask for help or are offered it, and what becomes of it, as lines on the terminal."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import aiohttp

from api.demo.client import Answer, Client
from api.demo.feeding import Say
from api.demo.platform import clock
from api.demo.receiver import Receiver

LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two players who ask or are offered help, and for which one looks at a question."""

    every_s: float = 15.0
    thinks_s: float = 3.0


class Helping:
    """The players of the demonstration, where it is about help; two of three agree.

    Parameters
    ----------
    platform
        Gets what the platform is told; players are asked in its pages.
    since
        Alerts opened before are history.
    """

    def __init__(
        self, service: Client, platform: Receiver, since: str, say: Say, pace: Pace = Pace()
    ) -> None:
        self._service = service
        self._platform = platform
        self._since = since
        self._say = say
        self._pace = pace
        self._done: set[str] = set()
        self._told: set[str] = set()
        self._minds: Iterator[bool] = cycle((True, True, False))
        self._answering: deque[asyncio.Task[None]] = deque(maxlen=100)

    async def run(self) -> None:
        """Go on until cancelled."""
        stories = cycle((self._player_asks, self._agent_offers))
        story, due = next(stories), time.monotonic()
        try:
            while True:
                await asyncio.sleep(min(LOOK_EVERY_S, self._pace.every_s))
                self._tell_what_became()
                if time.monotonic() >= due and (alert := await self._next_alert()) is not None:
                    await self._quietly(story(alert))
                    story, due = next(stories), time.monotonic() + self._pace.every_s
        finally:
            for each in self._answering:
                each.cancel()

    async def _quietly(self, story: Awaitable[None]) -> None:
        """The service may be busy, or about to stop: the next story comes soon."""
        with suppress(aiohttp.ClientError, TimeoutError):
            await story

    async def _player_asks(self, alert: dict[str, Any]) -> None:
        """Somebody about whom there was an alert presses help."""
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

    async def _agent_offers(self, alert: dict[str, Any]) -> None:
        """An agent offers somebody a referral."""
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
        try:
            answer = await self._service.get(
                "agent", "/v1/alerts", severity="critical", since=self._since, limit=100
            )
        except (aiohttp.ClientError, TimeoutError):
            return None
        for alert in answer.body["items"] if answer.status == 200 else []:
            if alert["player"] not in self._done:
                self._done.add(alert["player"])
                found: dict[str, Any] = alert
                return found
        return None

    def _think(self, player: str, prompt: dict[str, Any]) -> None:
        self._answering.append(asyncio.create_task(self._quietly(self._answer(player, prompt))))

    async def _answer(self, player: str, prompt: dict[str, Any]) -> None:
        await asyncio.sleep(self._pace.thinks_s)
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
