"""The back office as a process or a command of its own."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Sequence

import uvloop

from api import logs
from api.alerts.duty import Deadlines, TakingOver
from api.archive.duty import Archiving
from api.audit.duty import Checkpoints
from api.backoffice.lease import OfficeLease
from api.backoffice.office import LASTS_S, Duty, Office
from api.consent.duty import RunningOut
from api.consent.service import ConsentService
from api.contests.duty import OverdueContests
from api.deployment import Deployment, deployed
from api.idempotency.duty import Forgetting
from api.kafka.duties import on_kafka
from api.learning.duty import telling_trainer
from api.notifications.service import follow_settings
from api.referrals.duty import Acknowledgements
from api.referrals.service import CREATED, ReferralsService, address_of
from api.rules.duty import RuleChanges
from api.settings import PREFIX, Settings
from api.webhooks.delivery import Deliveries
from api.webhooks.duty import Erasing
from api.webhooks.outbox import Outbox
from detector.errors import SettingsError


def duties(deployment: Deployment, lease: OfficeLease) -> Sequence[Duty]:
    """Everything that a back office does."""
    outbox = Outbox(deployment.clock)
    referrals = ReferralsService(
        outbox,
        deployment.audit,
        deployment.keyring,
        address_of(deployment.settings),
        deployment.clock,
    )
    consent = ConsentService(deployment, outbox, referrals)
    return [
        *on_kafka(deployment, lease),
        TakingOver(deployment, lease),
        *([telling_trainer(deployment, lease)] if deployment.settings.learn else []),
        Deadlines(deployment, lease),
        OverdueContests(deployment, lease),
        Archiving(deployment, lease),
        RuleChanges(deployment, lease),
        Deliveries(
            deployment,
            lease,
            on_delivered={CREATED: referrals.delivered},
            on_given_up={CREATED: referrals.given_up},
            holders={CREATED: consent.held_back},
        ),
        Acknowledgements(deployment.store, lease, referrals),
        RunningOut(deployment.store, lease, consent),
        Checkpoints(deployment, lease),
        Forgetting(deployment, lease),
        Erasing(deployment, lease),
    ]


def office(deployment: Deployment) -> Office:
    """The back office of a deployment."""
    lease = OfficeLease(deployment.store, deployment.clock, int(LASTS_S * 1_000_000))
    return Office(lease, lambda held: duties(deployment, held))


async def work(settings: Settings, redis_url: str, stop: asyncio.Event) -> None:
    """Do all duties until `stop` is set."""
    async with deployed(settings, redis_url) as deployment:
        await follow_settings(deployment)
        await office(deployment).run(stop)


def run(settings: Settings) -> None:
    """Do all duties until Ctrl-C or SIGTERM; Redis is the one that the settings name.

    Raises
    ------
    SettingsError
        They name none.
    """
    if settings.redis_url is None:
        raise SettingsError(f"{PREFIX}REDIS_URL must name the Redis that the detector works on")
    logs.configure(settings.log_format, settings.log_level)
    uvloop.run(_until_signal(settings, settings.redis_url.get_secret_value()))


async def _until_signal(settings: Settings, redis_url: str) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await work(settings, redis_url, stop)


def back_office(settings: Settings, redis_url: str, stop: threading.Event) -> None:
    """The part that `tiltwatch run` has beside it."""
    uvloop.run(_until(settings, redis_url, stop))


async def _until(settings: Settings, redis_url: str, stop: threading.Event) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        stop.wait()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await work(settings, redis_url, ended)
