"""Doing all duties side by side for as long as the lease is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

import structlog

from api.backoffice.lease import LeaseLost, OfficeLease
from detector.drivers.faults import where

log = structlog.get_logger()

LASTS_S = 5.0
LONGEST_PAUSE_S = 30.0


class Duty(Protocol):
    """One kind of work."""

    @property
    def name(self) -> str: ...

    async def round(self) -> float:
        """Do what there is to do now; returns the seconds until there may be more, 0 for at once."""
        ...


@runtime_checkable
class Lasting(Protocol):
    """A duty that has work under way between its rounds."""

    async def end(self) -> None:
        """Bring it to an end; called once, when the lease is given up or was lost."""
        ...


class Office:
    """A back office.

    Parameters
    ----------
    make_duties
        Makes the duties, anew each time the lease is won: they may remember what no other office can have
        changed meanwhile.
    """

    def __init__(
        self,
        lease: OfficeLease,
        make_duties: Callable[[OfficeLease], Sequence[Duty]],
        renew_s: float = LASTS_S / 5,
    ) -> None:
        self._lease = lease
        self._make_duties = make_duties
        self._renew_s = renew_s

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; what was begun is then finished."""
        while not stop.is_set():
            try:
                if await self._lease.take():
                    await self._term(stop)
            except LeaseLost:
                log.warning("the back office's lease was lost")
            except Exception as error:
                log.error("the back office failed", error=type(error).__name__, where=where(error))
            await _pause(stop, self._renew_s)
        with suppress(Exception):
            await self._lease.give_back()

    async def _term(self, stop: asyncio.Event) -> None:
        """Work from taking the lease until losing it."""
        log.info("the back office is at work")
        ended = asyncio.Event()
        duties = self._make_duties(self._lease)
        tasks = [asyncio.create_task(self._do(duty, ended)) for duty in duties]
        try:
            while not stop.is_set():
                await _pause(stop, self._renew_s)
                if not await self._lease.take():
                    raise LeaseLost
                for task in tasks:
                    if task.done():
                        task.result()
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        finally:
            ended.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            for duty in duties:
                if isinstance(duty, Lasting):
                    await duty.end()

    @staticmethod
    async def _do(duty: Duty, ended: asyncio.Event) -> None:
        """Do one duty over and over; what goes wrong is told, and tried again after a while."""
        pause_s = 1.0
        while not ended.is_set():
            try:
                wait_s = await duty.round()
                pause_s = 1.0
            except LeaseLost:
                raise
            except Exception as error:
                log.error("a duty failed", duty=duty.name, error=type(error).__name__, where=where(error))
                wait_s, pause_s = pause_s, min(2 * pause_s, LONGEST_PAUSE_S)
            await _pause(ended, wait_s)


async def _pause(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
