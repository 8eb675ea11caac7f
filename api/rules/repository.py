"""What the detector says of its rules, and what it is asked for."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from detector.drivers.rulesets import RuleFace
from detector.drivers.streams import RULES

_faces = msgspec.json.Decoder(list[RuleFace])


@dataclass(frozen=True, slots=True)
class Report:
    """What Redis knows of the rules; `running` is the set's id, `wanted` what was asked and not answered."""

    running: str | None = None
    effective_from_us: int = 0
    since_us: int = 0
    before: str | None = None
    rules: list[RuleFace] | None = None
    asked: str | None = None
    asked_by: str | None = None
    wanted: str | None = None
    refused: str | None = None
    why: str = ""
    answered: str = ""


async def report(redis: Redis) -> Report:
    """What the detector has told and was told."""
    found: Any = await redis.hgetall(RULES)
    told: dict[str, bytes] = {key.decode(): value for key, value in found.items()}
    asked, answered = (told.get(name, b"").decode() for name in ("wanted", "answered"))
    return Report(
        running=_text(told, "set"),
        effective_from_us=int(told.get("effective_from", b"0")),
        since_us=int(told.get("since", b"0")),
        before=_text(told, "before"),
        rules=_faces.decode(told["rules"]) if "rules" in told else None,
        asked=asked.partition(" ")[0] or None,
        asked_by=_text(told, "by"),
        wanted=asked.partition(" ")[0] if asked and asked != answered else None,
        refused=_text(told, "refused"),
        why=told.get("why", b"").decode(),
        answered=answered,
    )


async def ask(redis: Redis, wanted: str, by: str) -> None:
    """Ask the detector for a set."""
    asked: dict[Any, Any] = {"wanted": f"{wanted} {secrets.token_hex(4)}", "by": by}
    await redis.hset(RULES, mapping=asked)


def _text(told: dict[str, bytes], name: str) -> str | None:
    return told.get(name, b"").decode() or None
