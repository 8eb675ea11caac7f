"""Delivering what the outbox holds: a duty of the back office.

Messages are claimed in one transaction, sent, and what came of them is written in another. Between the two
stands the lease: whoever lost it writes nothing, and sends nothing that it claimed later than it surely had
it. What was being sent when an office ended is sent again under the same id by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as StoreTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from api.backoffice.lease import LeaseLost, OfficeLease
from api.deployment import Ground
from api.notifications.mail import Mailing
from api.webhooks import breaking, claims, repository
from api.webhooks.carrying import Answer, Carrier, Job, Target
from api.webhooks.guard import read_networks
from api.webhooks.outbox import Outbox
from api.webhooks.pacing import Pace
from api.webhooks.posting import Posting
from api.webhooks.retrying import SECOND_US, Options
from api.webhooks.service import unsealed
from api.webhooks.settling import Done, Handler, Holder, Settling
from api.webhooks.tables import Attempt, Endpoint, Message
from detector.drivers.faults import where

log = structlog.get_logger()

TEND_US = 5 * SECOND_US
HELD_US = 60 * SECOND_US
"""After which what must not go out is looked at again."""
LONGEST_LATE_US = 5 * 60 * SECOND_US
"""Longest pause before what came of an attempt is written anew."""
STORE_AWAY = (OperationalError, InterfaceError, StoreTimeoutError, OSError)
PAGE = 500
WIND_UP_S = 2.0


class Lane:
    """One endpoint as whoever sends sees it: its row, its secrets, its slots, what is under way."""

    def __init__(self, row: Endpoint, pace: Pace) -> None:
        self.row = row
        self.pace = pace
        self.due_us: int | None = None
        self.secrets: list[tuple[str, int | None]] = []
        self.secrets_of = 0  # the version of the row that they belong to
        self.under_way = 0  # until it is settled
        self.settled = 0  # which settling wrote its row last

    def target(self, now_us: int) -> Target:
        """Where to, with the secrets that sign now."""
        signing = tuple(secret for secret, until_us in self.secrets if until_us is None or until_us > now_us)
        return Target(self.row.url, signing)

    def may_send(self, now_us: int, options: Options) -> int:
        """How many more may be sent now."""
        if self.row.state != "enabled":
            return 0
        most = min(self.pace.free(_steady_us()), options.most_of_one - self.under_way)
        allowed = breaking.allows(self.row, now_us, self.under_way)
        return most if allowed is None else min(most, allowed)


@dataclass(slots=True, eq=False)
class Late:
    """What could not be written of an attempt, and when it is tried again, by the steady clock."""

    done: Done
    due_us: int
    pause_us: int


class Deliveries:
    """Sends what is due, as fast as each endpoint admits.

    Parameters
    ----------
    on_delivered, on_given_up
        By type of message, what else happens in the transaction that marks it so.
    holders
        By type of message, who says at the last moment what must not go out; it is asked again later.
    carriers
        By kind of endpoint; HTTP and mail as the settings say if None.
    """

    name = "deliveries"

    def __init__(
        self,
        ground: Ground,
        lease: OfficeLease,
        options: Options | None = None,
        *,
        on_delivered: Mapping[str, Handler] | None = None,
        on_given_up: Mapping[str, Handler] | None = None,
        holders: Mapping[str, Holder] | None = None,
        carriers: Mapping[str, Carrier] | None = None,
    ) -> None:
        settings = ground.settings
        self._store, self._keyring, self._audit = ground.store, ground.keyring, ground.audit
        self._clock, self._lease = ground.clock, lease
        self._options = options or Options(down_after_us=settings.partner_down_after_s * SECOND_US)
        networks = read_networks(settings.webhook_networks)
        self._carriers = carriers or {
            "webhook": Posting(networks, self._options.timeout_s, self._clock),
            "mail": Mailing(settings, networks, self._options.timeout_s),
        }
        self._settling = Settling(
            self._audit, Outbox(self._clock), self._options, on_delivered or {}, on_given_up or {}
        )
        self._holders = holders or {}
        self._lanes: dict[str, Lane] = {}
        self._left_behind: dict[str, int] = {}
        self._begun_us = 0  # on the steady clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._done: list[Done] = []
        self._late: list[Late] = []
        self._over, self._progress = asyncio.Event(), asyncio.Event()
        self._settler: asyncio.Task[None] | None = None
        self._settlings = 0
        self._ending = False
        self._tend_us = 0

    async def round(self) -> float:
        """Send what may be sent now; waits until there may be more, but never long."""
        if self._settler is None:
            await self._take_over()
            self._settler = asyncio.create_task(self._settle_all())
        elif self._settler.done():
            self._settler.result()
            raise LeaseLost
        now_us = self._clock()
        if now_us >= self._tend_us or now_us < self._tend_us - TEND_US:
            await self._tend(now_us)
            self._tend_us = now_us + TEND_US
        self._progress.clear()
        wanted = await self._look(now_us)
        sent = await self._send(wanted, now_us) if wanted else 0
        wait_s = 0.0 if sent else self._until_next_s(now_us)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._progress.wait(), wait_s)
        await asyncio.sleep(self._options.gather_s)
        return 0.0

    async def end(self) -> None:
        """Let what is under way come to its end for a moment, write what came of it, and stop."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=WIND_UP_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._settler is not None:
            self._ending = True
            self._over.set()
            await asyncio.wait((self._settler,), timeout=WIND_UP_S)
            self._settler.cancel()
            await asyncio.gather(self._settler, return_exceptions=True)
        for carrier in self._carriers.values():
            await carrier.close()

    async def _take_over(self) -> None:
        """Have what the last office was sending wait again; whether it arrived, only the receiver knows."""
        now_us = self._clock()
        while True:
            async with self._store.write() as session:
                await self._lease.check(session)
                rows = await claims.left_behind(session, PAGE)
                endpoints = await claims.endpoints(session, {row.endpoint for row in rows})
                for row in rows:
                    attempt = Attempt(
                        message=row.id,
                        number=row.attempts,
                        at_us=now_us,
                        outcome="unknown",
                        status=None,
                        milliseconds=0,
                    )
                    claims.note(session, attempt)
                    if row.state == "recalled":
                        row.state, row.done_us = "cancelled", now_us
                    else:
                        enabled = endpoints[row.endpoint].state == "enabled"
                        row.state, row.due_us = "waiting" if enabled else "parked", now_us
            for row in rows:
                self._left_behind[row.endpoint] = self._left_behind.get(row.endpoint, 0) + 1
            if len(rows) < PAGE:
                break
        self._begun_us = _steady_us()

    async def _tend(self, now_us: int) -> None:
        """Drop what is over, and tell of endpoints that stay down."""
        down_since_us = now_us - self._options.down_after_us
        async with self._store.read() as session:
            if not await claims.anything_to_tend(session, now_us, down_since_us):
                return
        async with self._store.write() as session:
            await self._lease.check(session)
            for message in await claims.overdue(session, now_us, PAGE):
                self._settling.expire(session, message, now_us)
            for endpoint in await claims.down(session, down_since_us):
                await self._settling.tell_down(session, endpoint, "failing", now_us)
            await claims.drop_secrets(session, now_us)

    async def _look(self, now_us: int) -> list[tuple[Lane, int]]:
        """Which endpoints may be sent how much now."""
        before = self._settlings
        async with self._store.read() as session:
            rows = await claims.enabled(session)
            stale = [row.id for row, _ in rows if self._lane(row, now_us).secrets_of != row.version]
            secrets = await repository.secrets_of(session, stale, now_us) if stale else []
        for row, due_us in rows:
            lane = self._lanes[row.id]
            lane.due_us = due_us
            if lane.settled > before:
                continue  # what was read is older than what we know: a breaker may have opened meanwhile
            lane.row = row
            lane.pace.change(row.rate_per_s, row.burst)
            if lane.secrets_of != row.version:
                own = [each for each in secrets if each.endpoint == row.id]
                lane.secrets = [(unsealed(self._keyring, each), each.until_us) for each in own]
                lane.secrets_of = row.version
        waiting = {row.id for row, _ in rows}
        for lane in self._lanes.values():
            if lane.row.id not in waiting:
                lane.due_us = None
        free = self._options.most_in_flight - sum(lane.under_way for lane in self._lanes.values())
        wanted = []
        # Whoever has least under way is served first, and nobody is given all that is left.
        for lane in sorted(self._lanes.values(), key=lambda each: each.under_way):
            if lane.due_us is not None and lane.due_us <= now_us:
                share = min(lane.may_send(now_us, self._options), -(-free // 4))
                if share > 0:
                    wanted.append((lane, share))
                    free -= share
        return wanted

    def _lane(self, row: Endpoint, now_us: int) -> Lane:
        if row.id not in self._lanes:
            freed_us = row.freed_us - now_us + _steady_us()
            pace = Pace(row.rate_per_s, row.burst, self._begun_us, freed_us, self._left_behind.pop(row.id, 0))
            self._lanes[row.id] = Lane(row, pace)
        return self._lanes[row.id]

    async def _send(self, wanted: list[tuple[Lane, int]], now_us: int) -> int:
        """Claim what is due and begin to send it; returns how much that was."""
        jobs: list[tuple[Lane, Job]] = []
        async with self._store.write() as session:
            sure_until_us = await self._lease.check(session)
            for lane, share in wanted:
                subjects: set[str] = set()
                due = await claims.due(session, lane.row.id, now_us, share)
                held = await self._held(session, due)
                for message in due:
                    if message.not_after_us is not None and message.not_after_us <= now_us:
                        self._settling.expire(session, message, now_us)
                    elif message.id in held:
                        message.due_us = now_us + HELD_US
                    elif message.subject not in subjects:
                        subjects.add(message.subject)
                        body, number = message.body.encode(), message.attempts + 1
                        jobs.append((lane, Job(message.id, lane.row.id, message.type, body, number)))
            await claims.take(session, [job.message for _, job in jobs])
        for lane, job in jobs:
            lane.pace.take()
            lane.under_way += 1
            task = asyncio.create_task(self._attempt(lane, job, sure_until_us))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return len(jobs)

    async def _held(self, session: AsyncSession, due: Sequence[Message]) -> set[str]:
        """What must not go out now."""
        held: set[str] = set()
        for type_, holder in self._holders.items():
            if asked := [each for each in due if each.type == type_]:
                held.update(await holder(session, asked))
        return held

    async def _attempt(self, lane: Lane, job: Job, sure_until_us: int) -> None:
        begun_us, at_us = _steady_us(), self._clock()
        answer: Answer | None = None
        try:
            if at_us < sure_until_us:
                answer = await self._carriers[lane.row.kind].carry(lane.target(at_us), job)
        except Exception as error:
            log.error("a delivery failed on our side", error=type(error).__name__, where=where(error))
            answer = Answer("unreachable")
        finally:
            lane.pace.give_back(_steady_us())
        self._done.append(Done(job, answer, at_us, (_steady_us() - begun_us) // 1000))
        self._over.set()

    async def _settle_all(self) -> None:
        """Write what comes of attempts, as many as there are at a time."""
        with suppress(LeaseLost):
            while not (self._ending and not self._done):
                due_us = min((each.due_us for each in self._late), default=None)
                wait_s = None if due_us is None else max(0, due_us - _steady_us()) / SECOND_US
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), wait_s)
                await asyncio.sleep(self._options.gather_s / 4)
                self._over.clear()
                while self._done:
                    await self._settle_some(self._done[:PAGE])
                await self._settle_late()
                self._progress.set()

    async def _settle_some(self, batch: list[Done]) -> None:
        """Write a batch; where that fails, each by itself, so that what cannot be written holds nobody up."""
        try:
            await self._settle(batch)
        except LeaseLost:
            raise
        except Exception as error:
            log.error("outcomes are written one by one", error=type(error).__name__, where=where(error))
        else:
            del self._done[: len(batch)]
            return
        for done in batch:
            failure = await self._failing(done)
            del self._done[0]
            if failure is not None:
                # The attempt is over all the same, and its slot free.
                self._lanes[done.job.endpoint].under_way -= 1
                pause_us = self._options.settle_again_us
                self._late.append(Late(done, _steady_us() + pause_us, pause_us))
            if isinstance(failure, STORE_AWAY):
                await asyncio.sleep(1)
                return

    async def _settle_late(self) -> None:
        """Write what could not be written before and is due again."""
        for each in [each for each in self._late if each.due_us <= _steady_us()]:
            failure = await self._failing(each.done, late=True)
            if failure is None:
                self._late.remove(each)
                continue
            each.pause_us = min(2 * each.pause_us, LONGEST_LATE_US)
            each.due_us = _steady_us() + each.pause_us
            if isinstance(failure, STORE_AWAY):
                return

    async def _failing(self, done: Done, *, late: bool = False) -> Exception | None:
        """Write one outcome; what kept it from being written."""
        try:
            await self._settle([done], late=late)
        except LeaseLost:
            raise
        except Exception as error:
            log.error("an outcome waits", error=type(error).__name__, where=where(error))
            return error
        return None

    async def _settle(self, batch: list[Done], *, late: bool = False) -> None:
        now_us, steady_us = self._clock(), _steady_us()
        lanes = {done.job.endpoint: self._lanes[done.job.endpoint] for done in batch}
        freed_us = {each: lane.pace.freed_us - steady_us + now_us for each, lane in lanes.items()}
        async with self._store.write() as session:
            await self._lease.check(session)
            rows = await self._settling.settle(session, batch, freed_us, now_us)
        for done in () if late else batch:
            lanes[done.job.endpoint].under_way -= 1
        self._settlings += 1
        for endpoint, row in rows.items():
            lanes[endpoint].row, lanes[endpoint].settled = row, self._settlings

    def _until_next_s(self, now_us: int) -> float:
        """Seconds until something may be sent that could not be now, if nothing else happens meanwhile."""
        least_us = int(self._options.idle_s * SECOND_US)
        for lane in self._lanes.values():
            if lane.due_us is None:
                continue
            steady_us = _steady_us()
            free_us = lane.pace.next_us(steady_us)
            if lane.due_us > now_us:
                least_us = min(least_us, lane.due_us - now_us)
            elif free_us is not None and free_us > steady_us:
                least_us = min(least_us, free_us - steady_us)
        return least_us / SECOND_US


def _steady_us() -> int:
    """A clock that is never put right, for measuring."""
    return int(asyncio.get_running_loop().time() * SECOND_US)
