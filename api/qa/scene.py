"""What the steps share: who takes part, and what came of the steps before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from api.demo.client import Client
from api.demo.neighbour import Neighbour
from api.demo.receiver import Receiver

PAUSE_S = 0.1
PATIENCE_S = 30.0
BEGAN_AGO = timedelta(minutes=10)


class NotReached(Exception):  # noqa: N818  (it is what a step says of itself)
    """A step needs what an earlier one did not find; the argument names it."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a step expects and what it saw; it passes if they are equal."""

    expected: Any
    seen: Any

    @property
    def passed(self) -> bool:
        return bool(self.expected == self.seen)


Look = Callable[[], Awaitable[Check]]


@dataclass(slots=True)
class Scene:
    """One run.

    Parameters
    ----------
    run
        Tells this run's players, partner and messages from any other's.
    patience_s
        How long is waited for what comes by itself.
    dead_letters
        Reads what was refused, where that can be seen from here.
    """

    service: Client
    aid: Neighbour
    platform: Receiver
    run: str
    patience_s: float = PATIENCE_S
    dead_letters: Callable[[], Awaitable[list[Mapping[str, str]]]] | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC) - BEGAN_AGO)
    _kept: dict[str, Any] = field(default_factory=dict)

    @property
    def flagged(self) -> str:
        """The player who gets into trouble."""
        return f"qa-{self.run}-flagged"

    @property
    def normal(self) -> str:
        """The player who does not."""
        return f"qa-{self.run}-normal"

    @property
    def partner(self) -> str:
        """Id of the aid organisation."""
        return f"qa-{self.run}"

    def keep(self, name: str, value: Any) -> Any:
        """Keep something for later steps."""
        self._kept[name] = value
        return value

    def kept(self, name: str) -> Any:
        """What an earlier step kept; NotReached if it did not."""
        if name not in self._kept:
            raise NotReached(name)
        return self._kept[name]

    def kept_or_none(self, name: str) -> Any:
        """What an earlier step kept, if it did."""
        return self._kept.get(name)

    async def eventually(self, look: Look) -> Check:
        """The first check that passes, or the last one once patience ends."""
        deadline = time.monotonic() + self.patience_s
        while True:
            check = await look()
            if check.passed or time.monotonic() >= deadline:
                return check
            await asyncio.sleep(PAUSE_S)

    def event(self, player: str, type_: str, event_id: str, at_s: float, **fields: Any) -> bytes:
        """A line of the feed; `at_s` counts from the beginning of the run's story."""
        at = (self.began + timedelta(seconds=at_s)).isoformat(timespec="milliseconds")
        common = {"type": type_, "id": event_id, "source": "qa", "player": player, "ts": at}
        return msgspec.json.encode({**common, "jurisdiction": "CA-ON", **fields})

    async def send(self, *lines: bytes) -> dict[str, Any]:
        """Send events; what became of them, by what happened how often, and why."""
        answer = await self.service.events(list(lines))
        if answer.status != 202:
            return {"status": answer.status}
        told = {name: answer.body[name] for name in ("accepted", "repeated", "rejected")}
        reasons = [each["reason"] for each in answer.body["results"] if each.get("reason")]
        return {
            **{name: count for name, count in told.items() if count},
            **({"why": reasons} if reasons else {}),
        }
