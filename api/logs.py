"""Structured logs that name routes by their template and never say who or how much."""

from __future__ import annotations

import logging
import sys
import time
import uuid
from typing import Literal

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from detector.drivers.faults import where

log = structlog.get_logger()


def configure(style: Literal["console", "json"], level: str) -> None:
    """Send every log line, the libraries' too, to stderr in one style."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())


class RequestLog:
    """Outermost layer: one line a request, and the last stop of every error nobody foresaw.

    Letting such an error through would have the server write its message, which may hold a player's data.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            occurrence = str(uuid.uuid4())
            log.error("failed", occurrence=occurrence, error=type(error).__name__, where=where(error))
            if status == 0:
                await problems.internal(occurrence)(scope, receive, sending)
        finally:
            # Mounted and unknown routes have no template; their path is not the log's business.
            route = getattr(scope.get("route"), "path", "-")
            took_ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("request", method=scope["method"], route=route, status=status, took_ms=took_ms)
