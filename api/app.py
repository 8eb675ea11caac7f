"""The service, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from typing import Any

import uvicorn
from fastapi import FastAPI

from api import problems, routes
from api.access import endpoints as access
from api.access.limits import RequestLimits
from api.access.service import AccessService
from api.alerts import endpoints as alerts
from api.alerts.acting import Acting
from api.alerts.ladder import LadderInForce
from api.alerts.service import AlertsService
from api.alerts.working import Working
from api.audit import endpoints as audited
from api.audit.reading import AuditReader
from api.consent import endpoints as consent
from api.consent.answering import AnsweringService
from api.consent.service import ConsentService
from api.contests import endpoints as contests
from api.contests.service import ContestsService
from api.deployment import archive_dir, checkpoints_path, deploy
from api.events import endpoints as events
from api.events.brokers import KafkaEvents
from api.events.foreign import ForeignFeeds
from api.events.repository import RedisEvents
from api.events.service import EventsService
from api.health import endpoints as health
from api.health.repository import HealthRepository
from api.health.service import HealthService
from api.interventions import endpoints as interventions
from api.interventions.asking import Asking
from api.interventions.service import InterventionsService
from api.metrics import endpoints as metrics
from api.metrics.counting import Counts
from api.metrics.service import MetricsService
from api.partners import endpoints as partners
from api.partners.service import PartnersService
from api.players import endpoints as players
from api.players.repository import PlayersRepository
from api.players.service import Grounds, PlayersService
from api.players.timeline import TimelineService
from api.referrals import endpoints as referrals
from api.referrals.callbacks import CallbacksService
from api.referrals.outcomes import OutcomesService
from api.referrals.reading import ReadingReferrals
from api.referrals.service import ReferralsService, address_of
from api.reports import endpoints as reports
from api.reports.service import ReportsService
from api.requests import BodyLimit, LoopbackNames, RequestLog
from api.rules import endpoints as rules
from api.rules.service import RulesService
from api.settings import Settings
from api.webhooks import endpoints as webhooks
from api.webhooks.deliveries_service import DeliveriesService
from api.webhooks.guard import read_networks
from api.webhooks.outbox import Outbox
from api.webhooks.service import EndpointsService
from detector.drivers.clock import wall_clock_us
from detector.events.decode import Decoder
from detector.events.money import Currencies
from detector.language.pack import default_pack


def create_app(settings: Settings, redis_url: str, clock: Callable[[], int] = wall_clock_us) -> FastAPI:
    """The HTTP service over a Redis; it connects when it starts and disconnects when it ends."""
    deployment = deploy(settings, redis_url, clock)
    redis, store, audit = deployment.redis, deployment.store, deployment.audit

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await deployment.begin()
        yield
        await deployment.end()

    app = FastAPI(
        title="tiltwatch", version=version("tiltwatch"), lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.deployment = deployment
    app.state.settings = settings
    app.state.store, app.state.keyring, app.state.clock = store, deployment.keyring, clock
    app.state.access = AccessService(store, audit, clock)
    app.state.limits = RequestLimits(redis, settings.request_limits)
    app.state.events = EventsService(
        RedisEvents(redis, settings.backlog_limit, settings.dead_kept)
        if deployment.line is None
        else KafkaEvents(deployment.line),
        Decoder(Currencies(settings.currencies)),
        clock,
        settings.max_body_events,
    )
    app.state.foreign = ForeignFeeds(settings.mappings, Currencies(settings.currencies))
    ladder, outbox = LadderInForce(redis, settings.rules_dir), Outbox(clock)
    app.state.alerts = AlertsService(store, deployment.keyring, clock)
    app.state.working = Working(clock)
    asking = Asking(deployment.keyring, outbox, clock)
    app.state.referrals = ReferralsService(outbox, audit, deployment.keyring, address_of(settings), clock)
    app.state.consent = ConsentService(deployment, outbox, app.state.referrals)
    app.state.answering = AnsweringService(deployment, app.state.consent, app.state.referrals)
    app.state.reading_referrals = ReadingReferrals(store, deployment.keyring, audit, clock)
    app.state.outcomes = OutcomesService(store, clock)
    app.state.acting = Acting(ladder, asking, app.state.consent, clock)
    app.state.interventions = InterventionsService(store, clock)
    app.state.contests = ContestsService(store, ladder, outbox, clock)
    app.state.reports = ReportsService(store, clock)
    app.state.players = PlayersService(
        PlayersRepository(redis),
        Grounds(settings.rules_dir, Currencies(settings.currencies)),
        clock,
        store,
        deployment.keyring,
        audit,
        is_distributed=deployment.line is not None,
    )
    app.state.audit_reader = AuditReader(store, audit, checkpoints_path(settings), archive_dir(settings))
    app.state.counts = Counts()
    app.state.metrics = MetricsService(
        store, redis, app.state.counts, clock, is_distributed=deployment.line is not None
    )
    app.state.rules = RulesService(
        redis, audit, settings.rules_dir or default_pack(), settings.currencies, clock, deployment.line
    )
    app.state.timeline = TimelineService(store, deployment.keyring, audit, clock, archive_dir(settings))
    app.state.health = HealthService(HealthRepository(redis), clock, deployment.line)
    app.state.endpoints = EndpointsService(
        deployment.keyring, audit, clock, read_networks(settings.webhook_networks)
    )
    app.state.deliveries = DeliveriesService(audit, clock)
    app.state.partners = PartnersService(store, deployment.keyring, audit, app.state.endpoints, clock)
    app.state.callbacks = CallbacksService(store, app.state.partners, app.state.referrals, clock)
    app.include_router(routes.router)
    app.include_router(access.router)
    app.include_router(events.router)
    app.include_router(alerts.router)
    app.include_router(interventions.router)
    app.include_router(contests.router)
    app.include_router(reports.router)
    app.include_router(players.router)
    app.include_router(partners.router)
    app.include_router(consent.router)
    app.include_router(referrals.router)
    app.include_router(webhooks.router)
    app.include_router(rules.router)
    app.include_router(audited.router)
    app.include_router(metrics.router)
    app.include_router(health.router)
    problems.install(app)
    app.add_middleware(BodyLimit)
    if not settings.allow_remote:
        app.add_middleware(LoopbackNames)
    app.add_middleware(RequestLog, counts=app.state.counts)
    _document(app)
    return app


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, who has more to stop than HTTP."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: FastAPI) -> uvicorn.Server:
    """A server for the application, to be given the sockets it serves; `should_exit` ends it."""
    config = uvicorn.Config(
        app,
        access_log=False,  # it writes paths and queries; RequestLog writes templates
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    return _Server(config)


def _document(app: FastAPI) -> None:
    """Add to the OpenAPI document what FastAPI cannot see: problems, and answers made of structs."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            components = schema["components"]["schemas"]
            components.update(
                {
                    "Problem": problems.SCHEMA,
                    **alerts.SCHEMAS,
                    **events.SCHEMAS,
                    **interventions.SCHEMAS,
                    **players.SCHEMAS,
                    **consent.SCHEMAS,
                    **referrals.SCHEMAS,
                }
            )
            # What FastAPI would answer to a wrong parameter; here it is a problem like all others.
            for unused in ("HTTPValidationError", "ValidationError"):
                components.pop(unused, None)
            for operations in schema["paths"].values():
                for operation in operations.values():
                    if "HTTPValidationError" in str(operation["responses"].get("422")):
                        del operation["responses"]["422"]
        return generate()

    # FastAPI's way of having one's own.
    app.openapi = openapi  # type: ignore[method-assign]
