"""Telling which rules are in force, and having others put in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from api.audit.service import Audit
from api.kafka.line import Line, Outgoing
from api.kafka.workers import live_workers
from api.problems import RULES_CHANGED, RULES_UNFIT, Problem
from api.rules import repository
from api.rules.checking import Verdict, look_through_beside
from api.rules.schemas import (
    Activated,
    ActivatedOnWorkers,
    Activation,
    Refused,
    RulesInForce,
    Running,
    RunningRule,
    WorkerRules,
)
from detector.drivers.kafka import commands
from detector.drivers.kafka.topics import COMMANDS
from detector.drivers.rulesets import id_of, rule_set_files, rule_set_id
from detector.errors import InputError
from detector.events.instants import rfc3339_ms

MOST_FINDINGS = 100
LEAD_US = 3_000_000
"""How far ahead the event time lies at which workers change over: all have to have the rules by then."""
WAIT_S = 10.0
"""How long an answer waits for the workers, who come to that time with the next event or tick."""
LOOK_EVERY_S = 0.2


class RulesService:
    """The rules of a deployment.

    Parameters
    ----------
    folder
        Where they lie.
    currencies
        The deployment's own.
    clock
        Tells the wall clock, in µs since the epoch.
    line
        To the brokers whose workers run the rules; None where a detector beside the service does.
    """

    def __init__(
        self,
        redis: Redis,
        audit: Audit,
        folder: Path,
        currencies: Mapping[str, int],
        clock: Callable[[], int],
        line: Line | None,
    ) -> None:
        self._clock = clock
        self._line = line
        self._redis = redis
        self._audit = audit
        self._folder = folder
        self._currencies = currencies
        self._turn = asyncio.Lock()

    @property
    def is_distributed(self) -> bool:
        """Whether workers on Kafka run the rules."""
        return self._line is not None

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
        found = RulesInForce(
            running=running,
            wanted=told.wanted,
            refused=refused,
            on_disk=await asyncio.to_thread(self._on_disk),
        )
        if self._line is not None:
            found.workers = [
                WorkerRules(worker=each.worker, state=each.state, set=each.rules, said_at=rfc3339_ms(each.at))
                for each in await live_workers(self._redis, self._clock())
            ]
        return found

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
        """Ask the detector for a set that was checked; BrokersAway where workers cannot be asked."""
        told = await repository.report(self._redis)
        if told.running == checked and told.wanted in (None, checked):
            return self._answer(checked, "running", told.effective_from_us)
        from_us = 0 if self._line is None else self._clock() + LEAD_US
        since = {} if self._line is None else {"effective_from": rfc3339_ms(from_us)}
        self._audit.tell(session, actor, "rules.asked_for", f"rules:{checked}", running=told.running, **since)
        if self._line is not None:
            await self._publish(self._line, checked, actor, from_us)
        await repository.ask(self._redis, checked, actor, from_us)
        return self._answer(checked, "wanted", from_us)

    async def settled(self, asked: ActivatedOnWorkers) -> ActivatedOnWorkers:
        """What was asked for, once all workers at work run it, or as it stands after a while."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + WAIT_S
        while True:
            live = await live_workers(self._redis, self._clock())
            asked.waiting_for = [each.worker for each in live if each.rules != asked.set]
            asked.state = "wanted" if asked.waiting_for or not live else "running"
            if asked.state == "running" or loop.time() >= until_s:
                return asked
            await asyncio.sleep(LOOK_EVERY_S)

    async def _publish(self, line: Line, checked: str, actor: str, from_us: int) -> None:
        """Send workers the files, and when to take them up."""
        files = await asyncio.to_thread(rule_set_files, self._folder)
        if id_of(files) != checked:
            raise Problem(RULES_CHANGED, "They are being changed.", on_disk=id_of(files))
        texts = {name: data.decode() for name, data in files.items()}
        rules = commands.Rules(checked, texts, actor, self._clock())
        change = commands.Activate(checked, from_us, actor, self._clock())
        await repository.keep_files(self._redis, checked, msgspec.json.encode(texts))
        await line.send(
            [
                Outgoing(COMMANDS, msgspec.json.encode(rules), f"rules:{checked}".encode()),
                Outgoing(COMMANDS, msgspec.json.encode(change), b"activate"),
            ]
        )

    def _answer(self, checked: str, state: Literal["wanted", "running"], from_us: int) -> Activated:
        if self._line is None:
            return Activated(set=checked, state=state)
        return ActivatedOnWorkers(set=checked, state=state, effective_from=rfc3339_ms(from_us))

    def _on_disk(self) -> str | None:
        try:
            return rule_set_id(self._folder)
        except InputError:
            return None
