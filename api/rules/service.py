"""Telling which rules are in force, and having others put in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.problems import RULES_CHANGED, RULES_UNFIT, Problem
from api.rules import repository
from api.rules.checking import Verdict, look_through_beside
from api.rules.schemas import Activated, Activation, Refused, RulesInForce, Running, RunningRule
from detector.drivers.rulesets import rule_set_id
from detector.errors import InputError
from detector.events.instants import rfc3339_ms

MOST_FINDINGS = 100


class RulesService:
    """The rules of a deployment.

    Parameters
    ----------
    folder
        Where they lie.
    currencies
        The deployment's own.
    """

    def __init__(self, redis: Redis, audit: Audit, folder: Path, currencies: Mapping[str, int]) -> None:
        self._redis = redis
        self._audit = audit
        self._folder = folder
        self._currencies = currencies
        self._turn = asyncio.Lock()

    async def in_force(self) -> RulesInForce:
        """What runs, what was asked for and what lies there."""
        told = await repository.report(self._redis)
        running = None
        if told.running is not None:
            running = Running(
                set=told.running,
                effective_from=rfc3339_ms(told.effective_from_us) if told.effective_from_us else None,
                since=rfc3339_ms(told.since_us),
                rules=[RunningRule(**msgspec.structs.asdict(each)) for each in told.rules or ()],
            )
        refused = (
            None if told.refused is None else Refused.model_validate({"set": told.refused, "why": told.why})
        )
        return RulesInForce(
            running=running,
            wanted=told.wanted,
            refused=refused,
            on_disk=await asyncio.to_thread(self._on_disk),
        )

    async def check(self, wanted: Activation) -> str:
        """Look the folder through; the id of its set.

        Raises
        ------
        Problem
            It is not the set that is wanted, or something was found.
        """
        on_disk = await asyncio.to_thread(self._on_disk)
        if wanted.set is not None and on_disk != wanted.set:
            raise Problem(RULES_CHANGED, "Read `on_disk` again.", on_disk=on_disk)
        async with self._turn:  # one at a time: it keeps a core busy
            verdict: Verdict = await asyncio.to_thread(look_through_beside, self._folder, self._currencies)
        if verdict.findings:
            raise Problem(RULES_UNFIT, "See `findings`.", findings=verdict.findings[:MOST_FINDINGS])
        if verdict.set is None or (wanted.set is not None and verdict.set != wanted.set):
            raise Problem(RULES_CHANGED, "They are being changed.", on_disk=verdict.set)
        return verdict.set

    async def activate(self, session: AsyncSession, checked: str, actor: str) -> Activated:
        """Ask the detector for a set that was checked."""
        told = await repository.report(self._redis)
        if told.running == checked and told.wanted in (None, checked):
            return Activated(set=checked, state="running")
        self._audit.tell(session, actor, "rules.asked_for", f"rules:{checked}", running=told.running)
        await repository.ask(self._redis, checked, actor)
        return Activated(set=checked, state="wanted")

    def _on_disk(self) -> str | None:
        try:
            return rule_set_id(self._folder)
        except InputError:
            return None
