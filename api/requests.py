"""What every request goes through first and last."""

from __future__ import annotations

import time
import uuid

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.metrics.counting import Counts
from api.settings import is_loopback
from detector.drivers.faults import where

log = structlog.get_logger()

MOST_BYTES = 64 * 1024
"""Largest body of a request that brings no events."""


class RequestLog:
    """Outermost layer: one line a request, and the last stop of every error nobody foresaw.

    Letting such an error through would have the server write its message, which may hold a player's data.
    """

    def __init__(self, app: ASGIApp, counts: Counts) -> None:
        self._app = app
        self._counts = counts

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
        except ClientDisconnect:
            pass  # whoever sent it no longer listens
        except Exception as error:
            occurrence = str(uuid.uuid4())
            log.error("failed", occurrence=occurrence, error=type(error).__name__, where=where(error))
            if status == 0:
                await problems.internal(occurrence)(scope, receive, sending)
        finally:
            # Mounted and unknown routes have no template; their path is not the log's business.
            route = getattr(scope.get("route"), "path", "-")
            self._counts.request(route, scope["method"], status)
            took_ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("request", method=scope["method"], route=route, status=status, took_ms=took_ms)


class BodyLimit:
    """Reads bodies, and refuses those larger than any route needs; the intake of events has its own limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD") or scope["path"] == "/v1/events":
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MOST_BYTES:
                refusal = problems.Problem(problems.BODY_TOO_LARGE, f"At most {MOST_BYTES} bytes are taken.")
                await refusal.response()(scope, receive, send)
                return
        if b"\x00" in body or not _is_utf8(body):
            # JSON is UTF-8; what reads it later would also take UTF-16 for JSON.
            refusal = problems.Problem(problems.MALFORMED_BODY, "Send UTF-8.")
            await refusal.response()(scope, receive, send)
            return
        whole: Message | None = {"type": "http.request", "body": bytes(body), "more_body": False}

        async def replay() -> Message:
            nonlocal whole
            message, whole = whole, None
            return await receive() if message is None else message

        await self._app(scope, replay, send)


class LoopbackNames:
    """Answers only under names of this machine.

    A web page whose own name is made to mean this machine could otherwise read alerts in a visitor's browser.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not all(
            map(_is_of_this_machine, Headers(scope=scope).getlist("host"))
        ):
            refusal = problems.Problem(problems.WRONG_HOST, "Use localhost, 127.0.0.1 or [::1].")
            await refusal.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _is_of_this_machine(host: str) -> bool:
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name)


def _is_utf8(body: bytearray) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
