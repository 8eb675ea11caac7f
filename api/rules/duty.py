"""Writing into the audit chain which rules came into force, however that came about."""

from __future__ import annotations

from api.backoffice import progress
from api.backoffice.lease import OfficeLease
from api.deployment import Deployment
from api.rules import repository
from detector.events.instants import rfc3339_ms

EVERY_S = 1.0
DETECTOR = "system:detector"

RECORDED = "rules"
REFUSED = "rules refused"
"""The names under which the set, and the asking, that was written down last is kept."""


class RuleChanges:
    """Looks which set the detector says it runs, and records one that was not recorded yet."""

    name = "rule changes"

    def __init__(self, deployment: Deployment, lease: OfficeLease) -> None:
        self._redis = deployment.redis
        self._store = deployment.store
        self._audit = deployment.audit
        self._lease = lease

    async def round(self) -> float:
        told = await repository.report(self._redis)
        async with self._store.read() as session:
            known = await progress.reached(session, RECORDED)
            refused = await progress.reached(session, REFUSED)
        is_new = told.running is not None and told.running != known
        is_refused = told.refused is not None and told.answered != refused
        if not (is_new or is_refused):
            return EVERY_S
        by = told.asked_by or DETECTOR
        async with self._store.write() as session:
            await self._lease.check(session)
            if is_new and told.running is not None:
                self._audit.tell(
                    session,
                    by if told.asked == told.running else DETECTOR,
                    "rules.activated",
                    f"rules:{told.running}",
                    before=known,
                    effective_from=rfc3339_ms(told.effective_from_us) if told.effective_from_us else None,
                    rules=sorted(f"{each.id}@{each.version}" for each in told.rules or ()),
                )
                await progress.move(session, RECORDED, told.running)
            if is_refused:
                self._audit.tell(session, by, "rules.refused", f"rules:{told.refused}", why=told.why)
                await progress.move(session, REFUSED, told.answered)
        return EVERY_S
