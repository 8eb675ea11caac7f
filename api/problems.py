"""What a client is told when a request fails: RFC 9457 problems, all of them made here.

A problem's `type` is stable; its words may change. Neither says anything of a player, and nothing an
exception says of itself is ever passed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from limits.errors import StorageError
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.kafka.line import BrokersAway

log = structlog.get_logger()

COMPONENT = "#/components/schemas/{name}"
"""How the OpenAPI document refers to a schema of its own."""

NAMESPACE = "urn:problem-type:tiltwatch:"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: `name` ends its type, `title` says it in words."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        return NAMESPACE + self.name


MALFORMED_BODY = Kind("malformed-body", 400, "The body cannot be read as what it claims to be")
INVALID_PARAMETER = Kind("invalid-parameter", 400, "A parameter is wrong")
UNAUTHENTICATED = Kind("unauthenticated", 401, "It is not known who asks")
FORBIDDEN = Kind("forbidden", 403, "Whoever asks may not")
UNKNOWN_KEY = Kind("unknown-key", 404, "There is no such key")
NOT_FOUND = Kind("not-found", 404, "Nothing is at this path")
UNKNOWN_PLAYER = Kind("unknown-player", 404, "Nothing is known of this player")
UNKNOWN_ENDPOINT = Kind("unknown-endpoint", 404, "There is no such endpoint")
UNKNOWN_DELIVERY = Kind("unknown-delivery", 404, "There is no such delivery")
UNKNOWN_ALERT = Kind("unknown-alert", 404, "There is no such alert")
UNKNOWN_CONTEST = Kind("unknown-contest", 404, "There is no such contest")
UNKNOWN_INTERVENTION = Kind("unknown-intervention", 404, "There is no such intervention")
UNKNOWN_PARTNER = Kind("unknown-partner", 404, "There is no such organisation")
UNKNOWN_PROMPT = Kind("unknown-prompt", 404, "There is no such prompt")
UNKNOWN_CONSENT = Kind("unknown-consent", 404, "There is no such consent")
UNKNOWN_REFERRAL = Kind("unknown-referral", 404, "There is no such referral")
BAD_SIGNATURE = Kind("bad-signature", 401, "It is not signed by an organisation that is known, or too old")
MESSAGE_REUSED = Kind("message-reused", 422, "The webhook-id was used for another message")
NO_REFERRAL = Kind("no-referral", 409, "No organisation may be named to this player")
ASKED_LATELY = Kind("asked-lately", 409, "The player was asked only lately")
PROMPT_CLOSED = Kind("prompt-closed", 409, "The prompt is not open any more")
TEXT_CHANGED = Kind("text-changed", 409, "The text shown is not the one in force")
NO_SEALING_KEY = Kind("no-sealing-key", 409, "Contact details cannot be encrypted to this organisation")
REPORTS_ITSELF = Kind("reports-itself", 409, "The organisation reports by itself")
ALREADY_ASSIGNED = Kind("already-assigned", 409, "Somebody else works on it")
VERDICT_GIVEN = Kind("verdict-given", 409, "There is a verdict already")
NOTHING_DONE = Kind("nothing-done", 409, "Nothing was done about it yet")
CANNOT_WAIT = Kind("cannot-wait", 409, "It cannot be put off")
NOT_ON_THE_LADDER = Kind("not-on-the-ladder", 409, "The ladder does not have this")
NOT_CONTESTABLE = Kind("not-contestable", 409, "It cannot be contested, or not any more")
ALREADY_CONTESTED = Kind("already-contested", 409, "It was contested already")
ALREADY_DECIDED = Kind("already-decided", 409, "It was decided already")
OWN_ORDER = Kind("own-order", 403, "Somebody else than who ordered it has to decide")
CONTRADICTION = Kind("contradiction", 409, "It contradicts what was said before")
KEY_IN_FLIGHT = Kind("key-in-flight", 409, "The same request is at work already")
KEY_REUSED = Kind("key-reused", 422, "The Idempotency-Key was used for another request")
RULES_CHANGED = Kind("rules-changed", 409, "Other rules lie there than those that are wanted")
RULES_UNFIT = Kind("rules-unfit", 422, "The rules do not pass their checks")
RATE_LIMITED = Kind("rate-limited", 429, "Too many requests")
WRONG_HOST = Kind("wrong-host", 421, "This service does not go by that host name")
BODY_TOO_LARGE = Kind("body-too-large", 413, "The body is too large")
TOO_MANY_EVENTS = Kind("too-many-events", 413, "The body holds too many events")
UNSUPPORTED_BODY = Kind("unsupported-body", 415, "Bodies of this kind are not read here")
INTERNAL = Kind("internal", 500, "The service failed")
BACKLOG_FULL = Kind("backlog-full", 503, "Too many events wait for the detector")
BROKERS_UNAVAILABLE = Kind("brokers-unavailable", 503, "The Kafka brokers do not answer")
STORE_UNAVAILABLE = Kind("store-unavailable", 503, "The store does not answer")
NOT_READY = Kind("not-ready", 503, "Not ready")


class Problem(Exception):  # noqa: N818  (it is what is sent, not only what went wrong)
    """Ends a request with a problem of a kind; `more` are members of its own."""

    def __init__(self, kind: Kind, detail: str, *, retry_after_s: int | None = None, **more: Any) -> None:
        super().__init__(kind.name)
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.more = more

    def response(self) -> Response:
        """The problem as it goes out."""
        headers = {} if self.retry_after_s is None else {"Retry-After": str(self.retry_after_s)}
        kind = self.kind
        if kind is UNAUTHENTICATED:
            headers["WWW-Authenticate"] = 'Bearer realm="tiltwatch", Basic realm="tiltwatch"'
        return _response(kind.type, kind.title, kind.status, self.detail, headers, self.more)


def invalid(findings: Iterable[Mapping[str, Any]]) -> Problem:
    """The problem of what pydantic found wrong; what is wrong as a whole is named `body`."""
    # `loc` and `msg` name the parameter and what it should be; `input` would repeat what was sent.
    parameters = [
        {"name": ".".join(map(str, finding["loc"])) or "body", "reason": _reason(finding)}
        for finding in findings
    ]
    return Problem(INVALID_PARAMETER, "See `parameters`.", parameters=parameters)


def wrong(name: str, reason: str) -> Problem:
    """The problem of one parameter, or one member of the body, for a reason that only we know."""
    return Problem(INVALID_PARAMETER, "See `parameters`.", parameters=[{"name": name, "reason": reason}])


def _reason(finding: Mapping[str, Any]) -> str:
    if finding.get("type") == "union_tag_invalid":  # its message repeats what was sent
        return f"One of {finding['ctx']['expected_tags']} is expected" if "ctx" in finding else "Unknown kind"
    reason: str = finding["msg"]
    return reason


def internal(occurrence: str) -> Response:
    """The answer to an error nobody foresaw; the log has the same occurrence with where it happened."""
    return Problem(
        INTERNAL, "The error is in the service's log under this instance.", instance=f"urn:uuid:{occurrence}"
    ).response()


def install(app: FastAPI) -> None:
    """Have an application answer with problems only."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        # The first word of `loc` says where it stands, as query or path.
        return invalid({**finding, "loc": finding["loc"][1:]} for finding in error.errors()).response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        name = status.phrase.lower().replace(" ", "-")
        return _response(NAMESPACE + name, status.phrase, status, None, error.headers or {}, {})

    @app.exception_handler(SQLAlchemyError)
    @app.exception_handler(StorageError)
    @app.exception_handler(RedisError)
    async def _store(_: Request, error: Exception) -> Response:
        # Its message repeats the command, and with it what the client sent.
        log.error("the store failed", error=type(error).__name__)
        return Problem(
            STORE_UNAVAILABLE,
            "Nothing is known to be stored of this request; send it again.",
            retry_after_s=2,
        ).response()

    @app.exception_handler(BrokersAway)
    async def _brokers(_: Request, __: Exception) -> Response:
        return Problem(
            BROKERS_UNAVAILABLE,
            "Nothing is known to be stored of this request; send it again.",
            retry_after_s=5,
        ).response()


def documented(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for its OpenAPI entry."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        entry = found.setdefault(
            kind.status,
            {
                "description": "",
                "content": {
                    "application/problem+json": {"schema": {"$ref": COMPONENT.format(name="Problem")}}
                },
            },
        )
        entry["description"] += f"{'; ' if entry['description'] else ''}{kind.title} (`{kind.type}`)"
    return found


SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "A problem (RFC 9457); `type` is stable.",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
    },
}


def _response(
    type_: str,
    title: str,
    status: int,
    detail: str | None,
    headers: Mapping[str, str],
    more: Mapping[str, Any],
) -> Response:
    body: dict[str, Any] = {"type": type_, "title": title, "status": int(status)}
    if detail is not None:
        body["detail"] = detail
    body.update(more)
    return Response(
        msgspec.json.encode(body), status, headers=dict(headers), media_type="application/problem+json"
    )
