"""Having it known which rules the workers on Kafka run, where no detector beside the service says so."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.kafka.workers import live_workers, running
from api.rules import repository
from detector.drivers.rulesets import RuleFace, read_rule_set, rule_set_id
from detector.errors import TiltwatchError
from detector.events.money import Currencies
from detector.language.pack import default_pack

log = structlog.get_logger()

EVERY_S = 1.0

_files = msgspec.json.Decoder(dict[str, str])


class RulesOfWorkers:
    """Looks which set all workers run, and tells it as the embedded detector does."""

    name = "rules of workers"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._redis = deployment.redis
        self._store = deployment.store
        self._clock = deployment.clock
        self._lease = lease
        self._folder = deployment.settings.rules_dir or default_pack()
        self._currencies = Currencies(deployment.settings.currencies)

    async def round(self) -> float:
        now_us = self._clock()
        found = running(await live_workers(self._redis, now_us))
        if found is None:
            return EVERY_S
        told = await repository.report(self._redis)
        if told.running == found and told.wanted != found:
            return EVERY_S
        files = await repository.files_of(self._redis, found)
        async with self._store.read() as session:
            await self._lease.check(session)
        if told.running != found:
            faces = await asyncio.to_thread(self._faces, found, files)
            await repository.tell(self._redis, told, found, faces, now_us)
        await repository.answer(self._redis, found)
        return EVERY_S

    def _faces(self, wanted: str, files: bytes | None) -> Sequence[RuleFace]:
        """The rules of a set; none where it lies nowhere that is known here."""
        try:
            if files is None:
                return read_rule_set(self._folder, self._currencies).faces if self._lies_there(wanted) else []
            with tempfile.TemporaryDirectory(prefix="tiltwatch-rules-") as home:
                for name, text in _files.decode(files).items():
                    path = Path(home, name)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(text.encode())
                return read_rule_set(Path(home), self._currencies).faces
        except (TiltwatchError, msgspec.DecodeError):
            log.error("the rules that workers run cannot be read here")
            return []

    def _lies_there(self, wanted: str) -> bool:
        return rule_set_id(self._folder) == wanted
