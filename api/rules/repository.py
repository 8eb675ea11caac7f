"""What the detector says of its rules, and what it is asked for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from redis.asyncio import Redis

from detector.drivers.rulesets import RuleFace
from detector.drivers.streams import RULES

FILES = "tw:rules:files"
"""Hash: set → its files as JSON, of sets that workers were asked to run."""

_faces = msgspec.json.Decoder(list[RuleFace])


@dataclass(frozen=True, slots=True)
class Report:
    """What Redis knows of the rules; `running` is the set's id, `wanted` what was asked and not answered,
    `asked_from_us` the event time from which it was asked for, where workers change over at one."""

    running: str | None = None
    effective_from_us: int = 0
    since_us: int = 0
    before: str | None = None
    rules: list[RuleFace] | None = None
    asked: str | None = None
    asked_by: str | None = None
    wanted: str | None = None
    asked_from_us: int = 0
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
        asked_from_us=int(told.get("asked_from", b"0")),
        refused=_text(told, "refused"),
        why=told.get("why", b"").decode(),
        answered=answered,
    )


async def ask(redis: Redis, wanted: str, by: str, from_us: int = 0) -> None:
    """Ask the detector for a set."""
    asked: dict[Any, Any] = {"wanted": f"{wanted} {secrets.token_hex(4)}", "by": by, "asked_from": from_us}
    await redis.hset(RULES, mapping=asked)


async def keep_files(redis: Redis, set_id: str, files: bytes) -> None:
    """Keep the files of a set, as JSON, until workers run another."""
    await redis.hset(FILES, set_id, files)


async def files_of(redis: Redis, set_id: str) -> bytes | None:
    """The files of a set that was asked for."""
    found: bytes | None = await redis.hget(FILES, set_id)  # type: ignore[assignment]  # texts are not decoded
    return found


async def tell(redis: Redis, told: Report, running: str, faces: Sequence[RuleFace], now_us: int) -> None:
    """Have it known that workers run a set, `told` being what was known before."""
    effective_us = told.asked_from_us if told.asked == running else 0
    fields: dict[Any, Any] = {
        "set": running,
        "rules": msgspec.json.encode(faces),
        "effective_from": effective_us,
        "since": now_us,
        "before": told.running or "",
    }
    await redis.hset(RULES, mapping=fields)


async def answer(redis: Redis, running: str) -> None:
    """Have it known that what was asked for is there; files of other sets are not needed any more."""
    asked: Any = await redis.hget(RULES, "wanted")
    if asked is not None and asked.decode().partition(" ")[0] == running:
        await redis.hset(RULES, "answered", asked)
        kept: Any = await redis.hkeys(FILES)
        old = [each for each in kept if each != running.encode()]
        if old:
            await redis.hdel(FILES, *old)


def _text(told: dict[str, bytes], name: str) -> str | None:
    return told.get(name, b"").decode() or None
