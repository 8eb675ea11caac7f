"""What every request goes through first and last."""

from __future__ import annotations

import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from detector.drivers.faults import where

log = structlog.get_logger()


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
